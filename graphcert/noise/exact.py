"""Laws, schemes and budgets are told apart by their exact type."""

from collections.abc import Iterable

from graphcert.errors import InputError


def refuse_subclass(value: object, kinds: Iterable[type]) -> None:
    """Raise `InputError` for an object of a subclass of one of the kinds, unless that is one of the kinds too.

    Samplers and certificates would treat it as its parent, whatever it changes.
    """
    parents = [base for base in type(value).__mro__ if base in kinds]
    if parents and parents[0] is not type(value):
        raise InputError(
            f"{type(value).__name__} is a subclass of {parents[0].__name__} and would be treated as its parent, "
            f"whatever it changes; give {parents[0].__name__} itself"
        )
