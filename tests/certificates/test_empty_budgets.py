"""Trap 22: a limit of nodes that limits nothing makes a claim that always holds, and would read as 100 %."""

import numpy as np
import pytest

import graphcert as gc
from graphcert.certificates import Certificate
from graphcert.errors import InputError
from graphcert.run.budget_choice import budget_grids
from graphcert.run.settings.stages import CertificateConfig

N = 4
PILOT, COUNTS = np.tile([9, 1], (N, 1)), np.tile([9_990, 10], (N, 1))
FLIP = gc.BernoulliFlip(0.1, 0.4)
TWO = gc.Partition([0, 0, 1, 1], [[0, 1], [1, 0]])
EMPTY = {
    "flips": gc.Smoothing(FLIP),
    "localized flips": gc.Smoothing([FLIP, gc.BernoulliFlip(0.2, 0.4)], partition=TWO),
    "flips of edges": gc.Smoothing(edges=FLIP),
    "both": gc.Smoothing(FLIP, FLIP),
    "hierarchical flips": gc.Hierarchical(0.9, FLIP),
    "hierarchical flips and edges": gc.Hierarchical(0.9, gc.Smoothing(FLIP, FLIP)),
    "Gaussian": gc.Smoothing(gc.Gaussian(0.5)),
    "uniform": gc.Smoothing(gc.Uniform(0.5), FLIP),
    "hierarchical Gaussian": gc.Hierarchical(0.9, gc.Gaussian(0.5)),
}
AT_WILL = {
    "ablation": gc.Smoothing(gc.Ablation()),
    "hierarchical ablation": gc.Hierarchical(0.9, gc.Ablation()),
    "subsets": gc.Smoothing(gc.SubsetAblation(1)),
}


def claim(scheme: gc.Smoothing | gc.Hierarchical) -> Certificate:
    return gc.certify(gc.Votes(PILOT, COUNTS, scheme))


@pytest.mark.parametrize("name", EMPTY)
@pytest.mark.parametrize("nodes", [1, 3, 1000])
def test_nodes_alone_are_refused_everywhere_alike(name: str, nodes: int) -> None:
    certificate, truth = claim(EMPTY[name]), np.zeros(N, np.int64)
    sentences = set()
    for ask in (
        lambda: certificate.robust(nodes=nodes),
        lambda: certificate.robust(gc.Budget(nodes=nodes)),
        lambda: certificate.robust(edge_delete=2, nodes=nodes),
        lambda: certificate.certified_ratio(gc.Budget(nodes=nodes)),
        lambda: certificate.certified_accuracy(gc.Budget(edge_add=1, nodes=nodes), truth),
        lambda: certificate.grid(nodes=nodes),
        lambda: certificate.grid(nodes=range(nodes, nodes + 1), truth=truth),
        lambda: certificate.grid(edge_add=range(3), nodes=nodes),
        lambda: certificate.grid(add=0, delete=(0,), nodes=nodes),
        lambda: certificate.collective(nodes=nodes),
        lambda: certificate.collective(edge_delete=range(3), nodes=nodes),
        lambda: certificate.collective([gc.Budget(1, nodes=nodes + 1), gc.Budget(nodes=nodes)], method="naive"),
    ):
        with pytest.raises(InputError, match=f"nodes={nodes} limits") as refused:
            ask()
        sentences.add(str(refused.value))
    assert len(sentences) == 1


@pytest.mark.parametrize("bounds", ["band", "dkw"])
def test_claims_about_mean_scores_refuse_them_too(bounds: str) -> None:
    from graphcert.certificates.confidence_bounds import unanimous_scores

    certificate = gc.certify_scores(unanimous_scores(5000, 0.0), bounds=bounds)
    for ask in (certificate.robust, certificate.grid, certificate.collective):
        with pytest.raises(InputError, match="nodes=7 limits"):
            ask(nodes=7)
    with pytest.raises(InputError, match="nodes=7 limits"):
        certificate.certified_ratio(gc.Budget(nodes=7))


@pytest.mark.parametrize("name", AT_WILL)
def test_rows_that_change_at_will_are_a_budget(name: str) -> None:
    certificate = claim(AT_WILL[name])
    assert np.array_equal(certificate.robust(nodes=1), certificate.robust(add=1))
    assert certificate.grid(nodes=range(N + 1)).ratio[0] == 1
    assert certificate.collective(nodes=range(3), method="naive").certified[0] == N
    if name == "subsets":
        assert not certificate.robust(nodes=N).any()
        assert certificate.grid(nodes=range(N + 1)).ratio[-1] == 0


def test_a_shift_is_a_change() -> None:
    certificate = claim(EMPTY["hierarchical Gaussian"])
    assert certificate.robust(nodes=1, shift=0.01).all()
    curve = certificate.collective(nodes=(1, 2), shift=(0.0, 0.01))
    assert curve.certified.tolist() == [N] * 4
    # A norm that is given as 0 says by itself that nothing moves; without a norm it is no measure.
    assert np.array_equal(certificate.robust(nodes=3, shift=0.0), ~certificate.abstained)
    for name in ("flips", "hierarchical flips"):
        for ask in (claim(EMPTY[name]).robust, claim(EMPTY[name]).collective):
            with pytest.raises(InputError, match="nodes=3 limits"):
                ask(nodes=3, shift=0.0)


@pytest.mark.parametrize("name", [*EMPTY, *AT_WILL])
def test_no_change_at_all_is_the_statement_about_who_abstains(name: str) -> None:
    certificate = claim((EMPTY | AT_WILL)[name])
    assert np.array_equal(certificate.robust(), ~certificate.abstained)
    assert np.array_equal(certificate.robust(gc.Budget(nodes=0)), ~certificate.abstained)
    assert certificate.certified_ratio() == certificate.certified_ratio(gc.Budget()) == 1


def test_an_axis_of_a_grid_may_start_at_no_change() -> None:
    certificate = claim(EMPTY["hierarchical flips"])
    grid = certificate.grid(add=range(3), nodes=(1, 2))
    assert grid.ratio.shape == (3, 2)
    # The first cells are the statement without any change, whatever the limit.
    assert grid.ratio[0].tolist() == [certificate.certified_ratio()] * 2
    curve = certificate.collective(add=range(3), nodes=2)
    assert curve.certified[0] == N


def test_changes_in_no_row_are_refused() -> None:
    for name in ("flips", "hierarchical flips", "hierarchical Gaussian"):
        certificate = claim(EMPTY[name])
        for ask in (
            lambda c=certificate: c.robust(add=3, nodes=0),
            lambda c=certificate: c.certified_ratio(gc.Budget(0, 2, nodes=0)),
            lambda c=certificate: c.grid(add=range(5), nodes=0),
            lambda c=certificate: c.collective(add=(0, 4), nodes=0),
        ):
            with pytest.raises(InputError, match="nodes=0 no features can change"):
                ask()
    gaussian = claim(EMPTY["hierarchical Gaussian"])
    for ask in (lambda: gaussian.robust(nodes=0, shift=1.0), lambda: gaussian.radius(nodes=0)):
        with pytest.raises(InputError, match="with nodes=0 no"):
            ask()
    # An axis of limits may start at 0.
    assert claim(EMPTY["hierarchical flips"]).grid(add=range(2), nodes=range(2)).ratio[:, 0].tolist() == [1, 1]


def test_settings_of_a_run() -> None:
    with pytest.raises(InputError, match="leaves features clean"):
        budget_grids(claim(EMPTY["flips of edges"]), None, CertificateConfig(nodes="3"))
    with pytest.raises(InputError, match="nodes=3 limits"):
        budget_grids(claim(EMPTY["hierarchical flips"]), None, CertificateConfig(nodes="3", max_add=0, max_delete=0))
    grids = budget_grids(
        claim(EMPTY["hierarchical flips"]), None, CertificateConfig(nodes="1,3", max_add=2, max_delete=2)
    )
    assert {grid.fixed.nodes for grid in grids} == {1, 3}
    assert budget_grids(claim(AT_WILL["ablation"]), None, CertificateConfig(nodes="2"))[0].values == ((0, 2),)
