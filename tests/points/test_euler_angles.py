"""Noise on three Euler angles certifies no compositions of turns: a classifier that breaks the claim; noise in space holds.

Published certificates draw three angles, turn the cloud about z, y and x by them, and claim every attack of angles (θ, ψ, φ)
with ‖(θ, ψ, φ)‖ < σΦ⁻¹(p). Attack and noise compose as turns, and angles of composed turns do not add.
"""

import math

import numpy as np
import torch
from scipy.stats import norm
from seeds import fresh_rng
from test_turns import FRAME

import graphcert as gc
from graphcert.sampling.turns import nearest_rotations, random_turns, turns_about

SIGMA, ATTACK = 0.9, 0.3
SAMPLES = 100_000
ERROR = math.sqrt(math.log(2e6) / (2 * SAMPLES))
"""Hoeffding's for one share: wrong once in a million."""


def euler(angles: np.ndarray) -> np.ndarray:
    """(N, 3, 3) the turn about x by the third angle, then about y by the second, then about z by the first."""
    about_z, about_y, about_x = (turns_about(axis, a) for axis, a in zip(FRAME[::-1], angles.T, strict=True))
    return about_z @ about_y @ about_x


def density(turns: np.ndarray) -> np.ndarray:
    """The density of Gaussian Euler angles over all turns, but for a factor: both triples of angles of a turn count."""
    z, y, x = (
        np.arctan2(turns[:, 1, 0], turns[:, 0, 0]), np.arcsin(np.clip(-turns[:, 2, 0], -1, 1)),
        np.arctan2(turns[:, 2, 1], turns[:, 2, 2]),
    )  # fmt: skip

    def wrapped(angle: np.ndarray) -> np.ndarray:
        return np.asarray(sum(norm.pdf(angle + 2 * np.pi * k, scale=SIGMA) for k in (-1, 0, 1)))

    both = wrapped(z) * wrapped(y) * wrapped(x) + wrapped(z + np.pi) * wrapped(np.pi - y) * wrapped(x + np.pi)
    return both / np.maximum(np.cos(y), 1e-12)


(TURN,) = euler(np.array([[ATTACK, 0.0, 0.0]]))


class Likelihood(torch.nn.Module):
    """Class 0 where a frame of unit vectors is not much likelier after the attack: a fixed rule about what is seen."""

    THRESHOLD = 1.06

    def forward(self, points: torch.Tensor) -> torch.Tensor:
        turns = points[:, :3].transpose(1, 2).double().numpy()  # the columns are the turned unit vectors
        kept = torch.from_numpy(density(turns @ TURN.T) <= self.THRESHOLD * density(turns)).float()
        return torch.stack([kept, 1 - kept], dim=-1)[:, None].expand(-1, points.shape[1], -1)


def share(turns: np.ndarray) -> float:
    """How often turned frames get class 0."""
    shown = torch.from_numpy(turns.transpose(0, 2, 1).copy())
    return float(Likelihood()(shown)[:, 0, 0].mean())


def test_euler_angles_are_claimed_robust_where_a_classifier_is_broken() -> None:
    rng = fresh_rng()
    noise = euler(SIGMA * rng.standard_normal((SAMPLES, 3)))
    again = euler(SIGMA * rng.standard_normal((SAMPLES, 3)))
    clean, attacked = share(noise), share(again @ TURN)
    claimed = SIGMA * norm.ppf(clean - ERROR)
    assert claimed > ATTACK * 1.3, "the published claim covers the attack"
    assert attacked + ERROR < 0.5, "and the label changes"


def test_no_claim_of_noise_in_space_is_broken_by_the_same_classifier_and_attack() -> None:
    rng = fresh_rng()
    for sigma in (0.3, 0.9):
        law = gc.Rotation(sigma)
        noise, again = (random_turns(law, rng.standard_normal((SAMPLES, 9))) for _ in range(2))
        clean, attacked = share(noise), share(again @ TURN)
        for p, after in ((clean, attacked), (1 - clean, 1 - attacked)):
            bound = float(gc.trade_off(law, shift=gc.turn_shift(math.degrees(ATTACK), law)).lower(max(p - ERROR, 0)))
            assert after + ERROR >= bound


def test_the_rule_of_euler_angles_is_read_off_the_frames() -> None:
    """So that the classifier above sees nothing but the cloud, and the attack is a turn of the cloud."""
    rng = fresh_rng()
    turns = nearest_rotations(rng.standard_normal((50, 3, 3)))
    z, y, x = rng.uniform(-1.5, 1.5, (3, 50))
    found = euler(np.stack([z, y, x], axis=1))
    np.testing.assert_allclose(np.arctan2(found[:, 1, 0], found[:, 0, 0]), z, atol=1e-9)
    np.testing.assert_allclose(np.arcsin(-found[:, 2, 0]), y, atol=1e-9)
    np.testing.assert_allclose(np.arctan2(found[:, 2, 1], found[:, 2, 2]), x, atol=1e-9)
    shown = torch.from_numpy(turns.transpose(0, 2, 1).copy())
    votes = Likelihood()(shown)[:, 0, 0].numpy()
    np.testing.assert_array_equal(votes, density(turns @ TURN.T) <= Likelihood.THRESHOLD * density(turns))
