"""Plots read back from their SVG: elements, lines and the boxes of texts."""

import re
from itertools import combinations, pairwise
from xml.etree import ElementTree

import numpy as np

from graphcert.report.plots.canvas import LETTER, TEXT

NAMESPACE = "{http://www.w3.org/2000/svg}"
Box = tuple[float, float, float, float]
"""Left, top, right, bottom in the units of the picture."""


def elements(svg: str, tag: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(svg).iter(NAMESPACE + tag))


def paths(svg: str, style: str) -> list[np.ndarray]:
    """The vertices of all paths in a style."""
    drawn = [path.attrib["d"] for path in elements(svg, "path") if style in path.attrib.get("style", "")]
    return [np.array(re.findall(r"(-?[\d.]+) (-?[\d.]+)", d), dtype=float) for d in drawn]


def anchor_point(text: ElementTree.Element) -> tuple[float, float]:
    """Where an upright text is put."""
    found = re.search(r"(?:translate\(|rotate\(-0 )([\d.]+) ([\d.]+)", text.attrib["transform"])
    assert found is not None
    return float(found[1]), float(found[2])


def text_boxes(svg: str) -> list[tuple[str, Box]]:
    """Every upright text and its box."""
    found = []
    for text in elements(svg, "text"):
        style = text.attrib["style"]
        if "rotate(-90" in text.attrib["transform"]:
            continue
        x, y = anchor_point(text)
        size = re.search(r"font-size: ([\d.]+)px", style)
        scale = float(size[1]) / TEXT if size else 1.0
        width = len(text.text or "") * LETTER * scale
        anchor = re.search(r"text-anchor: (\w+)", style)
        left = x - {"middle": width / 2, "end": width}.get(anchor[1] if anchor else "start", 0.0)
        found.append((text.text or "", (left, y - 0.75 * TEXT * scale, left + width, y + 0.2 * TEXT * scale)))
    return found


def texts(svg: str) -> dict[str, Box]:
    """The boxes by text, where texts differ."""
    return dict(text_boxes(svg))


def apart(a: Box, b: Box) -> bool:
    return a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


def assert_apart(boxes: dict[str, Box]) -> None:
    for (one, a), (other, b) in combinations(boxes.items(), 2):
        assert apart(a, b), f"{one} overlaps {other}"


def touches(line: np.ndarray, box: Box) -> bool:
    """Whether a line of level and upright pieces meets a box."""
    left, top, right, bottom = box
    return any(
        not (max(x0, x1) < left or min(x0, x1) > right or max(y0, y1) < top or min(y0, y1) > bottom)
        for (x0, y0), (x1, y1) in pairwise(line.tolist())
    )
