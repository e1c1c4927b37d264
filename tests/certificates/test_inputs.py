"""Certificates of inputs that have one label each: by enumeration, by closed forms, and what they refuse."""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from outputs_oracle import changes, seen, worst
from scipy.stats import norm

import graphcert as gc
from graphcert.errors import InputError, UnsupportedError

FLIP = gc.BernoulliFlip(0.125, 0.25)
SCHEMES = {
    "flips": gc.Smoothing(FLIP),
    "selected flips": gc.Hierarchical(0.75, FLIP),
    "often selected flips": gc.Hierarchical(0.9375, FLIP),
    "hidden rows": gc.Hierarchical(0.875, gc.Ablation()),
    "all rows hidden but one": gc.Smoothing(gc.SubsetAblation(1)),
}
BUDGETS = [gc.Budget(1), gc.Budget(0, 1), gc.Budget(1, 1), gc.Budget(2), gc.Budget(3, 3)]
LIMITS = [None, 1, 2, 3, 9]
P = np.concatenate([np.arange(1, 64) / 64, 1 - 2.0 ** -np.arange(7, 12)])
"""Probabilities of the label; none is exactly at a threshold that these rates have, or the claim may go either way."""


def certificate(scheme: Any, p: np.ndarray, rows: np.ndarray) -> gc.Certificate:
    """Claims of the binary rule about inputs of which the label's probabilities are known."""
    return gc.Certificate(
        labels=np.zeros(p.size, np.int64), targets=np.ones(p.size, np.bool_), alpha=0.01, simultaneous=True,
        smoothing=gc.Votes([[1, 0]], [[9, 1]], scheme, rows=3).smoothing, samples=10, p_lower=p,
        p_other_upper=np.minimum(np.nextafter(1 - p, 2), 1), method="binary", rows=rows,
    )  # fmt: skip


@pytest.mark.parametrize("name", SCHEMES)
def test_claims_are_what_enumeration_of_two_and_three_rows_gives(name: str) -> None:
    """Never above the truth, and exactly it where that is clear of one half; inputs of both sizes in one certificate."""
    scheme = SCHEMES[name]
    sizes = (2, 3)
    found = certificate(scheme, np.tile(P, 2), np.repeat(sizes, P.size))
    hidden = scheme.hides_rows
    budgets = [gc.Budget(*one.as_tuple(), limit) for one, limit in product(BUDGETS, LIMITS)]
    budgets += [gc.Budget(nodes=limit) for limit in LIMITS[1:]] if hidden else []
    certified = 0
    for budget in budgets:
        kept = found.robust(budget).reshape(2, -1)
        for size, claimed in zip(sizes, kept, strict=True):
            truth = np.array([min(worst(scheme, x, budget, p) for x in product((0, 1), repeat=size)) for p in P])
            assert not (claimed & (truth <= 0.5)).any(), (budget, size)
            clear = truth > 0.5 + 1e-9
            # A row has one bit here; a budget of more changes than can be made is counted as so many, which is looser.
            if budget.feature_add + budget.feature_delete <= min(size, budget.nodes or size):
                assert (claimed | ~clear).all(), (budget, size, P[clear & ~claimed])
            certified += int(claimed.sum())
    assert certified, "a case in which nothing is certified shows nothing"


def test_no_classifier_of_two_rows_breaks_a_claim() -> None:
    """All 65,536 events of what is seen of two rows, of which each is where some classifier answers with the label."""
    scheme = SCHEMES["selected flips"]
    clean = seen(scheme, (0, 1))
    outcomes = sorted({what for x in product((0, 1), repeat=2) for what in seen(scheme, x)}, key=str)
    events = (np.arange(2 ** len(outcomes))[:, None] >> np.arange(len(outcomes))) & 1
    p = events @ np.array([clean.get(what, 0.0) for what in outcomes])
    claims = certificate(scheme, np.clip(np.nextafter(p, 0), 0, 1), np.full(p.size, 2))
    tight = False
    for budget in (gc.Budget(1, nodes=1), gc.Budget(1, 1, nodes=1), gc.Budget(1, 1)):
        kept = claims.robust(budget)
        least = np.min(
            [
                events @ np.array([seen(scheme, x).get(w, 0.0) for w in outcomes])
                for x in changes((0, 1), budget, False)
            ],
            axis=0,
        )
        assert not (kept & (least <= 0.5)).any()
        tight |= bool((~kept & (least > 0.5)).any()) and bool(kept.any())
    assert tight


def counts(successes: list[int], samples: int = 10_000) -> tuple[np.ndarray, np.ndarray]:
    """Pilot and final votes of three classes for class 0."""
    hits = np.array(successes)
    return np.tile([9, 1, 0], (hits.size, 1)), np.stack([hits, samples - hits, np.zeros_like(hits)], axis=1)


def test_images_under_selected_noise_have_the_closed_form_of_their_radii() -> None:
    """Published image votes: 1,024 pixels of which all but 150 are noised (theory, section 6)."""
    select, sigma = 1 - 150 / 1024, 0.25
    hits = [5000, 7000, 8500, 9500, 9900, 9999, 10_000]
    votes = gc.Votes(*counts(hits), gc.Hierarchical(select, gc.Gaussian(sigma)), rows=1024)
    found = gc.certify(votes, method="binary")
    for touched in (1, 2, 3, 4, 5):
        delta = 1 - select**touched
        p = found.p_lower
        with np.errstate(invalid="ignore", divide="ignore"):
            exact = sigma * (norm.ppf((p - delta) / (1 - delta)) - norm.ppf(1 / (2 * (1 - delta))))
        exact = np.where(np.isfinite(exact) & (exact > 0), exact, 0.0)
        radius = found.radius(nodes=touched)
        assert (radius <= exact).all()
        np.testing.assert_allclose(radius, exact, atol=1e-6)
        for shift in (0.1, 0.25, 0.5):
            np.testing.assert_array_equal(found.robust(shift=shift, nodes=touched), exact > shift)
    assert not found.radius().any(), "1,024 pixels are never all selected"
    assert found.radius(nodes=1).any()
    assert not found.radius(nodes=5).any(), "δ is above one half"


def test_a_thousand_images_made_elsewhere_certify_by_the_multiclass_rule() -> None:
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.full(10, 0.1), 1000)
    pilot, final = (np.array([rng.multinomial(n, q) for q in p]) for n in (1000, 10_000))
    found = gc.certify(gc.Votes(pilot, final, gc.Hierarchical(1 - 150 / 1024, gc.Gaussian(0.25)), rows=1024))
    kept, radius = found.robust(shift=0.25, nodes=2), found.radius(nodes=2)
    assert 0 < kept.sum() < 1000
    np.testing.assert_array_equal(kept, radius >= 0.25)
    other = gc.certify(gc.Votes(pilot, final, found.smoothing, independent=True), method="multiclass")
    np.testing.assert_array_equal(other.robust(shift=0.25, nodes=2), kept)  # whoever names the rows gains nothing here
    assert not other.radius().any()


def test_gaussian_radii_do_not_depend_on_rows() -> None:
    votes = [gc.Votes(*counts([9000, 9900]), gc.Gaussian(0.5), rows=rows, independent=True) for rows in (1, [3, 10**6])]
    one, other = (gc.certify(v, method="binary") for v in votes)
    np.testing.assert_array_equal(one.radius(), other.radius())
    np.testing.assert_allclose(one.radius(), 0.5 * norm.ppf(one.p_lower), atol=1e-6)
    np.testing.assert_array_equal(one.radius(nodes=1), one.radius())


def test_every_input_counts_its_own_rows() -> None:
    """A subset of 15 of 20 rows shows nearly every change, of 1,024 rows hardly any."""
    scheme = gc.Smoothing(gc.SubsetAblation(15))
    found = gc.certify(gc.Votes(*counts([9900] * 2), scheme, rows=[20, 1024]))
    np.testing.assert_array_equal(found.robust(nodes=1), [False, True])
    np.testing.assert_array_equal(found.robust(nodes=1024), [False, False])
    several = gc.certify(gc.Votes(*counts([9900] * 4), gc.Hierarchical(0.8, gc.Gaussian(1)), rows=[1, 2, 3, 9]))
    np.testing.assert_array_equal(several.robust(shift=0.01), several.robust(shift=0.01, nodes=9))
    assert list(several.robust(shift=0.01)) == [True, True, False, False]
    assert list(several.radius() > 0) == [True, True, False, False]


def test_what_is_about_one_graph_is_refused() -> None:
    found = gc.certify(gc.Votes(*counts([9900] * 3), gc.Hierarchical(0.8, FLIP), rows=5))
    for ask in (found.collective, found.compare_methods):
        with pytest.raises(UnsupportedError, match="one input at a time"):
            ask(add=1)
    for ask in (found.robust_at, found.possible_at):
        with pytest.raises(UnsupportedError, match="one at a time"):
            ask([1], [0])
    two = gc.Smoothing([FLIP, gc.BernoulliFlip(0.2, 0.3)], None, gc.Partition([0, 1, 0], [[0, 1], [1, 0]]))
    with pytest.raises(InputError, match="isotropic"):
        gc.Certificate.from_dict({**found.to_dict(), "smoothing": two.to_dict()})


def test_files_keep_the_rows_and_words_speak_of_inputs(tmp_path: Path) -> None:
    found = gc.certify(gc.Votes(*counts([9900] * 3), gc.Hierarchical(0.8, gc.Gaussian(1)), rows=[4, 5, 6]))
    found.save(tmp_path / "certificate.npz")
    for again in (gc.Certificate.load(tmp_path / "certificate.npz"), gc.Certificate.from_dict(found.to_dict())):
        np.testing.assert_array_equal(again.rows, [4, 5, 6])
        np.testing.assert_array_equal(again.robust(shift=0.1, nodes=2), found.robust(shift=0.1, nodes=2))
    words = found.guarantee() + found.summary() + gc.predict(gc.Votes(*counts([9900] * 3), FLIP, rows=2)).guarantee()
    assert "node" not in words
    assert "in selected rows" in words
    assert "in at most that many rows" in words
    assert found.to_pandas().index.name == "input"


def test_predictions_know_rows() -> None:
    votes = gc.Votes(*counts([9900] * 3), gc.SubsetAblation(15), rows=20)
    np.testing.assert_array_equal(gc.predict(votes).labels, [0, 0, 0])
    np.testing.assert_array_equal(gc.predict(votes).rows, [20] * 3)


def test_radii_of_noise_of_their_own() -> None:
    """A deviation per input; the same as `input_dependent_radius`, and without an elasticity σΦ⁻¹(p)."""
    sigmas, hits = [0.2, 0.25, 0.4], [9900, 9000, 5000]
    votes = [gc.Votes(*counts([hit]), gc.Gaussian(sigma), rows=8) for sigma, hit in zip(sigmas, hits, strict=True)]
    found = gc.certify_elastic(votes, 24, 0.1)
    together = gc.certify(gc.Votes(*counts(hits), gc.Gaussian(1), rows=8), method="binary")
    np.testing.assert_array_equal(found.p_lower, together.p_lower)
    expected = [gc.input_dependent_radius(1 - p, s, 24, 0.1) for p, s in zip(found.p_lower, sigmas, strict=True)]
    np.testing.assert_allclose(found.radius[:2], expected[:2], rtol=1e-9)
    assert found.radius[2] == 0
    assert list(found.abstained) == [False, False, True]
    assert list(found.robust(found.radius[1])) == [True, True, False]
    assert found.certified_accuracy(0.0, [0, 1, 0]) == 1 / 3
    constant = gc.certify_elastic(votes, [3, 5, 7], 0.0)
    np.testing.assert_allclose(constant.radius[:2], np.array(sigmas)[:2] * norm.ppf(found.p_lower[:2]), rtol=1e-6)
    assert (constant.radius[:2] > found.radius[:2]).all()
    alone = gc.certify_elastic(votes, 24, 0.1, simultaneous=False)
    assert (alone.p_lower > found.p_lower).all()


def test_radii_of_noise_of_their_own_survive_files_and_refuse_forgeries(tmp_path: Path) -> None:
    votes = [gc.Votes(*counts([9900]), gc.Gaussian(0.25), rows=8)]
    found = gc.certify_elastic(votes, 24, 0.1)
    found.save(tmp_path / "elastic.npz")
    np.testing.assert_array_equal(gc.ElasticCertificate.load(tmp_path / "elastic.npz").radius, found.radius)
    with pytest.raises(InputError, match="larger than"):
        gc.ElasticCertificate.from_dict({**found.to_dict(), "radius": [float(found.radius[0] * 1.01)]})
    for wrong in ([], votes[0]):
        with pytest.raises(InputError, match="list of votes"):
            gc.certify_elastic(wrong, 24, 0.1)  # type: ignore[arg-type]
    for scheme in (FLIP, gc.Uniform(1), gc.Hierarchical(0.8, gc.Gaussian(1))):
        with pytest.raises(UnsupportedError, match="Gaussian"):
            gc.certify_elastic([gc.Votes(*counts([9900]), scheme, rows=8)], 24, 0.1)
    with pytest.raises(InputError, match="same number of samples"):
        gc.certify_elastic([votes[0], gc.Votes(*counts([900], 1000), gc.Gaussian(0.25))], 24, 0.1)
