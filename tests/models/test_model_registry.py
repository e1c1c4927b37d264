"""Models by name: known names and options only, reproducible weights, nobody else's random numbers."""

import pytest
import torch

from graphcert.errors import InputError
from graphcert.models import MODELS, build_model


@pytest.mark.parametrize("name", MODELS)
def test_the_same_seed_gives_the_same_weights_and_leaves_torch_alone(name):
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    one, same, other = (build_model(name, 7, 3, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters(), strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert isinstance(one, MODELS[name])


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(InputError, match="unknown model 'gnc'; choose one of gcn, appnp, gat, sgc, sage"):
        build_model("gnc", 7, 3)


def test_an_unknown_option_is_answered_with_the_known_ones():
    with pytest.raises(InputError, match="the model sgc has no option 'hidden'; it has hops"):
        build_model("sgc", 7, 3, hidden=4)


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        ("gcn", "hidden", 0),
        ("gcn", "hidden", 2.5),
        ("gcn", "hidden", "many"),
        ("gcn", "hidden", True),
        ("gcn", "layers", 0),
        ("gcn", "dropout", 1.5),
        ("gcn", "dropout", float("nan")),
        ("gat", "heads", 0),
        ("gat", "slope", -0.1),
        ("appnp", "hops", -1),
        ("appnp", "restart", None),
        ("appnp", "restart", -1e-9),
    ],
)
def test_an_option_outside_its_domain_is_refused(name, option, value):
    with pytest.raises(InputError, match=f"the model option {option} must be .*, got"):
        build_model(name, 7, 3, **{option: value})


@pytest.mark.parametrize(("features", "classes"), [(0, 3), (7, 1), (7, "3"), (7.0, 3)])
def test_sizes_outside_their_domain_are_refused(features, classes):
    with pytest.raises(InputError, match=r"must be (a whole number|at least)"):
        build_model("gcn", features, classes)
