"""Labels of masks that say nothing: the void labels."""

from collections.abc import Collection, Iterable

import numpy as np
from numpy.typing import NDArray

from graphcert.errors import InputError

Void = int | Iterable[int] | None
"""One void label, several, or none."""

NO_LABELLED_PIXEL = "no labelled pixel"


def void_labels(given: Void) -> tuple[int, ...]:
    """The void labels in ascending order, each once.

    Raises:
        InputError: if one of them is no whole number from 0 to 255.
    """
    several = () if given is None else given if isinstance(given, Iterable) else (given,)
    values: list[object] = [*several]
    for value in values:
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not 0 <= value <= 255:
            raise InputError(f"void labels are values of masks, whole numbers from 0 to 255; got {value!r}")
    return tuple(sorted({int(value) for value in values}))  # type: ignore[call-overload]


def labelled(mask: NDArray[np.integer], void: Collection[int]) -> NDArray[np.int64]:
    """A mask with −1 for void labels."""
    labels = mask.astype(np.int64)
    return np.where(np.isin(labels, list(void)), -1, labels)


def check_classes(labels: NDArray[np.integer], classes: int, void: Collection[int], name: str) -> None:
    """Refuse labels that are neither a class 0 … K − 1 nor void.

    Args:
        labels: of the mask called `name`, −1 where it says nothing.
        classes: K.
        void: the labels that are void already.

    Raises:
        InputError: naming the labels, and the void labels that would make them say nothing.
    """
    unknown = [int(label) for label in np.unique(labels[labels >= classes])]
    if unknown:
        words = f"class {unknown[0]}" if len(unknown) == 1 else f"the classes {_listed(unknown)}"
        which = "it means" if len(unknown) == 1 else "they mean"
        raise InputError(
            f'{name} names {words}, but the network knows {classes} classes; if {which} "no label", give --void '
            f"{','.join(str(label) for label in sorted({*void, *unknown}))}"
        )


def _listed(values: list[int]) -> str:
    """At most four of them."""
    shown = ", ".join(str(value) for value in values[:4])
    return f"{shown} …" if len(values) > 4 else shown
