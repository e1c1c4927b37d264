"""Random turns: the law, what a turned input does to it, the shifts of turns, and worst classifiers that meet the bound.

False-alarm rate of statistical tests: 1e-6 each, for whatever seed.
"""

import json
import math

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, ks_2samp, kstest, norm
from seeds import fresh_rng, fresh_seed
from torch_geometric.data import Data

import graphcert as gc
from graphcert.errors import DataError, InputError, UnsupportedError
from graphcert.noise import smoothing_from_dict
from graphcert.sampling.philox import MAIN, PILOT
from graphcert.sampling.turns import nearest_rotations, random_turns, turned, turns_about
from graphcert.voting.input_path import rows_problem

FALSE_ALARM = 1e-6
FRAME = np.eye(3)
"""Three points from which a turn can be read off."""

ABOUT_Z, IN_SPACE = gc.Rotation(0.3, "z"), gc.Rotation(0.3)
LAWS = [ABOUT_Z, IN_SPACE, gc.Rotation(0.5, (1, -2, 0.5))]
angles = st.floats(-math.pi, math.pi)


def some_turns(rng: np.random.Generator, count: int) -> np.ndarray:
    """Uniform ones, as polar factors of Gaussian matrices."""
    return nearest_rotations(rng.standard_normal((count, 3, 3)))


def drawn(law: gc.Rotation, samples: int, seed: int, points: np.ndarray = FRAME, purpose: int = MAIN) -> np.ndarray:
    """(S, P, 3) what samples show of a cloud."""
    sampler = rows_problem(points, gc.Smoothing(law), seed, "clouds").sampler
    shown = np.zeros((samples, len(points), 3), np.float32)
    for sample in range(samples):
        sampler.fill_features(purpose, sample, sampler.workspace(), 0, shown[sample])
    return shown.astype(np.float64)


# The geometry


def test_nearest_rotations_are_rotations_and_none_is_nearer() -> None:
    rng = fresh_rng()
    matrices = rng.standard_normal((200, 3, 3))
    found = nearest_rotations(matrices)
    np.testing.assert_allclose(found @ found.transpose(0, 2, 1), np.broadcast_to(FRAME, found.shape), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(found), 1, atol=1e-12)
    assert (np.linalg.det(matrices) < 0).any(), "reflections are among what is brought back"
    distance = np.linalg.norm(matrices - found, axis=(1, 2))
    for other in (*some_turns(rng, 50), *(turns_about((0.6, 0, 0.8), np.array([e]))[0] for e in (1e-3, -1e-3))):
        assert (np.linalg.norm(matrices - other, axis=(1, 2)) >= distance - 1e-12).all()
        assert (np.linalg.norm(matrices - found @ other, axis=(1, 2)) >= distance - 1e-12).all()


def test_a_turn_before_the_nearest_rotation_is_a_turn_after_it() -> None:
    rng = fresh_rng()
    matrices, turns = rng.standard_normal((100, 3, 3)), some_turns(rng, 100)
    np.testing.assert_allclose(nearest_rotations(matrices @ turns), nearest_rotations(matrices) @ turns, atol=1e-9)


@given(angles, angles)
def test_turns_about_an_axis_add_and_have_the_stated_size(one: float, two: float) -> None:
    axis = gc.Rotation(1.0, (2, -3, 6)).direction
    assert axis is not None
    first, second, both = turns_about(axis, np.array([one, two, one + two]))
    np.testing.assert_allclose(first @ second, both, atol=1e-12)
    np.testing.assert_allclose(first @ np.array(axis), axis, atol=1e-12)
    assert np.linalg.norm(first - FRAME) == pytest.approx(2 * math.sqrt(2) * abs(math.sin(one / 2)), abs=1e-12)


def test_a_quarter_turn_about_z_takes_x_to_y() -> None:
    (quarter,) = turns_about((0, 0, 1), np.array([math.pi / 2]))
    np.testing.assert_allclose(turned(np.array([[1.0, 2, 3]]), quarter), [[-2, 1, 3]], atol=1e-12)


# The law


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_samples_are_turns_of_the_whole_cloud(law: gc.Rotation) -> None:
    points = fresh_rng().standard_normal((7, 3))
    shown, frames = (drawn(law, 20, 3, cloud) for cloud in (points, FRAME))
    for cloud, frame in zip(shown, frames, strict=True):
        turn = frame.T  # the columns are where the unit vectors go
        np.testing.assert_allclose(turn @ turn.T, FRAME, atol=1e-6)
        np.testing.assert_allclose(cloud, points @ turn.T, atol=1e-5)
        if law.direction is not None:
            np.testing.assert_allclose(turn @ law.direction, law.direction, atol=1e-6)


def test_angles_about_an_axis_are_normal_and_independent() -> None:
    shown = [drawn(ABOUT_Z, 3000, fresh_seed(), purpose=purpose) for purpose in (MAIN, PILOT)]
    found = [np.arctan2(frames[:, 0, 1], frames[:, 0, 0]) / ABOUT_Z.sigma for frames in shown]
    for one in found:
        assert kstest(one, "norm").pvalue > FALSE_ALARM / 2
    assert kstest(found[0] * 1.2, "norm").pvalue < FALSE_ALARM, "another deviation is seen"
    for first, second in ((found[0], found[1]), (found[0][:-1], found[0][1:])):
        assert abs(np.corrcoef(first, second)[0, 1]) * math.sqrt(len(first)) < norm.isf(FALSE_ALARM / 4)


def test_turns_in_space_are_those_of_gaussian_matrices() -> None:
    frames = drawn(IN_SPACE, 3000, fresh_seed())
    matrices = nearest_rotations(FRAME + IN_SPACE.sigma * fresh_rng().standard_normal((3000, 3, 3)))
    other = nearest_rotations(FRAME + 1.3 * IN_SPACE.sigma * fresh_rng().standard_normal((3000, 3, 3)))
    for i in range(3):
        for j in range(3):
            assert ks_2samp(frames[:, j, i], matrices[:, i, j]).pvalue > FALSE_ALARM / 9
    assert ks_2samp(frames[:, 0, 0], other[:, 0, 0]).pvalue < FALSE_ALARM


def test_what_a_turned_input_shows_follows_from_noise_around_its_turn() -> None:
    """polar(I + G) R has the law of polar(R + G): the proof of the certificate, sampled."""
    rng, count = fresh_rng(), 4000
    (turn,) = turns_about((0.6, 0.0, 0.8), np.array([0.7]))
    shown = random_turns(IN_SPACE, rng.standard_normal((count, 9))) @ turn
    around = nearest_rotations(turn + IN_SPACE.sigma * rng.standard_normal((count, 3, 3)))
    directions = rng.standard_normal((20, 9))
    for direction in directions:
        one, two = (matrices.reshape(count, 9) @ direction for matrices in (shown, around))
        assert ks_2samp(one, two).pvalue > FALSE_ALARM / len(directions)
    unturned = random_turns(IN_SPACE, rng.standard_normal((count, 9))).reshape(count, 9)
    assert ks_2samp(unturned @ directions[0], around.reshape(count, 9) @ directions[0]).pvalue < FALSE_ALARM


# The bound


def tail(hits: int, samples: int, p: float) -> float:
    return float(min(binom.cdf(hits, samples, p), binom.sf(hits - 1, samples, p)))


class AngleAbove(torch.nn.Module):
    """Class 0 where the cloud of unit vectors is seen at an angle above a threshold about z: the worst classifier."""

    def __init__(self, threshold: float) -> None:
        super().__init__()
        self.threshold = threshold

    def forward(self, points: torch.Tensor) -> torch.Tensor:
        above = (torch.atan2(points[:, 0, 1], points[:, 0, 0]) > self.threshold).float()
        return torch.stack([above, 1 - above], dim=-1)[:, None].expand(-1, points.shape[1], -1)


@pytest.mark.parametrize("shift", [0.1, 0.35])
def test_the_worst_classifier_about_an_axis_meets_the_bound(shift: float) -> None:
    from graphcert.points import sample_point_votes

    samples, threshold = 20_000, -0.2
    p = float(norm.sf(threshold / ABOUT_Z.sigma))
    for angle, expected in ((0.0, p), (-shift, float(gc.trade_off(ABOUT_Z, shift=shift).lower(p)))):
        (turn,) = turns_about((0, 0, 1), np.array([angle]))
        votes = sample_point_votes(AngleAbove(threshold), turned(FRAME, turn), ABOUT_Z, samples, 10, seed=fresh_seed())
        assert tail(int(votes.counts[0, 0]), samples, expected) > FALSE_ALARM / 4
    assert tail(int(votes.counts[0, 0]), samples, p) < FALSE_ALARM


@pytest.mark.parametrize("degrees", [10, 60, 180])
def test_a_half_space_of_matrices_meets_the_bound_in_space(degrees: float) -> None:
    """A classifier that saw I + G itself, and is cut orthogonally to R − I, has exactly Φ(Φ⁻¹(p) − ‖R − I‖/σ)."""
    rng, count = fresh_rng(), 100_000
    law = gc.Rotation(1.0)
    (turn,) = turns_about((0.0, 0.6, 0.8), np.array([math.radians(degrees)]))
    size, threshold = float(np.linalg.norm(turn - FRAME)), 1.5
    assert gc.turn_shift(degrees, law) == pytest.approx(size, rel=1e-9)
    towards = (turn - FRAME) / size
    noise = law.sigma * rng.standard_normal((count, 3, 3))
    hits = int((np.einsum("nij,ij->n", turn - FRAME + noise, towards) < threshold).sum())
    p = float(norm.cdf(threshold / law.sigma))
    assert tail(hits, count, float(gc.trade_off(law, shift=size).lower(p))) > FALSE_ALARM
    assert tail(hits, count, p) < FALSE_ALARM


@pytest.mark.parametrize("degrees", [20, 90])
def test_classifiers_of_what_is_seen_in_space_stay_above_the_bound(degrees: float) -> None:
    """Thresholds of the angle about the turn's axis, and of the likelihood of frames near it: close, never below."""
    rng, count = fresh_rng(), 60_000
    law = gc.Rotation(0.8)
    (turn,) = turns_about((0, 0, 1), np.array([math.radians(degrees)]))
    seen = random_turns(law, rng.standard_normal((count, 9)))
    error = math.sqrt(math.log(4e6) / (2 * count))
    lower = gc.trade_off(law, shift=gc.turn_shift(degrees, law)).lower
    for score in (lambda m: np.einsum("nij,ij->n", m, turn - FRAME), lambda m: np.arctan2(m[:, 1, 0], m[:, 0, 0])):
        clean, moved = np.sort(score(seen)), score(seen @ turn)
        for share in (0.7, 0.9, 0.99):
            after = float((moved <= clean[int(share * count)]).mean())
            bound = float(lower(share - error))
            assert after >= bound - error
            assert share > 0.7 or after < share - 0.05, "the turn matters"


# Shifts and degrees


@given(st.floats(0, 180), st.sampled_from(LAWS))
def test_degrees_become_shifts_that_are_no_smaller(degrees: float, law: gc.Rotation) -> None:
    with mpmath.workdps(60):
        radians = mpmath.mpf(degrees) * mpmath.pi / 180
        exact = radians if law.axis is not None else 2 * mpmath.sqrt(2) * mpmath.sin(radians / 2)
        shift = gc.turn_shift(degrees, law)
        assert mpmath.mpf(shift) >= exact
        assert shift <= float(exact) * (1 + 1e-11) + 1e-300
    assert shift <= law.farthest
    assert float(gc.certified_turn(shift, law)) >= degrees * (1 - 1e-6) - 1e-300


@given(st.floats(0, 4), st.sampled_from(LAWS))
def test_shifts_become_degrees_that_are_no_larger(shift: float, law: gc.Rotation) -> None:
    found = float(gc.certified_turn(shift, law))
    with mpmath.workdps(60):
        radians = mpmath.mpf(found) * mpmath.pi / 180
        exact = radians if law.axis is not None else 2 * mpmath.sqrt(2) * mpmath.sin(radians / 2)
        assert exact <= mpmath.mpf(shift)
    assert 0 <= found <= 180
    assert (found == 180) == (shift >= law.farthest)


def test_half_a_circle_is_everything() -> None:
    for law in (*LAWS, gc.Rotation(2.0)):
        assert gc.turn_shift(180, law) == law.farthest
        assert gc.certified_turn([0, law.farthest, math.inf], law).tolist() == [0, 180, 180]
        assert gc.certified_turn(math.nextafter(law.farthest, 0), law) < 180
        everything = gc.trade_off(law, shift=gc.turn_shift(180, law))
        assert gc.trade_off(law, shift=1e9) == everything
    assert everything.critical < 0.93


def test_a_certificate_answers_in_degrees() -> None:
    counts = np.array([[100_000, 0], [99_000, 1_000], [50_000, 50_000]])
    for law in (gc.Rotation(0.3, "y"), gc.Rotation(0.3), gc.Rotation(2.0)):
        found = gc.certify(gc.Votes(np.tile([10, 0], (3, 1)), counts, gc.Smoothing(law)))
        turns = found.turns()
        np.testing.assert_array_equal(turns, gc.certified_turn(found.radius(), law))
        assert turns[0] > turns[1] > turns[2] == 0 or law.sigma == 2.0
        for node in range(2):
            assert found.robust(shift=gc.turn_shift(float(turns[node]) * (1 - 1e-9), law))[node]
            if turns[node] < 179:
                assert not found.robust(shift=gc.turn_shift(float(turns[node]) + 0.01, law))[node]
    assert turns[0] == 180
    with pytest.raises(InputError, match="Rotation"):
        gc.certify(gc.Votes(np.tile([10, 0], (3, 1)), counts, gc.Smoothing(gc.Gaussian(1)))).turns()


def test_all_outputs_see_one_turn_so_the_collective_certificate_counts_them() -> None:
    counts = np.array([[10_000, 0], [9_000, 1_000], [6_000, 4_000]])
    found = gc.certify(gc.Votes(np.tile([10, 0], (3, 1)), counts, gc.Smoothing(IN_SPACE)))
    shifts = [0.1, 0.3, 0.7]
    curve = found.collective(shift=shifts)
    assert curve.certified.tolist() == [int(found.robust(shift=shift).sum()) for shift in shifts]
    with pytest.raises(UnsupportedError, match="naive"):
        found.collective(shift=shifts, method="lp")
    with pytest.raises(UnsupportedError):
        found.robust(add=1)
    with pytest.raises(UnsupportedError, match="shift"):
        found.robust_at(shift=[0.1])


# What is refused and what is said


@pytest.mark.parametrize("sigma", [0, -1, math.nan, math.inf, "x", True])
def test_a_deviation_is_above_zero(sigma: object) -> None:
    with pytest.raises(InputError, match="sigma"):
        gc.Rotation(sigma)  # type: ignore[arg-type]


@pytest.mark.parametrize("axis", ["w", "", (0, 0, 0), (1, 2), (1, 2, math.nan), (1, 2, "3x"), 3, {"x": 1}, True])
def test_an_axis_is_a_direction(axis: object) -> None:
    with pytest.raises(InputError, match="axis"):
        gc.Rotation(0.3, axis)  # type: ignore[arg-type]


def test_directions_have_length_one_however_large_their_numbers_are() -> None:
    for axis in ((1e300, 0, -1e300), (1e-320, 1e-320, 0), (3, 4, 0)):
        assert np.linalg.norm(gc.Rotation(1, axis).direction) == pytest.approx(1, abs=1e-15)
    assert gc.Rotation(1, (0, 0, 2)).direction == gc.Rotation(1, "z").direction


def test_turns_have_no_levels_and_select_no_rows() -> None:
    two = gc.Partition(np.array([0, 1]), np.array([[0, 1], [1, 0]]))
    with pytest.raises(InputError, match="all rows together"):
        gc.Smoothing([IN_SPACE, IN_SPACE], None, two)
    with pytest.raises(InputError, match="all rows together"):
        gc.Hierarchical(0.5, IN_SPACE)
    with pytest.raises(DataError, match="three coordinates"):
        rows_problem(np.zeros((4, 2)), gc.Smoothing(IN_SPACE), 0, "clouds")
    with pytest.raises(UnsupportedError, match="no bits"):
        gc.trade_off(IN_SPACE, add=1, shift=0.1)


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_descriptions_come_back(law: gc.Rotation) -> None:
    scheme = gc.Smoothing(law)
    again = smoothing_from_dict(json.loads(json.dumps(scheme.to_dict())))
    assert again == scheme
    assert hash(again) == hash(scheme)


def test_guarantees_speak_of_turns() -> None:
    pilot, counts = np.array([[10, 0]]), np.array([[100, 0]])
    words = [gc.certify(gc.Votes(pilot, counts, gc.Smoothing(law))).guarantee() for law in LAWS]
    for said, axis in zip(words, ("the z axis", "any axis", "the axis (1, -2, 0.5)"), strict=True):
        assert f"turns the whole input about {axis} through the origin" in said
        assert "norm" not in said


class SeesX(torch.nn.Module):
    def forward(self, x: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
        return torch.stack([x[:, 0], -x[:, 0]], dim=1)


def test_graphs_of_coordinates_are_turned_too() -> None:
    """`sample_votes` and the compiled first layer see the same turns."""
    from graphcert.models import GCN

    points = torch.tensor(np.random.default_rng(0).standard_normal((6, 3)), dtype=torch.float32)
    edges = torch.tensor([[0, 1, 2, 3], [1, 0, 3, 2]])
    data = Data(points, edges)
    votes = gc.sample_votes(SeesX(), data, IN_SPACE, 400, 10, seed=1)
    turns = drawn(IN_SPACE, 400, 1, points.numpy())
    np.testing.assert_array_equal(votes.counts[:, 0], (turns[:, :, 0] > 0).sum(axis=0))
    model = GCN(3, 2, hidden=8).eval()
    found = gc.sample_votes(model, data, IN_SPACE, 100, 10, seed=1)
    assert found.counts.sum() == 600
