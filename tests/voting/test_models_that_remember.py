"""A model that answers from earlier graphs is refused, wherever it keeps them; one that recomputes may keep anything."""

import contextlib
import threading

import pytest
import stale_models
import torch
from stale_models import HONEST, NAMES, STALE, Attention, Module, Slot
from torch import nn
from torch_geometric.data import Data
from torch_geometric.datasets import KarateClub

import graphcert as gc
from graphcert.errors import ModelError

DATA = Data(x=KarateClub()[0].x, edge_index=KarateClub()[0].edge_index)
DELETIONS = gc.Smoothing(edges=gc.BernoulliFlip(0.0, 0.3))
FLIPS = gc.Smoothing(gc.BernoulliFlip(0.01, 0.3))


PATHS = {
    **dict.fromkeys(["pyg gcn", "pyg gat", "pyg gin", "pyg sequential"], "recognised"),
    **dict.fromkeys(["constants", "positions"], "generic"),  # they add something to all features
}


def built(build, called):
    """The model as a user has it, before or after it was called on the clean graph."""
    stale_models.KEPT.clear()
    stale_models.OfClass.kept.clear()
    stale_models.Default.norm.__defaults__[0].clear()
    stale_models.FIRST = stale_models.ByName.kept = None
    torch.manual_seed(1)
    model = build()
    if called:
        model.train()(DATA.x, DATA.edge_index)
    return model.eval()


def take(model, smoothing=DELETIONS, **options):
    return gc.sample_votes(model, DATA, smoothing, 20, 5, **{"workers": 2, **options})


@pytest.mark.parametrize("noise", [DELETIONS, FLIPS], ids=["edges", "features"])
@pytest.mark.parametrize("called", [False, True], ids=["empty", "filled"])
@pytest.mark.parametrize("name", STALE)
def test_a_model_that_answers_from_earlier_graphs_is_refused(name, called, noise):
    model = built(STALE[name], called)
    with pytest.raises(ModelError, match=r"the model remembers earlier graphs.* and would ignore noise") as caught:
        take(model, noise)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("called", [False, True], ids=["empty", "filled"])
@pytest.mark.parametrize("name", NAMES)
def test_the_place_is_named(name, called):
    with pytest.raises(ModelError, match=f"remembers earlier graphs in {NAMES[name]}[ ,]"):
        take(built(STALE[name], called))


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
@pytest.mark.parametrize("noise", [DELETIONS, FLIPS], ids=["edges", "features"])
@pytest.mark.parametrize("called", [False, True], ids=["fresh", "called"])
@pytest.mark.parametrize("name", HONEST)
def test_honest_models_keep_what_they_like(name, called, noise):
    model = built(HONEST[name], called)
    votes, dense = take(model, noise), take(model, noise, path="generic")
    assert votes.samples == 20
    assert votes.manifest["path"] == PATHS.get(name, "lazy")
    # Where two logits are equal up to rounding, their votes may differ.
    assert abs(votes.counts - dense.counts).sum() <= 4


def test_stale_votes_would_have_certified_too_much():
    """What the refusal is for: 34 of 34 nodes against four deletions, where the same model without a cache has fewer."""
    stale = Slot("nodes")
    torch.manual_seed(1)
    honest = Module()
    honest.load_state_dict(stale.state_dict())
    stale.eval()(DATA.x, DATA.edge_index)
    certificate = gc.certify(gc.sample_votes(honest.eval(), DATA, DELETIONS, 2000, 100), 0.01)
    certified = int(certificate.robust(edge_delete=4).sum())
    assert certified < 34
    frozen = stale.norm(DATA.x, DATA.edge_index)
    assert all(torch.equal(a, b) for a, b in zip(frozen, stale.norm(DATA.x, DATA.edge_index[:, ::2]), strict=True))
    with pytest.raises(ModelError, match=r"model\.k"):
        gc.sample_votes(stale, DATA, DELETIONS, 2000, 100)


@pytest.mark.parametrize("name", ["slot by nodes", "attention", "class attribute", "global", "closure", "lru_cache"])
def test_probing_leaves_the_model_and_its_surroundings_as_they_were(name):
    model = built({**STALE, **HONEST}[name], True)
    shared = dict(stale_models.KEPT), dict(stale_models.OfClass.kept)
    answer = model(DATA.x, DATA.edge_index).clone()
    before = dict(vars(model))
    with contextlib.suppress(ModelError):
        take(model)
    after = vars(model)
    assert before.keys() == after.keys()
    assert all(after[key] is before[key] for key in before)
    for old, new in zip(shared, (stale_models.KEPT, stale_models.OfClass.kept), strict=True):
        assert all(new[key] is old[key] for key in old)
    assert torch.equal(model(DATA.x, DATA.edge_index), answer)


def test_what_cannot_be_copied_is_named():
    model = Attention(True)
    model.part = nn.Linear(2, 2)
    model.part.lock = threading.Lock()
    with pytest.raises(
        ModelError, match=r"cannot be copied.*: model\.part\.lock is in the way .*_thread\.lock"
    ) as caught:
        take(model)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("nodes", [1, 2, 3])
@pytest.mark.parametrize("edges", [False, True])
def test_tiny_graphs_are_asked_about_too(nodes, edges):
    pairs = torch.combinations(torch.arange(nodes)).T if edges else torch.empty(2, 0, dtype=torch.long)
    data = Data(x=torch.eye(34)[:nodes], edge_index=torch.cat([pairs, pairs.flip(0)], dim=1))
    assert gc.sample_votes(Module().eval(), data, gc.Smoothing(edges=gc.BernoulliFlip(0.1, 0.1)), 9, 3).nodes == nodes
