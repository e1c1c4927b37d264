"""While it votes a model is frozen; afterwards it is what it was, also after an error."""

import pytest
import torch
from voting_cases import NOISE, generic_model, small_graph, sparse_model

from graphcert.errors import ModelError
from graphcert.voting import sample_votes
from graphcert.voting.model_checks import evaluation_mode

DATA = small_graph()
MODELS = {"gcn": sparse_model, "gat": sparse_model, "normalised": generic_model, "pyg sage": generic_model}


def modes(model):
    return [module.training for module in model.modules()]


def mixed(model):
    """Training mode, but for one layer that somebody has frozen."""
    model.train()
    list(model.modules())[-1].eval()
    return modes(model)


@pytest.mark.parametrize("name", MODELS)
def test_dropout_and_batch_statistics_are_frozen(name):
    model = MODELS[name](name)
    expected = sample_votes(model, DATA, NOISE["both"], 30, 10)
    state = {key: value.clone() for key, value in model.state_dict().items()}
    before = mixed(model)
    assert sample_votes(model, DATA, NOISE["both"], 30, 10, workers=2) == expected
    assert modes(model) == before
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())


class Interrupted(Exception):
    pass


def test_every_layer_gets_its_mode_back_after_an_error():
    model = generic_model("normalised")
    before = mixed(model)
    assert True in before
    assert False in before
    with pytest.raises(Interrupted), evaluation_mode(model):  # noqa: PT012
        assert not any(modes(model))
        raise Interrupted
    assert modes(model) == before
    with torch.no_grad():
        model.last.weight.fill_(1e30)
        model.last.bias.fill_(float("-inf"))
    with pytest.raises(ModelError):
        sample_votes(model, DATA, NOISE["both"], 30, 10)
    assert modes(model) == before


@pytest.mark.parametrize("workers", [1, 2])
def test_an_interrupt_while_voting_restores_modes_and_threads(workers, monkeypatch):
    model = generic_model("pyg sage")
    before, threads = mixed(model), torch.get_num_threads()
    calls = []

    def interrupt(module, inputs):
        calls.append(module.training)
        if len(calls) > 6:
            raise KeyboardInterrupt

    model.register_forward_pre_hook(interrupt)
    try:
        torch.set_num_threads(2)
        with pytest.raises(KeyboardInterrupt):
            sample_votes(model, DATA, NOISE["both"], 5000, 10, workers=workers)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert modes(model) == before
    assert not any(calls)


def test_voting_runs_on_one_torch_thread_per_worker():
    seen = set()
    model = generic_model("perceptron")
    model.register_forward_pre_hook(lambda module, inputs: seen.add(torch.get_num_threads()))
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        for workers in (1, 3):
            sample_votes(model, DATA, NOISE["both"], 2000, 10, workers=workers)
    finally:
        torch.set_num_threads(threads)
    assert seen == {1}


def test_no_gradient_is_recorded():
    model = generic_model("perceptron")
    recorded = set()
    model.register_forward_hook(lambda module, inputs, output: recorded.add(output.requires_grad))
    sample_votes(model, DATA, NOISE["both"], 30, 10)
    assert recorded == {False}
    assert all(parameter.grad is None for parameter in model.parameters())
