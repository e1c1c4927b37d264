"""The module through which all reductions go: every backend against plain loops, and no backend on trust."""

import sys
from types import SimpleNamespace

import pytest
import torch

from graphcert.errors import UnsupportedError
from graphcert.models import scatter

BACKENDS = [
    "native",
    pytest.param(
        "torch_scatter",
        marks=pytest.mark.skipif(
            not scatter.accelerated(), reason="torch-scatter is not installed (or failed its self-test)"
        ),
    ),
]
every_backend = pytest.mark.parametrize("backend", BACKENDS)
INDEX = torch.tensor([3, 0, 3, 1, 6, 0, 0])
SIZE = 8
"""More segments than the index names: the last is empty."""
SHAPES = [(7,), (7, 3), (7, 2, 4)]


def values_of(shape, **kind):
    return torch.randn(shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64, **kind)


def by_loop(reduce, values):
    """One segment after the other; empty ones are 0."""
    out = torch.zeros(SIZE, *values.shape[1:], dtype=values.dtype)
    for segment in range(SIZE):
        rows = [row for row, place in zip(values, INDEX.tolist(), strict=True) if place == segment]
        if rows:
            out[segment] = reduce(torch.stack(rows))
    return out


def softmax_by_loop(values):
    shares = torch.exp(values)
    totals = by_loop(lambda rows: rows.sum(0), shares)
    return shares / totals[INDEX]


@every_backend
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_reductions_are_what_a_loop_computes(backend, shape):
    values = values_of(shape)
    for found, reduce in (
        (scatter.segment_sum, lambda rows: rows.sum(0)),
        (scatter.segment_mean, lambda rows: rows.mean(0)),
        (scatter.segment_max, lambda rows: rows.amax(0)),
    ):
        torch.testing.assert_close(found(values, INDEX, SIZE, backend), by_loop(reduce, values))
    torch.testing.assert_close(scatter.segment_softmax(values, INDEX, SIZE, backend), softmax_by_loop(values))


@every_backend
def test_a_maximum_of_negative_values_is_negative(backend):
    values = -1 - values_of((7, 2)).abs()
    assert (scatter.segment_max(values, INDEX, SIZE, backend)[INDEX] <= -1).all()


@every_backend
def test_nothing_to_reduce(backend):
    nothing, index = torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64)
    for reduce in (scatter.segment_sum, scatter.segment_mean, scatter.segment_max):
        assert torch.equal(reduce(nothing, index, 4, backend), torch.zeros(4, 3))
    assert scatter.segment_softmax(nothing, index, 4, backend).shape == (0, 3)


@every_backend
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_gradients_are_those_of_finite_differences(backend, shape):
    values = values_of(shape, requires_grad=True)
    for reduce in (scatter.segment_sum, scatter.segment_mean, scatter.segment_max, scatter.segment_softmax):
        assert torch.autograd.gradcheck(lambda v, reduce=reduce: reduce(v, INDEX, SIZE, backend), (values,))


@every_backend
def test_softmax_of_huge_scores_stays_finite(backend):
    scores = torch.tensor([1e4, -1e4, 9e3, 0.0, 1e30, -1e30, 5.0])
    shares = scatter.segment_softmax(scores, INDEX, SIZE, backend)
    assert torch.isfinite(shares).all()
    totals = scatter.segment_sum(shares, INDEX, SIZE, backend)
    torch.testing.assert_close(totals[INDEX], torch.ones(7))


def test_an_unknown_backend_is_refused():
    with pytest.raises(UnsupportedError, match="unknown scatter backend 'fast'; choose one of native, torch_scatter"):
        scatter.segment_sum(torch.ones(2), torch.tensor([0, 1]), 2, "fast")


@pytest.fixture
def extension(monkeypatch):
    """Installs anything as the module torch_scatter for one test."""

    def install(module):
        monkeypatch.setitem(sys.modules, "torch_scatter", module)
        scatter.accelerated.cache_clear()

    yield install
    monkeypatch.undo()
    scatter.accelerated.cache_clear()


def right_sum(values, index, dim, dim_size):
    return scatter.segment_sum(values, index, dim_size, "native")


def right_max(values, index, dim, dim_size):
    return scatter.segment_max(values, index, dim_size, "native"), torch.zeros(0)


def shifted(values, index, dim, dim_size):
    return right_sum(values, index, dim, dim_size) + 1e-2


def sorted_only(values, index, dim, dim_size):
    return right_sum(values, index.sort().values, dim, dim_size)


def too_short(values, index, dim, dim_size):
    return right_sum(values, index, dim, int(index.max()) + 1)


def without_gradient(values, index, dim, dim_size):
    return right_sum(values.detach(), index, dim, dim_size)


def wrong_gradient(values, index, dim, dim_size):
    right = right_sum(values.detach(), index, dim, dim_size)
    return right + 2 * (right_sum(values, index, dim, dim_size) - right)


def garbage(values, index, dim, dim_size):
    return torch.full((dim_size, *values.shape[1:]), float("nan"), requires_grad=True)


def crashing(values, index, dim, dim_size):
    raise ValueError("undefined symbol")


def no_tensor(values, index, dim, dim_size):
    return None


def max_that_starts_at_zero(values, index, dim, dim_size):
    return right_max(values, index, dim, dim_size)[0].clamp(min=0), torch.zeros(0)


WRONG_SUMS = [shifted, sorted_only, too_short, without_gradient, wrong_gradient, garbage, crashing, no_tensor]


@pytest.mark.parametrize("wrong", WRONG_SUMS)
def test_the_self_test_refuses_a_wrong_sum(wrong, extension):
    assert not scatter.passes_self_test(wrong, lambda *args, **kw: right_max(*args, **kw)[0])
    extension(SimpleNamespace(scatter_sum=wrong, scatter_max=right_max))
    assert not scatter.accelerated()


@pytest.mark.parametrize("wrong", [max_that_starts_at_zero, shifted, crashing, no_tensor])
def test_the_self_test_refuses_a_wrong_maximum(wrong, extension):
    extension(SimpleNamespace(scatter_sum=right_sum, scatter_max=wrong))
    assert not scatter.accelerated()


@pytest.mark.parametrize("module", [SimpleNamespace(), SimpleNamespace(scatter_sum=right_sum), None])
def test_an_extension_without_its_functions_or_none_at_all_is_not_used(module, extension):
    """None in sys.modules makes the import fail."""
    extension(module)
    assert not scatter.accelerated()
    values = values_of((7, 2))
    torch.testing.assert_close(scatter.segment_sum(values, INDEX, SIZE), by_loop(lambda rows: rows.sum(0), values))
    with pytest.raises(UnsupportedError, match="torch-scatter is not installed or failed its self-test"):
        scatter.segment_sum(values, INDEX, SIZE, "torch_scatter")


def test_an_extension_that_passes_is_used(extension):
    calls = []

    def counting_sum(*args, **kw):
        calls.append("sum")
        return right_sum(*args, **kw)

    extension(SimpleNamespace(scatter_sum=counting_sum, scatter_max=right_max))
    assert scatter.accelerated()
    calls.clear()
    values = values_of((7, 2))
    assert torch.equal(scatter.segment_sum(values, INDEX, SIZE), right_sum(values, INDEX, 0, SIZE))
    assert torch.equal(scatter.segment_max(values, INDEX, SIZE), right_max(values, INDEX, 0, SIZE)[0])
    assert calls == ["sum"]
