"""What a new user hands over as a model, as data and as noise: it works, or one sentence says what to write."""

from fractions import Fraction
from functools import cache, partial
from itertools import product
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch_geometric.data import Data
from torch_geometric.nn import GATConv, GCNConv, SAGEConv, Sequential
from voting_cases import (
    CLASSES,
    FEATURES,
    NODES,
    NOISE,
    Centred,
    Perceptron,
    generic_model,
    randomise,
    small_graph,
    sparse_model,
)

import graphcert as gc
from graphcert.errors import DataError, InputError, ModelError, VotesError
from graphcert.voting.noisy_graph import LEFT_OUT, Problem

DATA = small_graph()


def take(model, data=DATA, noise="both", **options):
    smoothing = NOISE[noise] if isinstance(noise, str) else noise
    return gc.sample_votes(model, data, smoothing, 12, 4, **{"workers": 1, **options})


def sentence(error, *arguments, **options):
    with pytest.raises(error) as caught:
        take(*arguments, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 330
    return message


# Models


def test_a_function_and_a_module_take_the_same_votes():
    """A function votes with the modules of its closure, in evaluation mode, which they get back afterwards."""
    model = generic_model("pyg gcn").train()
    votes = take(lambda x, edge_index: model(x, edge_index))
    assert model.training
    assert votes == take(model)
    assert take(lambda x, edge_index: model(x, edge_index), workers=3, batch_size=1) == votes
    assert take(model.forward) == votes
    assert take(partial(lambda network, x, edge_index: network(x, edge_index), model)) == votes


def test_a_function_is_known_by_its_code_and_by_what_it_uses(tmp_path):
    one, other = (randomise(Perceptron(), seed) for seed in (1, 2))

    def scaled(model, by):
        return lambda x, edge_index: by * model(x, edge_index)

    functions = scaled(one, 1.0), scaled(one, 2.0), scaled(other, 1.0), lambda x, edge_index: -one(x, edge_index)
    names = [take(function).manifest["model"] for function in functions]
    assert len(set(names)) == len(names)
    assert take(scaled(one, 1.0)).manifest["model"] == names[0]
    take(functions[0], store=tmp_path)
    with pytest.raises(VotesError):
        take(functions[1], store=tmp_path)


class Holder:
    """An object that is no module and has one."""

    __slots__ = ("model",)

    def __init__(self, model):
        self.model = model

    def __call__(self, x, edge_index):
        return self.model(x, edge_index)

    def predicted(self, x, edge_index):
        return self.model(x, edge_index)


def of_python_module(model):
    space = ModuleType("a_module_of_the_user")
    space.model = model
    return lambda x, edge_index: space.model(x, edge_index)


def of_class(model):
    kind = type("Settings", (), {"model": model})
    return lambda x, edge_index: kind.model(x, edge_index)


def of_namespace(model):
    space = SimpleNamespace(model=model)
    return lambda x, edge_index: space.model(x, edge_index)


def of_object(model):
    holder = Holder([model])
    return lambda x, edge_index: holder.model[0](x, edge_index)


HELD = {
    "namespace": of_namespace,
    "object": of_object,
    "slots": Holder,
    "method": lambda model: Holder(model).predicted,
    "class": of_class,
    "module of Python": of_python_module,
    "functools cache": lambda model: cache(lambda x, edge_index: model(x, edge_index)),
}


@pytest.mark.parametrize("name", HELD)
def test_modules_are_found_wherever_a_function_keeps_them(name):
    """They vote in evaluation mode, are left as they were, and their weights are part of what the function is."""
    model, other = (randomise(generic_model("normalised"), seed).train() for seed in (1, 2))
    state = {key: value.clone() for key, value in model.state_dict().items()}
    votes = take(HELD[name](model))
    assert votes == take(model)
    assert votes.manifest["model"] != take(HELD[name](other)).manifest["model"]
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    assert all(part.training for part in model.modules())


VALUES = {
    "numbers of numpy": (np.float32(1), np.float32(2)),
    "sets": ({"a", "b"}, {"a", "c"}),
    "keys": ({"a": 1}, {"b": 1}),
    "fractions": (Fraction(1, 2), Fraction(1, 3)),
    "functions of torch": (torch.relu, torch.tanh),
    "classes": (nn.ReLU, nn.ELU),
    "bfloat16": (torch.zeros(2, dtype=torch.bfloat16), torch.ones(2, dtype=torch.bfloat16)),
    "sparse": (torch.eye(2).to_sparse(), 2 * torch.eye(2).to_sparse()),
    "sparse rows": (torch.eye(2).to_sparse_csr(), 2 * torch.eye(2).to_sparse_csr()),
}


class Keeping(Perceptron):
    """Keeps a value that is neither a parameter, nor a saved buffer, nor a plain setting."""

    def __init__(self, value, buffer=None):
        super().__init__()
        self.value = value
        self.register_buffer("unsaved", buffer, persistent=False)


@pytest.mark.parametrize("name", VALUES)
def test_what_decides_a_vote_is_part_of_the_name_of_a_model(name):
    function = lambda value: lambda x, edge_index: (value, x[:, :CLASSES])[1]  # noqa: E731
    model = lambda value: randomise(Keeping(value))  # noqa: E731
    for of_value in (function, model):
        one, other, again = (take(of_value(VALUES[name][k])).manifest for k in (0, 1, 0))
        assert one == again
        assert one != other


def test_a_buffer_that_is_not_saved_is_part_of_the_name_of_a_model():
    one, other = (take(randomise(Keeping(None, torch.full((2,), float(k))))).manifest for k in range(2))
    assert one != other


def test_images_need_a_module():
    with pytest.raises(ModelError, match=r"def forward\(self, images\): return f\(images\)"):
        gc.sample_image_votes(lambda images: images, np.zeros((4, 4, 3)), gc.Gaussian(0.1), 3, 2)


@pytest.mark.parametrize("model", [None, "gcn", 3])
def test_what_is_no_model(model):
    assert "must be a torch.nn.Module or another callable" in sentence(ModelError, model)


def test_a_class_is_no_model():
    assert "give an object of it, Perceptron(…)" in sentence(ModelError, Perceptron)


class OfData(Perceptron):
    def forward(self, data):
        return super().forward(data.x, data.edge_index)


class OfDataAndMore(Perceptron):
    def forward(self, data, training=False):
        return super().forward(data.x, data.edge_index)


class Annotated(Perceptron):
    def forward(self, inputs: Data):
        return super().forward(inputs.x, inputs.edge_index)


class Unnamed(Perceptron):
    def forward(self, inputs):
        return super().forward(inputs.x, inputs.edge_index)


class Weighted(Perceptron):
    def forward(self, x, edge_index, edge_weight):
        return super().forward(x, edge_index) * edge_weight.mean()


class TwoMore(Perceptron):
    def forward(self, x, edge_index, mode, pace):
        return super().forward(x, edge_index)


def layers():
    return nn.Sequential(nn.Linear(FEATURES, 8), nn.ReLU(), nn.Linear(8, CLASSES))


@pytest.mark.parametrize("build", [OfData, OfDataAndMore, Annotated])
def test_models_of_data_are_recognised(build):
    assert np.array_equal(take(randomise(build())).counts, take(randomise(Perceptron())).counts)


def test_models_whose_call_is_told():
    votes = take(randomise(Perceptron()))
    assert "say call='x' if that is the features, or call='data'" in sentence(ModelError, Unnamed())
    assert np.array_equal(take(randomise(Unnamed()), call="data").counts, votes.counts)
    assert take(layers(), call="x").classes == CLASSES
    swapped = randomise(Perceptron())
    assert np.array_equal(take(lambda e, x: swapped(x, e), call="edge_index, x").counts, votes.counts)


@pytest.mark.parametrize("call", ["", "edge_index", "x, x", "x, weight", 3, "x, edge_index, adj"])
def test_what_is_no_call(call):
    assert "call takes the arguments of the model in order" in sentence(InputError, Perceptron(), call=call)


@pytest.mark.filterwarnings("ignore:Sparse")  # torch calls the layout beta and says that it does not check it
@pytest.mark.parametrize("layer", [GCNConv, SAGEConv, GATConv])
def test_models_of_a_transposed_adjacency(layer):
    class Transposed(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = layer(FEATURES, CLASSES)

        def forward(self, x, adj_t):
            return self.layer(x, adj_t)

    model = randomise(Transposed())
    if layer is GATConv:  # its scores are added in another order
        assert take(model).samples == 12
        return
    votes = take(model)
    assert np.abs(votes.counts - take(lambda x, edge_index: model.layer(x, edge_index)).counts).sum() <= 4


@pytest.mark.parametrize(
    ("wrap", "output"),
    [
        (lambda logits: (logits, None), 0),
        (lambda logits: [None, logits], -1),
        (lambda logits: {"logits": logits, "loss": 0}, "logits"),
        (lambda logits: SimpleNamespace(logits=logits), "logits"),
    ],
)
def test_logits_are_a_part_of_the_output(wrap, output):
    model = randomise(Perceptron())

    def function(x, edge_index):
        return wrap(model(x, edge_index))

    assert np.array_equal(take(function, output=output).counts, take(model).counts)
    assert "say by output= which part of it are the logits" in sentence(ModelError, function)
    assert "has no part 'y'" in sentence(ModelError, function, output="y")
    assert "output takes a position" in sentence(InputError, function, output=1.5)


@pytest.mark.filterwarnings("ignore")
def test_compiled_modules_are_what_they_were_compiled_from():
    model = randomise(Perceptron())
    assert take(torch.compile(model, backend="eager")) == take(model)
    function = torch.compile(lambda x, edge_index: model(x, edge_index), backend="eager")
    assert np.array_equal(take(function).counts, take(model).counts)


def test_arguments_that_the_data_lack_are_named():
    assert "data.edge_weight = torch.ones(data.edge_index.shape[1])" in sentence(DataError, Weighted())
    message = sentence(ModelError, TwoMore())
    assert "lambda x, edge_index: model(x, edge_index, mode=…, pace=…)" in message
    two = randomise(TwoMore())
    assert take(lambda x, edge_index: two(x, edge_index, mode=1, pace=2)).samples == 12


def test_a_cache_in_a_closure_is_found():
    kept = {}

    def forgetful(x, edge_index):
        if "degree" not in kept:
            kept["degree"] = torch.bincount(edge_index[1], minlength=len(x)).float()
        return x[:, :CLASSES] * kept["degree"][: len(x), None]

    assert "remembers earlier graphs" in sentence(ModelError, forgetful)


def test_what_a_model_stumbles_over_at_its_first_call_is_said():
    message = sentence(ModelError, generic_model("pyg gcn"), small_graph(x=DATA.x[:, :7]), path="generic")
    assert "cannot be called as model(x, edge_index) with torch.float32 x (24, 7)" in message
    assert "takes 20 features but the data have 7" in sentence(
        ModelError, generic_model("pyg gcn"), small_graph(x=DATA.x[:, :7])
    )


def test_sequential_models_of_torch_geometric_work():
    model = Sequential(
        "x, edge_index", [(GCNConv(FEATURES, 8), "x, edge_index -> x"), nn.ReLU(), nn.Linear(8, CLASSES)]
    )
    assert take(model).classes == CLASSES


@pytest.mark.parametrize("name", ["gcn", "pyg gcn", "pyg gat"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_weights_of_other_types_are_given_features_of_their_type(name, dtype):
    model = sparse_model(name) if name == "gcn" else generic_model(name)
    single = take(model, path="generic")
    votes = take(model.to(dtype))
    assert votes.manifest["path"] == "generic"
    few = 0 if dtype == torch.float64 else 0.2 * single.counts.sum()
    assert np.abs(votes.counts - single.counts).sum() <= few


def test_a_model_before_its_first_call():
    class Lazy(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.LazyLinear(CLASSES)

        def forward(self, x, edge_index):
            return self.layer(x)

    assert "'layer.weight' has no values before the first call" in sentence(ModelError, Lazy())


class InPlace(Perceptron):
    """Normalises what it is given where it lies, as many do."""

    def forward(self, x, edge_index):
        x.div_(x.sum(dim=1, keepdim=True).clamp(min=1))
        edge_index.add_(0)
        return super().forward(x, edge_index)


class OutOfPlace(Perceptron):
    def forward(self, x, edge_index):
        return super().forward(x / x.sum(dim=1, keepdim=True).clamp(min=1), edge_index)


@pytest.mark.parametrize("noise", NOISE)
def test_features_normalised_in_place(noise):
    x = DATA.x.clone()
    assert take(randomise(InPlace()), noise=noise) == take(randomise(OutOfPlace()), noise=noise)
    assert torch.equal(DATA.x, x)


# Data


@pytest.mark.parametrize(
    ("name", "model"), [*product(LEFT_OUT, ["gcn"]), *product(("edge_type", "adj_t", "batch"), ["pyg gcn"])]
)
def test_what_the_call_leaves_out_is_refused_by_name(name, model):
    data = small_graph()
    data[name] = torch.ones(len(data.x) if name == "batch" else data.edge_index.shape[1])
    model = sparse_model(model) if model == "gcn" else generic_model(model)
    message = sentence(DataError, model, data)
    assert f"the data have {name}, but the model is called as model(x, edge_index), without it" in message
    assert f"ignore=({name!r},)" in message
    votes = take(model, data, ignore=(name,))
    assert votes == take(model)
    assert votes.manifest["ignored"] == [name]
    assert "ignored" not in take(model).manifest
    assert take(model, data, ignore=name) == votes
    data[name] = None
    assert take(model, data) == votes


def test_one_name_does_not_excuse_another():
    data = small_graph(
        edge_weight=torch.ones(DATA.edge_index.shape[1]), edge_attr=torch.ones(DATA.edge_index.shape[1], 2)
    )
    assert "the data have edge_attr" in sentence(DataError, sparse_model("gcn"), data, ignore=("edge_weight",))
    assert take(sparse_model("gcn"), data, ignore=["edge_weight", "edge_attr"]).samples == 12


def test_training_refuses_them_too():
    data = small_graph(edge_weight=torch.ones(DATA.edge_index.shape[1]))
    with pytest.raises(DataError, match="edge_weight"):
        Problem.of(data, NOISE["both"], 0)


def test_a_batch_of_one_graph_is_a_graph():
    assert take(sparse_model("gcn"), small_graph(batch=torch.zeros(NODES, dtype=torch.long))).samples == 12


@pytest.mark.parametrize("ignore", [("edge_wieght",), ("edge_weight",), "edge_attr", (3,), 3])
def test_what_the_data_do_not_have_cannot_be_ignored(ignore):
    assert "ignore" in sentence(InputError, sparse_model("gcn"), ignore=ignore)


@pytest.mark.parametrize("x", [None, torch.empty(NODES, 0)])
@pytest.mark.parametrize("noise", ["features", "edges"])
def test_nodes_without_features_are_told_of_identity_features(x, noise):
    assert "identity features, data.x = torch.eye(" in sentence(
        DataError, sparse_model("gcn"), small_graph(x=x), noise=noise
    )
    data = small_graph(x=torch.eye(NODES))
    assert take(gc.models.build_model("gcn", NODES, CLASSES).eval(), data, noise=noise).samples == 12


def test_features_that_are_no_bits_are_told_where_normalisation_belongs():
    """The model that is named is on binary features what it was on normalised ones."""
    x = DATA.x / DATA.x.sum(dim=-1, keepdim=True).clamp(min=1)
    message = sentence(DataError, sparse_model("gcn"), small_graph(x=2 * x))
    assert "data.x = (data.x != 0).float(), and gc.Rownormalised(model)" in message
    model = randomise(Perceptron())
    assert torch.equal(gc.Rownormalised(model)((2 * x != 0).float(), DATA.edge_index), model(x, DATA.edge_index))


# Noise


@pytest.mark.parametrize("law", [gc.BernoulliFlip(0.05, 0.4), gc.Gaussian(0.3), gc.Uniform(0.5)])
def test_a_bare_law_is_noise_of_the_features(law):
    model = randomise(Perceptron())
    bare, whole = take(model, noise=law), take(model, noise=gc.Smoothing(features=law))
    assert bare == whole
    assert bare.smoothing == gc.Smoothing(features=law)
    again = gc.Votes(whole.pilot_counts, whole.counts, law, total_variation=whole.total_variation)
    assert again == whole


def test_stored_votes_are_compared_with_a_bare_law(tmp_path):
    law = gc.BernoulliFlip(0.05, 0.4)
    votes = take(sparse_model("gcn"), noise=law)
    votes.save(tmp_path / "votes.npz")
    assert gc.Votes.load(tmp_path / "votes.npz", law) == votes
    with pytest.raises(VotesError, match="do not match the smoothing"):
        gc.Votes.load(tmp_path / "votes.npz", gc.BernoulliFlip(0.05, 0.5))


@pytest.mark.parametrize("smoothing", [5, "gaussian", None, 0.25, gc.BernoulliFlip, [gc.BernoulliFlip(0.1, 0.1)]])
def test_what_is_no_noise(smoothing):
    words = "smoothing takes a Smoothing, such as .* or one law of features, got"
    for call in (
        lambda: take(sparse_model("gcn"), noise=smoothing if smoothing != "gaussian" else {"a": 1}),
        lambda: gc.sample_image_votes(nn.Conv2d(3, 2, 1), np.zeros((4, 4, 3)), smoothing, 3, 2),
        lambda: gc.Votes([[1, 1]], [[1, 1]], smoothing),
    ):
        with pytest.raises((InputError, VotesError), match=words):
            call()


def test_models_that_look_at_the_whole_graph_are_honest():
    assert take(randomise(Centred())).samples == 12
