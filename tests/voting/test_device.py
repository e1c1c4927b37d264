"""What travels to an accelerator is what the CPU sees, nothing is read before it has arrived, and votes agree.

A device that only pretends to be far shows it on the CPU; the same code runs on a GPU where there is one.
"""

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from voting_cases import FEATURES, GENERIC_MODELS, NODES, NOISE, generic_model, small_graph, sparse_model

from graphcert.models.kernels import edge_sums
from graphcert.noise import BernoulliFlip, Gaussian, Hierarchical, Smoothing
from graphcert.sampling.philox import MAIN
from graphcert.voting import sample_votes
from graphcert.voting.device import Device, dense_rows, gathered_sums, sums_over_edges
from graphcert.voting.generic_input import GenericInput
from graphcert.voting.lazy_path import LazyPath, SentLazyInput
from graphcert.voting.noisy_graph import Problem
from graphcert.voting.paths import GenericPath

NOISES = {
    **NOISE,
    "hierarchical": Hierarchical(0.6, BernoulliFlip(0.05, 0.4)),
    "continuous": Smoothing(features=Gaussian(0.3)),
}
GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")


class Pretended(Device):
    """The CPU as if it were far: what was sent is nonsense until it is waited for, and only then read from its source."""

    def __init__(self, device=None):
        super().__init__(device)
        self.far, self.on_the_way, self.log = True, [], []

    def send(self, tensor):
        nonsense = torch.nan if tensor.is_floating_point() else torch.iinfo(tensor.dtype).max
        self.on_the_way.append((tensor, torch.full_like(tensor, nonsense)))
        self.log.append(tuple(tensor.shape))
        return self.on_the_way[-1][1]

    def wait(self, sent):
        for source, copy in self.on_the_way:
            copy.copy_(source)
        self.on_the_way.clear()


class Hasty(Pretended):
    """Reads what is still on its way."""

    def wait(self, sent):
        pass


def problem_of(noise, data=None):
    return Problem.of(data or small_graph(), NOISES[noise], 3)


def paths_on(device, problem, model):
    return GenericPath(problem, model, GenericInput(problem, device())), LazyPath(problem, model, device())


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("kind", [GenericInput, SentLazyInput])
def test_what_travels_is_what_the_cpu_sees(noise, kind):
    problem = problem_of(noise)
    near, far = GenericInput(problem), kind(problem, Pretended())
    for start, count in ((0, 1), (3, 4), (0, 1)):
        expected, found = near.union(MAIN, start, count), far.union(MAIN, start, count)
        for one, other in zip(expected, found, strict=True):
            # `+ 0` makes lazy features dense.
            assert torch.equal(one, other + 0)


@pytest.mark.usefixtures("small_unions")
@pytest.mark.parametrize("noise", ["features", "edges", "both", "localized"])
@pytest.mark.parametrize("name", ["pyg gcn", "pyg gat", "pyg sage", "perceptron", "centred"])
def test_far_paths_vote_as_near_ones(noise, name):
    problem, model = problem_of(noise), generic_model(name)
    expected = np.stack([GenericPath(problem, model).logits(MAIN, sample) for sample in range(25)])
    generic, lazy = paths_on(Pretended, problem, model)
    assert generic.agrees_with_torch()
    assert lazy.agrees_with_torch()
    for path in (generic, generic.fork(), lazy, lazy.fork()):
        found = [path.logits(MAIN, sample) for sample in range(25)]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
        counts = np.zeros((NODES, path.classes), np.int64)
        path.add_votes(MAIN, 3, 21, counts)  # begins and ends inside of unions
        assert (counts == np.stack([np.bincount(row, minlength=3) for row in expected[3:21].argmax(2).T])).all()


@pytest.mark.parametrize("kind", [GenericInput, SentLazyInput])
def test_what_has_not_arrived_is_never_read(kind):
    """The pretended device would show it: a path that does not wait computes nonsense or stumbles over it."""
    problem, model = problem_of("both"), generic_model("perceptron")
    expected = GenericPath(problem, model).logits(MAIN, 0)
    given = kind(problem, Pretended())

    def compare():
        x, _ = given.union(MAIN, 0, 1)
        np.testing.assert_allclose(model(x, None).detach().numpy(), expected, rtol=0, atol=1e-5)

    compare()
    given.device = Hasty()
    with pytest.raises((IndexError, RuntimeError, AssertionError)):
        compare()


def test_the_next_union_travels_while_the_model_computes():
    problem, model = problem_of("both"), generic_model("perceptron")
    for path in paths_on(Pretended, problem, model):
        device = path._input.device
        seen = path.shown(MAIN, 0, 3 * path.unit)
        next(seen)
        assert device.on_the_way
        for _ in seen:
            pass
        assert not device.on_the_way  # nothing is drawn beyond the end


@pytest.mark.parametrize("kind", [GenericInput, SentLazyInput])
def test_what_is_clean_travels_once(kind):
    problem, device = problem_of("edges"), Pretended()
    given = kind(problem, device)
    given.union(MAIN, 0, 1)
    device.log.clear()
    for sample in range(1, 5):
        given.union(MAIN, sample, 1)
    assert len(device.log) == 4 * 2  # pointers and indices of the edges, no features
    assert max(shape[0] for shape in device.log) < 8 * NODES


def test_positions_travel_not_matrices():
    problem, device = problem_of("features"), Pretended()
    GenericInput(problem, device).union(MAIN, 0, 4)
    assert all(len(shape) == 1 for shape in device.log)
    assert sum(shape[0] for shape in device.log[2:]) < 4 * NODES * FEATURES


@pytest.mark.parametrize("weighted", [False, True])
def test_sums_in_order_are_those_of_the_kernels(weighted):
    rng = np.random.default_rng(0)
    source, target = rng.integers(0, 9, (2, 40))
    target[target == 4] = 5  # a row without entries
    factor = rng.random((40, 1), np.float32) if weighted else None
    rows = rng.random((9, 6), np.float32)
    expected = np.zeros((11, 6), np.float32)
    edge_sums(source, target, factor[:, 0] if weighted else np.empty(0, np.float32), rows, expected)
    places = map(torch.from_numpy, (source, target))
    scale = None if factor is None else torch.from_numpy(factor)
    found = sums_over_edges(11, *places, scale, torch.from_numpy(rows))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_sums_over_nothing_are_zero():
    nothing = torch.empty(0, dtype=torch.int64)
    assert torch.equal(sums_over_edges(3, nothing, nothing, None, torch.ones(2, 4)), torch.zeros(3, 4))
    empty = torch.zeros(4, dtype=torch.int32), torch.empty(0, dtype=torch.int32)
    assert torch.equal(gathered_sums(empty, torch.ones(2, 4)), torch.zeros(3, 4))
    assert torch.equal(dense_rows(empty, 2), torch.zeros(3, 2))


def test_all_that_is_computed_far_away_stays_there():
    """Tensors without numbers that claim to be on a GPU: torch refuses to mix them with others."""
    with FakeTensorMode():
        ints = {"dtype": torch.int32, "device": "cuda"}
        matrix = torch.zeros(5, **ints), torch.zeros(8, **ints), torch.zeros(8, device="cuda")
        rows = torch.zeros(7, 4, device="cuda")
        edges = torch.zeros(2, 8, dtype=torch.int64, device="cuda")
        shapes = [(gathered_sums(matrix, rows), (4, 4)), (dense_rows(matrix, 7), (4, 7))]
        for result, shape in [*shapes, (sums_over_edges(3, *edges.unbind(), matrix[2].unsqueeze(1), rows), (3, 4))]:
            assert (result.device.type, tuple(result.shape)) == ("cuda", shape)


@GPU
@pytest.mark.parametrize("noise", NOISES)
def test_positions_on_a_gpu_are_those_of_the_cpu(noise):
    problem = problem_of(noise)
    near, far = GenericInput(problem), GenericInput(problem, Device(torch.device("cuda:0")))
    for start in range(20):
        for one, other in zip(near.union(MAIN, start, 2), far.union(MAIN, start, 2), strict=True):
            assert torch.equal(one, other.cpu())


@GPU
@pytest.mark.parametrize("path", ["auto", "lazy", "generic"])
@pytest.mark.parametrize("name", [*GENERIC_MODELS, "gcn", "gat"])
def test_a_model_on_a_gpu_votes_as_on_the_cpu(name, path):
    def model():
        return generic_model(name) if name in GENERIC_MODELS else sparse_model(name)

    if path == "lazy" and name == "one by one":
        pytest.skip("its parameters are per node")
    near = sample_votes(model(), small_graph(), NOISE["both"], 300, 20, path="generic")
    far = sample_votes(model().cuda(), small_graph(), NOISE["both"], 300, 20, path=path, workers=2)
    assert np.abs(near.counts - far.counts).sum() <= 4  # where two logits are equal up to rounding
