"""Schemes of every kind that the independent path reads, those of `cases.py` and more."""

from typing import Any

import numpy as np
from cases import schemes

import graphcert as gc

NODES = 30
RISING = [gc.BernoulliFlip(0.01, 0.6), gc.BernoulliFlip(0.02, 0.65), gc.BernoulliFlip(0.03, 0.7)]
INCOMPARABLE = [gc.BernoulliFlip(0.05, 0.65), gc.BernoulliFlip(0.0725, 0.8875), gc.BernoulliFlip(0.08, 0.95)]


def five_clusters() -> gc.Partition:
    return gc.Partition.of_affinity(np.arange(NODES) % 5, np.sin(np.arange(25.0) ** 2).reshape(5, 5))


def more_schemes() -> dict[str, Any]:
    five = five_clusters()
    return {
        **{name: case.scheme for name, case in schemes(NODES).items()},
        "incomparable": gc.Smoothing(INCOMPARABLE, RISING, five),
        "selected at three rates": gc.Hierarchical([0.7, 0.8, 0.9], gc.Smoothing(RISING, None, five)),
        "selected, incomparable": gc.Hierarchical([0.8, 0.9, 0.95], gc.Smoothing(INCOMPARABLE, None, five)),
        "subset": gc.Smoothing(gc.SubsetAblation(4)),
        "own weights": gc.Smoothing(RISING[0], RISING[1], edge_values="own"),
        "own weights by level": gc.Smoothing(edges=RISING, partition=five, edge_values="own"),
        "directed": gc.Smoothing(edges=RISING[0], directed=True),
    }
