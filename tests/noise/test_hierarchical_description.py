"""Descriptions of Gaussian noise, ablation and hierarchical schemes: what they accept, what they answer, that they stay."""

import numpy as np
import pytest
from cases import schemes
from hypothesis import given
from hypothesis import strategies as st

import graphcert as gc
from graphcert.errors import InputError, UnsupportedError
from graphcert.noise import (
    Ablation,
    BernoulliFlip,
    Budget,
    Gaussian,
    Hierarchical,
    Partition,
    Selected,
    Smoothing,
    Uniform,
    Views,
    smoothing_from_dict,
)
from graphcert.noise.law import undominated

NEAR, FAR, EDGES = BernoulliFlip(0.01, 0.6), BernoulliFlip(0.05, 0.8), BernoulliFlip(0.0, 0.4)
TWO = Partition([0, 1, 1], [[0, 1], [1, 0]])
SCHEMES = {name: case.scheme for name, case in schemes(3).items()}


def test_laws_are_described_as_they_always_were() -> None:
    """Digests of votes cover the description of their scheme."""
    assert Smoothing(NEAR, [EDGES]).to_dict() == {
        "features": {"add": 0.01, "delete": 0.6}, "edges": {"add": 0.0, "delete": 0.4},
    }  # fmt: skip
    assert Smoothing(Gaussian(0.5)).to_dict() == {"features": {"law": "gaussian", "sigma": 0.5}}
    assert Smoothing(Gaussian(0.5, 0.1)).to_dict() == {"features": {"law": "gaussian", "sigma": 0.5, "lattice": 0.1}}
    assert Smoothing(Ablation(), EDGES).to_dict()["features"] == {"law": "ablation"}


def test_a_law_stands_for_the_smoothing_of_features_with_it() -> None:
    assert Hierarchical(0.8, NEAR) == Hierarchical(0.8, Smoothing(NEAR))
    assert Hierarchical(0.8, NEAR).lower == Smoothing(NEAR)
    assert Hierarchical([0.8], NEAR).select == 0.8
    assert Hierarchical(0.8, NEAR) != Smoothing(NEAR)
    assert Hierarchical(0.8, NEAR) != Hierarchical(0.7, NEAR)


def test_what_a_hierarchical_scheme_answers() -> None:
    scheme = Hierarchical([0.8, 0.9], Smoothing([NEAR, FAR], EDGES, TWO))
    assert scheme.levels("features") == (Selected(0.8, NEAR), Selected(0.9, FAR))
    assert scheme.levels("edges") == (EDGES,)
    assert scheme.partition is TWO
    assert scheme.localized
    assert scheme.perturbs("features")
    assert scheme.perturbs("edges")
    assert not scheme.flips_only
    assert scheme.nearest() == Hierarchical(0.8, Smoothing(NEAR, EDGES))
    assert scheme.level_of_rank("features").tolist() == [0, 1]
    assert scheme.law("edges") == EDGES
    with pytest.raises(InputError, match="2 levels of noise"):
        scheme.law("features")
    with pytest.raises(InputError, match="3 nodes but the graph has 4"):
        scheme.check_nodes(4)
    isotropic = Hierarchical(0.8, NEAR)
    assert not isotropic.localized
    assert not isotropic.perturbs("edges")
    assert isotropic.law("features") == Selected(0.8, NEAR)
    assert isotropic.law("edges") is None
    assert Hierarchical([0.8, 0.9], Smoothing([NEAR, NEAR], None, TWO)).localized


@pytest.mark.parametrize("name", [name for name, scheme in SCHEMES.items() if not scheme.flips_only])
def test_no_view_of_flips_forgets_what_else_there_is(name: str) -> None:
    """A linear program that went by flips alone would claim what was not sampled."""
    with pytest.raises(UnsupportedError, match="hierarchical, continuous or ablation"):
        Views.of_flips(SCHEMES[name], 3)


@pytest.mark.parametrize("name", SCHEMES)
def test_every_scheme_has_views(name: str) -> None:
    """Each output sees the law of the level at which it sees a block."""
    scheme = SCHEMES[name]
    views, levels = Views.of(scheme, 3), scheme.levels("features")
    silent = (BernoulliFlip(0, 0),)
    assert views.feature_laws == (tuple(dict.fromkeys(levels)) or silent)
    assert views.edge_laws == (tuple(dict.fromkeys(scheme.levels("edges"))) or silent)
    for output in range(3):
        for node in range(3):
            law = views.feature_laws[views.feature_law[views.of_node[output], views.block[node]]]
            if scheme.localized:
                two = scheme.partition
                rank = two.rank[two.labels[output], two.labels[node]]
                assert law == levels[scheme.level_of_rank("features")[rank]]
            else:
                assert law == (levels or silent)[0]
    with pytest.raises(InputError, match="3 nodes but the graph has 4"):
        Views.of(scheme if scheme.partition else Smoothing([NEAR, FAR], None, TWO), 4)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Gaussian(0.0), "finite number above 0"),
        (lambda: Gaussian(float("nan")), "finite number above 0"),
        (lambda: Gaussian(float("inf")), "finite number above 0"),
        (lambda: Gaussian("1"), "finite number above 0"),
        (lambda: Gaussian(True), "finite number above 0"),
        (lambda: Gaussian(0.5, 0.0), "step 'lattice' must be a finite number above 0"),
        (lambda: Uniform(0.0), "half-width 'half_width' must be a finite number above 0"),
        (lambda: Uniform(1.0, float("nan")), "step 'lattice' must be a finite number above 0"),
        (lambda: Smoothing([Gaussian(0.5, 0.1), Gaussian(1.0)], None, TWO), "same lattice"),
        (lambda: Smoothing([Gaussian(0.5), Uniform(1.0)], None, TWO), "laws of one kind"),
        (lambda: Smoothing(edges=Uniform(1.0)), "takes laws such as BernoulliFlip"),
        (lambda: Hierarchical(0, NEAR), "must be above 0"),
        (lambda: Hierarchical(1.1, NEAR), "probability between 0 and 1"),
        (lambda: Hierarchical(float("nan"), NEAR), "probability between 0 and 1"),
        (lambda: Hierarchical("0.5", NEAR), "probability between 0 and 1"),
        (lambda: Hierarchical(0.5, "flip"), "takes a law such as BernoulliFlip"),
        (lambda: Hierarchical(0.5, Hierarchical(0.5, NEAR)), "takes a law such as BernoulliFlip"),
        (lambda: Hierarchical(0.5, Smoothing(edges=EDGES)), "feature noise"),
        (lambda: Hierarchical(0.5, Smoothing(BernoulliFlip(0, 0), EDGES)), "feature noise"),
        (lambda: Hierarchical([0.5, 0.6], NEAR), "2 probabilities but the lower scheme 1 levels"),
        (lambda: Hierarchical([], NEAR), "0 probabilities"),
        (lambda: Smoothing([NEAR, Gaussian(1.0)], None, TWO), "laws of one kind"),
        (lambda: Smoothing(edges=Gaussian(1.0)), "takes laws such as BernoulliFlip"),
        (lambda: Smoothing(Hierarchical(0.5, NEAR)), "takes laws such as BernoulliFlip"),
        (lambda: Hierarchical.from_dict({"select": 0.5}), "described by select and lower"),
        (
            lambda: smoothing_from_dict({"lower": {"features": {"sigma": 1}}, "select": 0.5}),
            "described by add and delete",
        ),
        (lambda: smoothing_from_dict({"features": {"law": "cauchy"}}), "got 'cauchy'"),
        (lambda: smoothing_from_dict({"features": {"law": "gaussian", "mu": 1}}), "parameters of 'gaussian'"),
        (lambda: smoothing_from_dict({"features": 3}), "a law or a list of laws"),
        (lambda: smoothing_from_dict([]), "a smoothing description"),
        (lambda: Budget(nodes=-1), "nodes must be at least 0"),
        (lambda: Budget(nodes=1.5), "nodes must be a whole number"),
    ],
)
def test_what_describes_nothing(make, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        make()


def test_selection_that_falls_with_the_distance_is_legal_but_unwise() -> None:
    with pytest.warns(UserWarning, match="selection falls"):
        Hierarchical([0.9, 0.8], Smoothing([NEAR, FAR], None, TWO))
    with pytest.warns(UserWarning, match="noise falls"):
        Smoothing([Gaussian(0.5), Gaussian(0.1)], None, TWO)
    with pytest.warns(UserWarning, match="noise falls"):
        Smoothing([Uniform(0.5, 0.1), Uniform(0.1, 0.1)], None, TWO)


def test_a_budget_keeps_its_four_numbers() -> None:
    assert Budget(1, 2, 3, 4, nodes=5).as_tuple() == (1, 2, 3, 4)
    assert Budget(nodes=5) != Budget()
    assert Budget(nodes=np.int64(5)).nodes == 5


SELECTED = st.builds(
    Selected,
    st.integers(1, 8).map(lambda k: k / 8),
    st.builds(BernoulliFlip, *[st.integers(0, 4).map(lambda k: k / 8)] * 2),
)


@given(st.lists(SELECTED, min_size=1, max_size=5))
def test_undominated_levels_dominate_all_others(laws: list[Selected]) -> None:
    kept = undominated(laws)
    assert all(any(one.dominates(law) for one in kept) for law in laws)
    assert not any(one.dominates(other) for one in kept for other in kept if one is not other)


def test_a_dominating_law_takes_the_worst_of_every_level() -> None:
    levels = (Selected(0.5, Gaussian(2.0)), Selected(0.75, Gaussian(1.0)))
    assert undominated(levels) == levels
    assert type(levels[0]).worst(levels) == Selected(0.5, Gaussian(1.0))
    assert Selected.worst((Selected(0.5, Ablation()), Selected(0.25, Ablation()))) == Selected(0.25, Ablation())
    assert Gaussian.worst((Gaussian(2.0), Gaussian(1.0))) == Gaussian(1.0)
    assert Selected.worst((Selected(0.5, Uniform(2.0)), Selected(0.75, Uniform(1.0)))) == Selected(0.5, Uniform(1.0))


def test_public_names() -> None:
    assert (gc.Gaussian, gc.Uniform, gc.Ablation, gc.Hierarchical) == (Gaussian, Uniform, Ablation, Hierarchical)
