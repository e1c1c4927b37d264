"""Certificates against the truth on instances small enough to enumerate every classifier and every perturbation.

One node, four bits of input, rates that are dyadic so that all probabilities are exact floats. A classifier is a table
from the 16 noisy inputs to classes; one certificate treats many classifiers at once, as if they were nodes.
"""

from itertools import product

import numpy as np
import pytest

from graphcert.certificates import Certificate
from graphcert.noise import BernoulliFlip, Budget, Smoothing
from graphcert.tradeoff import trade_off

BITS = 4
INPUTS = np.array(list(product((0, 1), repeat=BITS)))
LAWS = [
    BernoulliFlip(0.125, 0.25), BernoulliFlip(0.0, 0.5), BernoulliFlip(0.25, 0.0), BernoulliFlip(0.75, 0.5),
    BernoulliFlip(0.25, 0.75), BernoulliFlip(1.0, 0.25), BernoulliFlip(0.0625, 0.375),
]  # fmt: skip
CLASSIFIERS = 20_000


def noise_matrix(law: BernoulliFlip) -> np.ndarray:
    """(16, 16) probability of every noisy input around every input; exact, since the rates are dyadic."""
    one = np.where(INPUTS, 1 - law.delete, law.add)[:, None, :]
    return np.where(INPUTS[None], one, 1 - one).prod(axis=2)


def classifiers(classes: int, number: int) -> np.ndarray:
    """(number, 16) random tables of biased classifiers, so that many have a clear majority."""
    rng = np.random.default_rng(0)
    table = rng.integers(0, classes, (number, len(INPUTS)))
    return np.where(rng.random(table.shape) < rng.beta(3, 1, (number, 1)), 0, table)


def class_probabilities(law: BernoulliFlip, tables: np.ndarray, classes: int) -> np.ndarray:
    """(16, number, classes) exact class probabilities of every classifier around every input."""
    return np.stack([noise_matrix(law) @ (tables == k).T for k in range(classes)], axis=2)


def certificate(law: BernoulliFlip, probabilities: np.ndarray, method: str) -> Certificate:
    """What `certify` would know after infinitely many samples: probabilities (number, classes), exactly."""
    ordered = np.sort(probabilities, axis=1)
    return Certificate(
        labels=probabilities.argmax(axis=1),
        p_lower=ordered[:, -1].copy(),
        p_other_upper=ordered[:, -2].copy(),
        targets=np.ones(len(probabilities), dtype=bool),
        alpha=0.5,
        simultaneous=True,
        method=method,
        smoothing=Smoothing(law),
        samples=1,
    )


def number(bits: np.ndarray) -> int:
    """The number of an input in `INPUTS`."""
    return int(bits @ (1 << np.arange(BITS)[::-1]))


def perturbations(x: int, budget: Budget) -> np.ndarray:
    """Numbers of the inputs that the adversary can reach from input x."""
    difference = INPUTS - INPUTS[x]
    within = ((difference == 1).sum(1) <= budget.feature_add) & ((difference == -1).sum(1) <= budget.feature_delete)
    return np.flatnonzero(within)


@pytest.mark.parametrize("law", LAWS, ids=str)
@pytest.mark.parametrize(("method", "classes"), [("binary", 2), ("binary", 3), ("multiclass", 2), ("multiclass", 3)])
def test_no_certified_label_is_ever_changed(law: BernoulliFlip, method: str, classes: int) -> None:
    tables = classifiers(classes, CLASSIFIERS)
    probabilities = class_probabilities(law, tables, classes)
    certified = 0
    for x, budget in product((0, 5, 7, 15), (Budget(1, 0), Budget(0, 1), Budget(1, 1), Budget(2, 1))):
        claim = certificate(law, probabilities[x], method)
        robust = claim.robust(budget)
        certified += robust.sum()
        for reached in perturbations(x, budget):
            now = probabilities[reached][robust]
            label = claim.labels[robust][:, None]
            others = now.copy()
            np.put_along_axis(others, label, -1.0, axis=1)
            assert np.all(np.take_along_axis(now, label, axis=1)[:, 0] > others.max(axis=1))
    informative = law.add + law.delete != 0
    assert not informative or certified > 0, "a certificate that certifies nothing proves nothing about this test"


@pytest.mark.parametrize("law", LAWS, ids=str)
@pytest.mark.parametrize("budget", [Budget(1, 0), Budget(0, 2), Budget(2, 2), Budget(2, 1)])
def test_the_bound_is_attained_by_the_worst_classifier(law: BernoulliFlip, budget: Budget) -> None:
    """Neyman and Pearson: a classifier that wins exactly where P'/P is small meets the bound, so no bound is better."""
    clean = np.array([0] * budget.feature_add + [1] * budget.feature_delete + [0] * (BITS - sum(budget.as_tuple())))
    moved = sum(budget.as_tuple())
    x = number(clean)
    target = clean.copy()
    target[:moved] = 1 - target[:moved]
    y = number(target)
    noise = noise_matrix(law)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = noise[y] / noise[x]
    found = trade_off(law, budget.feature_add, budget.feature_delete)
    for level in np.unique(ratio[~np.isnan(ratio)]):
        event = ratio <= level
        p, attained = noise[x][event].sum(), noise[y][event & (noise[x] > 0)].sum()
        assert attained - 1e-12 <= found.lower(p) <= attained
        if attained > 0.5:
            assert p > found.critical
        elif attained < 0.5:
            assert p <= found.critical


@pytest.mark.parametrize("law", [LAWS[0], LAWS[1], LAWS[3]], ids=str)
def test_multiclass_certifies_whatever_binary_certifies(law: BernoulliFlip) -> None:
    tables = classifiers(3, CLASSIFIERS)
    probabilities = class_probabilities(law, tables, 3)[6]
    more = 0
    for budget in (Budget(), Budget(1, 0), Budget(0, 1), Budget(1, 1)):
        binary = certificate(law, probabilities, "binary").robust(budget)
        multi = certificate(law, probabilities, "multiclass").robust(budget)
        # Exactly at the critical probability the guard of the multi-class rule may abstain.
        assert np.mean(binary & ~multi) < 0.001
        more += (multi & ~binary).sum()
    assert more > 0


def test_features_and_edges_together_are_never_over_certified() -> None:
    """Two feature bits and two edge bits with different laws; joint budgets against all perturbations.

    An edge says more than a feature, so products are not in the order of their ratios, and it takes several of them to
    reach one half (trap 10).
    """
    f, e = BernoulliFlip(0.125, 0.5), BernoulliFlip(0.0625, 0.375)
    one = np.concatenate(
        [np.where(INPUTS[:, :2], 1 - f.delete, f.add), np.where(INPUTS[:, 2:], 1 - e.delete, e.add)], axis=1
    )[:, None, :]
    noise = np.where(INPUTS[None], one, 1 - one).prod(axis=2)
    tables = classifiers(2, CLASSIFIERS)
    p = noise @ (tables == 0).T
    certified = 0
    for x, budget in product(
        (3, 6, 12), (Budget(1, 0, 0, 1), Budget(1, 0, 1, 0), Budget(0, 1, 0, 1), Budget(1, 1, 1, 1))
    ):
        claim = Certificate(
            labels=np.zeros(CLASSIFIERS, dtype=np.int64),
            p_lower=p[x].copy(),
            p_other_upper=1 - p[x],
            targets=np.ones(CLASSIFIERS, dtype=bool),
            alpha=0.5,
            simultaneous=True,
            method="binary",
            smoothing=Smoothing(f, e),
            samples=1,
        )
        robust = claim.robust(budget)
        certified += robust.sum()
        change = INPUTS - INPUTS[x]
        counts = np.stack([(change[:, s] == v).sum(1) for s in (slice(2), slice(2, 4)) for v in (1, -1)], axis=1)
        for reached in np.flatnonzero((counts <= budget.as_tuple()).all(axis=1)):
            assert np.all(p[reached][robust] > 0.5)
    assert certified > 0
