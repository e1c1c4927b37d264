"""What a search of noise found: all candidates, the front of accuracy against certified changes, and the best settings."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tomli_w

from graphcert.core.files import atomic_write_text
from graphcert.core.tables import Table, data_frame, plain_lines
from graphcert.errors import InputError
from graphcert.experiments.experiment import Front
from graphcert.experiments.views import draw, pareto, rows_text
from graphcert.run.settings.graph_run import RunConfig
from graphcert.run.settings.noise import SmoothingConfig, ends
from graphcert.tuning.space import FLIPS, kind_of
from graphcert.tuning.trial import Goal, Row

CANDIDATES, FRONT, PLOT, BEST, CHOICES = "candidates.csv", "front.csv", "front.svg", "best.toml", "settings"


@dataclass(frozen=True, eq=False)
class Candidate:
    """A noise and what its trials measured, the mean over their seeds; `round` is the last one that it reached, from 1."""

    number: int
    noise: SmoothingConfig
    round: int
    rows: tuple[Row, ...]

    @property
    def accuracy(self) -> float:
        """Share of the validation nodes that the smoothed model labels rightly."""
        return _mean([row["accuracy"] for row in self.rows])

    @property
    def changes(self) -> float:
        """The average number of changes that a validation node is expected to survive with its right label."""
        return _mean([row["average changes"] for row in self.rows])

    @property
    def place(self) -> tuple[float, float]:
        """Both, to compare candidates by."""
        return self.accuracy, self.changes

    def words(self) -> dict[str, str]:
        """Its noise, near:far where it is localized."""
        noise = self.noise
        rates = (noise.features.add, noise.features.delete, noise.edges.add, noise.edges.delete)
        found = {name: _rate(rate) for name, rate in zip(FLIPS, rates, strict=True) if any(ends(rate))}
        found |= {} if noise.select is None else {"select": _rate(noise.select)}
        found |= {
            name: _rate(value) if isinstance(value, float | tuple) else str(value) for name, value in noise.laws.items()
        }
        return {"clusters": str(noise.clusters), **found}


@dataclass(frozen=True, eq=False, repr=False)
class Tuned:
    """What `gc.tune` found. Nothing in it is a claim: it was estimated on validation nodes.

    Attributes:
        base: the settings of the final run, whose noise is that of the first candidate.
        goal: what was maximised.
        floor: the least accuracy that was asked for.
        seeds: the seeds that were used; the seed of the final run is none of them.
        tried: all candidates that were measured.
        rounds: how many rounds there were.
        left_out: sentences about what the time did not allow, and about searches that had no answer in theirs.
        validation: number of validation nodes.
    """

    base: RunConfig
    goal: Goal
    floor: float
    seeds: tuple[int, ...]
    tried: tuple[Candidate, ...]
    rounds: int
    left_out: tuple[str, ...]
    validation: int

    def __repr__(self) -> str:
        return self.summary()

    @property
    def _last(self) -> list[Candidate]:
        """The candidates of the last round."""
        return [one for one in self.tried if one.round == self.rounds]

    @property
    def _front(self) -> list[Candidate]:
        last = {(one.number,): one for one in self._last}
        return [last[key] for key in reversed(pareto({key: one.place for key, one in last.items()}))]

    @property
    def _best(self) -> Candidate | None:
        allowed = [one for one in self._front if one.accuracy >= self.floor]
        return max(allowed, key=lambda one: (one.changes, one.accuracy, -one.number), default=None)

    @property
    def candidates(self) -> list[dict[str, Any]]:
        """One plain row per candidate: its noise, how many rounds it stayed, and what was measured."""
        return [self._row(one) for one in self.tried]

    @property
    def front(self) -> list[dict[str, Any]]:
        """The rows of those that no other one of the last round passes in both measurements, the most accurate first."""
        return [self._row(one) for one in self._front]

    @property
    def best(self) -> dict[str, Any] | None:
        """The row of the most changes at an accuracy of at least the floor; None if no candidate is so accurate."""
        return None if self._best is None else self._row(self._best)

    def settings(self, number: int | None = None) -> dict[str, Any]:
        """The settings of a final run with the noise of a candidate (None: the best one), as a file of settings has them.

        Raises:
            InputError: if there is no such candidate.
        """
        found = self._best if number is None else next((one for one in self.tried if one.number == number), None)
        if found is None:
            raise InputError(self._none() if number is None else f"there is no candidate {number}")
        return self._config(found).to_dict()

    def summary(self) -> str:
        """The front and the best candidate, line by line."""
        return "\n".join(plain_lines(self._words()))

    def _words(self) -> list[str | Table]:
        """The front and the best candidate, in lines and a table."""
        of = f"{self.validation:,} validation nodes, seeds {', '.join(map(str, self.seeds))}"
        lines: list[str | Table] = [
            f"{len(self.tried):,} candidates, {len(self._last):,} of them in round {self.rounds}; {of}; no claims",
        ]
        best = self._best
        marked = [("→ " if one is best else "  ") + str(one.number) for one in self._front]
        words = [one.words() for one in self._front]
        names = list(dict.fromkeys(name for one in words for name in one))
        rows = [["candidate", *names, "accuracy", f"average changes ({self.goal.objective})"]]
        for mark, one, said in zip(marked, self._front, words, strict=True):
            numbers = [f"{_percent(one.accuracy)}", f"{int(100 * one.changes) / 100:.2f}"]
            rows.append([mark, *(said.get(name, "") for name in names), *numbers])
        lines.append(Table(rows))
        lines += [self._none()] if best is None else self._by_kind()
        return [*lines, *self.left_out]

    def to_pandas(self) -> Any:
        """A pandas.DataFrame with one row per candidate.

        Raises:
            UnsupportedError: if pandas is not installed.
        """
        rows = self.candidates
        return data_frame({name: [row.get(name) for row in rows] for name in _names(rows)}, "row")

    def save(self, folder: str | Path) -> None:
        """Write candidates.csv, front.csv and front.svg, the settings of the front, and best.toml if there is a best one."""
        place = Path(folder)
        atomic_write_text(place / CANDIDATES, rows_text(self.candidates))
        atomic_write_text(place / FRONT, rows_text(self.front))
        self._draw(place / PLOT)
        wanted = {f"{one.number}.toml": self._text(one) for one in self._front}
        for old in (place / CHOICES).glob("*.toml"):
            if old.name not in wanted:
                old.unlink()
        for name, text in wanted.items():
            atomic_write_text(place / CHOICES / name, text)
        if self._best is None:
            (place / BEST).unlink(missing_ok=True)
        else:
            atomic_write_text(place / BEST, self._text(self._best))

    def _by_kind(self) -> list[str]:
        """What each kind of noise reaches at the floor, where there are several kinds."""
        allowed = [one for one in self._last if one.accuracy >= self.floor]
        best = {kind_of(one.noise): one for one in sorted(allowed, key=lambda one: (one.changes, one.accuracy))}
        if len(best) < 2:
            return []
        words = []
        for kind, one in sorted(best.items()):
            about = f"candidate {one.number}, accuracy {_percent(one.accuracy)}"
            words.append(f"{kind} {int(100 * one.changes) / 100:.2f} ({about})")
        return [f"most changes by kind: {', '.join(words)}"]

    def _none(self) -> str:
        most = max((one.accuracy for one in self.tried), default=0.0)
        return (
            f"no candidate of the last round labels {self.floor:.1%} of the validation nodes rightly; the most accurate "
            f"reaches {_percent(most)}: lower the floor, or let the ranges begin at weaker noise"
        )

    def _row(self, one: Candidate) -> dict[str, Any]:
        front = any(other is one for other in self._front)
        return {
            "candidate": one.number, "kind": kind_of(one.noise), **one.words(), "round": one.round, "front": front,
            "accuracy": one.accuracy, "average changes": one.changes,
        }  # fmt: skip

    def _config(self, one: Candidate) -> RunConfig:
        """The final run; localized noise is swept along the objective."""
        sweeps: tuple[dict[str, str | int | float], ...] = ()
        if one.noise.clusters > 1:
            sweeps = tuple({axis: self.goal.text} for axis in self.goal.axes)
        return replace(self.base, smoothing=one.noise, collective=replace(self.base.collective, sweeps=sweeps))

    def _text(self, one: Candidate) -> str:
        seeds = f"seed{'s' * (len(self.seeds) > 1)} {', '.join(map(str, self.seeds))}"
        return (
            f"# Noise tuned on {seeds} and {self.validation} validation nodes, for {self.goal.objective} {self.goal.text}:\n"
            f"# accuracy {one.accuracy:.3f}, average changes {one.changes:.2f} (estimates).\n"
            f"# No label of a test node and no vote of this run's seed {self.base.seed} was looked at.\n"
            f"{tomli_w.dumps(self._config(one).to_dict())}"
        )

    def _draw(self, path: Path) -> None:
        rows = [
            {
                "kind": kind_of(one.noise), "candidate": one.number, "seed": int(row["seed"]), "accuracy": row["accuracy"],
                "average changes": row["average changes"], "objective": f"{self.goal.objective} {self.goal.text}",
            }
            for one in self._last for row in one.rows
        ]  # fmt: skip
        title = "Accuracy against the average number of changes that a validation node survives"
        draw(Front("front", title, "accuracy", "average changes", "kind", "objective", "candidate"), rows, path)


def kept(candidates: Sequence[Candidate], floor: float) -> list[Candidate]:
    """The better half (rounded up) of each kind of noise, in the order of their numbers.

    Those that reach the floor come first, front by front (what nothing else passes, then what nothing of the rest passes),
    and the most changes first within one; then the others, the most accurate first.
    """
    found: list[Candidate] = []
    for kind in dict.fromkeys(kind_of(one.noise) for one in candidates):
        mine = [one for one in candidates if kind_of(one.noise) == kind]
        ordered = [*_by_fronts([one for one in mine if one.accuracy >= floor])]
        ordered += sorted((one for one in mine if one.accuracy < floor), key=lambda one: (-one.accuracy, one.number))
        found += ordered[: -(-len(mine) // 2)]
    return sorted(found, key=lambda one: one.number)


def _by_fronts(candidates: Sequence[Candidate]) -> Iterator[Candidate]:
    rest = {(one.number,): one for one in candidates}
    while rest:
        front = pareto({key: one.place for key, one in rest.items()})
        yield from sorted((rest.pop(key) for key in front), key=lambda one: (-one.changes, one.number))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _percent(share: float) -> str:
    return f"{int(1000 * share) / 10:.1f}%"


def _rate(rate: float | tuple[float, ...]) -> str:
    return ":".join(f"{number:g}" for number in ends(rate))


def _names(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))
