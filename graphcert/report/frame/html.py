"""The one page of every report: its frame, its sections, and their building blocks, all with automatic escaping."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from graphcert import __version__
from graphcert.core.files import atomic_write_text
from graphcert.report.frame.theme import PALETTE
from graphcert.report.frame.wording import seconds, setting

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


class Section(NamedTuple):
    """A heading and what stands below it."""

    heading: str
    html: Markup


@dataclass(frozen=True)
class Page:
    """A self-contained HTML page: it loads nothing, runs no script, and is the same bytes for equal contents.

    Attributes:
        title: the heading.
        subtitle: what was certified against what, in a few words each.
        notices: sentences the reader must know before believing a number.
        sections: from above.
        pictures: whether the page holds pictures that are no plots.
    """

    title: str
    subtitle: list[str]
    notices: list[str]
    sections: list[Section]
    pictures: bool = False

    def html(self) -> str:
        """The page as text."""
        template = _ENVIRONMENT.get_template("report.html.j2")
        return template.render(page=self, palette=PALETTE, version=__version__)

    def write(self, path: Path) -> None:
        """Write the page to `path`, whole or not at all."""
        atomic_write_text(Path(path), self.html())


def block(name: str, *arguments: Any) -> Markup:
    """One building block of `blocks.html.j2` ("paragraphs", "table", "figures", …)."""
    macro = getattr(_ENVIRONMENT.get_template("blocks.html.j2").module, name)
    return Markup(macro(*arguments))


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


def settings_section(sections: Mapping[str, Mapping[str, object]], timings: Mapping[str, float]) -> Section:
    """The section of the settings that had a use, and of the seconds of each stage.

    What is off, empty or not set is not shown; a number has an effect, 0 too.
    """
    shown = [
        (name, [(key, setting(value)) for key, value in values.items() if _used(value)])
        for name, values in sections.items()
    ]
    shown.append(("timings", [(stage, seconds(duration)) for stage, duration in timings.items()]))
    return Section("Settings", block("settings", [(name, rows) for name, rows in shown if rows]))


def _used(value: object) -> bool:
    return value is not None and value is not False and value not in ("", (), [], {})
