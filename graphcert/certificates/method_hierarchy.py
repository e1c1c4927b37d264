"""The method hierarchy of collective certificates: names, programs and half-spaces, the weakest first."""

from collections.abc import Iterable
from typing import NamedTuple

from graphcert.errors import InputError
from graphcert.tradeoff.half_spaces import Order

PUBLISHED = (Order(2.0),)
"""The half-spaces of the published certificate (Schuchardt et al. 2023)."""


class Method(NamedTuple):
    """One way to certify all targets together.

    Attributes:
        name: what it is called in a comparison.
        program: the `method` of `Claims.collective`.
        orders: the half-spaces it uses; None for those that are asked for, or all.
    """

    name: str
    program: str
    orders: tuple[Order, ...] | None = None


HIERARCHY = (
    Method("naive", "naive"), Method("lp-2", "lp", PUBLISHED), Method("milp-2", "milp", PUBLISHED), Method("lp", "lp"),
    Method("milp", "milp"), Method("tight-lp", "tight-lp"), Method("tight", "tight"),
)  # fmt: skip
"""All methods, the weakest first; not all claims have all of them."""

METHODS = tuple(method.program for method in HIERARCHY if method.orders is None)
"""The ways to certify all targets together, from the weakest to the strongest."""

ALL = "all"
"""Stands for every method that exists."""

BESIDE = {
    "naive": ("naive",),
    "lp": ("naive", "lp"),
    "milp": ("naive", "lp", "milp"),
    "tight-lp": ("naive", "lp", "tight-lp"),
    "tight": ("naive", "lp", "tight"),
    ALL: tuple(method.name for method in HIERARCHY),
}
"""What a run shows beside the method it was asked for."""


BELOW = {"lp": "milp-2", "milp": "milp-2", "tight-lp": "milp", "tight": "milp-2"}
"""A method below one that does not contain it: there changes are whole, or half-spaces are of another order."""


def named_methods(names: str | Iterable[str]) -> tuple[Method, ...]:
    """The methods of these names, the weakest first; "all" is every method.

    Raises:
        InputError: if there is no name, or a method of another name is asked for.
    """
    asked = set(BESIDE[ALL] if names == ALL else names)
    unknown = sorted(asked.difference(BESIDE[ALL]))
    if unknown or not asked:
        raise InputError(
            f"a comparison is made of {', '.join(BESIDE[ALL])}; got {', '.join(map(repr, unknown)) or 'nothing'}"
        )
    return tuple(method for method in HIERARCHY if method.name in asked)
