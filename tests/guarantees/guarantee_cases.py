"""What a procedure is whose error rate is counted: how a run draws its votes, and which of its claims are false."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from known_truths import survives
from sampled_votes import sampled

import graphcert as gc
from graphcert.noise import Budget, Scheme
from graphcert.votes import Votes

ALPHA, NODES, PILOT, SAMPLES = 0.05, 8, 30, 600

Truth = Callable[[int, int, Any], bool]
"""(node, label, what is claimed against) → whether the label really survives that, whatever the classifier."""


class Case(NamedTuple):
    """One procedure.

    Attributes:
        name: for people.
        draw: (generator, runs) → the votes of each run.
        false: (votes, α) → whether the procedure makes any false claim from them.
        claims: how many claims share α; a procedure that forgets that is run at claims · α.
        idle: whether a false claim needs several wrong bounds at once, or a bound of a whole distribution. Then it is far
            rarer than promised, and stays so if α is not divided.
    """

    name: str
    draw: Callable[[np.random.Generator, int], Iterable[Votes]]
    false: Callable[[Votes, float], bool]
    claims: int = NODES
    idle: bool = False


def told(
    p: Sequence[float], scheme: Scheme, rows: int | None = None
) -> Callable[[np.random.Generator, int], Iterable[Votes]]:
    """Votes of nodes, or of inputs of so many rows, that all have the class probabilities `p`, drawn as such."""

    def draw(rng: np.random.Generator, runs: int) -> Iterable[Votes]:
        shares = np.tile(np.array(p, float) / float(np.sum(np.array(p, float))), (NODES, 1))
        return (
            Votes(rng.multinomial(PILOT, shares), rng.multinomial(SAMPLES, shares), scheme, independent=True, rows=rows)
            for _ in range(runs)
        )

    return draw


def from_model(
    vote: Any, scheme: Scheme, *, samples: int = SAMPLES, large: Callable[[int], Scheme] | None = None, **options: Any
) -> Callable[[np.random.Generator, int], Iterable[Votes]]:
    """Votes that a model casts on samples of the package's own samplers; other arguments are those of `sampled`."""

    def draw(rng: np.random.Generator, runs: int) -> Iterable[Votes]:
        together = None if large is None else large(runs)
        seed = int(rng.integers(2**63))
        return sampled(vote, scheme, runs, NODES, samples, PILOT, seed, large=together, **options)

    return draw


def any_false(
    votes: Votes, alpha: float, certify: Any, robust: Any, against: Sequence[Any], truth: Truth, targets: Any = None
) -> bool:
    """Whether a certificate claims of any node, against anything, what is not true."""
    found = certify(votes, alpha, targets=targets)
    return any(
        not truth(node, int(found.labels[node]), one)
        for one in against
        for node in np.flatnonzero(robust(found, one)).tolist()
    )


def by_budget(found: Any, budget: Budget) -> Any:
    return found.robust(budget)


def by_shift(found: Any, shift: float) -> Any:
    return found.robust(shift=shift) if shift else found.robust()


def truth_of(p: Sequence[Any], lowers: dict[Any, Any]) -> Truth:
    """What nodes of class probabilities `p` survive; `lowers` has the trade-off of everything that is claimed against."""
    others = [max(q for k, q in enumerate(p) if k != label) for label in range(len(p))]
    table = {
        (label, one): survives(lower, p[label], others[label])
        for label in range(len(p))
        for one, lower in lowers.items()
    }
    return lambda node, label, one: table[label, one]


def case(
    name: str, draw: Any, p: Sequence[Any], lowers: dict[Any, Any], robust: Any = by_budget, *,
    certify: Any = gc.certify, idle: bool = False,
) -> Case:  # fmt: skip
    """Nodes of class probabilities `p`, claims about everything that `lowers` names."""
    false = partial(any_false, certify=certify, robust=robust, against=list(lowers), truth=truth_of(p, lowers))
    return Case(name, draw, false, idle=idle)
