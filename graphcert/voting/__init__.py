"""Voting: from samples to counts, in threads, resumable."""

from graphcert.voting.noisy_transform import NoisyTransform
from graphcert.voting.sample import sample_votes

__all__ = ["NoisyTransform", "sample_votes"]
