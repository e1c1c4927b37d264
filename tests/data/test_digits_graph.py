"""The embedded digits: real images, binary pixels, exact neighbours."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from graphcert.data import load_dataset, validate
from graphcert.data.synthetic import digits_graph
from graphcert.errors import InputError


@pytest.fixture(scope="module")
def digits():
    return load_dataset("digits")


def test_form(digits):
    validate(digits)
    assert (digits.x.shape, digits.classes, digits.name) == ((1797, 64), 10, "digits")
    assert digits.train_mask.sum() == digits.val_mask.sum() == 200
    images = load_digits()
    assert np.array_equal(digits.y.numpy(), images.target)
    assert np.array_equal(digits.x.numpy(), images.data >= 8)


def test_most_edges_join_equal_digits(digits):
    source, target = digits.edge_index
    assert (digits.y[source] == digits.y[target]).double().mean() > 0.95
    assert digits.edge_index.shape[1] == 2 * 6309


@pytest.mark.parametrize("node", [0, 1, 900, 1796])
def test_edges_lead_to_the_nearest_images(node):
    """Against distances in exact integers; of equally near images the earlier one counts."""
    pixels = load_digits().data.astype(np.int64)
    distances = ((pixels - pixels[node]) ** 2).sum(axis=1)
    order = sorted((int(distance), other) for other, distance in enumerate(distances) if other != node)
    source, target = digits_graph(neighbours=7).edges
    assert target[source == node].tolist() == [other for _, other in order[:7]]


def test_largest_component_on_request_only(digits):
    part = load_dataset("digits", largest_component=True)
    validate(part)
    assert part.num_nodes < digits.num_nodes
    assert part.edge_index.shape[1] < digits.edge_index.shape[1]


def test_options(digits):
    sparse = load_dataset("digits", neighbours=1, threshold=16)
    assert sparse.edge_index.shape[1] < digits.edge_index.shape[1]
    assert sparse.x.sum() < digits.x.sum()
    for options in ({"neighbours": 0}, {"neighbours": 1797}, {"threshold": 17}, {"threshold": 0}, {"threshold": 7.5}):
        with pytest.raises(InputError, match=next(iter(options))):
            load_dataset("digits", **options)
    with pytest.raises(InputError, match="digits has no option nodes; it takes neighbours, threshold"):
        load_dataset("digits", nodes=10)
