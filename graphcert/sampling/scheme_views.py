"""The views of any scheme: of flips, and of laws of whole rows, where a view also decides who is selected."""

import warnings

import numpy as np
from numpy.typing import NDArray

from graphcert.noise import BernoulliFlip, Scheme, Selected, Smoothing, Views
from graphcert.noise.laws import Law

Integers = NDArray[np.int64]


def scheme_views(scheme: Scheme, nodes: int) -> tuple[Views, tuple[Law, ...], Integers]:
    """The views of a scheme, its distinct laws of features, and the (V, J) index of the law a view puts on a block.

    `feature_laws` and `feature_law` of the views are about flips alone: those of the noisy rows, selected or not, and no
    flips at all for other kinds of noise.

    Raises:
        InputError: if the partition is one of another number of nodes.
    """
    if scheme.flips_only:
        views = Views.of(scheme, nodes)
        return views, views.feature_laws, views.feature_law
    levels: tuple[Law, ...] = scheme.levels("features")
    laws = tuple(dict.fromkeys(levels))
    # Views depend on which laws differ, not on what they are: every law is stood for by flips of its own.
    stand_ins = tuple(BernoulliFlip((1 + laws.index(law)) / (1 + len(laws)), 0.5) for law in levels)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about orders of levels, which the scheme itself has warned about
        views = Views.of(Smoothing(stand_ins, scheme.levels("edges") or None, scheme.partition), nodes)
    rows = [law.law if isinstance(law, Selected) else law for law in laws]
    flips = [law if isinstance(law, BernoulliFlip) else BernoulliFlip(0.0, 0.0) for law in rows]
    distinct = tuple(dict.fromkeys(flips))
    flip_of_law = np.array([distinct.index(law) for law in flips], np.int64)
    same = Views(views.of_node, views.block, distinct, views.edge_laws, flip_of_law[views.feature_law], views.edge_law)
    return same, laws, views.feature_law
