"""The one page of every report: its frame, its sections, and their building blocks, all with automatic escaping."""

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from graphcert import __version__
from graphcert.core.files import atomic_write_text
from graphcert.report.frame.wording import seconds, setting


@dataclass(frozen=True)
class Colour:
    """One colour under the name of its meaning, as `#rrggbb`; light colours differ from each other.

    Plots are drawn in the light colour, which the page then replaces by the style sheet's variable `name`.
    """

    name: str
    light: str
    dark: str


PAGE = Colour("page", "#ffffff", "#14181d")
PANEL = Colour("panel", "#f5f7f9", "#1c2229")
INK = Colour("ink", "#1b2128", "#e4e8ec")
MUTED = Colour("muted", "#5b6671", "#9aa6b2")
RULE = Colour("rule", "#dde2e7", "#333c46")
RATIO = Colour("ratio", "#0a5fae", "#5fb0f5")
ACCURACY = Colour("accuracy", "#b84a00", "#f2a154")
RATIO_CELL = Colour("ratio-cell", "#0a5faf", "#2a78c8")
ACCURACY_CELL = Colour("accuracy-cell", "#b84a01", "#b5601c")
GAIN_CELL = Colour("gain-cell", "#1f766a", "#2a8274")
RANK_CELL = Colour("rank-cell", "#62489f", "#7a60bd")
ON_CELL = Colour("on-cell", "#fffffe", "#ffffff")
CORRECT = Colour("correct", "#2a7d72", "#4fb0a3")
WRONG = Colour("wrong", "#c0458b", "#e27ab5")
UNKNOWN = Colour("unknown", "#69747f", "#8d98a3")
WARNING = Colour("warning", "#fff6e0", "#33290f")
LINES = (
    Colour("line-1", "#4f0873", "#c989a1"), Colour("line-2", "#c54c00", "#d86a11"),
    Colour("line-3", "#17864a", "#4b9359"), Colour("line-4", "#9d195d", "#f200bb"),
    Colour("line-5", "#6a0700", "#d8da24"), Colour("line-6", "#1a0eb1", "#50ff88"),
    Colour("line-7", "#20262d", "#d1eadd"),
)  # fmt: skip
"""Of curves beside one in `RATIO`: far from it and from each other, for readers of every kind of colour vision."""

PALETTE = (
    PAGE, PANEL, INK, MUTED, RULE, RATIO, ACCURACY, RATIO_CELL, ACCURACY_CELL, GAIN_CELL, RANK_CELL, ON_CELL, CORRECT,
    WRONG, UNKNOWN, WARNING, *LINES,
)  # fmt: skip

_SCRIPT = Path(__file__).parent / "nodes.js"
_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
    lstrip_blocks=True,
)  # fmt: skip


class Section(NamedTuple):
    """A heading and what stands below it."""

    heading: str
    html: Markup


@dataclass(frozen=True)
class Page:
    """A self-contained HTML page: it loads nothing, is complete without scripts, and is the same bytes for equal contents.

    `subtitle` says what was certified against what, in a few words each; `notices` are sentences the reader must know before
    believing a number; `pictures` says whether the page holds pictures that are no plots, and `nodes` whether it holds a
    table of nodes: then it runs nodes.js, and by its policy nothing else.
    """

    title: str
    subtitle: list[str]
    notices: list[str]
    sections: list[Section]
    pictures: bool = False
    nodes: bool = False

    def html(self) -> str:
        """The page as text."""
        template = _ENVIRONMENT.get_template("report.html.j2")
        script = Markup(_SCRIPT.read_text(encoding="utf-8")) if self.nodes else ""
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        return template.render(page=self, palette=PALETTE, version=__version__, script=script, digest=digest)

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
    """The section of the settings that are set (a number is, 0 too), and of the seconds of each stage."""
    shown = []
    for name, values in sections.items():
        used = {key: value for key, value in values.items() if value is not None and value is not False}
        shown.append((name, [(key, setting(value)) for key, value in used.items() if value not in ("", (), [], {})]))
    shown.append(("timings", [(stage, seconds(duration)) for stage, duration in timings.items()]))
    return Section("Settings", block("settings", [(name, rows) for name, rows in shown if rows]))
