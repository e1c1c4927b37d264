"""From a law and a perturbation to its trade-off: one generic function, one registered implementation per law."""

from functools import singledispatch

from graphcert.errors import UnsupportedError
from graphcert.noise.exact import refuse_subclass
from graphcert.tradeoff.base import TradeOff


@singledispatch
def trade_off_of_law(law: object, add: int, delete: int, nodes: int | None, shift: float | None) -> TradeOff:
    """What `trade_off` answers for one law: an implementation is registered for each."""
    raise UnsupportedError(f"no trade-off is known for {law!r}; give a law such as BernoulliFlip(0.01, 0.6)")


def trade_off(
    law: object, add: int = 0, delete: int = 0, nodes: int | None = None, shift: float | None = None
) -> TradeOff:
    """The exact trade-off of `law` for the given changes.

    For `BernoulliFlip(θ⁺, θ⁻)`: `add` zeros of the clean input become ones and `delete` ones become zeros, and the two
    laws are those of all bits after independent flips. For `Gaussian(σ)`: entries move by a vector of ℓ2 norm `shift`; for
    `Uniform(λ)`, by the worst vector of ℓ1 norm `shift`.
    For `Hierarchical(s, law)` the same changes happen in at most `nodes` rows, of which a row that is not selected shows
    itself (theory, section 6); under `Ablation` and `SubsetAblation` rows may change at will, and only their number matters.
    Channels and blocks with different laws compose with `*`.

    Args:
        law: the noise of one element, such as `BernoulliFlip(0.01, 0.6)`, or of a row, such as `Hierarchical(0.8, law)`.
        add: number of added elements, ≥ 0.
        delete: number of deleted elements, ≥ 0.
        nodes: the most rows that change; None for no other limit than the number of changed bits.
        shift: ℓ2 norm, under Gaussian noise; ℓ1 norm, under uniform noise.

    Raises:
        InputError: if a budget is not a whole number ≥ 0 or no measure of changes under this law, or the law is of a
            subclass of a known one.
        UnsupportedError: if no trade-off is known for the law, or the budget is too large for exact arithmetic.
    """
    refuse_subclass(law, trade_off_of_law.registry.keys() - {object})
    return trade_off_of_law(law, add, delete, nodes, shift)
