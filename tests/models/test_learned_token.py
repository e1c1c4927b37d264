"""Under ablation every model learns the token that stands for a hidden row (Scholten et al. 2022)."""

import pytest
import torch

from graphcert.data import load_dataset
from graphcert.models import MODELS, Training, build_model, train
from graphcert.noise import Ablation, Hierarchical, Smoothing, SubsetAblation
from graphcert.voting.noisy_graph import Problem

WIDTH, HIDDEN = 90, 8


@pytest.mark.parametrize("name", MODELS)
def test_the_weights_of_the_mark_are_the_token(name):
    """A marked row of zeros does what a visible row would do whose product with the other weights is that vector."""
    torch.manual_seed(0)
    options = {} if name == "sgc" else {"hidden": HIDDEN}
    model = build_model(name, WIDTH + 1, 3, **options).double().eval()
    weight = model.first_weight().detach()
    assert weight.shape[0] == WIDTH + 1
    assert torch.linalg.matrix_rank(weight[:WIDTH]) == weight.shape[1] < WIDTH
    token = torch.linalg.lstsq(weight[:WIDTH].T, weight[WIDTH]).solution
    x = torch.cat([torch.rand(5, WIDTH), torch.zeros(5, 1)], dim=1).double()
    edges = torch.tensor([[0, 1, 1, 2, 2, 3, 3, 4], [1, 0, 2, 1, 3, 2, 4, 3]])
    hidden, shown = x.clone(), x.clone()
    hidden[2], hidden[2, WIDTH] = 0, 1
    shown[2, :WIDTH] = token
    with torch.no_grad():
        torch.testing.assert_close(model(hidden, edges), model(shown, edges), rtol=1e-6, atol=1e-8)
        assert not torch.allclose(model(hidden, edges), model(x, edges), rtol=1e-3)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("scheme", [Hierarchical(0.5, Ablation()), Smoothing(SubsetAblation(100))], ids=str)
def test_training_moves_the_token(name, scheme):
    data = load_dataset("synthetic", nodes=200, classes=3, features=30, test_share=0.5)
    problem = Problem.of(data, scheme, 0)
    model = build_model(name, problem.sampler.columns, 3)
    before = model.first_weight().detach()[-1].clone()
    training = Training(epochs=20, validate_every=5, weight_decay=0.0)
    train(model, problem.sampler, data.y, data.train_mask, data.val_mask, training)
    assert (model.first_weight().detach()[-1] != before).any()
