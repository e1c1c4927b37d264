"""Methods that hand over to a layer above: `graphcert/__init__.py`, which knows every public name, says who answers.

A certificate can be shown as a page or a plot, but the layer that proves does not know the one that draws.
"""

import importlib
from collections.abc import Callable
from typing import Any

HOMES: dict[str, str] = {}
"""Module and function, "module:function", by the name under which a method asks; loaded on first use."""


def handed_over(name: str) -> Callable[..., Any]:
    """The function that answers under a name."""
    module, _, function = HOMES[name].partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return found
