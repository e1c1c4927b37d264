"""Grid graphs: edges, cells and their ranks, pixels and nodes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphcert import GridGraph
from graphcert.data.validate import validate
from graphcert.errors import InputError

sizes = st.integers(1, 7)


@given(sizes, sizes, st.sampled_from([4, 8]))
def test_edges_join_neighbours_and_nothing_else(height, width, neighbourhood):
    grid = GridGraph(height, width, neighbourhood)
    data = grid.data(np.zeros((height, width, 2), np.uint8))
    validate(data, binary=False)
    found = {(int(a), int(b)) for a, b in data.edge_index.T}
    row, column = np.divmod(np.arange(grid.size), width)
    down, right = abs(row[:, None] - row), abs(column[:, None] - column)
    near = down + right == 1 if neighbourhood == 4 else np.maximum(down, right) == 1
    assert found == set(map(tuple, np.argwhere(near).tolist()))


@given(sizes, sizes, st.data())
def test_cells_are_rectangles_and_ranks_rise_with_the_distance(height, width, data):
    rows, columns = data.draw(st.integers(1, height)), data.draw(st.integers(1, width))
    partition = GridGraph(height, width).cells(rows, columns)
    labels = partition.labels.reshape(height, width)
    assert (np.diff(labels, axis=1) >= 0).all()
    assert (np.diff(labels, axis=0) >= 0).all()
    cells = [np.argwhere(labels == cell) for cell in range(rows * columns)]
    sides = np.array([np.ptp(cell, axis=0) + 1 for cell in cells])
    assert all(len(cell) == side.prod() for cell, side in zip(cells, sides, strict=True)), "a cell is a rectangle"
    assert (np.ptp(sides, axis=0) <= 1).all(), "cells are of nearly equal size"
    centre = np.array([cell.mean(axis=0) for cell in cells])
    place = np.array(np.divmod(np.arange(rows * columns), columns)).T
    for i in range(rows * columns):
        ring = abs(place - place[i]).max(axis=1)
        distance = ((centre - centre[i]) ** 2).sum(axis=1).round(6)
        order = sorted(range(rows * columns), key=lambda j: (ring[j], distance[j], j))
        assert partition.rank[i, order].tolist() == list(range(rows * columns))


def test_features_are_channel_values_and_void_pixels_have_no_label():
    image = np.arange(24, dtype=np.uint8).reshape(2, 4, 3) * 10
    data = GridGraph(2, 4).data(image, mask=[[0, 1, 2, 11], [3, 11, 0, 1]], void=11)
    assert data.x.shape == (8, 3)
    assert np.array_equal(data.x.numpy(), (image.reshape(8, 3) / 255).astype(np.float32))
    assert data.y.tolist() == [0, 1, 2, -1, 3, -1, 0, 1]


def test_pixels_and_nodes_are_inverse():
    grid, values = GridGraph(3, 5), np.random.default_rng(0).random((15, 2))
    assert grid.pixels(values).shape == (3, 5, 2)
    assert np.array_equal(grid.nodes(grid.pixels(values)), values)
    assert grid.pixels(values)[1, 2].tolist() == values[7].tolist()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: GridGraph(0, 3), "height of a grid graph"),
        (lambda: GridGraph(3, True), "width of a grid graph"),
        (lambda: GridGraph(3, 3, 6), "4 or 8"),
        (lambda: GridGraph(3, 4).cells(4, 1), "4 rows of cells"),
        (lambda: GridGraph(3, 4).cells(1, 0), "number of columns"),
        (lambda: GridGraph(3, 4).pixels(np.zeros(11)), "12 nodes"),
        (lambda: GridGraph(3, 4).nodes(np.zeros((4, 3))), "3×4 pixels"),
        (lambda: GridGraph(3, 4).data(np.zeros((3, 5, 3), np.uint8)), "3×4 pixels"),
        (lambda: GridGraph(3, 4).data(np.zeros((3, 4, 3)) - 0.1), r"in \[0, 1\]"),
        (lambda: GridGraph(3, 4).data(np.zeros((3, 4, 3)), mask=np.zeros((3, 4))), "whole numbers"),
    ],
)
def test_what_is_no_grid_is_refused(wrong, words):
    with pytest.raises(InputError, match=words):
        wrong()
