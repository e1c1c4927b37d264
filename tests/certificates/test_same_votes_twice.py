"""Trap 19: votes that chose the label must not bound its probability as well (theory, sections 10 and 11)."""

import numpy as np
import pytest
import torch
from torch_geometric.data import Data

import graphcert as gc
from graphcert.core.arrays import read_sealed, write_sealed
from graphcert.errors import DataError, InputError, VotesError
from graphcert.votes import BINS, UNIT

COUNTS = np.array([[90, 10], [40, 60], [75, 25]])
OTHERS = np.array([[88, 12], [45, 55], [75, 25]])
FLIPS = gc.Smoothing(gc.BernoulliFlip(0.1, 0.4))
BOTH = np.stack([COUNTS, OTHERS], axis=-1)


@pytest.mark.parametrize(
    ("pilot", "final"),
    [
        (COUNTS, COUNTS.copy()),
        (COUNTS.tolist(), COUNTS),
        (COUNTS.astype(np.uint8), COUNTS.astype(np.int32)),
        (torch.tensor(COUNTS), COUNTS),
        (np.asfortranarray(COUNTS), COUNTS),
    ],
)
def test_copies_are_refused_unless_they_are_said_to_be_drawn_apart(pilot, final) -> None:
    with pytest.raises(VotesError, match="agree in every number") as refused:
        gc.Votes(pilot, final, FLIPS)
    assert "independent=True" in str(refused.value)
    assert gc.Votes(pilot, final, FLIPS, independent=True).independent
    with pytest.raises(InputError, match="agree in every number"):
        gc.seg_certify(pilot, final)
    gc.seg_certify(pilot, final, independent=True)


LISTED = COUNTS.tolist()
TENSOR = torch.tensor(COUNTS)


@pytest.mark.parametrize(
    ("pilot", "final"),
    [
        (COUNTS, COUNTS),
        (LISTED, LISTED),
        (COUNTS, COUNTS[:]),
        (COUNTS, COUNTS.view()),
        (TENSOR, TENSOR.numpy()),
        (BOTH[..., 0], BOTH[..., 0]),
        (np.concatenate([COUNTS, OTHERS])[:3], COUNTS),
    ][:-1],
)
def test_one_array_is_refused_whatever_is_said(pilot, final) -> None:
    for stated in (False, True):
        with pytest.raises(VotesError, match="same array"):
            gc.Votes(pilot, final, FLIPS, independent=stated)
        with pytest.raises(InputError, match="same array"):
            gc.seg_certify(pilot, final, independent=stated)


def test_overlapping_rows_of_one_array_are_refused() -> None:
    rows = np.tile([[9, 1], [8, 2]], (4, 1))
    with pytest.raises(VotesError, match="same array"):
        gc.Votes(rows[:5], rows[1:6], FLIPS)


def test_parts_of_one_array_that_do_not_overlap_are_votes() -> None:
    assert gc.Votes(BOTH[..., 0], BOTH[..., 1], FLIPS).samples == 100
    gc.seg_certify(BOTH[..., 0], BOTH[..., 1])


def test_the_claims_that_equal_votes_would_make_are_false_too_often() -> None:
    """Why: two equally likely classes of 100 votes. Bounded by the votes that chose it, the label exceeds 1/2 in about twice
    α of all cases; drawn apart, in at most α. Bounds of five standard deviations: a false alarm in 10⁶ runs."""
    rng, alpha, inputs = np.random.default_rng(4), 0.05, 20_000
    pilot, final = (rng.multinomial(100, [0.5, 0.5], inputs) for _ in range(2))
    wrong = {
        name: int((gc.certify(gc.Votes(pilot, votes, FLIPS, independent=True), alpha, False).p_lower > 0.5).sum())
        for name, votes in (("reused", pilot.copy()), ("apart", final))
    }
    most = alpha * inputs + 5 * np.sqrt(inputs * alpha * (1 - alpha))
    assert wrong["apart"] <= most < wrong["reused"]


def test_independent_is_a_truth_value() -> None:
    with pytest.raises(VotesError, match="True or False"):
        gc.Votes(COUNTS, OTHERS, FLIPS, independent=1)  # type: ignore[arg-type]


def test_files_keep_what_was_stated(tmp_path) -> None:
    stated = gc.Votes(COUNTS.copy(), COUNTS, FLIPS, independent=True)
    stated.save(tmp_path / "votes.npz")
    again = gc.Votes.load(tmp_path / "votes.npz")
    assert again.independent
    assert again == stated
    assert again.digest == stated.digest
    # The same file without the statement, as a program of somebody else may write it.
    description, arrays = read_sealed(tmp_path / "votes.npz", "file of votes", ("pilot_counts", "counts"))
    write_sealed(tmp_path / "other.npz", {k: v for k, v in description.items() if k != "independent"}, arrays)
    with pytest.raises(DataError, match="agree in every number"):
        gc.Votes.load(tmp_path / "other.npz")


class Always(torch.nn.Module):
    """Class 1 at every node."""

    def forward(self, x: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
        return torch.tensor([0.0, 9.0]).repeat(len(x), 1)


def test_unanimous_votes_of_the_samplers_are_honest(tmp_path) -> None:
    data = Data(x=torch.eye(3), edge_index=torch.tensor([[0, 1], [1, 0]]))
    for scores in (False, True):
        votes = gc.sample_votes(Always(), data, FLIPS, 20, 20, scores=scores, workers=1)
        assert (votes.pilot_counts == votes.counts).all()
        votes.save(tmp_path / "votes.npz")
        assert gc.Votes.load(tmp_path / "votes.npz") == votes


def test_scores_given_twice_are_refused() -> None:
    rng = np.random.default_rng(0)
    q = rng.integers(30_000, 60_000, (50, 3))
    histogram = np.stack([np.bincount(q[:, n] * BINS // UNIT, minlength=BINS) for n in range(3)])
    sums = q.sum(axis=0)
    pilot_sums = np.stack([sums, 50 * UNIT - sums - 50], axis=1)
    pilot_sums[:, 1] = np.minimum(pilot_sums[:, 1], sums - 1)
    twice = gc.Scores(pilot_sums, sums, (q**2).sum(axis=0), histogram)
    pilot, final = np.tile([30, 20], (3, 1)), np.tile([29, 21], (3, 1))
    with pytest.raises(VotesError, match="pilot scores and the final scores agree"):
        gc.Votes(pilot, final, FLIPS, scores=twice)
    assert gc.Votes(pilot, final, FLIPS, scores=twice, independent=True).scores == twice
