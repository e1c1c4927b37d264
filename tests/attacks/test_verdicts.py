"""Verdicts are exact tests: what is called fallen is fallen, but for the stated rate."""

import numpy as np
import pytest

from graphcert.attacks.verdicts import judge, share_of_level


def test_all_judgements_together_spend_the_level() -> None:
    total = sum(share_of_level(0.01, number) for number in range(1, 100_000))
    assert 0.00999 < total < 0.01


def test_a_clear_majority_decides_and_a_tie_does_not() -> None:
    pilot = np.array([[3, 7, 0], [9, 1, 0], [5, 5, 0], [2, 8, 0]])
    final = np.array([[20, 80, 0], [90, 5, 5], [50, 50, 0], [45, 55, 0]])
    verdict = judge(pilot, final, np.zeros(4, np.int64), np.ones(4, bool), 0.01)
    assert verdict.fell.tolist() == [True, False, False, False]
    assert verdict.held.tolist() == [False, True, False, False]


def test_the_distance_to_the_stated_law_is_charged() -> None:
    pilot, final = np.array([[0, 10]]), np.array([[20, 80]])
    label, target = np.zeros(1, np.int64), np.ones(1, bool)
    assert judge(pilot, final, label, target, 0.01).fell[0]
    assert not judge(pilot, final, label, target, 0.01, total_variation=1e-4).fell[0]


def test_nodes_that_are_no_targets_and_labels_without_votes() -> None:
    pilot, final = np.array([[0, 10], [0, 10]]), np.array([[0, 50], [0, 50]])
    verdict = judge(pilot, final, np.zeros(2, np.int64), np.array([True, False]), 0.01)
    assert verdict.fell.tolist() == [True, False]


@pytest.mark.parametrize("share", [0.5, 0.4])
def test_labels_that_are_no_less_likely_seldom_fall(share: float) -> None:
    """The label is as likely as its rival: of 400 judgements at 0.1, over 80 false ones have a probability below 1e-8."""
    rng, nodes, false = np.random.default_rng(0), 5, 0
    shares = np.array([share, share, 1 - 2 * share])
    for _ in range(400):
        pilot, final = rng.multinomial(20, shares, nodes), rng.multinomial(200, shares, nodes)
        false += judge(pilot, final, np.zeros(nodes, np.int64), np.ones(nodes, bool), 0.1).fell.any()
    assert false <= 80
