"""Clouds, generated shapes and cells of points."""

import numpy as np
import pytest
from scipy import stats
from seeds import fresh_rng
from test_turns import some_turns

from graphcert.errors import DataError, InputError
from graphcert.points import KINDS, PARTS, PointCloud, generated_shapes, point_cells
from graphcert.points.shapes import Surface, box, cone, disc, parallelogram, tube

FALSE_ALARM = 1e-6


def test_a_turned_cloud_is_normalised_to_the_turned_one() -> None:
    rng = fresh_rng()
    points = rng.standard_normal((50, 3)) * [1, 3, 0.2] + [5, -2, 1]
    (turn,) = some_turns(rng, 1)
    one = PointCloud("a", points @ turn.T + [7, 7, 7]).normalised().points
    other = PointCloud("a", points).normalised().points @ turn.T
    np.testing.assert_allclose(one, other, atol=1e-12)
    np.testing.assert_allclose(one.mean(axis=0), 0, atol=1e-12)
    assert np.linalg.norm(one, axis=1).max() == pytest.approx(1)
    assert not PointCloud("one point", [[3, 3, 3]]).normalised().points.any()  # type: ignore[arg-type]


def test_clouds_do_not_change() -> None:
    points, parts = np.zeros((4, 3)), np.arange(4)
    cloud = PointCloud("a", points, parts)
    points[:], parts[:] = 1, 1
    assert not cloud.points.any()
    assert cloud.parts is not None
    assert cloud.parts.tolist() == [0, 1, 2, 3]
    for array in (cloud.points, cloud.parts):
        with pytest.raises(ValueError, match="read-only"):
            array[:] = 1


@pytest.mark.parametrize("parts", [np.zeros(3, int), np.zeros(4), np.array([0, 0, 0, -2]), np.zeros((4, 1), int)])
def test_parts_are_whole_numbers_one_per_point(parts: np.ndarray) -> None:
    with pytest.raises(DataError, match="parts"):
        PointCloud("a", np.zeros((4, 3)), parts)


def test_shapes_are_named_parts_in_the_unit_sphere_and_do_not_depend_on_how_many_there_are() -> None:
    shapes = generated_shapes(40, 600, seed=3)
    for number, cloud in enumerate(shapes):
        assert cloud.kind == tuple(KINDS)[number % len(KINDS)]
        assert cloud.points.shape == (600, 3)
        assert np.linalg.norm(cloud.points, axis=1).max() == pytest.approx(1)
        assert cloud.parts is not None
        names = {PARTS[part] for part in cloud.parts.tolist()}
        assert len(names) >= 2
        assert all(name.startswith(cloud.kind) for name in names)
    again = generated_shapes(7, 600, seed=3)
    for one, other in zip(shapes, again, strict=False):
        np.testing.assert_array_equal(one.points, other.points)
        np.testing.assert_array_equal(one.parts, other.parts)  # type: ignore[arg-type]
    assert not np.array_equal(shapes[0].points, generated_shapes(1, 600, seed=4)[0].points)
    assert not np.array_equal(shapes[0].points, shapes[5].points), "proportions vary"
    seen = {part for cloud in shapes if cloud.parts is not None for part in cloud.parts.tolist()}
    assert seen == set(range(len(PARTS))), "no part is never generated"
    kinds = [name.split()[0] for name in PARTS]
    assert kinds == sorted(kinds, key=list(KINDS).index), "the parts of a kind come one after the other"


SURFACES = {
    "parallelogram": parallelogram((1, 2, 3), (2, 0, 0), (1, 1, 0)),
    "cylinder": cone((0, 0, 0), (0, 0, 2), 0.5, 0.5),
    "cone": cone((0, 0, 0), (0, 3, 0), 0.2, 1.4),
    "disc": disc((0, 0, 1), (1, 1, 1), 2),
    "tube": tube((0, 0, 0), (1, 0, 0), (0, 0, 1), 1.0, 0.6, 0, 2 * np.pi),
}
AREAS = {
    "parallelogram": 2.0, "cylinder": 2 * np.pi, "cone": np.pi * 1.6 * np.hypot(3, 1.2), "disc": 4 * np.pi,
    "tube": 4 * np.pi**2 * 0.6,
}  # fmt: skip


def shares(name: str, points: np.ndarray) -> np.ndarray:
    """Numbers that are uniform on [0, 1] if the points are uniform by area, worked out for each surface by itself."""
    x, y, z = points.T
    if name == "parallelogram":
        return np.asarray(y - 2)
    if name == "cylinder":
        return np.asarray(z / 2)
    if name == "cone":  # the area up to a radius grows with its square
        return np.asarray((np.hypot(x, z) ** 2 - 0.2**2) / (1.4**2 - 0.2**2))
    if name == "disc":
        return np.asarray((np.linalg.norm(points - [0, 0, 1], axis=1) / 2) ** 2)
    radius, bend = 0.6, 1.0  # of the angle around the tube, whose density is 1 + cos·r/R
    angle = np.mod(np.arctan2(y, np.hypot(x, z) - bend), 2 * np.pi)
    return np.asarray((bend * angle + radius * np.sin(angle)) / (2 * np.pi * bend))


@pytest.mark.parametrize("name", SURFACES)
def test_surfaces_are_sampled_uniformly_by_area(name: str) -> None:
    surface: Surface = SURFACES[name]
    assert surface.area == pytest.approx(AREAS[name])
    found = shares(name, surface.draw(fresh_rng(), 20_000))
    assert stats.kstest(found, "uniform").pvalue > FALSE_ALARM
    if name in ("cone", "disc"):
        assert stats.kstest(np.sqrt(np.clip(found, 0, 1)), "uniform").pvalue < FALSE_ALARM


def test_the_faces_of_a_box_have_its_area() -> None:
    faces = box((0, 0, 0), (1, 2, 3))
    assert sum(face.area for face in faces) == pytest.approx(2 * (2 + 3 + 6))
    points = np.concatenate([face.draw(fresh_rng(), 20) for face in faces])
    assert ((points >= -1e-12) & (points <= np.array([1, 2, 3]) + 1e-12)).all()
    assert (np.isclose(points, 0) | np.isclose(points, [1, 2, 3])).any(axis=1).all()


@pytest.mark.parametrize(
    "options",
    [
        {"count": 0}, {"points": 511}, {"points": 2049}, {"kinds": ()}, {"kinds": ("mug", "mug")}, {"kinds": ("boat",)},
        {"seed": -1},
    ],
)  # fmt: skip
def test_shapes_that_cannot_be_made_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(InputError):
        generated_shapes(**{"count": 2, **options})  # type: ignore[arg-type]


def test_cells_are_near_points_ranked_by_their_centres() -> None:
    rng = fresh_rng()
    middles = np.array([[0.0, 0, 0], [1, 0, 0], [3, 0, 0], [7, 0, 0]])
    truth = np.sort(rng.integers(0, 4, 80))
    truth[:4] = np.arange(4)
    points = middles[truth] + 0.01 * rng.standard_normal((80, 3))
    cells = point_cells(points, 4)
    np.testing.assert_array_equal(cells.labels, truth)
    np.testing.assert_array_equal(cells.rank, [[0, 1, 2, 3], [1, 0, 2, 3], [2, 1, 0, 3], [3, 2, 1, 0]])
    assert point_cells(points, 4) == cells
    assert point_cells(points, 1).clusters == 1


def test_cells_that_cannot_be_made_are_refused() -> None:
    for cells, seed in ((0, 0), (3, 0), (1, -1), (1, 2**32)):
        with pytest.raises(InputError):
            point_cells([[0, 0, 0], [0, 0, 0], [1, 0, 0]], cells, seed)
    with pytest.raises(DataError):
        point_cells([[0, 0]], 1)
