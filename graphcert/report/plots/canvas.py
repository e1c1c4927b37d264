"""From a drawing function to an SVG element that takes its colours and fonts from the page it is put into."""

import io
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from xml.etree import ElementTree

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from graphcert.report.frame.html import MUTED, PALETTE, RULE

WIDTH = 320.0
"""Width of every plot in points; a phone shows it about 1:1."""

TEXT = 9.0
"""Size of all text in points."""
LETTER = 0.56 * TEXT
"""Width of an average letter in points, a little more than page fonts have."""

_NAMESPACE = "http://www.w3.org/2000/svg"
_STYLE = {"svg.fonttype": "none", "svg.hashsalt": "graphcert", "font.size": TEXT, "axes.unicode_minus": False}
_NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))
_VARIABLES = {colour.light: f"var(--{colour.name})" for colour in PALETTE}


def styled() -> AbstractContextManager[None]:
    """While it is entered, figures are made in the style of all plots, whatever the user's own is."""
    return matplotlib.style.context(["default", _STYLE])


def picture(draw: Callable[[Figure], None], height: float, name: str, description: str, *, crisp: bool = False) -> str:
    """Draw a figure of `WIDTH` × `height` points and return it as one `<svg>` element; equal drawings, equal strings.

    `name` is unique in the page and prefixes internal references; `description` is for readers who do not see it. `crisp`
    leaves no seams between filled shapes that touch; for rectangles only.
    """
    with styled():
        figure = Figure(figsize=(WIDTH / 72, height / 72), dpi=72)
        figure.patch.set_visible(False)
        draw(figure)
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata=_NO_METADATA)
    root = ElementTree.fromstring(stream.getvalue())
    for parent in list(root.iter()):
        for child in list(parent):
            # matplotlib's style sheet would restyle the whole page.
            if child.tag in (f"{{{_NAMESPACE}}}metadata", f"{{{_NAMESPACE}}}style"):
                parent.remove(child)
    for element in root.iter():
        _make_inline(element, name)
        if crisp and element.tag == "path" and "stroke:" not in element.attrib.get("style", ""):
            element.attrib["shape-rendering"] = "crispEdges"
    root.attrib = {
        "xmlns": _NAMESPACE, "viewBox": root.attrib["viewBox"], "role": "img", "aria-label": description,
        "stroke-linejoin": "round",
    }  # fmt: skip
    return ElementTree.tostring(root, encoding="unicode").replace("\n", "")


def panel(figure: Figure, height: float, left: float, right: float, top: float, bottom: float) -> Axes:
    """Axes with margins in points, without frame, with light tick labels."""
    across, upwards = (WIDTH - left - right) / WIDTH, (height - top - bottom) / height
    axes = figure.add_axes((left / WIDTH, bottom / height, across, upwards))
    axes.patch.set_visible(False)
    axes.tick_params(length=0, labelsize=TEXT, labelcolor=MUTED.light)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.spines["bottom"].set(visible=True, color=RULE.light, linewidth=1)
    axes.set_axisbelow(True)
    return axes


def _make_inline(element: ElementTree.Element, name: str) -> None:
    """Drop namespaces and unused names, prefix used ones, and hand colours and fonts over to the page."""
    element.tag = element.tag.rpartition("}")[2]
    attributes = {key.rpartition("}")[2]: value for key, value in element.attrib.items()}
    if element.tag in ("g", "svg"):
        attributes.pop("id", None)
    for key, value in attributes.items():
        if key == "id":
            value = f"{name}-{value}"
        elif key == "style":
            value = _page_style(value)
        elif key in ("d", "x", "y", "width", "height", "transform"):
            value = re.sub(r"-?\d+\.\d{3,}", lambda match: f"{float(match[0]):.2f}".rstrip("0").rstrip("."), value)
        attributes[key] = re.sub(r"(^|url\()#(?=\w)", rf"\1#{name}-", value) if key in ("href", "clip-path") else value
    element.attrib = attributes


def _page_style(style: str) -> str:
    """Colours as variables of the page, and fonts without their family."""
    style = re.sub(r"#[0-9a-f]{6}", lambda match: _VARIABLES[match[0]], style)
    style = re.sub(r"font-family:[^;]*;? ?", "", style)
    return re.sub(r"font:[^;]*?([\d.]+)px [^;]*", r"font-size: \1px", style)
