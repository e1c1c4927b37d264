"""Votes of points: the law is the one described, and they depend on nothing but the seed."""

from pathlib import Path

import numpy as np
import pytest
import torch
from point_modules import AboveX, Union
from scipy import stats
from torch import nn

import graphcert as gc
from graphcert.errors import DataError, InputError, ModelError, UnsupportedError, VotesError
from graphcert.points import EdgeConvParts, PointModel, PointNetParts, generated_shapes, point_cells, sample_point_votes
from graphcert.voting.input_path import InputPath

CLOUD = generated_shapes(1, 512, seed=4)[0].points
FEW = CLOUD[:60]
CELLS = point_cells(FEW, 4)
SCHEMES = {
    "isotropic": gc.Smoothing(gc.Gaussian(0.25)),
    "localized": gc.Smoothing([gc.Gaussian(0.1), gc.Gaussian(0.4)], None, CELLS),
    "hierarchical": gc.Hierarchical(0.6, gc.Gaussian(0.25)),
    "turns in space": gc.Smoothing(gc.Rotation(0.3)),
    "turns about an axis": gc.Smoothing(gc.Rotation(0.3, "z")),
    "ablation": gc.Hierarchical(0.3, gc.Ablation()),
}
FALSE_ALARM = 1e-9


def network(columns: int = 3, kind: type[nn.Module] = EdgeConvParts) -> nn.Module:
    """Random weights, normalised so that all three classes are seen."""
    torch.manual_seed(0)
    model = kind(3, width=8, columns=columns)
    shown = torch.ones(8, 60, columns)
    shown[..., :3] = torch.tensor(FEW) + 0.2 * torch.randn(8, 60, 3)
    for _ in range(40):
        model(shown)
    model.eval()
    with torch.no_grad():
        model.get_parameter("head.logits.bias").sub_(model(shown).mean(dim=(0, 1)))
    return model


def votes(model: nn.Module, smoothing: object = SCHEMES["isotropic"], samples: int = 30, **options: object) -> gc.Votes:
    return sample_point_votes(model, FEW, smoothing, samples, 10, **{"seed": 5, "workers": 1, **options})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", SCHEMES)
def test_votes_do_not_depend_on_how_they_are_taken(name: str, tmp_path: Path) -> None:
    scheme = SCHEMES[name]
    model = PointModel(network(4 if scheme.selects_rows else 3), batch=4)
    expected = votes(model, scheme)
    assert (expected.counts.max(axis=1) < 30).any(), "noise that changes nothing shows nothing"
    for options in ({"workers": 3}, {"batch_size": 7}, {"shard_samples": 3}, {"workers": 2, "batch_size": 1}):
        assert votes(model, scheme, **options) == expected
    assert votes(model, scheme, seed=6) != expected
    stopped = InputPath.shown

    def interrupted(self, purpose, start, stop):  # type: ignore[no-untyped-def]
        if start >= 20:
            raise KeyboardInterrupt
        return stopped(self, purpose, start, stop)

    InputPath.shown = interrupted  # type: ignore[method-assign]
    try:
        with pytest.raises(KeyboardInterrupt):
            votes(model, scheme, store=tmp_path, shard_samples=5)
    finally:
        InputPath.shown = stopped  # type: ignore[method-assign]
    assert list(tmp_path.glob("*.npz"))
    assert votes(model, scheme, store=tmp_path, shard_samples=5) == expected
    other = PointModel(network(4 if scheme.selects_rows else 3, PointNetParts), batch=4)
    with pytest.raises(VotesError, match="model"):
        votes(other, scheme, store=tmp_path, shard_samples=5)


def test_a_threshold_has_its_closed_form_under_isotropic_and_localized_noise() -> None:
    samples = 2000
    for scheme in (SCHEMES["isotropic"], SCHEMES["localized"]):
        counts = votes(AboveX(0.1), scheme, samples).counts[:, 0]
        sigma = 0.1 if scheme.localized else 0.25  # a point's own cell has level 0
        p = stats.norm.cdf((FEW[:, 0].astype(np.float32) - 0.1) / sigma)
        tail = np.minimum(stats.binom.cdf(counts, samples, p), stats.binom.sf(counts - 1, samples, p))
        assert tail.min() > FALSE_ALARM / (2 * len(FEW))
        other = stats.norm.cdf((FEW[:, 0] - 0.1) / 0.4)
        wrong = np.minimum(stats.binom.cdf(counts, samples, other), stats.binom.sf(counts - 1, samples, other))
        assert wrong.min() < FALSE_ALARM / (2 * len(FEW)), "another deviation is seen"


class Elsewhere(nn.Module):
    """Every point looks at the x of a fixed other one."""

    def __init__(self, other: np.ndarray) -> None:
        super().__init__()
        self.register_buffer("other", torch.from_numpy(other))

    def forward(self, points: torch.Tensor) -> torch.Tensor:
        other = self.get_buffer("other")
        value = points[:, other[: points.shape[1]].clamp(max=points.shape[1] - 1), 0]
        return torch.stack([value, -value], dim=-1)


def test_distant_cells_have_the_noise_of_their_rank() -> None:
    samples, other = 2000, np.roll(np.arange(60), 17)
    counts = votes(Elsewhere(other), SCHEMES["localized"], samples).counts[:, 0]
    level = CELLS.rank[CELLS.labels, CELLS.labels[other]] * 2 // CELLS.clusters
    assert set(level.tolist()) == {0, 1}
    p = stats.norm.cdf(FEW[other, 0] / np.array([0.1, 0.4])[level])
    tail = np.minimum(stats.binom.cdf(counts, samples, p), stats.binom.sf(counts - 1, samples, p))
    assert tail.min() > FALSE_ALARM / 120


class Marked(nn.Module):
    """Class 0 where a point is marked; marked and moved are the same."""

    def forward(self, points: torch.Tensor) -> torch.Tensor:
        mark = points[..., -1]
        return torch.stack([mark - 0.5, 0.5 - mark], dim=-1)


def test_hierarchical_noise_marks_what_it_moves_and_leaves_the_rest() -> None:
    samples, scheme = 400, gc.Hierarchical(0.6, gc.Gaussian(0.25))
    counts = votes(Marked(), scheme, samples).counts[:, 0]
    tail = np.minimum(stats.binom.cdf(counts, samples, 0.6), stats.binom.sf(counts - 1, samples, 0.6))
    assert tail.min() > FALSE_ALARM / 120
    from graphcert.points.point_votes import PointPath, point_problem

    problem = point_problem(FEW, scheme, 5)
    path = PointPath(problem, (60,), PointModel(Marked()), torch.device("cpu"), 1)
    for sample in range(10):
        shown = path._draw(1, sample)[0]
        moved = (shown[:, :3] != FEW.astype(np.float32)).any(axis=1)
        np.testing.assert_array_equal(moved, shown[:, 3] == 1)


def test_equal_levels_are_isotropic_noise_vote_for_vote() -> None:
    equal = gc.Smoothing([gc.Gaussian(0.25)] * 2, None, CELLS)
    assert np.array_equal(votes(network(), equal).counts, votes(network()).counts)


def test_the_votes_of_images_and_points_share_one_noise() -> None:
    """A cloud as the pixels of an image of one row gets the same numbers."""
    image = (FEW[None] + 1) / 2
    points = image[0].astype(np.float32).astype(np.float64)

    class OfImages(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            value = images[:, :1] - 0.5
            return torch.cat([value, -value], dim=1)

    one = gc.sample_image_votes(OfImages(), image.astype(np.float32), gc.Gaussian(0.25), 30, 10, seed=5)
    two = sample_point_votes(AboveX(0.5), points, gc.Gaussian(0.25), 30, 10, seed=5)
    np.testing.assert_array_equal(one.counts, two.counts)


def test_modules_of_torch_geometric_are_called_by_position_and_batch() -> None:
    torch.manual_seed(1)
    module = Union()

    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.union = module

        def forward(self, points: torch.Tensor) -> torch.Tensor:
            clouds = [self.union(None, cloud, torch.zeros(len(cloud), dtype=torch.long)) for cloud in points]
            return torch.stack(clouds)

    one = votes(PointModel(module, 3, call="x, pos, batch"))
    np.testing.assert_array_equal(one.counts, votes(PointModel(Whole(), 3)).counts)
    with_marks = votes(PointModel(module, 3, call="x, pos, batch"), SCHEMES["hierarchical"])
    assert with_marks.counts.sum() == 60 * 30


# What is refused


class Remembers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.seen: torch.Tensor | None = None

    def forward(self, points: torch.Tensor) -> torch.Tensor:
        if self.seen is None or self.seen.shape != points.shape:
            self.seen = points.clone()
        return self.seen[..., :2]


class Mixes(nn.Module):
    def forward(self, points: torch.Tensor) -> torch.Tensor:
        return points[..., :2] - points.mean(dim=(0, 1))[:2]


class Chancy(nn.Module):
    def forward(self, points: torch.Tensor) -> torch.Tensor:
        return torch.rand_like(points)


class Logits(nn.Module):
    def __init__(self, of: object) -> None:
        super().__init__()
        self.of = of

    def forward(self, points: torch.Tensor) -> torch.Tensor:
        return self.of(points)  # type: ignore[operator,no-any-return]


@pytest.mark.parametrize(
    ("module", "says"),
    [
        (Remembers(), "remembers earlier clouds"), (Mixes(), "influence each other"), (Chancy(), "different outputs"),
        (Logits(lambda p: p[..., :1]), "logits of shape"), (Logits(lambda p: p[0]), "logits of shape"),
        (Logits(lambda p: p[..., :2] / 0 * 0), "NaN"), (Logits(lambda p: p.long()), "logits of shape"),
        (Logits(lambda p: p @ torch.zeros(7, 2)), "cannot be called"), (PointNetParts, "give an object"),
    ],
)  # fmt: skip
def test_models_that_would_mean_something_else_are_refused(module: nn.Module, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        votes(module)


def test_a_wrong_number_of_classes_is_refused() -> None:
    with pytest.raises(ModelError, match="logits of shape"):
        votes(PointModel(AboveX(), 3))


@pytest.mark.parametrize("call", ["x", "points, batch", "pos, pos", "graph", "", "batch", 3])
def test_a_call_names_what_there_is(call: object) -> None:
    with pytest.raises(InputError, match="call is"):
        PointModel(AboveX(), call=call)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "points",
    [np.zeros((0, 3)), np.zeros((4, 2)), np.zeros(3), [[0, 0, np.nan]], [[0, np.inf, 0]], [["a", 0, 0]], [[0, 0, 1e9]]],
)
def test_points_that_are_none_are_refused(points: object) -> None:
    with pytest.raises(DataError):
        sample_point_votes(AboveX(), points, gc.Gaussian(0.1), 10)  # type: ignore[arg-type]


def test_noise_that_says_nothing_about_points_is_refused() -> None:
    with pytest.raises(DataError):
        votes(AboveX(), gc.BernoulliFlip(0.1, 0.1))
    with pytest.raises(UnsupportedError, match="no edges"):
        votes(AboveX(), gc.Smoothing(gc.Gaussian(0.1), gc.BernoulliFlip(0.1, 0.1)))
    with pytest.raises(InputError, match="partition"):
        sample_point_votes(AboveX(), CLOUD, SCHEMES["localized"], 10)
    for name in ("samples", "pilot_samples", "shard_samples"):
        with pytest.raises(InputError, match=name):
            sample_point_votes(AboveX(), FEW, gc.Gaussian(0.1), **{"samples": 10, name: 0})
