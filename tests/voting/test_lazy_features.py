"""Lazy features give what dense ones give; maps of rows stay lazy, and everything else says that it made them dense."""

import gc
import weakref

import pytest
import torch
from torch.nn import functional as F
from torch_geometric.utils import scatter

from graphcert.voting import row_maps  # noqa: F401  registers the operations
from graphcert.voting.lazy_features import IDENTITY, LazyFeatures, Memory

NODES, COLUMNS, WIDTH = 9, 7, 3
GENERATOR = torch.Generator().manual_seed(0)
X = (torch.rand(NODES, COLUMNS, generator=GENERATOR) < 0.4).float()
EDGES = torch.randint(NODES, (2, 30), generator=GENERATOR)
WEIGHT, BIAS = torch.randn(COLUMNS, WIDTH, generator=GENERATOR), torch.randn(WIDTH, generator=GENERATOR)
SCALE = torch.rand(30, generator=GENERATOR)
ADJACENCY = (torch.rand(NODES, NODES, generator=GENERATOR) < 0.3).float()
SOURCE, TARGET = EDGES


class Counted:
    """Rows that count how often they are multiplied, and what needs them."""

    columns, device = COLUMNS, torch.device("cpu")

    def __init__(self):
        self.products, self.noted = 0, []

    def product(self, weight):
        self.products += 1
        return X @ weight

    def dense(self):
        return X.clone()

    def note(self, operation):
        self.noted.append(operation)


def add_up(x, size=NODES):
    return scatter(x[SOURCE], TARGET, 0, size, "sum")


def overwritten_index(x):
    index = SOURCE.clone()
    rows = x[index]
    index.zero_()
    return rows


def in_place(x):
    copied = x.clone()
    again = copied.detach()
    again *= 2
    return copied + x


def two_hops(x):
    x = x + add_up(x)
    return x + add_up(x)


MAPS = {
    "itself": lambda x: x,
    "views": lambda x: F.dropout(x.view(-1, COLUMNS).contiguous().detach(), 0.5, False).to(torch.float32).float(),
    "selected": lambda x: x.index_select(0, SOURCE),
    "selected by PyG": lambda x: x.index_select(-2, SOURCE),
    "indexed": lambda x: x[SOURCE],
    "masked": lambda x: x[torch.arange(NODES) % 2 == 0],
    "index overwritten later": overwritten_index,
    "scaled by edge": lambda x: SCALE.view(-1, 1) * x[SOURCE],
    "scaled twice": lambda x: (x[SOURCE] * SCALE[:, None]) * SCALE[:, None] / (1 + SCALE[:, None]),
    "scaled by numbers": lambda x: -(2 * x / 3) * torch.tensor(4.0) + x * torch.tensor([0.5]),
    "summed": add_up,
    "summed with weights": lambda x: add_up_weighted(x),
    "mean": lambda x: scatter(x[SOURCE], TARGET, 0, NODES, "mean"),
    "index_add": lambda x: x.index_add(0, TARGET, x[SOURCE]),
    "index_add in place": lambda x: torch.zeros_like(x).index_add_(0, TARGET, x[SOURCE]),
    "fewer targets": lambda x: x.new_zeros(4, COLUMNS).index_add_(0, TARGET % 4, x[SOURCE]),
    "rows that are no edges": lambda x: x.new_zeros(2, COLUMNS).index_add_(0, torch.arange(NODES) % 2, x),
    "sums and differences": lambda x: (1 + 0.1) * x + add_up(x) - x.add(x, alpha=0.3),
    "in place": in_place,
    "two hops": two_hops,
    "stacked": lambda x: torch.cat([x, add_up(x)]),
    "adjacency": lambda x: ADJACENCY @ x,
    "sparse adjacency": lambda x: ADJACENCY.to_sparse_csr() @ x,
    "normalised rows": lambda x: x / x.sum(dim=-1, keepdim=True).clamp(min=1),
    "centred on means": lambda x: x * x.mean(dim=1)[:, None],
}


def add_up_weighted(x):
    return scatter(SCALE.view(-1, 1) * x[SOURCE], TARGET, 0, NODES, "sum")


WEIGHTS = {
    "linear": lambda x: F.linear(x, WEIGHT.t()),
    "linear with bias": lambda x: F.linear(x, WEIGHT.t(), BIAS),
    "matmul": lambda x: x @ WEIGHT,
    "mm": lambda x: torch.mm(x, WEIGHT),
    "addmm": lambda x: torch.addmm(BIAS, x, WEIGHT, beta=0.5, alpha=2),
    "vector": lambda x: x @ WEIGHT[:, 0],
    "row sums": lambda x: x.sum(dim=1),
}


def lazy():
    source = Counted()
    return LazyFeatures(source, Memory(IDENTITY), NODES), source


@pytest.fixture(params=[torch.inference_mode, torch.no_grad], autouse=True)
def mode(request):
    """Composite operations arrive whole in inference mode, and in parts otherwise."""
    with request.param():
        yield


@pytest.mark.parametrize("name", MAPS)
def test_maps_of_rows_wait_for_the_weight(name):
    x, source = lazy()
    found = MAPS[name](x)
    assert isinstance(found, LazyFeatures)
    expected = MAPS[name](X)
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    torch.testing.assert_close(found @ WEIGHT, expected @ WEIGHT)
    assert source.noted == []
    assert source.products <= 2  # a sum of rows is a product too
    torch.testing.assert_close(torch.relu(found), torch.relu(expected))  # dense rows by the same maps
    assert source.noted == ["aten.relu.default"]


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_make_them_narrow(name):
    x, source = lazy()
    for rows, dense in ((x, X), (add_up(x), add_up(X))):
        found = WEIGHTS[name](rows)
        assert not isinstance(found, LazyFeatures)
        torch.testing.assert_close(found, WEIGHTS[name](dense))
    assert source.noted == []


OTHERS = {
    "aten.pow.Tensor_Scalar": lambda x: x**2,
    "aten.relu.default": torch.relu,
    "aten.mul.Tensor": lambda x: x * WEIGHT[:, 0],
    "aten.add.Tensor": lambda x: x + 1,
    "aten.sum.default": lambda x: x.sum(),
    "aten.sum.dim_IntList": lambda x: x.sum(dim=0),
    "aten.t.default": lambda x: x.t() @ x,
    "aten.slice.Tensor": lambda x: x[2:5],
    "aten.index.Tensor": lambda x: x[SOURCE, TARGET % COLUMNS],
    "aten.index_select.default": lambda x: x.index_select(1, torch.tensor([1, 2])),
    "aten._local_scalar_dense.default": lambda x: torch.tensor(float(x[0, 0])),
    "aten.scatter_add_.default": lambda x: torch.zeros(NODES, COLUMNS).scatter_add_(0, X.long(), x),
    "aten._to_copy.default": lambda x: x.double(),
    "aten.cat.default": lambda x: torch.cat([x, X]),
}


@pytest.mark.parametrize("name", OTHERS)
def test_everything_else_sees_dense_rows_and_says_so(name):
    x, source = lazy()
    torch.testing.assert_close(OTHERS[name](x), OTHERS[name](X))
    assert name in source.noted or name in ("aten.slice.Tensor", "aten._local_scalar_dense.default")
    assert source.noted
    torch.testing.assert_close(x @ WEIGHT, X @ WEIGHT)  # the dense rows stand for them from then on
    assert source.products == 0


def test_what_is_written_to_dense_rows_is_seen_in_all_that_share_them():
    x, source = lazy()
    same = x.detach()
    x.relu_()
    assert source.noted == ["aten.relu_.default"]
    x[0] = 5
    x[:, 1] += 2
    expected = X.clone()
    expected[0] = 5
    expected[:, 1] += 2
    torch.testing.assert_close(same @ WEIGHT, expected @ WEIGHT)


def test_what_was_taken_before_a_change_stays_as_it_was():
    x, _ = lazy()
    rows, sums = x[SOURCE], add_up(x)
    x.mul_(3)
    torch.testing.assert_close(rows @ WEIGHT, X[SOURCE] @ WEIGHT)
    torch.testing.assert_close(sums @ WEIGHT, add_up(X) @ WEIGHT)
    torch.testing.assert_close(x @ WEIGHT, 3 * X @ WEIGHT)


def test_rows_that_do_not_exist_are_an_error_as_on_dense_features():
    x, _ = lazy()
    with pytest.raises((IndexError, RuntimeError)):
        x.index_select(0, torch.tensor([NODES]))


def test_shared_maps_are_computed_once():
    x, source = lazy()
    for _ in range(12):
        x = x + add_up(x)
    deep = X.clone()
    for _ in range(12):
        deep = deep + add_up(deep)
    torch.testing.assert_close(x @ WEIGHT, deep @ WEIGHT)
    assert source.products == 1


NO_NUMBERS = {
    "infinite factor": lambda x: x * torch.where(torch.arange(NODES)[:, None] == 2, torch.inf, 1.0),
    "infinite number": lambda x: torch.inf * x,
    "division by zero": lambda x: x / (torch.arange(NODES)[:, None] != 2).float(),
    "infinite adjacency": lambda x: (ADJACENCY / 0).nan_to_num(0, posinf=torch.inf) @ x,
    "infinite sparse adjacency": lambda x: (torch.inf * ADJACENCY.to_sparse_csr()) @ x,
}


@pytest.mark.parametrize("name", NO_NUMBERS)
def test_what_is_no_number_under_dense_rows_is_none_under_lazy_ones(name):
    """0 · ∞ and 0 / 0 of an entry are no numbers; of a sum of entries they may be."""
    x, _ = lazy()
    expected = NO_NUMBERS[name](X) @ WEIGHT
    assert expected.isnan().any()
    torch.testing.assert_close(NO_NUMBERS[name](x) @ WEIGHT, expected, equal_nan=True)


def test_what_was_computed_is_freed_at_once():
    """A matrix that waits for the garbage collector is one more per sample."""
    x, source = lazy()
    made = []
    source.product = lambda weight: made.append(weakref.ref(rows := X @ weight)) or rows
    gc.disable()
    try:
        add_up(x) @ WEIGHT
        assert made[0]() is None
    finally:
        gc.enable()
