"""The ladder of collective certificates: names, methods and half-spaces, the weakest first."""

from collections.abc import Iterable
from typing import NamedTuple

from graphcert.errors import InputError
from graphcert.tradeoff.half_spaces import Order

PUBLISHED = (Order(2.0),)
"""The half-spaces of the published certificate (Schuchardt et al. 2023)."""


class Rung(NamedTuple):
    """One way to certify all targets together.

    Attributes:
        name: what it is called in a ladder.
        method: the `method` of `Claims.collective`.
        orders: the half-spaces it uses; None for those that are asked for, or all.
    """

    name: str
    method: str
    orders: tuple[Order, ...] | None = None


RUNGS = (
    Rung("naive", "naive"), Rung("lp-2", "lp", PUBLISHED), Rung("milp-2", "milp", PUBLISHED), Rung("lp", "lp"),
    Rung("milp", "milp"), Rung("tight-lp", "tight-lp"), Rung("tight", "tight"),
)  # fmt: skip
"""All rungs, the weakest first; not all claims have all of them."""

METHODS = tuple(rung.method for rung in RUNGS if rung.orders is None)
"""The ways to certify all targets together, from the weakest to the strongest."""

ALL = "all"
"""Stands for every rung that exists."""

BESIDE = {
    "naive": ("naive",),
    "lp": ("naive", "lp"),
    "milp": ("naive", "lp", "milp"),
    "tight-lp": ("naive", "lp", "tight-lp"),
    "tight": ("naive", "lp", "tight"),
    ALL: tuple(rung.name for rung in RUNGS),
}
"""What a run shows beside the method it was asked for."""


BELOW = {"lp": "milp-2", "milp": "milp-2", "tight-lp": "milp", "tight": "milp-2"}
"""A rung below one that does not contain it: there changes are whole, or half-spaces are of another order."""


def named_rungs(names: str | Iterable[str]) -> tuple[Rung, ...]:
    """The rungs of these names, the weakest first; "all" is every rung.

    Raises:
        InputError: if there is no name, or a rung of another name is asked for.
    """
    asked = set(BESIDE[ALL] if names == ALL else names)
    unknown = sorted(asked.difference(BESIDE[ALL]))
    if unknown or not asked:
        raise InputError(
            f"a ladder is made of {', '.join(BESIDE[ALL])}; got {', '.join(map(repr, unknown)) or 'nothing'}"
        )
    return tuple(rung for rung in RUNGS if rung.name in asked)
