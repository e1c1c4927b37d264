"""Minimal broken points against the definition, cell by cell."""

from itertools import product

import numpy as np
import pytest
from collective_oracle import grids
from hypothesis import given
from hypothesis import strategies as st

from graphcert.collective.base_certificates.minimal_points import check_grid, minimal_broken_points
from graphcert.errors import InputError


def certified(row, point):
    return all(p < size for p, size in zip(point, row.shape, strict=True)) and bool(row[tuple(point)])


@given(st.integers(1, 4), st.integers(1, 2), st.data())
def test_points_are_exactly_the_minimal_cells_that_are_not_certified(nodes, axes, data):
    grid = data.draw(grids(nodes, axes))
    found_nodes, found = minimal_broken_points(grid)
    assert (np.diff(found_nodes) >= 0).all()
    for n in range(nodes):
        cells = list(product(*(range(size + 2) for size in grid.shape[1:])))
        broken = {cell for cell in cells if not certified(grid[n], cell)}
        minimal = {
            c for c in broken if not any(d != c and all(x <= y for x, y in zip(d, c, strict=True)) for d in broken)
        }
        assert {tuple(point) for point in found[found_nodes == n].tolist()} == minimal


def test_the_first_point_beyond_the_grid_is_broken():
    nodes, points = minimal_broken_points(np.ones((1, 4, 2), dtype=bool))
    assert nodes.tolist() == [0, 0]
    assert points.tolist() == [[0, 2], [4, 0]]


def test_a_grid_that_is_not_monotone_names_node_and_axis():
    grid = np.ones((3, 2, 2), dtype=bool)
    grid[1, 1, 0] = False
    with pytest.raises(InputError, match=r"not monotone: node 1 .* axis 1"):
        check_grid(grid, 2)


@pytest.mark.parametrize(
    ("grid", "axes"), [(np.ones((3, 2)), 1), (np.ones((3, 2), dtype=bool), 2), (np.ones((3, 0), dtype=bool), 1)]
)
def test_a_grid_of_the_wrong_kind_is_refused(grid, axes):
    with pytest.raises(InputError, match="base grid must"):
        check_grid(grid, axes)
