"""`plan`: how many samples fit into a time, and what they would probably prove."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, SupportsFloat

import numpy as np
from numpy.typing import ArrayLike

from graphcert.certificates import Certificate
from graphcert.certificates.budget_grid import counted_axes
from graphcert.certificates.samples_needed import fewest_samples, reached
from graphcert.core.arguments import positive
from graphcert.core.arrays import Floats, Integers, Mask
from graphcert.core.tables import Table, data_frame, html_table, plain_lines
from graphcert.noise import Budget, Law, Scheme, as_scheme
from graphcert.report.frame.wording import NOTHING, budget_words, number, percent, shift_words
from graphcert.report.frame.wording import seconds as time_words
from graphcert.run.asked import AskedBudgets, Budgets, Cell, asked_targets
from graphcert.run.vote_estimate import VoteEstimate
from graphcert.statistics import check_level
from graphcert.voting.trial import trial_votes

SAMPLES = (1_000, 10_000, 100_000)
"""Numbers of samples that every plan compares, beside the one that fits."""

PILOT_SAMPLES = 1_000
"""Of the pilot votes of a claim; fewer where not even ten times as many samples fit."""

_MILESTONES, _PER_AXIS, _NORMS = (1, 2, 5, 10, 20, 50, 100, 200), 5, (0.25, 0.5, 1.0, 1.5, 2.0)
_SMALL_GAIN = 0.01


@dataclass(frozen=True, eq=False, repr=False)
class Plan:
    """What so many samples would cost and probably prove (S numbers of samples, B budgets); no claim rests on it.

    Attributes:
        samples: (S,) numbers of final samples, rising; `fits` is one of them.
        cells: (B,) budgets with the norm of a shift (0 for none); the first is the graph without any change.
        expected: (S, B) expected certified ratio, each target alone: an estimate from the pilot votes.
        needed: (B,) fewest samples with which even unanimous votes prove anything; −1 where no number does.
        seconds_per_sample: by `workers` threads on the votes path named `path`.
        seconds: the time that was asked about.
        fits: final samples that fit into it beside `pilot_samples` pilot samples; 0 if not even one does.
        pilot_samples: how many pilot samples go with them.
        recommended: the fewest of the `samples` that fit and are expected to prove about as much as `fits`.
        pilot: number of votes per node that the estimate is made from.
        targets: number of target nodes.
        alpha: error rate of all claims together.
        norm: the norm of a shift, "ℓ2" or "ℓ1"; empty if changes are counted.
    """

    samples: tuple[int, ...]
    cells: tuple[Cell, ...]
    expected: Floats
    needed: Integers
    seconds_per_sample: float
    path: str
    workers: int
    seconds: float
    fits: int
    pilot_samples: int
    recommended: int
    pilot: int
    targets: int
    alpha: float
    norm: str = ""

    def __repr__(self) -> str:
        return self.summary()

    @property
    def provable(self) -> Mask:
        """(S, B) whether unanimous votes of so many samples would prove anything against the budget."""
        return np.asarray((self.needed >= 0) & (np.array(self.samples)[:, None] >= self.needed))

    def words(self, cell: int) -> str:
        """A budget in words."""
        budget, shift = self.cells[cell]
        return shift_words(self.norm, shift, budget.nodes) if shift else budget_words(budget)

    def summary(self) -> str:
        """What fits, the table of expected certified ratios, and how many samples to take."""
        return "\n".join(plain_lines(plan_words(self)))

    def _repr_html_(self) -> str:
        header, *rows = self._table()
        return html_table(f"{self._speed()}; {self._estimate()}", header, rows, self._advice())

    def to_dict(self) -> dict[str, Any]:
        """Everything, JSON ready; `budgets` has one row per budget, as `to_pandas`."""
        names = "seconds_per_sample path workers seconds fits pilot_samples recommended pilot targets alpha"
        return {name: getattr(self, name) for name in names.split()} | {"budgets": list(self._rows())}

    def to_pandas(self) -> Any:
        """A pandas.DataFrame with one row per budget and number of samples.

        Raises:
            UnsupportedError: if pandas is not installed.
        """
        rows = list(self._rows())
        return data_frame({name: [row[name] for row in rows] for name in rows[0]}, "row")

    def _rows(self) -> Iterator[dict[str, Any]]:
        for b, (budget, shift) in enumerate(self.cells):
            for s, samples in enumerate(self.samples):
                axes = {**vars(budget), "shift": shift}
                yield {
                    **axes, "samples": samples, "expected_ratio": float(self.expected[s, b]),
                    "provable": bool(self.provable[s, b]), "fewest_samples": int(self.needed[b]),
                }  # fmt: skip

    def _table(self) -> list[list[str]]:
        """A header, and a row per budget; a dash where not even unanimous votes prove anything."""
        rows = [["budget", *(number(samples) for samples in self.samples), "fewest samples"]]
        for b, needed in enumerate(self.needed.tolist()):
            shares = [
                percent(int(self.expected[s, b] * 1000), 1000) if self.provable[s, b] else NOTHING
                for s in range(len(self.samples))
            ]
            rows.append([self.words(b), *shares, number(needed) if needed >= 0 else "none do"])
        return rows

    def _speed(self) -> str:
        threads = f"{self.workers} thread{'' if self.workers == 1 else 's'}"
        return (
            f"{self.seconds_per_sample * 1000:.3g} ms per sample on the {self.path} path with {threads}; "
            f"{number(self.fits)} samples and {number(self.pilot_samples)} pilot samples fit into {time_words(self.seconds)}"
        )

    def _estimate(self) -> str:
        return (
            f"expected certified ratio of {number(self.targets)} targets, each alone, at alpha = {self.alpha:g} by number "
            f"of samples: an estimate from {number(self.pilot)} votes, no claim"
        )

    def _advice(self) -> str:
        useful = [int(needed) for needed in self.needed if needed >= 0]
        if not useful:
            return "no number of samples proves anything under this noise; take other noise"
        least = min(useful)
        if self.recommended < least:
            wait = time_words((least + PILOT_SAMPLES) * self.seconds_per_sample)
            return f"that is too short: fewer than {number(least)} samples, which take {wait}, prove nothing at all"
        wait = time_words((self.recommended + self.pilot_samples) * self.seconds_per_sample)
        return f"recommended: samples={self.recommended}, pilot_samples={self.pilot_samples}, which take {wait}"


def plan_words(plan: Plan) -> list[str | Table]:
    """The same as its summary, in lines and a table."""
    return [f"Plan: {plan._speed()}", f"  {plan._estimate()}", Table(plan._table()), f"  {plan._advice()}"]


def plan(
    model: Callable[..., Any], data: Any, smoothing: Scheme | Law, seconds: float = 60, budgets: Budgets | None = None, *,
    pilot: int = 50, alpha: float = 0.01, targets: ArrayLike | None = None, seed: int = 0, method: str | None = None,
    label_share: SupportsFloat | None = None, call: str | None = None, output: int | str | None = None, path: str = "auto",
    ignore: str | Sequence[str] = (), workers: int | None = None,
) -> Plan:  # fmt: skip
    """Try a model for a few dozen samples: what would how many samples cost, and what would they probably prove?

    The votes of the trial come from places of the random stream that votes of a claim never read, so a claim with the number
    of samples that this plan recommends is as good as any other (theory section 10). The estimate draws class probabilities
    of every target given its votes and what the other targets show (a Dirichlet law whose concentration fits all targets
    best), then votes given these, and certifies them by the rule of the claims. It is no claim.

    Args:
        model, data, smoothing, call, output, path, ignore, workers: as in `sample_votes`.
        seconds: the time that voting may take, without loading and checking the model.
        budgets: a `Budget`, several of them, or numbers per axis as in `Certificate.collective` (such as
            dict(add=range(5), delete=2) or dict(shift=0.5)); by default a few round ones on every axis of the noise.
        pilot: the least number of samples to try.
        alpha, method, label_share: as in `certify`.
        targets: the nodes of the claims; by default `data.test_mask` where it is there, else all.
        seed: of the trial.

    Raises:
        InputError, DataError, ModelError, UnsupportedError: as `sample_votes` and `certify` for the same arguments.
    """
    limit, level, mask = positive("seconds", seconds), check_level(alpha), asked_targets(data, targets)
    scheme = as_scheme(smoothing)
    asked = None if budgets is None else AskedBudgets.of(budgets, scheme, mask.size)
    trial = trial_votes(
        model, data, scheme, pilot, seed, call=call, output=output, path=path, ignore=ignore, workers=workers
    )
    total = int(limit / trial.seconds)
    pilot_samples = min(PILOT_SAMPLES, max(1, total // 11))
    fits = _rounded_down(max(0, total - pilot_samples))
    numbers = tuple(sorted({*SAMPLES, fits} - {0}))
    estimate = VoteEstimate(trial, mask, {"alpha": level, "method": method, "label_share": label_share}, seed)
    best = estimate.claims(numbers[-1])
    cells = ((Budget(), 0.0), *(_round_budgets(best) if asked is None else asked.cells))
    cells = tuple(dict.fromkeys(cells))
    expected = estimate.ratios(numbers, pilot_samples, cells)
    needed = np.array([fewest_samples(best, [cell]) or -1 for cell in cells], np.int64)
    return Plan(
        samples=numbers, cells=cells, expected=expected, needed=needed, seconds_per_sample=trial.seconds, path=trial.path,
        workers=trial.workers, seconds=limit, fits=fits, pilot_samples=pilot_samples,
        recommended=_recommended(numbers, fits, expected), pilot=int(trial.counts[0].sum()), targets=best.claims,
        alpha=level, norm=scheme.norm,
    )  # fmt: skip


def _rounded_down(count: int) -> int:
    """At most two digits that are not 0."""
    unit: int = 10 ** max(0, len(str(count)) - 2)
    return count // unit * unit


def _recommended(numbers: Sequence[int], fits: int, expected: Floats) -> int:
    """The fewest samples that fit and lose less than `_SMALL_GAIN` of the certified ratio at every budget; 0 if none fit."""
    if fits not in numbers:
        return 0
    best = expected[numbers.index(fits)]
    return next(samples for samples, row in zip(numbers, expected, strict=True) if (row >= best - _SMALL_GAIN).all())


def _round_budgets(claims: Certificate) -> Iterator[Cell]:
    """Round budgets on every axis of the noise, as far as unanimous votes would prove anything."""
    noise = claims.smoothing
    for axis in counted_axes(noise):
        cells = [(Budget(**{axis: value}), 0.0) for value in _MILESTONES]
        yield from list(takewhile(lambda cell: reached(claims, claims.samples, [cell]), cells))[:_PER_AXIS]
    if noise.smallest_scale is not None:
        yield from ((Budget(), float(f"{share * noise.smallest_scale:.3g}")) for share in _NORMS)
