"""Voting: from samples to counts, in threads, resumable."""

from graphcert.voting.sample import sample_votes

__all__ = ["sample_votes"]
