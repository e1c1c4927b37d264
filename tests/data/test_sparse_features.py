"""Features as sparse rows: the same graph, under the same name, as with a dense matrix, and never made dense on the way."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array, random_array
from torch_geometric.data import Data

from graphcert.core import features as features_module
from graphcert.core.features import bits_of_normalised, exact_product, packed, plain_features, unpacked
from graphcert.data import data_fingerprint, feature_tensors, load_dataset, validate
from graphcert.data import raw as raw_module
from graphcert.data.feature_tensors import dense_tensor, selected_rows, widened
from graphcert.errors import DataError, InputError

LAYOUTS = {"csr": torch.Tensor.to_sparse_csr, "coo": torch.Tensor.to_sparse}
EDGES = torch.tensor([[0, 1], [1, 0]])


def csr(ends, columns, values):
    return torch.sparse_csr_tensor(ends, columns, values, (2, 2), check_invariants=False)


def graph(x):
    return Data(x=x, edge_index=EDGES, y=torch.arange(x.shape[0]) % 2)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [(13, 7), (40, 9), (8, 16), (3, 1), (2, 0)])
@pytest.mark.parametrize("real", [True, False])
def test_the_fingerprint_does_not_depend_on_the_layout(layout, shape, real, monkeypatch):
    x = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    x = torch.where(x < 0.3, x if real else torch.ones(()), torch.zeros(()))
    name = data_fingerprint(graph(x))
    monkeypatch.setattr(features_module, "_NUMBERS_AT_ONCE", 1)  # eight rows at a time
    assert data_fingerprint(graph(LAYOUTS[layout](x))) == name == data_fingerprint(graph(x))


def test_stored_zeros_and_repeated_entries_are_the_same_features():
    x = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    stored = csr(torch.tensor([0, 2, 3]), torch.tensor([0, 1, 0]), torch.tensor([0.0, 1.0, 1.0]))
    halves = torch.sparse_coo_tensor(
        torch.tensor([[0, 0, 1], [1, 1, 0]]), torch.tensor([0.5, 0.5, 1.0]), (2, 2), check_invariants=True
    )
    assert data_fingerprint(graph(stored)) == data_fingerprint(graph(halves)) == data_fingerprint(graph(x))


def test_faults_of_sparse_features_are_named():
    x = torch.tensor([[0.0, 1.0], [0.5, 0.0]]).to_sparse_csr()
    with pytest.raises(DataError, match=r"data.x\[1, 0\] is 0.5"):
        validate(graph(x))
    validate(graph(x), binary=False)
    with pytest.raises(DataError, match="NaN"):
        validate(graph(x * float("nan")), binary=False)
    outside = csr(torch.tensor([0, 1, 1]), torch.tensor([5]), torch.ones(1))
    with pytest.raises(DataError, match="damaged"):
        validate(graph(outside))


@pytest.mark.parametrize("sparse", [True, False, None])
def test_the_layout_asked_for(sparse, monkeypatch):
    options = {"nodes": 200, "features": 40, "present": 0.1, "background": 0.02}
    dense, found = (load_dataset("synthetic", sparse=layout, **options) for layout in (False, sparse))
    assert found.x.layout is (torch.sparse_csr if sparse else torch.strided)
    assert torch.equal(dense_tensor(found.x), dense.x)
    monkeypatch.setattr(raw_module, "SPARSE_ABOVE", 4 * 200 * 40 - 1)
    large = load_dataset("synthetic", sparse=sparse, **options)
    assert large.x.layout is (torch.strided if sparse is False else torch.sparse_csr)
    assert torch.equal(dense_tensor(large.x), dense.x)
    full = load_dataset("synthetic", sparse=sparse, **{**options, "present": 0.9})
    assert full.x.layout is (torch.sparse_csr if sparse else torch.strided)
    with pytest.raises(InputError, match="option sparse"):
        load_dataset("synthetic", sparse=1)


def test_normalised_rows_are_recognised_in_both_layouts():
    bits = csr_array((np.random.default_rng(0).random((30, 12)) < 0.2).astype(np.float32))
    share = csr_array(bits.multiply(1 / np.maximum(bits.sum(axis=1), 1)[:, None])).astype(np.float32)
    assert np.array_equal(bits_of_normalised(share).toarray(), bits.toarray())
    assert np.array_equal(bits_of_normalised(share.toarray()), bits.toarray())
    assert bits_of_normalised(bits) is None
    assert bits_of_normalised(csr_array(share * np.float32(0.9))) is None


def test_products_of_bits_are_equal_to_the_bit(monkeypatch):
    generator = np.random.default_rng(1)
    x = (generator.random((50, 300)) < 0.1).astype(np.float32)
    weight = generator.standard_normal((300, 8)).astype(np.float32)
    dense = exact_product(x, weight)
    monkeypatch.setattr(features_module, "_NUMBERS_AT_ONCE", 64)  # eight rows at a time
    assert np.array_equal(exact_product(csr_array(x), weight), dense)


def test_rows_in_one_array():
    x = csr_array(random_array((9, 5), density=0.3, rng=np.random.default_rng(0))).astype(np.float32)
    found = unpacked(packed(plain_features(x)))
    assert found.shape == x.shape
    assert np.array_equal(found.toarray(), x.toarray())


def test_dense_by_need_asks_for_the_memory(monkeypatch):
    monkeypatch.setenv("GRAPHCERT_MEMORY", "1K")
    with pytest.raises(DataError, match=r"the dense features of 50 nodes, 50 each, would take .* GRAPHCERT_MEMORY"):
        dense_tensor(torch.eye(50).to_sparse_csr())


def test_features_stay_on_their_device(monkeypatch):
    """One that has no numbers stands for all."""
    x = torch.eye(4).to_sparse_csr()
    rows, far = plain_features(x), x.to("meta")
    monkeypatch.setattr(feature_tensors, "plain_features", lambda _: rows)
    for found in (selected_rows(far, torch.arange(4) % 2 == 0), widened(far, 6)):
        assert found.device == far.device
