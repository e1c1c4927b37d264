"""Tiles of pixels that are selected together: what they are, that descriptions stay, and the certificate met exactly."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from cases import votes_of
from hypothesis import given
from hypothesis import strategies as st

import graphcert as gc
from graphcert.certificates.guarantee import describe_noise
from graphcert.errors import InputError, UnsupportedError, VotesError
from graphcert.noise import Budget, smoothing_from_dict
from graphcert.sampling import philox
from graphcert.sampling.selection import Selection
from graphcert.tradeoff import budget_trade_offs, selection_mass


@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 14))
def test_tiles_are_squares_in_reading_order(height: int, width: int, size: int) -> None:
    tiles = gc.Tiles(height, width, size)
    of = tiles.of_row.reshape(height, width)
    assert np.unique(of).tolist() == list(range(tiles.count))
    for tile in range(tiles.count):
        rows, columns = np.nonzero(of == tile)
        assert rows[0] % size == columns[0] % size == 0
        assert rows.max() - rows[0] < size
        assert columns.max() - columns[0] < size
        assert rows.size == min(size, height - rows[0]) * min(size, width - columns[0])
    first = [int(np.flatnonzero(tiles.of_row == tile)[0]) for tile in range(tiles.count)]
    assert first == sorted(first)


def test_descriptions_without_tiles_are_what_they_were_and_those_with_come_back() -> None:
    plain, tiled = gc.Hierarchical(0.8, gc.Gaussian(0.5)), gc.Hierarchical(0.8, gc.Gaussian(0.5), gc.Tiles(4, 6, 2))
    assert plain.to_dict() == {"select": 0.8, "lower": {"features": {"law": "gaussian", "sigma": 0.5}}}
    assert tiled.to_dict() == {**plain.to_dict(), "tiles": {"height": 4, "width": 6, "size": 2}}
    assert smoothing_from_dict(tiled.to_dict()) == tiled != plain
    assert (tiled.counted_rows(24), plain.counted_rows(24), gc.Smoothing(gc.Gaussian(1)).counted_rows(24)) == (
        6,
        24,
        24,
    )
    assert tiled.on_graph(False, None) == tiled.nearest() == tiled
    for wrong in (
        {"height": 4, "width": 6},
        {"height": 4, "width": 6, "size": 0},
        [4, 6, 2],
        {"height": 4, "width": 6.5, "size": 2},
    ):
        with pytest.raises(InputError):
            smoothing_from_dict({**plain.to_dict(), "tiles": wrong})


def test_what_tiles_cannot_do_is_refused() -> None:
    two = gc.GridGraph(4, 4).cells(1, 2)
    lower = gc.Smoothing([gc.Gaussian(0.2), gc.Gaussian(0.4)], partition=two)
    with pytest.raises(InputError, match="several blocks"):
        gc.Hierarchical((0.8, 0.9), lower, gc.Tiles(4, 4, 2))
    assert gc.Hierarchical((0.8, 0.8), lower, gc.Tiles(4, 4, 2)) == gc.Hierarchical(0.8, lower, gc.Tiles(4, 4, 2))
    with pytest.raises(InputError, match="Tiles"):
        gc.Hierarchical(0.8, lower, 4)  # type: ignore[arg-type]
    with pytest.raises(VotesError, match="tile this image"):
        gc.certify(votes_of(gc.Hierarchical(0.8, gc.Gaussian(1), gc.Tiles(4, 4, 2)), 12))
    certificate = gc.certify(votes_of(gc.Hierarchical(0.8, lower, gc.Tiles(4, 4, 2)), 16))
    with pytest.raises(UnsupportedError, match="per block"):
        certificate.robust_at(shift=[0.1, 0], rows=[1, 0])


def test_touched_tiles_are_counted_and_named() -> None:
    scheme, plain = (gc.Hierarchical(0.9, gc.Gaussian(0.5), tiles) for tiles in (gc.Tiles(6, 6, 3), None))
    tiled, single = gc.certify(votes_of(scheme, 36)), gc.certify(votes_of(plain, 36))
    assert "that many tiles of 3 × 3 pixels" in tiled.guarantee()
    assert "selected tiles" in describe_noise(scheme)
    assert "tiles" not in single.guarantee()
    # Four tiles are all there are: no limit is a limit of four.
    assert tiled.radius().tolist() == tiled.radius(4).tolist() == tiled.radius(36).tolist() == single.radius(4).tolist()
    assert tiled.robust(shift=0.05).tolist() == tiled.robust(shift=0.05, nodes=4).tolist()
    assert tiled.robust(shift=0.05).sum() > single.robust(shift=0.05).sum()


@pytest.mark.parametrize("select", [0.3, 0.9, 1.0])
def test_pixels_of_a_tile_share_the_number_that_a_row_of_its_own_would_have(select: float) -> None:
    """So its law is that of rows, which has tests of its own."""
    tiles = gc.Tiles(7, 10, 3)
    view, one_block = np.zeros((1, 1), np.int64), np.zeros(70, np.int64)
    tiled = Selection.of([select], view, one_block, tiles)
    single = Selection.of([select], view, np.zeros(tiles.count, np.int64))
    key = philox.seed_key(5)
    for sample in range(20):
        of_rows, of_tiles = (one.rows(key, philox.MAIN, sample) for one in (tiled, single))
        assert of_rows.shape == (1, 70)
        assert np.array_equal(of_rows[0], of_tiles[0][tiles.of_row])
    assert tiled.total_variation() == single.total_variation()


def atoms(width: int, tile: int, select: Fraction, lower: dict[tuple[int, int], Fraction], image: tuple[int, ...]):
    """{what is seen: its probability} of a 1 × width image: which tiles are selected, and the pixels after the noise.

    `lower[a, b]` is the probability that a selected pixel a shows b.
    """
    tiles = -(-width // tile)
    found: dict[object, Fraction] = {}
    for chosen in product((False, True), repeat=tiles):
        weight = Fraction(1)
        for one in chosen:
            weight *= select if one else 1 - select
        options = [
            [(b, p) for (a, b), p in lower.items() if a == pixel] if chosen[k // tile] else [(pixel, Fraction(1))]
            for k, pixel in enumerate(image)
        ]
        for shown in product(*options):
            p = weight
            for _, part in shown:
                p *= part
            seen = (chosen, tuple(b for b, _ in shown))
            found[seen] = found.get(seen, Fraction(0)) + p
    return found


ADD, DELETE = Fraction(1, 8), Fraction(1, 4)
FLIPS = {(0, 0): 1 - ADD, (0, 1): ADD, (1, 1): 1 - DELETE, (1, 0): DELETE}
HIDDEN = {(0, 2): Fraction(1), (1, 2): Fraction(1)}


@pytest.mark.parametrize("tile", [1, 2, 3])
@pytest.mark.parametrize(
    ("law", "lower", "budget"),
    [
        (gc.Ablation(), HIDDEN, {}), (gc.BernoulliFlip(float(ADD), float(DELETE)), FLIPS, {"feature_add": 1}),
        (gc.BernoulliFlip(float(ADD), float(DELETE)), FLIPS, {"feature_add": 1, "feature_delete": 1}),
    ],
)  # fmt: skip
def test_the_worst_classifier_of_tiny_images_meets_the_certificate(tile: int, law, lower, budget) -> None:
    """All that can be seen of two images of 1 × 4 pixels: no event loses more than is claimed, and some lose that."""
    select, clean, changed = Fraction(7, 8), (0, 0, 1, 0), (0, 1, 0 if len(budget) != 1 else 1, 0)
    touched = len({k // tile for k in range(4) if clean[k] != changed[k]})
    before, after = (atoms(4, tile, select, lower, image) for image in (clean, changed))
    assert sum(before.values()) == sum(after.values()) == 1
    scheme = gc.Hierarchical(float(select), law, gc.Tiles(1, 4, tile))
    (trade_off,) = budget_trade_offs(scheme, Budget(**budget, nodes=touched), 0.0, 4)
    p, masses = Fraction(0), sorted(before.values(), reverse=True)
    for mass in masses:
        p += mass
        claimed = Fraction(float(trade_off.lower(float(p))))
        assert claimed <= least_after(before, after, p) <= claimed + Fraction(1, 10**9)
    if law == gc.Ablation():  # δ of tiles, not of pixels
        assert float(trade_off.lower(0.9)) == pytest.approx(0.9 - float(selection_mass(float(select), touched)))


def least_after(before, after, p: Fraction) -> Fraction:
    """The smallest mass after the change of an event of mass p before it, outcomes split where need be."""
    left, found = p, Fraction(0)
    for ratio, mass in sorted((after.get(one, Fraction(0)) / mass, mass) for one, mass in before.items() if mass):
        taken = min(left, mass)
        found, left = found + taken * ratio, left - taken
    return found
