"""Classifiers that give a whole input one label: images, clouds of points, vectors and graphs."""

from graphcert.outputs.output_model import OutputModel
from graphcert.outputs.output_votes import sample_elastic_votes, sample_output_votes

__all__ = ["OutputModel", "sample_elastic_votes", "sample_output_votes"]
