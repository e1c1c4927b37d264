"""Which noise level hurts at least as much as another: the Blackwell order of flip laws, decided exactly."""

from fractions import Fraction

from graphcert.noise.laws import BernoulliFlip


def dominates(strong: BernoulliFlip, weak: BernoulliFlip) -> bool:
    """Whether one flipped bit under `weak` noise is a post-processing of one under `strong` noise (theory, section 1).

    Then any number of perturbed bits does at least as much damage at `strong` as at `weak`, alone or together with other
    bits, for additions and for deletions alike. The order is partial: rates that both rise are comparable as long as
    θ⁺ + θ⁻ ≤ 1, but not always beyond.
    """
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


def undominated(laws: tuple[BernoulliFlip, ...]) -> tuple[BernoulliFlip, ...]:
    """The distinct laws of which no other dominates them: an adversary gains nothing by flipping bits elsewhere.

    Of laws that dominate each other the first is kept.
    """
    kept: list[BernoulliFlip] = []
    for law in dict.fromkeys(laws):
        if any(dominates(other, law) for other in kept):
            continue
        kept = [other for other in kept if not dominates(law, other)]
        kept.append(law)
    return tuple(kept)
