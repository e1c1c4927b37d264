"""Scores: what they refuse, and how votes carry them."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from graphcert.errors import DataError, VotesError
from graphcert.noise import BernoulliFlip, Smoothing
from graphcert.votes import BINS, UNIT, Scores, Votes

SMOOTHING = Smoothing(BernoulliFlip(0.01, 0.6))
PILOT_SUMS = np.array([[3, 3, 1], [UNIT, 2 * UNIT, 0]])
VALUES = st.one_of(st.integers(0, UNIT), st.sampled_from([0, 1, UNIT - 1, UNIT, UNIT // BINS]))
DRAWN = st.integers(1, 9).flatmap(lambda n: arrays(np.int64, (2, n), elements=VALUES))


def statistics(q: np.ndarray) -> dict[str, np.ndarray]:
    """Sums, squares and histogram of scores q (N, n), from their definition in [0, 1]."""
    edges = np.linspace(0, 1, BINS + 1)
    return {
        "sums": q.sum(axis=1),
        "squares": (q**2).sum(axis=1),
        "histogram": np.stack([np.histogram(row / UNIT, edges)[0] for row in q]),
    }


def scores_of(q: np.ndarray, **changes: object) -> Scores:
    return Scores(**({"pilot_sums": PILOT_SUMS} | statistics(q) | changes))  # type: ignore[arg-type]


Q = np.array([[0, 5, UNIT], [40_000, 40_001, 40_001]])


def votes_of(scores: Scores | None, pilot: int = 3, samples: int = 3, **changes: object) -> Votes:
    counts = [np.stack([[n, 0, 0], [0, n, 0]]) for n in (pilot, samples)]
    return Votes(*counts, SMOOTHING, scores=scores, independent=True, **changes)  # type: ignore[arg-type]


@given(DRAWN)
def test_statistics_of_any_scores_are_accepted_and_moved_ones_are_not(q: np.ndarray) -> None:
    scores = scores_of(q)
    assert (scores.nodes, scores.classes, scores.samples) == (2, 3, q.shape[1])
    low, high = scores.sums.copy(), scores.sums.copy()
    low[0], high[0] = scores.histogram[0] @ (np.arange(BINS) * 512) - 1, q.shape[1] * UNIT + 1
    for sums in (low, high):
        with pytest.raises(VotesError):
            scores_of(q, sums=sums)
    least = (q[1].sum() // q.shape[1]) ** 2 * q.shape[1]
    for squares in (least - 1, q.shape[1] * UNIT**2 + 1):
        with pytest.raises(VotesError):
            scores_of(q, squares=np.array([scores.squares[0], squares]))


def test_a_negative_variance_is_refused_even_by_one() -> None:
    """Within one bin no histogram tells; 40,000, 40,001, 40,001 have the smallest squares of their sum."""
    squares = statistics(Q)["squares"]
    with pytest.raises(VotesError, match="variance would be negative"):
        scores_of(Q, squares=squares - [0, 1])


def raised(histogram: np.ndarray) -> np.ndarray:
    """Every sample one bin higher, where there is one."""
    moved = np.roll(histogram, 1, axis=1)
    moved[:, -1] += moved[:, 0]
    moved[:, 0] = 0
    return moved


@given(DRAWN)
def test_margins_are_at_least_the_scores_of_the_label(q: np.ndarray) -> None:
    histogram = statistics(q)["histogram"]
    for margins in (histogram, raised(histogram)):
        assert (scores_of(q, margins=margins).margins == margins).all()
    assert scores_of(q) != scores_of(q, margins=histogram)
    if (raised(histogram) != histogram).any():
        with pytest.raises(VotesError, match="margins lie below"):
            scores_of(np.full_like(q, UNIT), margins=histogram)


def test_labels_are_those_of_the_largest_pilot_sum_and_of_the_smallest_class_among_equals() -> None:
    np.testing.assert_array_equal(scores_of(Q).labels, [0, 1])


def test_scores_are_compared_by_value_and_cannot_be_changed() -> None:
    assert scores_of(Q) == scores_of(Q.copy())
    assert len({scores_of(Q), scores_of(Q)}) == 1
    for name, array in scores_of(Q).arrays().items():
        assert scores_of(Q) != scores_of(Q, pilot_sums=PILOT_SUMS + 1)
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
        assert np.array_equal(array, getattr(scores_of(Q), name))


S = statistics(Q)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pilot_sums": PILOT_SUMS[:1]}, "one row per node"),
        ({"pilot_sums": PILOT_SUMS[:, :1]}, "at least 2 classes"),
        ({"pilot_sums": PILOT_SUMS / 2}, "2-dimensional integers"),
        ({"pilot_sums": -PILOT_SUMS}, "impossible values"),
        ({"sums": S["sums"][:, None]}, "1-dimensional integers"),
        ({"histogram": S["histogram"][:, :64]}, "128 bins"),
        ({"histogram": S["histogram"] * 0}, "from 1 to"),
        ({"histogram": S["histogram"] * [[1], [2]]}, "same number of samples"),
        ({"histogram": S["histogram"] * 2**40}, "impossible values"),
        ({"sums": S["sums"] + 1600}, "sums of scores lie outside"),
        ({"squares": S["squares"] + 2**30}, "squares of scores lie outside"),
        ({"margins": S["histogram"][:, :64]}, "bins of the histogram"),
        ({"margins": S["histogram"][:1]}, "one row per node"),
        ({"margins": 2 * S["histogram"]}, "every sample once"),
        ({"margins": -S["histogram"]}, "impossible values"),
        ({"margins": S["histogram"] / 1}, "2-dimensional integers"),
    ],
)
def test_inconsistent_scores_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(VotesError, match=message):
        scores_of(Q, **changes)


def test_votes_and_their_scores_belong_together() -> None:
    assert votes_of(scores_of(Q)).scores == scores_of(Q)
    with pytest.raises(VotesError, match=r"agree on \(nodes, classes, samples\)"):
        votes_of(scores_of(Q), samples=4)
    with pytest.raises(VotesError, match="sum to more than 1 in the 2 pilot samples"):
        votes_of(scores_of(Q), pilot=2)
    with pytest.raises(VotesError, match="takes Scores"):
        votes_of(S)  # type: ignore[arg-type]


def test_scores_are_part_of_what_votes_are() -> None:
    plain, scored = votes_of(None), votes_of(scores_of(Q))
    assert plain != scored
    assert scored != votes_of(scores_of(Q, pilot_sums=PILOT_SUMS[::-1]))
    np.testing.assert_array_equal(plain.labels, scored.labels)  # the labels of votes are those of votes


def test_the_digest_of_votes_without_scores_stays_what_it_was() -> None:
    """Recorded before votes could carry scores: stored digests must stay valid."""
    assert votes_of(None).digest == "e3383867d7c1c181e3d881468b1f4ebc46c786c2dc6364f4ea8c9b74c43317e7"


def test_a_file_gives_back_votes_with_their_scores(tmp_path: Path) -> None:
    votes = votes_of(scores_of(Q), manifest={"seed": 1})
    votes.save(tmp_path / "votes.npz")
    back = Votes.load(tmp_path / "votes.npz", SMOOTHING)
    assert back == votes
    assert back.scores == votes.scores
    assert back.scores.margins is None
    votes_of(None).save(tmp_path / "votes.npz")
    assert Votes.load(tmp_path / "votes.npz").scores is None
    more = votes_of(scores_of(Q, margins=raised(S["histogram"])))
    more.save(tmp_path / "votes.npz")
    assert Votes.load(tmp_path / "votes.npz") == more != votes


def test_the_digest_of_scores_without_margins_stays_what_it_was() -> None:
    """Recorded before scores could carry margins: stored digests and files must stay valid."""
    assert scores_of(Q).digest == "d75d9953c78ba15f848b5b0704455a8798c2fa01fc4aa408fb105a4faf5b6209"


def test_an_altered_file_of_scores_is_noticed_and_scores_cannot_be_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "votes.npz"
    votes_of(scores_of(Q, margins=raised(S["histogram"]))).save(path)
    content = path.read_bytes()
    with np.load(path) as archive:
        members = dict(archive)
    for name in ("pilot_sums", "sums", "squares", "histogram", "margins"):
        np.savez(path, **(members | {name: members[name][::-1]}))
        with pytest.raises(DataError, match="was altered"):
            Votes.load(path)
        np.savez(path, **{key: value for key, value in members.items() if key != name})
        with pytest.raises(DataError):
            Votes.load(path)
    for size in range(0, len(content), 301):
        path.write_bytes(content[:size])
        with pytest.raises(DataError):
            Votes.load(path)
