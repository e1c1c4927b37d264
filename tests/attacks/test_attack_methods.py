"""Every search stays within its budget, under every kind of noise, and finds the same again."""

from dataclasses import replace

import numpy as np
import pytest
from attack_cases import CASES, B, FirstBit, graph, localized, model

import graphcert as gc
from graphcert.attacks.campaign import Plan, attacked
from graphcert.attacks.edge_gradient import weighted_model
from graphcert.attacks.methods import METHODS, Effort, Search, found_by, within
from graphcert.attacks.moves import Goal, Move
from graphcert.attacks.perturbation import NOTHING, Perturbation
from graphcert.attacks.sandwich import Claimed, Place
from graphcert.attacks.smoothed import Smoothed, smoothed
from graphcert.sampling.philox import MAIN
from graphcert.voting.noisy_graph import Problem

QUICK = Effort(samples=8, draws=1, tries=3, rounds=2, pool=8)


def search(classifier: Smoothed, place: Place, seed: int = 0, aim: int | None = None, blocks=None) -> Search:
    labels = classifier.counts(NOTHING, 50).argmax(axis=1)
    aims = graph().test_mask.numpy() if aim is None else np.arange(40) == aim
    return Search(classifier, Goal(*place, labels, aims), QUICK, np.random.default_rng(seed), blocks)


@pytest.mark.parametrize("case", CASES)
def test_methods_use_their_budget_and_never_more(case: str) -> None:
    make, places = CASES[case]
    scheme = make()
    with smoothed(model(scheme), graph(), scheme, 5, workers=1) as classifier:
        for place in places:
            for name in METHODS:
                if name == "collective":
                    continue
                for aim in (None, int(np.flatnonzero(graph().test_mask.numpy())[0])):
                    one = search(classifier, place, aim=aim)
                    found = found_by(name, one)
                    distance = found.distance(graph(), scheme)
                    assert distance.within(*place), (case, name)
                    assert found.rows.size or found.edges.size, (case, name)


def test_a_search_finds_the_same_again() -> None:
    scheme = gc.Smoothing(gc.BernoulliFlip(0.05, 0.3), gc.BernoulliFlip(0.01, 0.3))
    with smoothed(model(scheme), graph(), scheme, 5, workers=1) as classifier:
        for name in ("gradient", "genetic", "random"):
            one, two = (found_by(name, search(classifier, Place(B(1, 1, 1, 1)))) for _ in range(2))
            assert one.features == two.features, name
            assert one.pairs == two.pairs, name


def test_an_allocation_is_realised_inside_its_blocks() -> None:
    scheme = localized()
    blocks = {"feature_add": np.array([1, 2]), "feature_delete": np.array([0, 0])}
    with smoothed(model(scheme), graph(), scheme, 5, workers=1) as classifier:
        found = found_by("collective", search(classifier, Place(B(3)), blocks=blocks))
    mine = scheme.partition.labels[found.rows]  # type: ignore[union-attr]
    assert np.bincount(mine, minlength=2).tolist() == [1, 2]


def test_moves_between_two_blocks_count_on_their_pair() -> None:
    block, blocks = np.array([0, 0, 1]), {"edge_add": np.array([[0, 1], [0, 0]])}
    moves = [Move("edge_add", (), (0, 1)), Move("edge_add", (), (2, 1)), Move("edge_add", (), (0, 2))]
    assert within(moves, blocks, block) == [moves[1]]


# The frozen scheme


@pytest.mark.parametrize("case", CASES)
def test_votes_of_a_changed_graph_are_those_of_sample_votes_under_the_frozen_scheme(case: str) -> None:
    make, places = CASES[case]
    scheme = make()
    base = model(scheme)
    with smoothed(base, graph(), scheme, 5, workers=1) as classifier:
        found = found_by("random", search(classifier, places[0]))
        counts = classifier.counts(found, 40, MAIN)
    expected = gc.sample_votes(base, found.applied(graph(), scheme), scheme, 40, 1, 5, workers=1)
    assert np.array_equal(counts, expected.counts)


def test_a_partition_of_the_changed_graph_is_never_made() -> None:
    scheme = localized()
    with smoothed(model(scheme), graph(), scheme, 5, workers=1) as classifier:
        problem: Problem = classifier.problem(Perturbation.of([(0, 0, 1 - float(graph().x[0, 0]))]), 9)
    assert problem.smoothing == scheme
    assert problem.smoothing.partition is scheme.partition


def test_fresh_votes_share_no_noise_with_searches_or_each_other() -> None:
    scheme = gc.Smoothing(gc.BernoulliFlip(0.2, 0.3))
    with smoothed(model(scheme), graph(), scheme, 5, workers=1) as classifier:
        searched = classifier.counts(NOTHING, 30)
        (pilot, final), (_, other) = classifier.fresh(NOTHING, 1, 30, 30), classifier.fresh(NOTHING, 2, 30, 30)
        again = classifier.fresh(NOTHING, 1, 30, 30)[1]
    different = [searched, pilot, final, other]
    assert all(not np.array_equal(a, b) for k, a in enumerate(different) for b in different[:k])
    assert np.array_equal(final, again)


# Gradients


def test_weighted_models_are_the_models_where_all_weights_are_one() -> None:
    import torch

    scheme = gc.Smoothing(None, gc.BernoulliFlip(0.01, 0.3))
    base = model(scheme)
    with smoothed(base, graph(), scheme, 5, workers=1) as classifier:
        weighted = weighted_model(classifier)
    assert weighted is not None
    x, edges = graph().x, graph().edge_index
    ones = torch.ones(edges.shape[1], requires_grad=True)
    logits = weighted(x, edges, ones)
    assert torch.allclose(logits, base(x, edges), atol=1e-5)
    assert torch.autograd.grad(logits[0].sum(), ones)[0].abs().max() > 0
    kept = torch.ones(edges.shape[1])
    gone = ((edges == edges[:, :1]).all(dim=0)) | ((edges == edges[:, :1].flip(0)).all(dim=0))
    kept[gone] = 0
    assert torch.allclose(weighted(x, edges, kept), base(x, edges[:, ~gone]), atol=1e-5)


def test_the_gradient_names_the_bits_that_decide() -> None:
    scheme = gc.Smoothing(gc.BernoulliFlip(0.2, 0.2))
    with smoothed(FirstBit(), graph(), scheme, 5, workers=1) as classifier:
        target = int(np.flatnonzero(graph().x[:, 0].numpy() == 1)[0])
        found = found_by("gradient", search(classifier, Place(B(0, 1)), aim=target))
    assert found.features == [(target, 0, 0.0)]


# Verdicts on whole campaigns


def test_a_fragile_model_breaks_just_above_its_certified_budget() -> None:
    scheme = gc.Smoothing(gc.BernoulliFlip(0.2, 0.2))
    certificate = gc.certify_model(
        FirstBit(), graph(), scheme, samples=1000, pilot_samples=50, workers=1, collective=False
    )
    assert certificate.certified_ratio() == 1.0
    assert certificate.certified_ratio(B(1, 1)) == 0.0
    plan = Plan((Place(B(1)), Place(B(0, 1))), ("gradient",), 0, 500, 50, 0.01, 0)
    with smoothed(FirstBit(), graph(), scheme, 1, workers=1) as classifier:
        campaign = attacked(classifier, Claimed(certificate), plan, QUICK, {})
    assert [row.surviving for row in campaign.rows] == [certificate.claims - 1] * 2
    assert campaign.violations == ()


def test_a_forged_bound_is_refuted(caplog: pytest.LogCaptureFixture) -> None:
    scheme = gc.Smoothing(gc.BernoulliFlip(0.2, 0.2))
    honest = gc.certify_model(FirstBit(), graph(), scheme, samples=1000, pilot_samples=50, workers=1, collective=False)
    forged = replace(
        honest, p_lower=np.where(honest.targets, 0.999, 0.0), p_other_upper=np.where(honest.targets, 0.001, 1.0)
    )
    plan = Plan((Place(B(1)), Place(B(0, 1))), ("gradient",), 0, 500, 50, 0.01, 0)
    with smoothed(FirstBit(), graph(), scheme, 1, workers=1) as classifier:
        campaign = attacked(classifier, Claimed(forged), plan, QUICK, {})
    assert len(campaign.violations) == 2
    assert all(one.claim == "node" and len(one.nodes) == 1 for one in campaign.violations)
    assert caplog.messages == [f"DEFECT: {one.words}" for one in campaign.violations]
    assert [row.gap for row in campaign.rows] == [-1, -1]


def test_too_many_fallen_at_once_refute_a_collective_claim() -> None:
    scheme = gc.Smoothing(gc.BernoulliFlip(0.2, 0.2))
    honest = gc.certify_model(FirstBit(), graph(), scheme, samples=1000, pilot_samples=50, workers=1, collective=False)
    curve = honest.collective(add=(0, 3), method="naive")
    forged = replace(curve, attacked_upper=np.array([0, 2]), bound=np.array([0.0, 2.0]))
    plan = Plan((Place(B(3)),), ("gradient",), 0, 500, 50, 0.01, 0)
    with smoothed(FirstBit(), graph(), scheme, 1, workers=1) as classifier:
        true = attacked(classifier, Claimed(honest, [curve]), plan, QUICK, {})
        false = attacked(classifier, Claimed(honest, [forged]), plan, QUICK, {})
    assert true.violations == ()
    (violation,) = false.violations
    assert (violation.claim, violation.claimed, len(violation.nodes)) == ("collective", 2, 3)
    assert false.rows[0].gap_at_once == -1
