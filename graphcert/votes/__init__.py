"""Votes and scores: all that is kept of the sampling, and all that a certificate needs."""

from graphcert.votes.scores import BINS, UNIT, Scores, mean_score_labels, number_of_slots, rival_slots, smallest_margins
from graphcert.votes.votes import Votes, checked_counts, checked_rows, refuse_the_same_votes

__all__ = [
    "BINS", "UNIT", "Scores", "Votes", "checked_counts", "checked_rows", "mean_score_labels", "number_of_slots",
    "refuse_the_same_votes", "rival_slots", "smallest_margins",
]  # fmt: skip
