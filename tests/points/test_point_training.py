"""Training networks of points: it learns, repeats itself, survives an interrupt, and its files are safe."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import graphcert as gc
from graphcert.errors import DataError, InputError, UnsupportedError
from graphcert.points import (
    NETWORKS,
    EdgeConvParts,
    PointCloud,
    PointNetParts,
    PointSegmenter,
    PointTraining,
    generated_shapes,
    sample_point_votes,
    train_points,
)
from graphcert.points.networks import nearest
from graphcert.points.training import TrainingNoise

NAMES = ("low", "high", "middle")
SHORT = PointTraining(steps=60, batch=4, points=64, learning_rate=0.02, validate_every=20)


def clouds(count: int, seed: int = 0, points: int = 80) -> list[PointCloud]:
    """Points whose part follows from their height in the cloud."""
    rng = np.random.default_rng(seed)
    found = []
    for k in range(count):
        xyz = rng.standard_normal((points, 3)) * [0.3, 0.3, 1]
        parts = np.where(xyz[:, 2] > 0.6, 1, np.where(xyz[:, 2] < -0.6, 0, 2))
        found.append(PointCloud(f"pole {k}", xyz, parts, "pole").normalised())
    return found


QUIET = gc.Gaussian(0.05)


def trained(noise: Any = QUIET, **options: Any) -> tuple[PointSegmenter, Any]:
    settings = {"names": NAMES, "training": SHORT, "shape": {"width": 8}, **options}
    return train_points(clouds(8), noise, **settings)


@pytest.mark.parametrize(
    ("noise", "network"),
    [
        (QUIET, "pointnet"), (QUIET, "edgeconv"), (gc.Hierarchical(0.5, gc.Gaussian(0.1)), "pointnet"),
        (gc.Rotation(0.3, "z"), "pointnet"), ((QUIET, gc.Rotation(0.2)), "pointnet"),
    ],
)  # fmt: skip
def test_training_learns_what_height_means(noise: Any, network: str) -> None:
    segmenter, log = trained(noise, network=network, validation=clouds(3, seed=1))
    assert log.history[-1][2] > 0.7, "a constant answer is right for half of the points"
    assert log.best_step in (20, 40, 60)
    assert segmenter.network == network
    voted = noise[0] if isinstance(noise, tuple) else noise
    (cloud,) = clouds(1, seed=2)
    votes = sample_point_votes(segmenter.model, cloud.points, voted, 60, 20)
    assert (votes.counts.argmax(axis=1) == cloud.parts).mean() > 0.75


def test_training_repeats_itself() -> None:
    (one, _), (two, _), (other, _) = (trained(seed=seed) for seed in (0, 0, 1))
    for a, b in zip(one.model.state_dict().values(), two.model.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(one.model.head.logits.weight, other.model.head.logits.weight)


def test_an_interrupt_keeps_the_best_so_far() -> None:
    def stop(step: int, loss: float) -> None:
        if step == 25:
            raise KeyboardInterrupt

    segmenter, log = trained(report=stop, validation=clouds(2, seed=1))
    assert (log.best_step, log.steps, log.interrupted) == (20, 25, True)
    assert segmenter.training["best_step"] == 20


def test_noise_in_training_is_the_noise_of_the_scheme() -> None:
    torch.manual_seed(0)
    points = torch.rand(400, 50, 3)
    shown = TrainingNoise.of(gc.Gaussian(0.3)).show(points, torch.full((400,), 0.3))
    assert float((shown - points).std()) == pytest.approx(0.3, rel=0.02)
    cells = gc.Partition(np.arange(4) % 2, np.array([[0, 1], [1, 0]]))
    assert TrainingNoise.of(gc.Smoothing([gc.Gaussian(0.1), gc.Gaussian(0.4)], None, cells)).sigma == 0.4
    marked = TrainingNoise.of(gc.Hierarchical(0.25, gc.Gaussian(0.3)))
    shown = marked.show(points, torch.full((400,), 0.3))
    moved = (shown[..., :3] != points).any(dim=-1)
    assert torch.equal(moved, shown[..., 3] == 1)
    assert float(moved.float().mean()) == pytest.approx(0.25, abs=0.02)
    turned = TrainingNoise.of(gc.Rotation(0.5, "x")).show(points, torch.zeros(400))
    torch.testing.assert_close(turned[..., 0], points[..., 0])
    torch.testing.assert_close(turned.norm(dim=-1), points.norm(dim=-1))
    angles = torch.atan2(turned[:, 0, 2], turned[:, 0, 1]) - torch.atan2(points[:, 0, 2], points[:, 0, 1])
    assert float(torch.remainder(angles + torch.pi, 2 * torch.pi).sub(torch.pi).std()) == pytest.approx(0.5, rel=0.15)


@pytest.mark.parametrize(
    ("noise", "error"),
    [
        (gc.Uniform(0.1), UnsupportedError), (gc.BernoulliFlip(0.1, 0.1), UnsupportedError), ([], InputError),
        (gc.Smoothing(edges=gc.BernoulliFlip(0.1, 0.1)), UnsupportedError), ("loud", InputError),
        ((gc.Gaussian(0.1), gc.Gaussian(0.2)), InputError), (gc.SubsetAblation(3), UnsupportedError),
    ],
)  # fmt: skip
def test_noise_that_cannot_be_trained_under_is_refused(noise: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        trained(noise)


def test_clouds_without_parts_or_names_are_refused() -> None:
    bare = PointCloud("bare", np.eye(3))
    unknown = PointCloud("unknown", np.eye(3), np.array([-1, -1, -1]))
    for shapes in ([bare], [unknown], [PointCloud("many", np.eye(3), np.array([0, 1, 3]))]):
        with pytest.raises(DataError):
            train_points(shapes, gc.Gaussian(0.1), names=NAMES, training=SHORT)
    for options in ({"network": "other"}, {"names": ("one",)}, {"shape": {"width": 0}}, {"seed": -1}):
        with pytest.raises((InputError, DataError)):
            trained(**options)
    with pytest.raises(InputError, match="no training clouds"):
        train_points([], gc.Gaussian(0.1), names=NAMES)


@pytest.mark.parametrize(
    "options",
    [
        {"steps": 0},
        {"batch": 0},
        {"points": 0},
        {"learning_rate": 0},
        {"weight_decay": -1},
        {"balance": 2},
        {"validate_every": 0},
    ],
)
def test_schedules_that_mean_nothing_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        PointTraining(**options)


# Networks


@pytest.mark.parametrize("kind", NETWORKS.values())
def test_networks_ask_for_points_in_no_order(kind: type[torch.nn.Module]) -> None:
    torch.manual_seed(0)
    model = kind(5, width=8).eval().double()
    points = torch.randn(2, 30, 3, dtype=torch.float64)
    mixed = torch.randperm(30)
    torch.testing.assert_close(model(points[:, mixed]), model(points)[:, mixed])
    torch.testing.assert_close(model(points[:1])[0], model(points)[0])


def test_neighbours_are_the_nearest_of_what_is_shown() -> None:
    points = torch.randn(3, 25, 3)
    near = nearest(points, 6)
    expected = torch.cdist(points, points).argsort(dim=-1)[..., :6]
    assert torch.equal(near.sort(dim=-1).values, expected.sort(dim=-1).values)
    assert nearest(points, 99).shape == (3, 25, 25)


def test_an_edge_layer_is_a_maximum_over_neighbours() -> None:
    model = EdgeConvParts(3, k=4, width=6).eval()
    points = torch.randn(1, 20, 3)
    near, layer = nearest(points, 4)[0], model.edges[0]
    own, other = layer.own.weight, layer.other.linear.weight
    expected = torch.stack([
        torch.stack([own @ points[0, i] + other @ (points[0, j] - points[0, i]) for j in near[i]]).amax(dim=0)
        for i in range(20)
    ])  # fmt: skip
    torch.testing.assert_close(layer(points, near[None])[0], layer.other.finish(expected), rtol=1e-4, atol=1e-5)


# Files


@pytest.mark.parametrize("model", [PointNetParts(3, width=4), EdgeConvParts(3, k=5, width=4, columns=4)])
def test_files_bring_everything_back(model: Any, tmp_path: Path) -> None:
    palette = ((1, 2, 3),) * 3
    before = PointSegmenter(model.eval(), NAMES, palette, 0.25, {"steps": 3})
    before.save(tmp_path / "net.pt")
    after = PointSegmenter.load(tmp_path / "net.pt")
    assert (after.names, after.palette, after.sigma, after.training) == (NAMES, palette, 0.25, {"steps": 3})
    assert after.network == before.network
    points = torch.randn(2, 20, model.columns)
    assert torch.equal(after.model(points), before.model(points))
    assert not after.model.training


@pytest.mark.parametrize(
    ("place", "value"),
    [
        *(("shape", (name, 10**6)) for name in ("width", "classes", "columns")), ("shape", ("k", "x")), ("shape", ("k", 1)),
        ("shape", ("network", "other")), ("shape", ("network", "pointnet")), ("names", ["a"]), ("names", [1, 2, 3]),
        ("palette", [[0, 0, 300]] * 3), ("sigma", float("nan")), ("sigma", -1.0), ("sha256", "0"),
        ("state", ("head.logits.bias", torch.full((3,), float("nan")))), ("format", "graphcert-unet-1"),
    ],
)  # fmt: skip
def test_what_a_network_cannot_be_is_refused(place: str, value: Any, tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    model = EdgeConvParts(3, k=5, width=4).eval()
    PointSegmenter(model, NAMES, ((1, 2, 3),) * 3, 0.25).save(path)
    content = torch.load(path, weights_only=True)
    if isinstance(value, tuple):
        content[place][value[0]] = value[1]
    else:
        content[place] = value
    torch.save(content, path)
    with pytest.raises(DataError):
        PointSegmenter.load(path)


def test_another_number_of_neighbours_is_another_network(tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    PointSegmenter(EdgeConvParts(3, k=5, width=4).eval(), NAMES, ((1, 2, 3),) * 3, 0.25).save(path)
    content = torch.load(path, weights_only=True)
    content["shape"]["k"] = 6
    torch.save(content, path)
    with pytest.raises(DataError, match="altered"):
        PointSegmenter.load(path)


@pytest.mark.slow
def test_the_default_training_is_good_on_shapes_it_has_not_seen() -> None:
    from graphcert.points import PARTS

    segmenter, _ = train_points(generated_shapes(400, seed=1), gc.Gaussian(0.25), names=PARTS)
    right = []
    for cloud in generated_shapes(10, seed=2):
        votes = sample_point_votes(segmenter.model, cloud.points, gc.Gaussian(0.25), 100, 10)
        right.append((votes.counts.argmax(axis=1) == cloud.parts).mean())
    assert np.mean(right) > 0.85
