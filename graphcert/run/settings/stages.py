"""The settings of what is done with a model: votes and certificates."""

import math
import re
from dataclasses import dataclass
from fractions import Fraction

from graphcert.core.arguments import one_of
from graphcert.errors import InputError
from graphcert.noise.budget import count
from graphcert.run.settings.typed import check_types, setting
from graphcert.statistics import check_level
from graphcert.tradeoff.base import rounded_up

SWEEP_AXES = ("add", "delete", "edge_add", "edge_delete", "nodes", "shift")
INJECTION_AXES = ("inject", "degree", "edges", "rows")
"""Of sweeps under dropped nodes: new nodes, edges of each, changed edges, and nodes whose features change."""
MOST_BUDGETS, _MOST_NORMS = 100_000, 200
"""Of one sweep."""
MOST_SAMPLES = 2**31 - 1
"""Of one run; at a thousand samples a second they take a month."""
_END = "End of the budget axis (default: where nothing is certified)."


def collective_methods() -> tuple[str, ...]:
    """What may be asked for as the collective certificate of a run."""
    from graphcert.certificates.method_hierarchy import BESIDE  # not needed by a command line without a run

    return ("none", *BESIDE)


def certificate_methods() -> tuple[str, ...]:
    """What may be asked for as the certificate of each node."""
    from graphcert.certificates.vote_certificate import METHODS  # not needed by a command line without a run

    return tuple(METHODS)


def sweep_values(axis: str, text: str | int | float) -> tuple[int, ...] | tuple[float, ...]:
    """The budgets of one axis of a sweep: norms for "shift", whole numbers for all others."""
    return norm_values(axis, text) if axis == "shift" else budget_values(axis, text)


def budget_values(axis: str, text: str | int | float) -> tuple[int, ...]:
    """Budgets written as "5", "0:20" (both ends included), "0:20:5" (every fifth) or "1,2,5"; else `InputError`."""
    words = str(text)
    try:
        if ":" in words:
            first, last, step = (*map(int, words.split(":")), 1)[:3]
            span = range(first, last + 1, step) if first >= 0 and step > 0 and words.count(":") < 3 else range(0)
            # len() of a range fails beyond what an address can count.
            if span and (span[-1] - first) // step >= MOST_BUDGETS:
                most = f"the budgets {axis} are at most {MOST_BUDGETS:,}"
                raise InputError(f"{most}, got {_short(words)}; take larger steps")
            values = tuple(span)
        else:
            values = tuple(map(int, words.split(",")))
    except InputError:
        raise
    except ValueError:
        values = ()
    if not values or not 0 <= min(values) <= max(values) < 2**63:
        raise InputError(
            f'the budgets {axis} must be whole numbers of at least 0 such as "5", "0:20", "0:20:5" or "1,2,5", got '
            f"{_short(words)}"
        )
    return values


def norm_values(axis: str, text: str | int | float) -> tuple[float, ...]:
    """Norms written as "0.5", "0:1:0.1" (both ends included), "0.1,0.2,0.5" or with fractions; at most 200 of them.

    Each is the smallest float that is not below what is written: what is certified against it is certified against that.
    Anything else, and norms that are negative or not finite, raise `InputError`.
    """
    words = str(text)
    try:
        if ":" in words:
            first, last, step = map(fraction, words.split(":"))
            count = (last - first) // step + 1 if step > 0 else 0
            norms = [first + k * step for k in range(min(count, _MOST_NORMS + 1))]
        else:
            norms = [*map(fraction, words.split(","))]
        values = tuple(rounded_up(norm.numerator, norm.denominator) for norm in norms)
    except (ValueError, ArithmeticError):
        values = ()
    if not 1 <= len(values) <= _MOST_NORMS or not 0 <= min(values) <= max(values) < math.inf:
        raise InputError(
            f'{axis} takes up to {_MOST_NORMS} norms of at least 0 such as "0.5", "0:1:0.1" or "0.1,0.2,0.5", got '
            f"{_short(words)}"
        )
    return values


def fraction(text: str) -> Fraction:
    """A number as it is written; raises `ValueError` for none, or one whose digits would fill the memory."""
    if len(text) > 60 or re.search(r"e[+-]?\d{4,}", text, re.IGNORECASE):
        raise ValueError(f"{text[:60]!r} is too long")
    return Fraction(text)


def _short(words: str) -> str:
    return repr(words if len(words) <= 60 else f"{words[:57]}…")


def until_budgets(text: str) -> list[dict[str, int | float]]:
    """Budgets written as "add=2,delete=5", one number per axis, several separated by semicolons; else `InputError`."""
    budgets: list[dict[str, int | float]] = []
    for part in text.split(";"):
        budget: dict[str, int | float] = {}
        for item in part.split(","):
            axis, found, number = (word.strip() for word in item.partition("="))
            if not found or axis not in SWEEP_AXES or axis in budget or len(values := sweep_values(axis, number)) != 1:
                raise InputError(
                    f'until takes budgets such as "add=2,delete=5" with one number per axis ({", ".join(SWEEP_AXES)}), got '
                    f"{_short(text)}"
                )
            budget[axis] = values[0]
        budgets.append(budget)
    return budgets


@dataclass(frozen=True)
class SamplingConfig:
    """How many votes, and whether class scores are counted with them.

    With `until` (budgets as `until_budgets` reads them) a node takes part only until it is decided for these budgets, and
    `samples` are the most that it can have; the share `undecided` of the targets, .005 by default, may stay undecided.
    """

    samples: int = setting(
        10_000, "Final samples, which bound the probabilities; with --until the most (default: 10000).", "--samples",
        "--max-samples",
    )  # fmt: skip
    pilot_samples: int = setting(1_000, "Independent samples that choose the labels (default: 1000).")
    scores: bool = setting(
        False, "Count class scores too, for the classifier of the largest mean score.", "--scores/--no-scores"
    )
    until: str | None = setting(
        None, 'Stop a node once it is decided for these budgets: "add=2,delete=5", or several, "add=2; delete=5"; or none.',
        metavar="BUDGETS",
    )  # fmt: skip
    undecided: float | None = setting(
        None, "Share of the targets that may stay undecided, with --until (default: 0.005).", metavar="FLOAT"
    )

    def __post_init__(self) -> None:
        check_types(self, "sampling")
        if self.until == "none":
            object.__setattr__(self, "until", None)
        for name in ("samples", "pilot_samples"):
            if not 1 <= getattr(self, name) <= MOST_SAMPLES:
                raise InputError(f"{name} must be from 1 to {MOST_SAMPLES:,}, got {getattr(self, name)}")
        if self.until is None:
            if self.undecided is not None:
                raise InputError("undecided belongs to until, budgets for which nodes are to be decided; leave it out")
            return
        from graphcert.certificates.until import UNDECIDED, Until  # not needed by a command line without a run

        if self.scores:
            raise InputError("scores need the same samples for every node; leave until or scores out")
        Until(until_budgets(self.until), undecided=UNDECIDED if self.undecided is None else self.undecided)


@dataclass(frozen=True)
class CertificateConfig:
    """Which claims. `max_add` … are the ends of the budget grid; None extends it until nothing is certified.

    `nodes` limits how many nodes are touched, under hierarchical noise: numbers as `budget_values` reads them, each with
    curves of its own. Without it a budget of r bits may touch r nodes.
    """

    alpha: float = setting(0.01, "Error rate of all claims together (default: 0.01).")
    method: str | None = setting(
        None, "binary or multiclass (default: multiclass with three classes or more).", values=certificate_methods
    )
    label_share: float | None = setting(
        None, "Share of the error rate that multiclass spends on the label, the rest on each other class (default: 0.5).",
        metavar="FLOAT",
    )  # fmt: skip
    simultaneous: bool = setting(
        True, "Spend alpha on all claims together, or on each node.", "--simultaneous/--per-node"
    )
    max_add: int | None = setting(None, _END)
    max_delete: int | None = setting(None, _END)
    max_edge_add: int | None = setting(None, _END)
    max_edge_delete: int | None = setting(None, _END)
    nodes: str | int | None = setting(
        None, 'Most nodes that an adversary touches, with --select: "2", "1:3" or "1,2,5"; curves for each of them.',
        metavar="NODES",
    )  # fmt: skip

    def __post_init__(self) -> None:
        check_types(self, "certificate")
        check_level(self.alpha)
        from graphcert.certificates.vote_certificate import chosen_share  # not needed without a run

        if self.method is not None:
            one_of("the certificate method", self.method, certificate_methods())
        chosen_share(self.method or "multiclass", self.label_share)
        for name in ("max_add", "max_delete", "max_edge_add", "max_edge_delete"):
            if getattr(self, name) is not None and count(name, getattr(self, name)) > MOST_BUDGETS:
                raise InputError(f"{name} must be at most {MOST_BUDGETS:,}, got {getattr(self, name)}")
        if any(limit < 1 for limit in self.node_limits):
            raise InputError(f"the limits of nodes must be at least 1, got {self.nodes!r}")

    @property
    def node_limits(self) -> tuple[int, ...]:
        """The numbers of nodes that an adversary may touch; empty for no limit."""
        return () if self.nodes is None else budget_values("nodes", self.nodes)


@dataclass(frozen=True)
class CollectiveConfig:
    """Which collective certificates.

    `method` is the strongest one of "naive", "lp", "milp" and "tight"; "all" of them with the published ones; or "none".
    `time_limit` is in seconds per solve; what has been proved by then is reported. `sweeps` are budgets per axis (named as
    in `Certificate.collective`), each as `sweep_values` reads them; without any, every axis of a smoothed channel is swept
    alone, up to where nothing is certified, if the noise is localized.
    """

    method: str = setting(
        "tight", "All targets at once: naive, lp, milp, tight-lp, tight, all or none (default: tight if localized).",
        "--collective", values=collective_methods,
    )  # fmt: skip
    time_limit: float = setting(20.0, "Seconds per budget and solve (default: 20).")
    sweeps: tuple[dict[str, str | int | float], ...] = ()
    receptive_field: bool = setting(
        False, "Count only changes within a node's receptive field (edge noise without additions).",
        "--receptive-field/--everywhere",
    )  # fmt: skip
    isotropic: bool = setting(
        False, "Also vote under isotropic noise at equal accuracy, and show its curve.", "--compare"
    )

    def __post_init__(self) -> None:
        check_types(self, "collective")
        one_of("the collective method", self.method, collective_methods())
        if self.time_limit < 0:
            raise InputError(f"the time limit must be a number of seconds of at least 0, got {self.time_limit!r}")
        for sweep in self.sweeps:
            cells = 1
            for axis, text in sweep.items():
                if axis not in (known := (*SWEEP_AXES, *INJECTION_AXES)):
                    raise InputError(f"a sweep has no axis {axis!r}; it has {', '.join(known)}")
                cells *= len(sweep_values(axis, text))
            if cells > MOST_BUDGETS:
                most = f"a sweep has at most {MOST_BUDGETS:,} budgets"
                raise InputError(f"{most}, this one has {cells:,}; take larger steps")
        object.__setattr__(self, "sweeps", tuple(dict(sweep) for sweep in self.sweeps))
