"""Whether labels fell, judged from fresh votes by exact tests: a sentence is proved or it is left open."""

from typing import NamedTuple

import numpy as np

from graphcert.attacks.perturbation import Distance, Perturbation
from graphcert.core.arrays import Floats, Integers, Mask
from graphcert.statistics import binomial_tail


class Verdict(NamedTuple):
    """(N,) masks: `fell`, another class is proved more likely than the label; `held`, the label than every other one."""

    fell: Mask
    held: Mask


class Judged(NamedTuple):
    """One perturbation, with what fresh votes say about it.

    `number` counts judgements from 1 on; `method` found it; `aim` is the one target that it was made against, −1 for all.
    """

    number: int
    method: str
    aim: int
    perturbation: Perturbation
    distance: Distance
    verdict: Verdict


def share_of_level(level: float, number: int) -> float:
    """The part of an error rate that judgement `number` = 1, 2, … may spend: all parts together are at most `level`.

    level / (number · (number + 1)) sums to `level`, so the number of judgements need not be fixed beforehand.
    """
    return level / (number * (number + 1))


def judge(
    pilot: Integers, final: Integers, labels: Integers, targets: Mask, level: float, total_variation: float = 0.0
) -> Verdict:
    """Judge the labels of all targets on one graph.

    The pilot names a rival of each label. Among the final votes for label or rival, those for the rival are binomial with
    probability q, and q ≤ 1/2 if the label is as likely as the rival; so the binomial tail is an exact p-value, and the
    distance between the law of all final samples and the one described is added to it. A target fell if its p-value is at
    most the level divided by the number of targets. That it held needs the same against every other class.

    Args:
        pilot, final: (N, K) independent votes of the same graph.
        labels: (N,) the labels in question.
        targets: (N,) which nodes are judged.
        level: the probability that any target is falsely called fallen; and likewise, that any is falsely called held.
        total_variation: of one sample.

    Returns:
        A `Verdict`. Sound side: what is not proved is neither fallen nor held.
    """
    everyone = np.arange(len(labels))
    others = pilot.copy()
    others[everyone, labels] = -1
    rivals, own = others.argmax(axis=1), final[everyone, labels]
    extra, each = total_variation * int(final[0].sum()), level / max(int(targets.sum()), 1)
    fell = _p_value(final[everyone, rivals], own) + extra <= each
    against = _p_value(own[:, None], final) + extra <= each
    against[everyone, labels] = True
    return Verdict(targets & fell, targets & against.all(axis=1))


def _p_value(more: Integers, less: Integers) -> Floats:
    """Of the hypothesis that the first kind of vote is at most as likely as the second."""
    both = more + less
    return np.asarray(binomial_tail(np.broadcast_to(more, both.shape), np.maximum(both, 1), 0.5))
