"""Generated shapes of named parts: tables, chairs, lamps, mugs and airplanes, sampled uniformly by area.

Shapes stand upright (z is up), in one orientation and with varied proportions.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from graphcert.core.arguments import one_of, whole
from graphcert.core.arrays import Floats
from graphcert.errors import InputError
from graphcert.points.cloud import PointCloud
from graphcert.sampling.philox import seed_key

FEWEST, MOST = 512, 2048
"""How many points a generated shape can have."""

_STREAM = 11  # separates these random numbers from those of others with the same seed

Vector = Floats | Sequence[float]
Random = np.random.Generator


class Surface(NamedTuple):
    """A surface with its area and a way to draw so many uniform points (n, 3) of it."""

    area: float
    draw: Callable[[Random, int], Floats]


Piece = tuple[str, Surface]


def parallelogram(corner: Vector, one: Vector, other: Vector) -> Surface:
    """corner + a·one + b·other for a, b in [0, 1]."""
    base, first, second = (np.asarray(v, dtype=np.float64) for v in (corner, one, other))

    def draw(rng: Random, count: int) -> Floats:
        a, b = rng.random((2, count, 1))
        return np.asarray(base + a * first + b * second)

    return Surface(float(np.linalg.norm(np.cross(first, second))), draw)


def box(low: Vector, high: Vector) -> list[Surface]:
    """The six faces of an upright box."""
    lower, size = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64) - np.asarray(low)
    edges = np.diag(size)
    faces = []
    for axis in range(3):
        one, other = edges[(axis + 1) % 3], edges[(axis + 2) % 3]
        faces += [parallelogram(lower, one, other), parallelogram(lower + edges[axis], one, other)]
    return faces


def _frame(direction: Floats) -> tuple[Floats, Floats]:
    """Two vectors of length 1 that are orthogonal to a direction and to each other."""
    unit = direction / np.linalg.norm(direction)
    other = np.eye(3)[int(np.abs(unit).argmin())]
    one = np.cross(unit, other)
    one = one / np.linalg.norm(one)
    return one, np.cross(unit, one)


def cone(start: Vector, end: Vector, radius: float, end_radius: float) -> Surface:
    """The side of a cylinder, or of a truncated cone, between two centres."""
    first, last = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
    one, other = _frame(last - first)
    wider = end_radius - radius
    slant = math.hypot(float(np.linalg.norm(last - first)), wider)

    def draw(rng: Random, count: int) -> Floats:
        u, angle = rng.random((count, 1)), 2 * np.pi * rng.random((count, 1))
        r = np.sqrt(radius**2 + u * (end_radius**2 - radius**2))  # circumferences grow with the radius
        t = u if abs(wider) < 1e-9 else (r - radius) / wider
        return np.asarray(first + t * (last - first) + r * (np.cos(angle) * one + np.sin(angle) * other))

    return Surface(math.pi * (radius + end_radius) * slant, draw)


def disc(centre: Vector, normal: Vector, radius: float) -> Surface:
    """A flat disc."""
    middle = np.asarray(centre, dtype=np.float64)
    one, other = _frame(np.asarray(normal, dtype=np.float64))

    def draw(rng: Random, count: int) -> Floats:
        r, angle = radius * np.sqrt(rng.random((count, 1))), 2 * np.pi * rng.random((count, 1))
        return np.asarray(middle + r * (np.cos(angle) * one + np.sin(angle) * other))

    return Surface(math.pi * radius**2, draw)


def tube(centre: Vector, one: Vector, other: Vector, bend: float, radius: float, start: float, stop: float) -> Surface:
    """A tube of a radius around an arc of radius `bend` in a plane, from the angle `start` to `stop`."""
    middle, first, second = (np.asarray(v, dtype=np.float64) for v in (centre, one, other))
    upward = np.cross(first, second)

    def draw(rng: Random, count: int) -> Floats:
        along = start + (stop - start) * rng.random((count, 1))
        around = np.empty((0, 1))
        while len(around) < count:  # the outer side has more area
            tried = 2 * np.pi * rng.random((2 * count, 1))
            kept = rng.random((2 * count, 1)) * (bend + radius) < bend + radius * np.cos(tried)
            around = np.concatenate([around, tried[kept][:, None]])
        around = around[:count]
        outward = np.cos(along) * first + np.sin(along) * second
        return np.asarray(middle + (bend + radius * np.cos(around)) * outward + radius * np.sin(around) * upward)

    return Surface(2 * math.pi * bend * radius * (stop - start), draw)


def _named(name: str, *surfaces: Surface | list[Surface]) -> list[Piece]:
    flat = [one for given in surfaces for one in (given if isinstance(given, list) else [given])]
    return [(name, surface) for surface in flat]


def _drum(centre: Vector, low: float, high: float, radius: float, top_radius: float | None = None) -> list[Surface]:
    """An upright cylinder or truncated cone with both ends closed."""
    x, y = centre[0], centre[1]
    upper = radius if top_radius is None else top_radius
    ends = [disc((x, y, low), (0, 0, 1), radius), disc((x, y, high), (0, 0, 1), upper)]
    return [cone((x, y, low), (x, y, high), radius, upper), *ends]


def _table(rng: Random) -> list[Piece]:
    length, depth, height = rng.uniform(0.7, 1.4), rng.uniform(0.6, 0.9), rng.uniform(0.5, 0.9)
    thick, leg = rng.uniform(0.03, 0.08), rng.uniform(0.025, 0.06)
    x, y = length / 2, depth / 2
    if rng.random() < 0.3:  # round, on one leg
        round_top = rng.uniform(0.4, 0.65)
        foot = rng.uniform(0.25, 0.4)
        return [
            *_named("table top", _drum((0, 0), height, height + thick, round_top)),
            *_named("table leg", _drum((0, 0), 0.04, height, leg * 1.3), _drum((0, 0), 0, 0.04, foot)),
        ]
    pieces = _named("table top", box((-x, -y, height), (x, y, height + thick)))
    for a in (-1, 1):
        for b in (-1, 1):
            place = (a * (x - 1.5 * leg), b * (y - 1.5 * leg))
            if length < 1.0:
                pieces += _named("table leg", _drum(place, 0, height, leg))
            else:
                low, high = (place[0] - leg, place[1] - leg, 0), (place[0] + leg, place[1] + leg, height)
                pieces += _named("table leg", box(low, high))
    if rng.random() < 0.6:
        at = height * rng.uniform(0.2, 0.4)
        pieces += _named("table shelf", box((-0.85 * x, -0.85 * y, at), (0.85 * x, 0.85 * y, at + thick)))
    return pieces


def _chair(rng: Random) -> list[Piece]:
    side, height, back = rng.uniform(0.45, 0.6), rng.uniform(0.4, 0.55), rng.uniform(0.45, 0.75)
    thick, leg = rng.uniform(0.04, 0.08), rng.uniform(0.02, 0.035)
    x = side / 2
    top = height + thick
    pieces = [
        *_named("chair seat", box((-x, -x, height), (x, x, top))),
        *_named("chair back", box((-x, x - thick, top), (x, x, top + back))),
    ]
    for a in (-1, 1):
        for b in (-1, 1):
            pieces += _named("chair leg", _drum((a * (x - 1.5 * leg), b * (x - 1.5 * leg)), 0, height, leg))
        if a == 1:
            arms = rng.random() < 0.6
            rest = rng.uniform(0.18, 0.26)
    if arms:
        for a in (-1, 1):
            low, high = sorted((a * x, a * (x - 1.6 * leg)))
            pieces += _named(
                "chair arm", box((low, -x, top + rest - 0.04), (high, x - thick, top + rest)),
                cone(((low + high) / 2, -x + leg, top), ((low + high) / 2, -x + leg, top + rest - 0.04), leg, leg),
            )  # fmt: skip
    return pieces


def _lamp(rng: Random) -> list[Piece]:
    foot, tall = rng.uniform(0.18, 0.3), rng.uniform(0.8, 1.3)
    wide, narrow, shade = rng.uniform(0.25, 0.42), rng.uniform(0.1, 0.24), rng.uniform(0.28, 0.45)
    thick = rng.uniform(0.03, 0.07)
    return [
        *_named("lamp base", _drum((0, 0), 0, thick, foot, foot * rng.uniform(0.7, 1.0))),
        *_named("lamp pole", cone((0, 0, thick), (0, 0, tall), rng.uniform(0.02, 0.04), rng.uniform(0.02, 0.04))),
        *_named("lamp shade", cone((0, 0, tall - shade / 2), (0, 0, tall + shade / 2), wide, narrow)),
    ]


def _mug(rng: Random) -> list[Piece]:
    radius, height = rng.uniform(0.3, 0.42), rng.uniform(0.65, 1.0)
    top = radius * rng.uniform(0.9, 1.15)
    bend, thick = height * rng.uniform(0.24, 0.34), rng.uniform(0.03, 0.055)
    middle = height * rng.uniform(0.45, 0.6)
    wall = radius + (top - radius) * middle / height
    return [
        *_named("mug body", cone((0, 0, 0), (0, 0, height), radius, top), disc((0, 0, 0), (0, 0, 1), radius)),
        *_named("mug handle", tube((wall, 0, middle), (1, 0, 0), (0, 0, 1), bend, thick, -math.pi / 2, math.pi / 2)),
    ]


def _airplane(rng: Random) -> list[Piece]:
    length, radius = rng.uniform(1.2, 1.7), rng.uniform(0.08, 0.13)
    nose, rear = length / 2, -length / 2
    span, chord = rng.uniform(0.6, 0.9), rng.uniform(0.2, 0.32)
    swept, at = rng.uniform(0.05, 0.35), rng.uniform(0.0, 0.15)
    body = [
        cone((rear + 0.3 * length, 0, 0), (nose - 0.15 * length, 0, 0), radius, radius),
        cone((nose - 0.15 * length, 0, 0), (nose, 0, 0), radius, 0.15 * radius),
        cone((rear + 0.3 * length, 0, 0), (rear, 0, 0.3 * radius), radius, 0.3 * radius),
    ]
    pieces = _named("airplane body", body)
    tail, fin = span * rng.uniform(0.3, 0.42), rng.uniform(0.22, 0.34)
    engines, below = rng.random() < 0.7, rng.uniform(0.06, 0.1)
    for a in (-1, 1):
        root = np.array([at - chord / 2, a * radius * 0.9, 0.0])
        pieces += _named("airplane wing", parallelogram(root, (chord, 0, 0), (-swept, a * span, 0.04)))
        root = np.array([rear + 0.02, a * radius * 0.4, 0.3 * radius])
        pieces += _named("airplane tail", parallelogram(root, (0.5 * chord, 0, 0), (-0.4 * swept, a * tail, 0.02)))
        if engines:
            y, x = a * (radius + 0.35 * span), at - 0.35 * swept
            start, end = (x - 0.09, y, -below), (x + 0.13, y, -below)
            pieces += _named("airplane engine", cone(start, end, 0.75 * below, 0.8 * below))
    upward = parallelogram((rear + 0.02, 0, 0.3 * radius), (0.6 * chord, 0, 0), (-0.08, 0, fin))
    return pieces + _named("airplane tail", upward)


KINDS: dict[str, Callable[[Random], list[Piece]]] = {
    "table": _table, "chair": _chair, "lamp": _lamp, "mug": _mug, "airplane": _airplane,
}  # fmt: skip
"""What can be generated, by the name of the kind."""

PARTS = (
    "table top", "table leg", "table shelf", "chair seat", "chair back", "chair leg", "chair arm", "lamp base", "lamp pole",
    "lamp shade", "mug body", "mug handle", "airplane body", "airplane wing", "airplane tail", "airplane engine",
)  # fmt: skip
"""The parts of all kinds; those of a kind come one after the other."""


def generated_shapes(
    count: int, points: int = 1024, seed: int = 0, kinds: Sequence[str] = tuple(KINDS)
) -> list[PointCloud]:
    """So many shapes, of the kinds by turns, normalised to the unit sphere; shape k does not depend on how many there are.

    Args:
        count: at least 1.
        points: P of every shape, 512 to 2,048, uniform by area.
        seed: 0 to 2⁶⁴ − 1.
        kinds: some of `KINDS`, each once.

    Returns:
        Clouds whose parts are numbers of `PARTS`, all of them known.

    Raises:
        InputError: if an argument is outside its domain.
    """
    size, each = whole("the number of shapes", count, 1), whole("points", points, FEWEST)
    if each > MOST:
        raise InputError(f"a generated shape has from {FEWEST} to {MOST:,} points, got {each:,}")
    names = (kinds,) if isinstance(kinds, str) else tuple(kinds)
    for name in names:
        one_of("a kind of shape", name, KINDS)
    if not names or len(set(names)) != len(names):
        raise InputError(f"name some kinds of shapes, each once, of {', '.join(KINDS)}; got {names}")
    return [_shape(names[k % len(names)], k, each, int(seed_key(seed))) for k in range(size)]


def _shape(kind: str, number: int, points: int, seed: int) -> PointCloud:
    rng = np.random.default_rng([seed, number, _STREAM])
    names, surfaces = zip(*KINDS[kind](rng), strict=True)
    areas = np.array([surface.area for surface in surfaces])
    counts = rng.multinomial(points, areas / areas.sum())
    drawn = np.concatenate([surface.draw(rng, n) for surface, n in zip(surfaces, counts.tolist(), strict=True)])
    parts = np.repeat([PARTS.index(name) for name in names], counts)
    mixed = rng.permutation(points)
    return PointCloud(f"{kind} {number}", drawn[mixed], parts[mixed], kind).normalised()
