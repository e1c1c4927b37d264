"""What a section is, and the figures in it."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from markupsafe import Markup

from graphcert.report.page import block


class Section(NamedTuple):
    """A heading and what stands below it."""

    heading: str
    html: Markup


def gallery(items: Iterable[tuple[str, Markup]]) -> Markup:
    """Captions and plots side by side; the same picture is shown once, under all its captions."""
    captions: dict[str, list[str]] = {}
    shown: dict[str, Markup] = {}
    for caption, svg in items:
        drawn = _without_names(svg)
        shown.setdefault(drawn, svg)
        captions.setdefault(drawn, []).append(caption)
    return block("figures", [(" · ".join(captions[drawn]), svg) for drawn, svg in shown.items()])


def _without_names(svg: str) -> str:
    """A plot with its internal names numbered, so that equal pictures are equal texts."""
    for k, name in enumerate(re.findall(r' id="([^"]+)"', svg)):
        svg = svg.replace(f'id="{name}"', f'id="{k}"').replace(f'#{name}"', f'#{k}"').replace(f"#{name})", f"#{k})")
    return svg
