"""The templates of the page: the frame and its building blocks, both with automatic escaping."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def block(name: str, *arguments: Any) -> Markup:
    """One building block of `blocks.html.j2` ("paragraphs", "table", "figures", …)."""
    macro = getattr(_ENVIRONMENT.get_template("blocks.html.j2").module, name)
    return Markup(macro(*arguments))


def page(*, pictures: bool = False, **values: Any) -> str:
    """The whole page from `report.html.j2`; `pictures` allows those that the page itself holds."""
    return _ENVIRONMENT.get_template("report.html.j2").render(pictures=pictures, **values)
