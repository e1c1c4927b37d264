"""Which noise level hurts at least as much as another: the Blackwell order of laws, decided exactly."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import singledispatch
from typing import TypeVar

from graphcert.noise.laws import Ablation, BernoulliFlip, Gaussian, Law, Selected, Uniform

AnyLaw = TypeVar("AnyLaw", bound=Law)


@singledispatch
def dominates(strong: object, weak: object) -> bool:
    """Whether what one level shows of a change under `weak` noise is a post-processing of what it shows under `strong`.

    Both are laws of one kind (theory, section 1). Then any changes do at least as much damage at `strong` as at `weak`,
    alone or together with others. The order of flips is partial: rates that both rise are comparable as long as
    θ⁺ + θ⁻ ≤ 1, but not always beyond.
    """
    raise TypeError(f"no order of laws such as {strong!r} is known")


@dominates.register
def _flips(strong: BernoulliFlip, weak: BernoulliFlip) -> bool:
    a, d = Fraction(strong.add), Fraction(strong.delete)
    b, e = Fraction(weak.add), Fraction(weak.delete)
    if a + d == 1:
        return b + e == 1
    margins = (
        (1 - d) * b - a * (1 - e),
        (1 - a) * e - d * (1 - b),
        (1 - d) * (1 - b) - a * e,
        (1 - a) * (1 - e) - d * b,
    )
    return all(m >= 0 for m in margins) if a + d < 1 else all(m <= 0 for m in margins)


@dominates.register
def _gaussians(strong: Gaussian, weak: Gaussian) -> bool:
    """More noise is less noise and more noise added to it. Rounded noise counts as what it was before rounding."""
    return strong.sigma <= weak.sigma


@dominates.register
def _uniforms(strong: Uniform, weak: Uniform) -> bool:
    """Of any one change, either both laws are seen or neither can tell: all that matters is how often (`box_escape`)."""
    return strong.half_width <= weak.half_width


@dominates.register
def _ablations(strong: Ablation, weak: Ablation) -> bool:
    return True


@dominates.register
def _selected(strong: Selected, weak: Selected) -> bool:
    """A row that was seen unselected tells which of the two inputs it belongs to, so it can be noised afterwards."""
    return strong.select <= weak.select and dominates(strong.law, weak.law)


def undominated(laws: Iterable[AnyLaw]) -> tuple[AnyLaw, ...]:
    """The distinct laws of which no other dominates them: an adversary gains nothing by changing bits elsewhere.

    Of laws that dominate each other the first is kept.
    """
    kept: list[AnyLaw] = []
    for law in dict.fromkeys(laws):
        if any(dominates(other, law) for other in kept):
            continue
        kept = [other for other in kept if not dominates(law, other)]
        kept.append(law)
    return tuple(kept)


def dominating(laws: Sequence[Law]) -> Law:
    """One law that dominates all of them, for kinds in a total order (all but flips), selected or not."""
    selected = [law for law in laws if isinstance(law, Selected)]
    if selected:
        worst = dominating([law.law for law in selected])
        assert not isinstance(worst, Selected)
        return Selected(min(law.select for law in selected), worst)
    (strongest,) = undominated(laws)
    return strongest
