"""Inputs as small pictures: images as they are, points from one side, vectors as bars, graphs as dots and lines."""

import networkx as nx
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from graphcert.report.images.pictures import drawing

_SIZE, _EDGE = 112, 8
"""Pixels of a picture, and of its margin."""
_INK, _LINE, _GROUND = (10, 95, 174), (170, 178, 187), (245, 247, 249)
_MOST_NODES = 400
"""Larger graphs are drawn on a circle; a layout by forces would take long."""


def picture_of(shape: tuple[int, ...], rows: NDArray[np.float32], edges: NDArray[np.int64]) -> str:
    """An address that holds the picture of an input of a shape, () for a graph, with its rows (R, D) and edges (2, E)."""
    if len(shape) == 3:
        return drawing(_of_image(rows.T.reshape(shape)))
    if len(shape) == 1:
        return drawing(_of_vector(rows[:, 0]))
    places = (
        _spread(rows[:, :2] if rows.shape[1] > 1 else np.repeat(rows, 2, axis=1))
        if shape
        else _layout(len(rows), edges)
    )
    return drawing(_of_dots(places, edges))


def _of_image(values: NDArray[np.float32]) -> Image.Image:
    """Channels (C, H, W) as grey or, with three of them, as colours; the range of the values is the range of the picture."""
    low, high = float(values.min()), float(values.max())
    scaled = (values - low) / (high - low if high > low else 1) * 255
    shown = scaled.transpose(1, 2, 0) if len(values) == 3 else scaled.mean(axis=0)
    picture = Image.fromarray(shown.round().astype(np.uint8))
    scale = max(1, _SIZE // max(shown.shape[:2]))
    return picture.resize((shown.shape[1] * scale, shown.shape[0] * scale), Image.Resampling.NEAREST)


def _of_vector(values: NDArray[np.float32]) -> Image.Image:
    picture, draw = _sheet()
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    height = _SIZE - 2 * _EDGE
    at = _EDGE + (high - values) / (high - low if high > low else 1) * height
    zero = _EDGE + high / (high - low if high > low else 1) * height
    for k, top in enumerate(at.tolist()):
        left = _EDGE + k * height / len(values)
        draw.rectangle((left, min(top, zero), left + max(height / len(values) - 1, 0), max(top, zero)), fill=_INK)
    return picture


def _of_dots(places: NDArray[np.float64], edges: NDArray[np.int64]) -> Image.Image:
    """Dots (R, 2) in the unit square, with lines between those that have an edge."""
    picture, draw = _sheet()
    at = _EDGE + places * (_SIZE - 2 * _EDGE)
    for one, other in edges.T.tolist():
        if one < other:
            draw.line((*at[one].tolist(), *at[other].tolist()), fill=_LINE)
    size = 3 if len(places) <= 60 else 1
    for x, y in at.tolist():
        draw.ellipse((x - size, y - size, x + size, y + size), fill=_INK)
    return picture


def _sheet() -> tuple[Image.Image, ImageDraw.ImageDraw]:
    picture = Image.new("RGB", (_SIZE, _SIZE), _GROUND)
    return picture, ImageDraw.Draw(picture)


def _layout(nodes: int, edges: NDArray[np.int64]) -> NDArray[np.float64]:
    graph: nx.Graph[int] = nx.Graph()
    graph.add_nodes_from(range(nodes))
    graph.add_edges_from(edges.T.tolist())
    found = nx.spring_layout(graph, seed=0) if nodes <= _MOST_NODES else nx.circular_layout(graph)
    return _spread(np.array([found[k] for k in range(nodes)]))


def _spread(places: NDArray[np.floating]) -> NDArray[np.float64]:
    """The same places (R, 2) in the unit square, the second axis upwards."""
    low, high = places.min(axis=0), places.max(axis=0)
    unit = np.asarray((places - low) / max(float((high - low).max()), 1e-12), np.float64)
    unit[:, 1] = unit[:, 1].max(initial=0) - unit[:, 1]
    return unit
