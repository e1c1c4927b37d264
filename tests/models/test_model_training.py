"""Training under noise: it learns, it stops early with its best weights, and it is reproducible."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch_geometric.data import Data

from graphcert.data.synthetic import synthetic_graph
from graphcert.errors import InputError, ModelError
from graphcert.models import MODELS, Training, build_model, train, training
from graphcert.models.training import NoisyInput
from graphcert.noise import BernoulliFlip, Smoothing
from graphcert.sampling.philox import TRAIN, VALIDATION
from graphcert.voting.noisy_graph import Problem

CLASSES, FEATURES = 3, 30
NOISE = {
    "features": Smoothing(features=BernoulliFlip(0.02, 0.4)),
    "edges": Smoothing(edges=BernoulliFlip(0.005, 0.3)),
    "both": Smoothing(BernoulliFlip(0.02, 0.4), BernoulliFlip(0.005, 0.3)),
}
SHORT = Training(epochs=30, learning_rate=0.05, validate_every=5, validation_samples=2)


@pytest.fixture(scope="module")
def graph():
    raw = synthetic_graph(3, nodes=120, classes=CLASSES, features=FEATURES, present=0.5, background=0.02)
    edges = torch.from_numpy(raw.edges)
    x, y = torch.from_numpy(raw.features), torch.from_numpy(raw.labels)
    masks = {"train_mask": torch.arange(120) % 3 == 0, "val_mask": torch.arange(120) % 3 == 1}
    return Data(x, torch.cat([edges, edges.flip(0)], dim=1), y=y, **masks)


def fitted(graph, name="gcn", noise="both", schedule=SHORT, seed=0, model_seed=0, **others):
    model = build_model(name, FEATURES, CLASSES, seed=model_seed)
    log = fit(model, graph, noise, schedule, seed, **others)
    return model, log


def fit(model, graph, noise="both", schedule=SHORT, seed=0, sampler=None, **others):
    sampler = sampler or Problem.of(graph, NOISE[noise], 1).sampler
    return train(model, sampler, graph.y, graph.train_mask, graph.val_mask, schedule, seed, **others)


def validation_loss(model, graph, noise, samples):
    """Written anew: cross-entropy of the mean distribution over the fixed validation graphs."""
    draw = NoisyInput(Problem.of(graph, NOISE[noise], 1).sampler)
    with torch.no_grad():
        mean = sum(model(*draw(VALIDATION, k)).softmax(dim=1) for k in range(samples)) / samples
    return F.nll_loss(mean.log()[graph.val_mask], graph.y[graph.val_mask]).item()


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("noise", NOISE)
def test_every_model_learns_under_every_noise(name, noise, graph):
    """Also under edge noise alone, where features come to the model as they are."""
    untrained = validation_loss(build_model(name, FEATURES, CLASSES).eval(), graph, noise, 2)
    model, log = fitted(graph, name, noise)
    assert not model.training
    assert log.best_loss < 0.8 * untrained
    assert log.best_accuracy > 0.6  # chance is a third
    assert validation_loss(model, graph, noise, 2) == pytest.approx(log.best_loss, rel=1e-5)


def test_real_features_reach_the_model_under_edge_noise(graph):
    scaled = Data(graph.x * 0.37, graph.edge_index)
    draw = NoisyInput(Problem.of(scaled, NOISE["edges"], 1).sampler)
    x, _ = draw(TRAIN, 0)
    assert torch.equal(x.to_dense(), scaled.x)


class Weighing(torch.nn.Module):
    """Keeps what it was shown; its argument of weights is not the third one."""

    def __init__(self):
        super().__init__()
        self.scale, self.shown = torch.nn.Parameter(torch.ones(CLASSES)), []

    def forward(self, x, edge_index, edge_attr=None, edge_weight=None):
        self.shown.append((edge_index, edge_attr, edge_weight))
        return x[:, :CLASSES] * self.scale


@pytest.mark.parametrize("objective", ["cross_entropy", "stability"])
@pytest.mark.parametrize("directed", [False, True])
def test_models_are_trained_with_the_weights_of_their_edges(directed, objective, graph):
    source, target = graph.edge_index
    kept = (source < target) | (source % 3 > 0) if directed else source >= 0
    data = Data(graph.x, graph.edge_index[:, kept], edge_weight=(1000 * source + target + 1).float()[kept])
    noise = Smoothing(edges=BernoulliFlip(0.01, 0.3), added_weight=0.5)
    problem, model = Problem.of(data, noise, 1, takes=("edge_weight", "edge_attr")), Weighing()
    assert problem.smoothing.directed == directed
    schedule = Training(epochs=2, validate_every=1, objective=objective)
    fit(model, graph, schedule=schedule, sampler=problem.sampler, carried=problem.carried)
    clean, added = {tuple(edge) for edge in data.edge_index.T.tolist()}, 0
    for edges, attr, weights in model.shown:
        assert attr is None
        for (u, v), weight in zip(edges.T.tolist(), weights.tolist(), strict=True):
            assert weight == (1000 * u + v + 1 if (u, v) in clean else 0.5)
            added += (u, v) not in clean
    assert added > 0


def weights_of(model):
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def test_the_same_seeds_give_the_same_weights(graph):
    one, log = fitted(graph)
    same, same_log = fitted(graph)
    assert torch.equal(weights_of(one), weights_of(same))
    assert log == same_log
    for other in ({"seed": 1}, {"model_seed": 1}, {"noise": "features"}):
        assert not torch.equal(weights_of(one), weights_of(fitted(graph, **other)[0]))


def test_torch_keeps_its_generator_and_its_threads(graph):
    before, threads = torch.random.get_rng_state(), torch.get_num_threads()
    fitted(graph)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.get_num_threads() == threads

    def stop(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fitted(graph, report=stop)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.get_num_threads() == threads


def test_every_step_sees_a_fresh_sample_and_none_that_votes_see(graph):
    sampler = Problem.of(graph, NOISE["both"], 1).sampler
    seen = {"features": [], "graph": []}
    for channel, calls in seen.items():
        draw = getattr(sampler, channel)
        setattr(
            sampler, channel, lambda p, s, *rest, draw=draw, calls=calls: (calls.append((p, s)), draw(p, s, *rest))[1]
        )
    fitted(graph, sampler=sampler, schedule=Training(epochs=12, validate_every=4, validation_samples=3))
    for calls in seen.values():
        steps = [call for call in calls if call[0] == TRAIN]
        assert len(set(steps)) == len(steps) == 12
        assert set(calls) - set(steps) == {(VALIDATION, k) for k in range(3)}


def test_it_stops_early_with_its_best_weights(graph, monkeypatch):
    """Validation losses by script: the best comes second, and three validations later patience is at an end."""
    script = iter([3.0, 1.0, 2.0, 1.5, 1.0, 0.5])
    states = []

    def scripted(model, *_):
        states.append(weights_of(model).clone())
        return next(script), 0.25 * len(states)

    monkeypatch.setattr(training, "_validate", scripted)
    reported = []
    schedule = Training(epochs=100, validate_every=2, patience=6)
    model, log = fitted(graph, schedule=schedule, report=lambda *line: reported.append(line))
    assert (log.best_epoch, log.best_loss, log.best_accuracy) == (4, 1.0, 0.5)
    assert log.history == reported == [(2, 3.0, 0.25), (4, 1.0, 0.5), (6, 2.0, 0.75), (8, 1.5, 1.0), (10, 1.0, 1.25)]
    assert torch.equal(weights_of(model), states[1])
    assert not torch.equal(states[1], states[2])


def test_the_last_epoch_is_validated_too(graph):
    _, log = fitted(graph, schedule=Training(epochs=7, validate_every=5, validation_samples=1))
    assert [epoch for epoch, *_ in log.history] == [5, 7]


def test_a_model_that_never_improves_keeps_its_first_weights(graph, monkeypatch):
    monkeypatch.setattr(training, "_validate", lambda *_: (math.nan, 0.0))
    model, log = fitted(graph, schedule=Training(epochs=5, validate_every=1, patience=3))
    assert torch.equal(weights_of(model), weights_of(build_model("gcn", FEATURES, CLASSES)))
    assert (log.best_epoch, len(log.history)) == (0, 3)


@pytest.mark.parametrize("mask", ["train_mask", "val_mask"])
def test_an_empty_mask_is_refused(mask, graph):
    empty = graph.clone()
    empty[mask] = torch.zeros(120, dtype=torch.bool)
    with pytest.raises(InputError, match="mask selects no node; training needs at least one"):
        fitted(empty)


def test_a_mask_of_several_splits_is_refused(graph):
    several = graph.clone()
    several.train_mask = graph.train_mask[:, None].expand(-1, 10)
    with pytest.raises(
        InputError, match=r"training mask has the shape \(120, 10\); choose one split, mask\[:, split\]"
    ):
        fitted(several)


def test_a_loss_that_is_no_number_is_an_error(graph):
    model = build_model("gcn", FEATURES, CLASSES)
    with torch.no_grad():
        model.weights[0].fill_(math.nan)
    with pytest.raises(ModelError, match="the training loss is nan at epoch 1; lower the learning rate"):
        fit(model, graph)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("epochs", 0),
        ("epochs", 2.5),
        ("epochs", "10"),
        ("patience", -1),
        ("validate_every", True),
        ("validation_samples", 0),
        ("learning_rate", 0),
        ("learning_rate", math.inf),
        ("learning_rate", "fast"),
        ("weight_decay", -1e-9),
        ("weight_decay", math.nan),
        ("weight_decay", None),
    ],
)
def test_a_schedule_outside_its_domain_is_refused(option, value):
    with pytest.raises(InputError, match=f"{option.replace('_', '.')} must be .*, got"):
        Training(**{option: value})
