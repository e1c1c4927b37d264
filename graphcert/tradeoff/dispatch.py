"""From a law and a perturbation to its trade-off: one generic function, one registered implementation per law."""

from functools import singledispatch

from graphcert.errors import UnsupportedError
from graphcert.tradeoff.base import TradeOff


@singledispatch
def trade_off(law: object, add: int = 0, delete: int = 0) -> TradeOff:
    """The exact trade-off of `law` for `add` added and `delete` deleted elements.

    For `BernoulliFlip(θ⁺, θ⁻)`: `add` zeros of the clean input become ones and `delete` ones become zeros, and the two
    laws are those of all bits after independent flips. Channels and blocks with different laws compose with `*`.

    Args:
        law: the noise of one element, such as `BernoulliFlip(0.01, 0.6)`.
        add: number of added elements, ≥ 0.
        delete: number of deleted elements, ≥ 0.

    Raises:
        InputError: if a budget is not a whole number ≥ 0.
        UnsupportedError: if no trade-off is known for the law, or the budget is too large for exact arithmetic.
    """
    raise UnsupportedError(f"no trade-off is known for {law!r}; give a law such as BernoulliFlip(0.01, 0.6)")
