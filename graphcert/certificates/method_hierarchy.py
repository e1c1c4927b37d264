"""The method hierarchy of collective certificates: names, programs and half-spaces, the weakest first."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from graphcert.collective import CollectiveCurve
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

ENUMERATED = Method("enumerated", "enumerated")
"""All attacks one by one, for nodes that an adversary adds: what "tight" stands for there."""

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
    """The methods of these names, the weakest first; "all" is every method. No name and other names are refused."""
    return _in_order(BESIDE[ALL] if names == ALL else names, HIERARCHY)


def _in_order(names: Iterable[str], methods: tuple[Method, ...]) -> tuple[Method, ...]:
    asked, known = set(names), [method.name for method in methods]
    unknown = sorted(asked.difference(known))
    if unknown or not asked:
        given = ", ".join(map(repr, unknown)) or "nothing"
        raise InputError(f"a comparison is made of {', '.join(known)}; got {given}")
    return tuple(method for method in methods if method.name in asked)


class MethodComparison(Mapping[str, CollectiveCurve]):
    """Curves of several methods over the same targets and budgets: a read-only dictionary, the weakest method first.

    Args:
        curves: by name of the method.

    Raises:
        InputError: if there is no curve, or they are about different budgets or numbers of targets.
    """

    def __init__(self, curves: Mapping[str, CollectiveCurve]) -> None:
        order = [method.name for method in _in_order(curves, (*HIERARCHY, ENUMERATED))]
        self._curves = {name: curves[name] for name in order}
        first = self._curves[order[0]]
        for curve in self._curves.values():
            if curve.targets != first.targets or not np.array_equal(curve.budgets, first.budgets):
                raise InputError("the methods of a comparison need the same targets and budgets")

    def __getitem__(self, name: str) -> CollectiveCurve:
        return self._curves[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._curves)

    def __len__(self) -> int:
        return len(self._curves)

    @property
    def strongest(self) -> CollectiveCurve:
        """The curve of the strongest method."""
        return list(self._curves.values())[-1]

    def to_dict(self) -> dict[str, Any]:
        """A plain description (JSON ready); `from_dict` inverts it."""
        return {name: curve.to_dict() for name, curve in self.items()}

    @classmethod
    def from_dict(cls, description: Mapping[str, Any]) -> "MethodComparison":
        """Rebuild a comparison from `to_dict`; raises `InputError` on anything else."""
        if not isinstance(description, Mapping):
            raise InputError("this does not describe a comparison of methods")
        return cls({name: CollectiveCurve.from_dict(curve) for name, curve in description.items()})

    def __repr__(self) -> str:
        first = self.strongest
        certified = (f"{name} {curve.certified.min():,} to {curve.certified.max():,}" for name, curve in self.items())
        return (
            f"MethodComparison of {first.targets:,} targets at {len(first)} budgets, certified: {', '.join(certified)}"
        )
