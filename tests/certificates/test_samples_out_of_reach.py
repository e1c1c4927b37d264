"""A budget that even unanimous votes of so many samples cannot reach: said once, with the number that would do."""

import math
import warnings
from dataclasses import replace

import numpy as np
import pytest

import graphcert as gc
from graphcert.certificates.confidence_bounds import unanimous_scores
from graphcert.certificates.samples_needed import MOST_SAMPLES, out_of_reach
from graphcert.errors import OutOfReachWarning
from graphcert.run.budget_choice import budget_grids, too_few_samples
from graphcert.run.settings.stages import CertificateConfig

N = 50
FLIP = gc.BernoulliFlip(0.01, 0.6)
PARTITION = gc.Partition(np.arange(N) % 2, [[0, 1], [1, 0]])
# (scheme, a budget that some samples reach)
CASES = {
    "flips": (gc.Smoothing(FLIP), {"add": 1}),
    "joint": (gc.Smoothing(FLIP, FLIP), {"delete": 2, "edge_delete": 2}),
    "localized": (gc.Smoothing([FLIP, gc.BernoulliFlip(0.02, 0.7)], partition=PARTITION), {"add": 1}),
    "hierarchical": (gc.Hierarchical(0.97, FLIP), {"delete": 5, "nodes": 2}),
    "ablation": (gc.Smoothing(gc.SubsetAblation(5)), {"nodes": 4}),
    "Gaussian": (gc.Smoothing(gc.Gaussian(0.25)), {"shift": 0.5}),
    "uniform": (gc.Smoothing(gc.Uniform(1.0)), {"shift": 0.9}),
}


def claim(scheme, samples: int, method: str = "binary", **options):
    votes = gc.Votes(np.tile([7, 1, 1], (N, 1)), np.tile([samples, 0, 0], (N, 1)), scheme, **options)
    return gc.certify(votes, method=method)


@pytest.mark.parametrize("method", ["binary", "multiclass"])
@pytest.mark.parametrize("case", CASES)
def test_the_number_that_is_named_is_the_first_that_does(case: str, method: str) -> None:
    scheme, budget = CASES[case]
    with pytest.warns(OutOfReachWarning, match=r"take at least [\d,]+ samples") as said:
        assert not claim(scheme, 20, method).robust(**budget).any()
    assert said[0].filename == __file__
    words = str(said[0].message)
    named = int(words.partition("at least ")[2].split()[0].replace(",", ""))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert claim(scheme, named, method).robust(**budget).any()
    with pytest.warns(OutOfReachWarning):
        assert not claim(scheme, named - 1, method).robust(**budget).any()


def test_every_way_to_ask_warns_and_only_once() -> None:
    truth = np.zeros(N, np.int64)
    for ask in (
        lambda c: c.robust(add=1),
        lambda c: c.certified_ratio(gc.Budget(1)),
        lambda c: c.certified_accuracy(gc.Budget(1), truth),
        lambda c: c.grid(add=range(4)),
        lambda c: c.grid(add=1, delete=range(3), truth=truth),
        lambda c: c.collective(add=range(3)),
        lambda c: c.compare_methods(add=1, methods="all"),
    ):
        certificate = claim(gc.Smoothing(FLIP), 20)
        with pytest.warns(OutOfReachWarning, match="20 samples are too few: at alpha = 0.01 for all 50 claims") as said:
            ask(certificate)
        assert len(said) == 1
        assert said[0].filename == __file__
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            ask(certificate)


def test_mean_scores() -> None:
    for bounds in ("band", "bernstein", "dkw"):
        few, enough = (replace(unanimous_scores(n, 0.0), smoothing=gc.Smoothing(FLIP)) for n in (12, 50_000))
        with pytest.warns(OutOfReachWarning, match="at least"):
            assert not gc.certify_scores(few, bounds=bounds).robust(add=1).any()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert gc.certify_scores(enough, bounds=bounds).robust(add=1).any()


def test_nothing_is_said_where_samples_are_not_what_is_missing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for scheme, budget in (
            (gc.Smoothing(FLIP), {"edge_add": 1}),  # edges carry no noise
            (gc.Smoothing(FLIP), {"add": 500}),
            (gc.Smoothing(gc.Gaussian(0.25)), {"shift": 80.0}),
            (gc.Hierarchical(0.5, FLIP), {"add": 9, "nodes": 9}),  # more than half escapes
        ):
            assert not claim(scheme, 20).robust(**budget).any()
        # In reach of unanimous votes, and these are not unanimous.
        certificate = gc.certify(gc.Votes([[7, 1]], [[1500, 1500]], gc.Smoothing(FLIP)))
        assert not certificate.robust(delete=1).any()
        # A grid that reaches beyond, and begins within.
        assert claim(gc.Smoothing(FLIP), 5000).grid(delete=range(0, 300, 10)).ratio[-1] == 0
        assert claim(gc.Smoothing(FLIP), 20).abstained.sum() == 0


def test_too_few_samples_for_anything() -> None:
    with pytest.warns(OutOfReachWarning, match="even without any change; take at least 13 samples"):
        assert claim(gc.Smoothing(FLIP), 9).certified_ratio() == 0
    assert gc.statistics.minimum_samples(0.01, N) == 13


def test_the_distance_of_the_sampled_law_is_charged() -> None:
    far = claim(gc.Smoothing(gc.Gaussian(1.0)), 40, total_variation=0.01)
    near = claim(gc.Smoothing(gc.Gaussian(1.0)), 40)
    asked = [gc.Budget()], [1.0]
    named = [int(out_of_reach(c, *asked).partition("at least ")[2].split()[0].replace(",", "")) for c in (far, near)]
    assert named[0] > named[1]
    assert claim(gc.Smoothing(gc.Gaussian(1.0)), named[0], total_variation=0.01).robust(shift=1.0).all()


def test_at_one_flip_it_is_the_closed_form() -> None:
    """p_lower = (α/M)^(1/n) of n unanimous votes against the critical probability of the budget."""
    critical = gc.trade_off(FLIP, 2, 1).critical
    needed = math.log(0.01 / N) / math.log(critical)
    words = out_of_reach(claim(gc.Smoothing(FLIP), 20), [gc.Budget(2, 1)])
    assert words is not None
    assert f"take at least {math.ceil(needed):,} samples" in words
    assert out_of_reach(claim(gc.Smoothing(FLIP), MOST_SAMPLES), [gc.Budget(2, 1)]) is None


def test_a_run_says_it_by_kind_of_change() -> None:
    certificate = claim(gc.Smoothing(FLIP, gc.BernoulliFlip(0.1, 0.4)), 60)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the stage prints its own words
        grids = budget_grids(
            certificate, None, CertificateConfig(max_add=1, max_delete=1, max_edge_add=1, max_edge_delete=1)
        )
    sentences = too_few_samples(certificate, grids)
    assert sentences
    assert all("60 samples are too few" in sentence for sentence in sentences)
    plenty = claim(gc.Smoothing(FLIP, gc.BernoulliFlip(0.1, 0.4)), 100_000)
    assert too_few_samples(plenty, budget_grids(plenty, None, CertificateConfig(max_add=1, max_delete=1))) == ()
