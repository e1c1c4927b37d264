"""One list of collective certificates for the library and the command line: what exists, and in which order."""

from types import SimpleNamespace

import numpy as np
import pytest

from graphcert.certificates import certify, together_norm
from graphcert.certificates.method_hierarchy import ALL, BESIDE, HIERARCHY, METHODS, PUBLISHED
from graphcert.errors import InputError, UnsupportedError
from graphcert.noise import Ablation, BernoulliFlip, Gaussian, Hierarchical, Partition, Smoothing
from graphcert.run.settings import COLLECTIVE_METHODS
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
    ladder = certificate.collective(range(4), method=ALL)
    assert list(ladder) == NAMES
    for method in HIERARCHY:
        alone = certificate.collective(range(4), method=method.program, orders=method.orders)
        assert ladder[method.name].certified.tolist() == alone.certified.tolist()
    assert [method.orders for method in HIERARCHY if method.name.endswith("-2")] == [PUBLISHED, PUBLISHED]
    assert (ladder["tight"].certified > ladder["naive"].certified).any(), "or nothing is compared here"


def test_some_rungs_come_in_the_order_of_strength_whatever_the_order_asked():
    ladder = certify(localized()).collective(1, method=("milp", "naive"))
    assert list(ladder) == ["naive", "milp"]


def test_rungs_that_do_not_exist_are_left_out_of_a_ladder_but_refused_alone():
    path = np.stack([np.arange(NODES - 1), np.arange(1, NODES)])
    edges = np.concatenate([path, path[::-1]], axis=1)
    graph = SimpleNamespace(x=np.zeros((NODES, 3), int), edge_index=edges, num_nodes=NODES)
    certificate = certify(localized())
    ladder = certificate.collective(1, method=ALL, layers=1, data=graph)
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
    assert set(certify(localized()).collective(1, method=BESIDE["tight"], layers=1, data=graph)) == shown
    hidden = certify(votes(Hierarchical(0.9, Ablation())))
    assert set(hidden.collective(nodes=range(3), method=BESIDE["tight"])) == shown
    partition = Partition(np.repeat([0, 1], NODES // 2), np.array([[0, 1], [1, 0]]))
    moved = certify(votes(Smoothing([Gaussian(0.5), Gaussian(1.0)], partition=partition)))
    asked = []
    solve = together_norm.collective_norm
    monkeypatch.setattr(
        together_norm, "collective_norm", lambda *args, **more: asked.append(more) or solve(*args, **more)
    )
    ladder = moved.collective(shift=np.linspace(0.1, 1, 4), method=BESIDE["tight"])
    assert set(ladder) == shown
    assert (ladder["naive"].certified <= ladder["lp"].certified).all()
    assert (ladder["lp"].certified <= ladder["milp"].certified).all()
    moved.collective(shift=0.5, method=BESIDE["milp"])
    milp = [(more["bins"], more["time_limit"]) for more in asked if more["method"] == "milp"]
    assert milp == [(64, 0.25), (256, 60.0)]
    still = certify(votes(Smoothing(Gaussian(0.5))))
    assert set(still.collective(edge_add=0, method=BESIDE["tight"])) == {"naive"}


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"method": "lp-2"}, InputError, "one of naive, lp, milp, tight-lp, tight or all"),
        ({"method": ["magic"]}, InputError, "'magic'"),
        ({"method": []}, InputError, "got nothing"),
    ],
)
def test_names_that_are_none_get_one_sentence(arguments, error, words):
    with pytest.raises(error, match=words) as raised:
        certify(localized()).collective(1, **arguments)
    assert "\n" not in str(raised.value)


def test_the_command_line_knows_the_same_methods():
    assert list(COLLECTIVE_METHODS) == ["none", *METHODS, ALL]
    for method, names in BESIDE.items():
        assert names[-1] == (NAMES[-1] if method == ALL else method)
        assert list(names) == [name for name in NAMES if name in names]


def test_other_noise_has_one_rung():
    certificate = certify(votes(Smoothing(Gaussian(0.5))))
    assert list(certificate.collective(edge_add=0, method=ALL)) == ["naive"]
    with pytest.raises(UnsupportedError, match="method='naive'"):
        certificate.collective(edge_add=0, method="lp")
