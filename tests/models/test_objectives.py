"""Losses of noise-aware training: against formulas written out term by term, and in training."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch_geometric.data import Data

import graphcert as gc
from graphcert.data.synthetic import synthetic_graph
from graphcert.errors import InputError
from graphcert.models import Training, build_model, train
from graphcert.voting.noisy_graph import Problem

SHORT = {"epochs": 30, "learning_rate": 0.05, "validate_every": 5, "validation_samples": 2}
NOISE = gc.Smoothing(gc.BernoulliFlip(0.02, 0.4), gc.BernoulliFlip(0.005, 0.3))


def drawn(draws=3, nodes=4, classes=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(draws, nodes, classes, generator=generator, dtype=torch.float64)
    return logits, torch.tensor([0, 2, 1, 1]), torch.tensor([True, False, True, True])


def softmax(row):
    powers = [math.exp(float(value)) for value in row]
    return [power / sum(powers) for power in powers]


def divergence(p, q):
    return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))


def cross_entropy(logits, labels, mask):
    nodes = [n for n in range(len(labels)) if mask[n]]
    terms = [-math.log(softmax(draw[n])[labels[n]]) for draw in logits for n in nodes]
    return sum(terms) / len(terms)


def test_consistency_is_the_formula():
    logits, labels, mask = drawn()
    expected, nodes = cross_entropy(logits, labels, mask), len(labels)
    for n in range(nodes):
        each = [softmax(draw[n]) for draw in logits]
        mean = [sum(p[k] for p in each) / len(each) for k in range(3)]
        expected += 7.0 * sum(divergence(mean, p) for p in each) / len(each) / nodes
        expected -= 0.3 * sum(p * math.log(p) for p in mean) / nodes
    found = gc.consistency_loss(logits, labels, mask, weight=7.0, entropy=0.3)
    assert found.item() == pytest.approx(expected, rel=1e-12)
    assert gc.consistency_loss(logits, labels, mask, weight=0, entropy=0).item() == pytest.approx(
        cross_entropy(logits, labels, mask), rel=1e-12
    )


def test_stability_is_the_formula():
    logits, labels, mask = drawn()
    clean, noisy = logits[0], logits[1:]
    expected = cross_entropy(clean[None], labels, mask)
    for n in range(len(labels)):
        expected += (
            7.0 * sum(divergence(softmax(clean[n]), softmax(draw[n])) for draw in noisy) / len(noisy) / len(labels)
        )
    assert gc.stability_loss(clean, noisy, labels, mask, weight=7.0).item() == pytest.approx(expected, rel=1e-12)


def test_equal_predictions_cost_nothing_more():
    logits, labels, _ = drawn()
    same = logits[:1].expand(3, -1, -1)
    plain = F.cross_entropy(logits[0], labels)
    assert torch.allclose(gc.consistency_loss(same, labels, entropy=0), plain)
    assert torch.allclose(gc.stability_loss(logits[0], same, labels), plain)


def test_nodes_without_labels_are_learned_from_too():
    logits, labels, mask = drawn()
    logits.requires_grad_()
    for loss in (
        gc.consistency_loss(logits, labels, mask),
        gc.stability_loss(logits[0], logits[1:], labels, mask),
    ):
        (slope,) = torch.autograd.grad(loss, logits)
        assert torch.isfinite(slope).all()
        assert slope[:, ~mask].abs().sum() > 0.01
    unknown = torch.where(mask, labels, -1)
    assert torch.equal(gc.consistency_loss(logits, unknown, mask), gc.consistency_loss(logits, labels, mask))


def test_certain_predictions_stay_finite():
    """A probability that rounds to zero must not become 0 · −∞."""
    logits = torch.tensor([[[200.0, 0.0]], [[0.0, 200.0]]], requires_grad=True)
    for loss in (
        gc.consistency_loss(logits, torch.tensor([0])),
        gc.stability_loss(logits[0], logits[1:], torch.tensor([0])),
    ):
        (slope,) = torch.autograd.grad(loss, logits, retain_graph=True)
        assert torch.isfinite(loss)
        assert torch.isfinite(slope).all()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda x, y, m: gc.consistency_loss(x[0], y), r"draws ≥ 2, N, K\), got \(4, 3\)"),
        (lambda x, y, m: gc.consistency_loss(x[:1], y), r"draws ≥ 2, N, K\), got \(1, 4, 3\)"),
        (lambda x, y, m: gc.consistency_loss(x, y[:2]), r"have the shape \(4,\)"),
        (lambda x, y, m: gc.consistency_loss(x, y, m.long()), "boolean mask"),
        (lambda x, y, m: gc.consistency_loss(x, y, weight=-1), "weight must be a number of at least 0"),
        (lambda x, y, m: gc.consistency_loss(x, y, m & False), "int64 labels from 0 to 2.*got 0"),
        (lambda x, y, m: gc.consistency_loss(x, y + 3, m), "int64 labels from 0 to 2"),
        (lambda x, y, m: gc.consistency_loss(x, y.int(), m), "of torch.int32"),
        (lambda x, y, m: gc.stability_loss(x, x, y), r"clean logits have the shape \(N, K\)"),
        (lambda x, y, m: gc.stability_loss(x[0], x, y, weight=math.nan), "weight must be"),
    ],
)
def test_what_the_losses_refuse(call, words):
    with pytest.raises(InputError, match=words):
        call(*drawn())


# In training


@pytest.fixture(scope="module")
def graph():
    raw = synthetic_graph(3, nodes=120, classes=3, features=30, present=0.5, background=0.02)
    edges = torch.from_numpy(raw.edges)
    masks = {"train_mask": torch.arange(120) % 3 == 0, "val_mask": torch.arange(120) % 3 == 1}
    features, labels = torch.from_numpy(raw.features), torch.from_numpy(raw.labels)
    return Data(features, torch.cat([edges, edges.flip(0)], dim=1), y=labels, **masks)


def fitted(graph, schedule, **others):
    model = build_model("gcn", 30, 3)
    sampler = Problem.of(graph, NOISE, 1).sampler
    log = train(model, sampler, graph.y, graph.train_mask, graph.val_mask, schedule, **others)
    return log, torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


OBJECTIVES = {
    "consistency": {"regularisation": 2.0, "entropy": 0.5}, "stability": {"regularisation": 2.0},
    "cross_entropy": {"draws": 3},
}  # fmt: skip


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_learns_and_is_not_another(name, graph):
    schedule = Training(**SHORT, objective=name, **OBJECTIVES[name])
    log, weights = fitted(graph, schedule)
    assert log.best_accuracy > 0.6  # chance is a third
    again, same = fitted(graph, schedule)
    assert torch.equal(weights, same)
    assert again == log
    others = [Training(**SHORT), Training(**SHORT, objective=name), Training(**SHORT, objective="consistency")]
    differing = [other for other in others if other != schedule]
    assert not any(torch.equal(weights, fitted(graph, other)[1]) for other in differing)


def test_an_objective_by_name_and_one_of_your_own(graph):
    """The plain loop, written anew as a function, trains the very weights of the default."""
    _, default = fitted(graph, Training(**SHORT))

    def own(logits, labels, mask):
        return F.cross_entropy(logits[0][mask], labels[mask])

    assert torch.equal(fitted(graph, Training(**SHORT), objective=own)[1], default)
    assert torch.equal(fitted(graph, Training(**SHORT), objective="cross_entropy")[1], default)
    named = fitted(graph, Training(**SHORT), objective="stability")[1]
    assert torch.equal(named, fitted(graph, Training(**SHORT, objective="stability"))[1])
    shapes = []

    def spy(logits, labels, mask):
        shapes.append(tuple(logits.shape))
        return own(logits, labels, mask)

    fitted(graph, Training(**SHORT, draws=4), objective=spy)
    assert set(shapes) == {(4, 120, 3)}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"objective": "adversarial"}, "must be one of cross_entropy, consistency, stability"),
        ({"regularisation": 1.0}, "the objective cross_entropy has no regularisation"),
        ({"objective": "stability", "entropy": 1.0}, "the objective stability has no entropy"),
        ({"objective": "consistency", "draws": 1}, "draws must be at least 2"),
        ({"objective": "consistency", "entropy": -1.0}, "entropy must be a number of at least 0"),
        ({"draws": 0}, "draws must be at least 1"),
    ],
)
def test_options_that_an_objective_does_not_have(options, words):
    with pytest.raises(InputError, match=words):
        Training(**options)
