"""One list of collective certificates for the library and the command line: what exists, and in which order."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from graphcert.certificates import certify, norm_family
from graphcert.certificates.method_hierarchy import ALL, BESIDE, HIERARCHY, METHODS, PUBLISHED, MethodComparison
from graphcert.errors import InputError, UnsupportedError
from graphcert.noise import Ablation, BernoulliFlip, Gaussian, Hierarchical, Partition, Smoothing
from graphcert.run.settings.stages import collective_methods
from graphcert.votes import Votes

NODES = 60
NAMES = [method.name for method in HIERARCHY]


def votes(smoothing: Smoothing) -> Votes:
    rng = np.random.default_rng(3)
    yes = rng.binomial(4000, rng.uniform(0.9, 1.0, NODES))
    return Votes(np.tile([100, 0], (NODES, 1)), np.stack([yes, 4000 - yes], axis=1), smoothing)


def localized() -> Votes:
    partition = Partition(np.repeat([0, 1], NODES // 2), np.array([[0, 1], [1, 0]]))
    return votes(Smoothing([BernoulliFlip(0.05, 0.6), BernoulliFlip(0.1, 0.85)], partition=partition))


def test_all_is_every_rung_and_each_one_is_the_method_it_names():
    certificate = certify(localized())
    ladder = certificate.compare_methods(range(4), methods=ALL)
    assert list(ladder) == NAMES
    for method in HIERARCHY:
        alone = certificate.collective(range(4), method=method.program, orders=method.orders)
        assert ladder[method.name].certified.tolist() == alone.certified.tolist()
    assert [method.orders for method in HIERARCHY if method.name.endswith("-2")] == [PUBLISHED, PUBLISHED]
    assert (ladder["tight"].certified > ladder["naive"].certified).any(), "or nothing is compared here"


def test_some_rungs_come_in_the_order_of_strength_whatever_the_order_asked():
    ladder = certify(localized()).compare_methods(1, methods=("milp", "naive"))
    assert list(ladder) == ["naive", "milp"]


def test_rungs_that_do_not_exist_are_left_out_of_a_ladder_but_refused_alone():
    path = np.stack([np.arange(NODES - 1), np.arange(1, NODES)])
    edges = np.concatenate([path, path[::-1]], axis=1)
    graph = SimpleNamespace(x=np.zeros((NODES, 3), int), edge_index=edges, num_nodes=NODES)
    certificate = certify(localized())
    ladder = certificate.compare_methods(1, methods=ALL, layers=1, data=graph)
    assert list(ladder) == [name for name in NAMES if not name.startswith("tight")]
    with pytest.raises(UnsupportedError, match="use method='milp'"):
        certificate.collective(1, method="tight", layers=1, data=graph)


def test_the_strongest_that_exists_stands_in_for_the_strongest_that_does_not(monkeypatch):
    """Under its own name, and where it could take long, briefly; whoever asks for it by name gets all of it."""
    path = np.stack([np.arange(NODES - 1), np.arange(1, NODES)])
    graph = SimpleNamespace(
        x=np.zeros((NODES, 3), int), edge_index=np.concatenate([path, path[::-1]], axis=1), num_nodes=NODES
    )
    shown = {"naive", "lp", "milp"}
    assert set(certify(localized()).compare_methods(1, methods=BESIDE["tight"], layers=1, data=graph)) == shown
    hidden = certify(votes(Hierarchical(0.9, Ablation())))
    assert set(hidden.compare_methods(nodes=range(3), methods=BESIDE["tight"])) == shown
    partition = Partition(np.repeat([0, 1], NODES // 2), np.array([[0, 1], [1, 0]]))
    moved = certify(votes(Smoothing([Gaussian(0.5), Gaussian(1.0)], partition=partition)))
    asked = []
    solve = norm_family.collective_norm
    monkeypatch.setattr(
        norm_family, "collective_norm", lambda *args, **more: asked.append(more) or solve(*args, **more)
    )
    ladder = moved.compare_methods(shift=np.linspace(0.1, 1, 4), methods=BESIDE["tight"])
    assert set(ladder) == shown
    assert (ladder["naive"].certified <= ladder["lp"].certified).all()
    assert (ladder["lp"].certified <= ladder["milp"].certified).all()
    moved.compare_methods(shift=0.5, methods=BESIDE["milp"])
    milp = [(more["bins"], more["time_limit"]) for more in asked if more["method"] == "milp"]
    assert milp == [(64, 0.25), (256, 60.0)]
    still = certify(votes(Smoothing(Gaussian(0.5))))
    assert set(still.compare_methods(edge_add=0, methods=BESIDE["tight"])) == {"naive"}


@pytest.mark.parametrize(
    ("methods", "words"),
    [
        (["magic"], "'magic'"),
        ("magic", "'m'"),
        ([], "got nothing"),
    ],
)
def test_names_that_are_none_get_one_sentence(methods, words):
    with pytest.raises(InputError, match=words) as raised:
        certify(localized()).compare_methods(1, methods=methods)
    assert "\n" not in str(raised.value)


def test_the_command_line_knows_the_same_methods():
    assert list(collective_methods()) == ["none", *METHODS, ALL]
    for method, names in BESIDE.items():
        assert names[-1] == (NAMES[-1] if method == ALL else method)
        assert list(names) == [name for name in NAMES if name in names]


def test_other_noise_has_one_rung():
    certificate = certify(votes(Smoothing(Gaussian(0.5))))
    assert list(certificate.compare_methods(edge_add=0, methods=ALL)) == ["naive"]
    with pytest.raises(UnsupportedError, match="method='naive'"):
        certificate.collective(edge_add=0, method="lp")


def test_one_method_gives_a_curve_and_only_published_programs_have_no_name_there():
    with pytest.raises(InputError, match="one of naive, lp, milp, tight-lp, tight, got 'lp-2'"):
        certify(localized()).collective(1, method="lp-2")


@pytest.mark.parametrize("method", ["all", ("milp", "naive")])
def test_several_methods_in_collective_are_deprecated_and_still_a_dictionary(method):
    certificate = certify(localized())
    with pytest.warns(DeprecationWarning, match="call compare_methods"):
        found = certificate.collective(range(2), method=method)
    compared = certificate.compare_methods(range(2), methods=method)
    assert isinstance(found, dict)
    assert list(found) == list(compared)
    assert all(found[name].certified.tolist() == compared[name].certified.tolist() for name in found)


def test_a_comparison_is_a_mapping_that_describes_itself():
    compared = certify(localized()).compare_methods(range(3), methods=("tight", "naive"))
    assert compared.strongest is compared["tight"]
    assert repr(compared).startswith("MethodComparison of 60 targets at 3 budgets, certified: naive ")
    again = MethodComparison.from_dict(json.loads(json.dumps(compared.to_dict())))
    assert list(again) == ["naive", "tight"]
    assert again["tight"].certified.tolist() == compared["tight"].certified.tolist()
    for description in ({}, {"magic": compared.strongest.to_dict()}, {"naive": {}}, 5):
        with pytest.raises(InputError):
            MethodComparison.from_dict(description)
    other = certify(localized()).collective(range(2), method="naive")
    with pytest.raises(InputError, match="same targets and budgets"):
        MethodComparison({"naive": other, "tight": compared["tight"]})
