"""What a stored description of a smoothing scheme says: which group a node is in, and which law each group sees where.

Descriptions are read anew, from docs/theory.md sections 0, 2, 5, 6 and 8; probabilities and scales are the exact binary
fractions that their floats are. What is not known here is refused, so that nobody takes it for proved.
"""

import math
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphcert.errors import DataError, UnsupportedError

Integers = NDArray[np.int64]

_NUMBERS = {
    "": ("add", "delete"), "gaussian": ("sigma",), "uniform": ("half_width",), "laplace": ("scale",), "ablation": (),
    "subset ablation": ("kept", "elements"), "rotation": ("sigma",),
}  # fmt: skip
REAL = ("gaussian", "uniform", "laplace", "rotation", "turn")
"""The laws of real features, and those of turns, in space and about an axis: a change has a size."""
OF_ALL_ROWS = ("subset ablation", "rotation", "turn")
"""The laws of all rows together, without levels or selection."""


class Law(NamedTuple):
    """One law of noise.

    Attributes:
        kind: "flips", one of `REAL`, "ablation" or "subset ablation".
        numbers: θ⁺ and θ⁻; the scale; nothing; or how many of how many rows are kept.
        select: the probability with which a row gets the noise, and is seen to get it.
    """

    kind: str
    numbers: tuple[Fraction, ...]
    select: Fraction = Fraction(1)

    @property
    def rates(self) -> tuple[Fraction, Fraction]:
        """θ⁺ and θ⁻ of flips."""
        add, delete = self.numbers
        return add, delete


CLEAN = Law("flips", (Fraction(0), Fraction(0)))
"""The law of a channel without noise: every change of it is seen."""


class Views(NamedTuple):
    """A scheme as its outputs see it. G groups of nodes, J blocks of input; both are 1 where all noise is the same.

    Attributes:
        group: (N,) the group of every node, which is also its block.
        features, edges: the distinct laws of each channel, in order of their levels; flips for edges.
        feature_law: (G, J) which law of `features` a group sees on the features of a block.
        edge_law: (G, J, J) which law of `edges` it sees between two blocks, symmetric.
        reweighted: whether deleted edges can only come back with another weight than their own.
        directed: whether every direction of an edge is one of its own.
        rows: how many there are of what a limit of touched nodes counts: nodes, or tiles of pixels selected together.
        dropped: the probability that a node loses all its edges, besides what `edges` says.
    """

    group: Integers
    features: tuple[Law, ...]
    edges: tuple[Law, ...]
    feature_law: Integers
    edge_law: Integers
    reweighted: bool
    directed: bool
    rows: int
    dropped: Fraction = Fraction(0)

    def smooths(self, channel: str) -> bool:
        """Whether anything of "features" or "edges" is hidden by noise."""
        if channel == "edges" and self.dropped:
            return True
        return any(law != CLEAN for law in (self.features if channel == "features" else self.edges))


def dominates(law: Law, weak: Law) -> bool:
    """Whether what is seen under `weak` is a post-processing of what is seen under `law` (theory, section 1); exact.

    Then a change does at least as much damage under `law`. Flips are compared by M⁻¹M' ≥ 0, M and M' the matrices of their
    outcomes; other laws by their scale.
    """
    if law.kind != weak.kind or law.select > weak.select:
        return False
    if law.kind in REAL and law.kind not in OF_ALL_ROWS:
        return law.numbers[0] <= weak.numbers[0]
    if law.kind != "flips":
        return law.numbers == weak.numbers
    (a, d), (b, e) = law.rates, weak.rates
    if a + d == 1:
        return b + e == 1
    entries = (
        (1 - d) * b - a * (1 - e),
        (1 - a) * e - d * (1 - b),
        (1 - d) * (1 - b) - a * e,
        (1 - a) * (1 - e) - d * b,
    )
    return min(entries) >= 0 if a + d < 1 else max(entries) <= 0


def undominated(laws: tuple[Law, ...]) -> tuple[Law, ...]:
    """The laws under which it may pay to change something: no other one of them dominates these; the first of equals."""
    kept: list[Law] = []
    for law in laws:
        if not any(dominates(other, law) for other in kept):
            kept = [*(other for other in kept if not dominates(law, other)), law]
    return tuple(kept)


def read_scheme(description: dict[str, Any], nodes: int) -> Views:
    """The views of a scheme over so many nodes.

    Raises:
        UnsupportedError: for a law that is not known here, such as a user's own.
        DataError: if the description contradicts itself or the number of nodes.
    """
    try:
        return _read(description, nodes)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        words = f"{type(error).__name__} {error}"[:200]
        raise DataError(f"the description of the smoothing is damaged ({words}); take the votes again") from None


def _read(description: dict[str, Any], nodes: int) -> Views:
    if "drop" in description:
        _only(description, {"drop"})
        _only(description["drop"], {"nodes", "edges"})
        dropped, deleted = (_probability(description["drop"][name]) for name in ("nodes", "edges"))
        survivors = Law("flips", (Fraction(0), deleted))
        return _views([CLEAN], [survivors], None, nodes, False, False)._replace(dropped=dropped)
    lower, selects, rows = description, [1.0], nodes
    if "lower" in description:
        _only(description, {"select", "lower", "tiles"})
        if "tiles" in description:
            rows = _tiles(description["tiles"], nodes)
        lower, select = description["lower"], description["select"]
        selects = select if isinstance(select, list) else [select]
    _only(lower, {"features", "edges", "partition", "directed", "added_weight", "added_attr", "edge_values"})
    features = [_law(law, nodes) for law in _levels(lower.get("features"))]
    edges = [_law(law, nodes) for law in _levels(lower.get("edges"))]
    if any(law.kind != "flips" for law in edges) or len({law.kind for law in features}) > 1:
        raise ValueError("the levels of a channel are laws of different kinds, or edges carry other noise than flips")
    if len(features) > 1 and features[0].kind in OF_ALL_ROWS:
        raise ValueError("a law of all rows together has levels")
    if len(selects) not in (1, len(features)) or ("tiles" in description and len(selects) > 1):
        raise ValueError("select does not match the levels of the features, or is several for tiles")
    if "lower" in description:
        if not features or features[0].kind in OF_ALL_ROWS:
            raise ValueError("rows are selected for no noise, or for noise of all rows together")
        selected = selects if len(selects) > 1 else selects * len(features)
        features = [law._replace(select=_probability(s)) for law, s in zip(features, selected, strict=True)]
        if any(law.select == 0 for law in features):
            raise ValueError("rows are selected with probability 0")
    own = lower.get("edge_values") == "own" and any(law.numbers[0] > 0 for law in edges)
    if lower.get("edge_values") not in (None, "own", "as added") or type(lower.get("directed", False)) is not bool:
        raise ValueError("directed or edge_values is none that is known")
    return _views(
        features or [CLEAN], edges or [CLEAN], lower.get("partition"), nodes, own, lower.get("directed", False)
    )._replace(rows=rows)


def _tiles(described: Any, nodes: int) -> int:
    """How many tiles of size × size an image of so many pixels has."""
    _only(described, {"height", "width", "size"})
    height, width, size = (described[name] for name in ("height", "width", "size"))
    if any(type(number) is not int or number < 1 for number in (height, width, size)) or height * width != nodes:
        raise ValueError("the tiles are not those of an image of so many pixels")
    return -(-int(height) // int(size)) * -(-int(width) // int(size))


def _views(
    features: list[Law], edges: list[Law], partition: Any, nodes: int, reweighted: bool, directed: bool
) -> Views:
    distinct = [tuple(dict.fromkeys(laws)) for laws in (features, edges)]
    if partition is None and (len(features) > 1 or len(edges) > 1):
        raise ValueError("several levels need a partition")
    group, rank = (
        (np.zeros(nodes, np.int64), np.zeros((1, 1), np.int64)) if partition is None else _ranks(partition, nodes)
    )
    if max(len(features), len(edges)) > len(rank):
        raise ValueError("there are more levels than clusters")
    if max(map(len, distinct)) == 1:
        group, rank = np.zeros(nodes, np.int64), np.zeros((1, 1), np.int64)
    clusters = len(rank)
    larger = np.maximum(rank[:, :, None], rank[:, None, :])
    feature_of, edge_of = (
        np.array([known.index(laws[level * len(laws) // clusters]) for level in range(clusters)])
        for laws, known in zip((features, edges), distinct, strict=True)
    )
    return Views(group, distinct[0], distinct[1], feature_of[rank], edge_of[larger], reweighted, directed, nodes)


def _ranks(partition: dict[str, Any], nodes: int) -> tuple[Integers, Integers]:
    """The cluster of every node and the (C, C) ranks; each row has to be a permutation with 0 on the diagonal."""
    labels, rank = (_whole_numbers(partition[name]) for name in ("labels", "rank"))
    clusters = len(rank)
    if labels.shape != (nodes,) or rank.shape != (clusters, clusters) or set(labels.tolist()) != set(range(clusters)):
        raise ValueError("the partition does not give every node one of the clusters")
    if not (np.sort(rank, axis=1) == np.arange(clusters)).all() or rank.diagonal().any():
        raise ValueError("the ranks of some cluster are no permutation that begins with itself")
    return labels, rank


def _whole_numbers(values: Any) -> Integers:
    array = np.array(values)
    if array.dtype.kind != "i":
        raise ValueError("clusters and ranks must be whole numbers")
    return array.astype(np.int64)


def _levels(described: Any) -> list[dict[str, Any]]:
    return [] if described is None else described if isinstance(described, list) else [described]


def _law(described: dict[str, Any], nodes: int) -> Law:
    name = described.get("law", "")
    if name not in _NUMBERS:
        raise UnsupportedError(
            f"nothing is proved independently about the law {name!r:.60}; what it claims is recomputed"
        )
    names = _NUMBERS[name]
    further = {"rotation": ("axis",)}.get(name, ("lattice",) if name in REAL else ())
    _only(described, {"law", *names, *further})
    if name == "subset ablation":
        kept, elements = described["kept"], described.get("elements", nodes)
        if type(kept) is not int or type(elements) is not int or not 0 <= kept <= elements or elements != nodes:
            raise ValueError("a subset of rows is not one of all rows")
        return Law(name, (Fraction(kept), Fraction(elements)))
    numbers = tuple(_number(described[key]) for key in names)
    if any(number <= 0 if name in REAL else not 0 <= number <= 1 for number in numbers):
        raise ValueError("a probability or scale is outside its domain")
    if described.get("axis") is not None:
        _check_axis(described["axis"])
        return Law("turn", numbers)
    return Law(name or "flips", numbers)


def _check_axis(axis: Any) -> None:
    if axis not in ("x", "y", "z") and (not isinstance(axis, list) or len(axis) != 3 or not any(map(_number, axis))):
        raise ValueError("an axis is neither x, y or z nor three numbers that are not all 0")


def _probability(value: Any) -> Fraction:
    if not 0 <= (number := _number(value)) <= 1:
        raise ValueError("a probability is outside its domain")
    return number


def _number(value: Any) -> Fraction:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise ValueError(f"{value!r:.40} is no number")
    return Fraction(value)


def _only(described: dict[str, Any], known: set[str]) -> None:
    if unknown := set(described) - known:
        raise ValueError(f"it names {', '.join(sorted(map(str, unknown)))[:100]}, which is not known")
