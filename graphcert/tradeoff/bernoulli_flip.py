"""Exact trade-off of independent bit flips (theory section 2; Lee et al. 2019; Bojchevski et al. 2020)."""

from fractions import Fraction
from functools import lru_cache
from math import comb

from graphcert.errors import InputError
from graphcert.noise import BernoulliFlip, ReweightedFlip
from graphcert.noise.budget import count
from graphcert.tradeoff.base import TradeOff, trade_off_of_law
from graphcert.tradeoff.discrete import DiscreteTradeOff, refuse_beyond_exact


@trade_off_of_law.register(BernoulliFlip)
def flip_trade_off(
    law: BernoulliFlip, add: int, delete: int, nodes: int | None, shift: float | None
) -> DiscreteTradeOff:
    """Exact trade-off of `BernoulliFlip` for `add` additions and `delete` deletions, with add + delete + 1 atoms."""
    if shift:
        raise InputError("flips are counted, not measured; give add and delete, no shift")
    counts = count("add", add), count("delete", delete)
    # Bits count the same in whichever rows they are, unless there are no rows.
    return _flip_trade_off(law, *(counts if nodes != 0 else (0, 0)))


@lru_cache(maxsize=4096)
def _flip_trade_off(law: BernoulliFlip, add: int, delete: int) -> DiscreteTradeOff:
    """All that matters is m, the ones among the added bits plus the zeros among the deleted ones.

    An added bit is one with probability θ⁺ under P and 1 − θ⁻ under P'; a deleted bit is zero with probability θ⁻
    under P and 1 − θ⁺ under P'. So P' is P with the two operations exchanged, and the ratio is monotone in m.
    """
    plus, minus = Fraction(law.add), Fraction(law.delete)
    bits = max(plus.denominator, minus.denominator).bit_length() - 1
    unit = 1 << bits
    θ_plus, θ_minus = int(plus * unit), int(minus * unit)
    refuse_beyond_exact(add + delete + 1, bits * (add + delete))

    clean = _deviations(θ_plus, θ_minus, unit, add, delete)
    perturbed = _deviations(unit - θ_minus, unit - θ_plus, unit, add, delete)
    return DiscreteTradeOff.from_atoms(zip(clean, perturbed, strict=True), bits * (add + delete))


@trade_off_of_law.register(ReweightedFlip)
def reweighted_trade_off(
    law: ReweightedFlip, add: int, delete: int, nodes: int | None, shift: float | None
) -> TradeOff:
    """Exact trade-off of flips where deleted edges carry another weight or attribute than added ones.

    A deleted edge is seen with its own weight with probability 1 − θ⁻ under P and never under P', with the added weight with
    probability θ⁺ under P' and never under P, and else not at all. So d deletions have three atoms: none of the d edges is
    seen, θ⁻^d under P and (1 − θ⁺)^d under P'; or some edge is, which tells the two laws apart. Whoever cannot tell weights
    apart sees the atoms of `BernoulliFlip`: a post-processing, so that this trade-off is sound for other deletions too.
    """
    added = flip_trade_off(law.flip, add, 0, nodes, shift)
    deletions = count("delete", delete)
    if nodes == 0 or not deletions:
        return added
    plus, minus = Fraction(law.add), Fraction(law.delete)
    bits = max(plus.denominator, minus.denominator).bit_length() - 1
    refuse_beyond_exact(3, bits * deletions)
    unseen, none_added, everything = (int(rate * 2**bits) ** deletions for rate in (minus, 1 - plus, Fraction(1)))
    atoms = (everything - unseen, 0), (unseen, none_added), (0, everything - none_added)
    return added * DiscreteTradeOff.from_atoms(atoms, bits * deletions)


def _deviations(added: int, deleted: int, unit: int, add: int, delete: int) -> tuple[int, ...]:
    """The masses of Bin(add, added/unit) + Bin(delete, deleted/unit), times unit^(add + delete)."""
    if add < delete:
        return _deviations(deleted, added, unit, delete, add)
    masses = _binomial(added, unit, add)
    for _ in range(delete):
        # One more bit: a short factor times long masses, far cheaper than a convolution of two long rows.
        pairs = zip((*masses, 0), (0, *masses), strict=True)
        masses = tuple(stay * (unit - deleted) + move * deleted for stay, move in pairs)
    return masses


@lru_cache(maxsize=1024)
def _binomial(success: int, unit: int, trials: int) -> tuple[int, ...]:
    """The masses of Bin(trials, success/unit), times unit^trials."""
    failure = unit - success
    return tuple(comb(trials, k) * success**k * failure ** (trials - k) for k in range(trials + 1))
