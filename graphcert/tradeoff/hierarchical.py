"""Trade-offs of selected and of hidden rows (theory, section 6).

Scholten et al. 2022 and 2023; Levine & Feizi 2020.
"""

from graphcert.errors import InputError, UnsupportedError
from graphcert.noise import CONTINUOUS, Ablation, Hierarchical, Selected, SubsetAblation
from graphcert.noise.budget import count
from graphcert.tradeoff.base import TradeOff
from graphcert.tradeoff.discrete import IDENTITY
from graphcert.tradeoff.dispatch import trade_off, trade_off_of_law
from graphcert.tradeoff.escape import escape, selection_escape, subset_escape
from graphcert.tradeoff.gaussian import refuse_bits


@trade_off_of_law.register
def ablation_trade_off(
    law: Ablation, add: int = 0, delete: int = 0, nodes: int | None = None, shift: float | None = None
) -> TradeOff:
    """A token shows nothing of the row that it replaces, whatever changes."""
    _touched(law, add, delete, nodes, shift)
    return IDENTITY


@trade_off_of_law.register
def subset_ablation_trade_off(
    law: SubsetAblation, add: int = 0, delete: int = 0, nodes: int | None = None, shift: float | None = None
) -> TradeOff:
    """With r changed rows, some are kept with the probability of `subset_escape`; else nothing is seen of them."""
    rows = _touched(law, add, delete, nodes, shift)
    if law.elements is None:
        raise InputError("ablation keeps k of d rows; say of how many, SubsetAblation(kept=…, elements=…)")
    return escape(IDENTITY, subset_escape(law.elements, law.kept, min(rows, law.elements)))


@trade_off_of_law.register
def selected_trade_off(
    law: Selected, add: int = 0, delete: int = 0, nodes: int | None = None, shift: float | None = None
) -> TradeOff:
    """With r changed rows, δ = 1 − s^r escapes and the rest is the lower law's, for all changes at once.

    r is as large as the budget lets it be: more rows never hurt the adversary, and every changed row takes a bit.
    """
    if law.select == 1:
        return trade_off(law.law, add, delete, nodes, shift)
    rows = _touched(law.law, add, delete, nodes, shift)
    if rows == 0:
        return IDENTITY
    return escape(trade_off(law.law, add, delete, nodes, shift), selection_escape(law.select, rows))


@trade_off_of_law.register
def hierarchical_trade_off(
    law: Hierarchical, add: int = 0, delete: int = 0, nodes: int | None = None, shift: float | None = None
) -> TradeOff:
    """The trade-off of changed features under an isotropic scheme without edge noise."""
    if law.localized or law.perturbs("edges"):
        raise UnsupportedError(
            "a trade-off is one of a law, such as Hierarchical(0.8, BernoulliFlip(0.01, 0.6)); a scheme with levels or "
            "edge noise has several: certify its votes, or multiply those of its laws"
        )
    return trade_off(law.levels("features")[0], add, delete, nodes, shift)


def _touched(law: object, add: int, delete: int, nodes: int | None, shift: float | None) -> int:
    """r, the most rows that a budget of features can change."""
    bits = count("add", add) + count("delete", delete)
    limit = None if nodes is None else count("nodes", nodes)
    if isinstance(law, CONTINUOUS):
        refuse_bits(law, bits)
        if shift and limit is None:
            raise InputError("a shift can spread over any number of rows; say over how many with nodes")
        return limit if shift and limit is not None else 0
    if shift:
        raise InputError("only Gaussian and uniform noise have a measure for a shift; give add, delete or nodes")
    if limit is None:
        return bits
    # Ablation withstands any change of a row, so a number of rows is a budget of its own.
    return limit if isinstance(law, Ablation) and bits == 0 else min(limit, bits)
