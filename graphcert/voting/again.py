"""A shard of votes, taken again to be compared with the one that is stored."""

from collections.abc import Callable
from functools import partial

from graphcert.core.progress import progress_bar
from graphcert.votes import Scores, mean_score_labels, rival_slots
from graphcert.voting.counting import PURPOSES, Counter
from graphcert.voting.noisy_graph import Problem
from graphcert.voting.paths import Path
from graphcert.voting.vote_sums import ClassScoreTally, LabelScoreTally, Sums, VoteTally, no_votes


def vote_again(
    path: Path, problem: Problem, purpose: str, start: int, stop: int, scores: Scores | None = None, *,
    workers: int = 1, batch: int | None = None, progress: bool = False,
) -> Sums:  # fmt: skip
    """The sums over the samples start … stop − 1, as a shard of votes keeps them; same seed, same sums.

    Args:
        path: what classifies the noisy versions of the N nodes of `problem`.
        purpose: "pilot" or "main".
        scores: those of the stored votes, whose pilot says which scores the main samples add up; None for votes alone.
        workers: threads, on which sums do not depend; nor do they on `batch`, the samples that a thread takes at a time.
        progress: show a bar.
    """
    shape = problem.nodes, path.classes
    tally: Callable[[], VoteTally] = partial(no_votes, *shape)
    if scores is not None and purpose == "pilot":
        tally = partial(ClassScoreTally, *shape)
    elif scores is not None:
        labels = mean_score_labels(scores.pilot_sums)
        tally = partial(LabelScoreTally, *shape, labels, rival_slots(scores.pilot_sums, labels))
    counter = Counter(path, workers, batch)
    with progress_bar(stop - start, "samples", "voting again", progress) as bar:
        return counter.count(PURPOSES[purpose], start, stop, bar.update, tally)
