"""From somebody's own module to a `Program` of compiled kernels, where its structure can be told exactly."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.modules import module as torch_module
from torch_geometric.nn import APPNP, GATConv, GATv2Conv, GCNConv, GINConv, SAGEConv, SGConv
from torch_geometric.nn.aggr import MeanAggregation, SumAggregation

from graphcert.models.appnp import APPNP as OwnAPPNP
from graphcert.models.base import SparseFirst
from graphcert.models.operations import Attention, Bias, Linear, Neighbours, PairAttention, Symmetric, Walk
from graphcert.models.program import Operation, Program
from graphcert.models.tracing import NotRecognised, Symbol, Trace


def recognised(module: nn.Module, nodes: int, columns: int) -> SparseFirst | None:
    """What `module` computes from x (nodes, columns) and edge_index, as a program; None if that cannot be told exactly.

    Its forward pass runs twice, with tensors that have no numbers; the module is in evaluation mode, with float32 weights on
    the CPU. A program is what the module computes as long as its Python code does the same in every call; compare the two
    before use.
    """
    if any(_hooks_of_all_modules()):
        return None
    found = [_followed(module, nodes, columns) for _ in range(2)]
    one, two = found
    if one is None or two is None or not one.same_as(two):
        return None
    return _as_appnp(one) or one


def _followed(module: nn.Module, nodes: int, columns: int) -> Program | None:
    trace, before = Trace(nodes, columns), _settings(module)
    try:
        with torch.no_grad(), _restored(module):
            with _own_layers(module):
                result = module(trace.features, trace.graph)
            one_way = not trace.failed and _settings(module) == before
            logits = isinstance(result, Symbol) and result.owner is trace and result.dim() == 2
            return trace.program(result) if one_way and logits else None
    except Exception:  # whatever a module says to tensors without numbers
        return None


def _settings(module: nn.Module) -> dict[tuple[str, str], Any]:
    """Plain values in a module: a counter among them could change what the next call does."""
    plain = (bool, int, float, str, type(None))
    return {
        (name, key): value for name, part in module.named_modules() for key, value in vars(part).items()
        if isinstance(value, plain)
    }  # fmt: skip


def _as_appnp(program: Program) -> OwnAPPNP | None:
    """A perceptron and a walk are our own APPNP, whose perceptron runs while the features are drawn."""
    operations = [step.operation for step in program.steps]
    chain = [step.inputs for step in program.steps] == [(0,), (1,), (2,)] and len(program.weights) == 1
    if not chain or program.result != 3 or [type(operation) for operation in operations] != [Bias, Linear, Walk]:
        return None
    first, last, walk = cast(tuple[Bias, Linear, Walk], operations)
    features, hidden = program.weights[0].shape
    if not first.rectify:
        return None
    own = OwnAPPNP(features, last.weight.shape[1], hidden, walk.hops, walk.restart).eval()
    for parameter, values in (
        (own.weight_in, program.weights[0]), (own.bias_in, first.bias), (own.weight_out, last.weight),
        (own.bias_out, torch.zeros_like(own.bias_out) if last.bias is None else last.bias),
    ):  # fmt: skip
        parameter.data = values
    return own


@contextmanager
def _restored(module: nn.Module) -> Iterator[None]:
    """Take from every module what it was given meanwhile."""
    held = [vars(part) for part in module.modules()]
    held += [values[name] for values in held for name in ("_parameters", "_buffers", "_modules")]
    kept = [(values, dict(values)) for values in held]
    try:
        yield
    finally:
        for values, before in kept:
            values.clear()
            values.update(before)


@contextmanager
def _own_layers(module: nn.Module) -> Iterator[None]:
    """Let the layers of message passing that are understood say what they are instead of running."""
    layers = {id(part): part for part in module.modules() if type(part) in LAYERS and _is_stock(part)}
    try:
        for part in layers.values():
            part.forward = _Layer(part)
        yield
    finally:
        for part in layers.values():
            vars(part).pop("forward", None)


class _Layer:
    """Stands for the forward pass of a layer."""

    def __init__(self, layer: nn.Module) -> None:
        self._layer = layer

    def __call__(self, x: object, edge_index: object, *others: object, **options: object) -> Tensor:
        """Write the layer down."""
        more = [value for value in (*others, *options.values()) if value is not None]
        if more or not isinstance(x, Symbol) or not isinstance(edge_index, Symbol):
            raise NotRecognised("a layer is given other things than features or values, and the graph")
        if not x.is_rows() or not edge_index.edges:
            raise NotRecognised("a layer is given other things than rows and the graph")
        return LAYERS[type(self._layer)](self._layer, x)


def _hooks_of_all_modules() -> Iterator[Any]:
    named = vars(torch_module).items()
    return (hooks for name, hooks in named if name.startswith("_global_") and name.endswith("hooks"))


def _is_stock(layer: Any) -> bool:
    """Whether nothing of a layer is changed from outside: no hook, no method of its own, no cache, no explanation."""
    methods = any(callable(getattr(type(layer), name, None)) for name in vars(layer))
    plain = layer.flow == "source_to_target" and layer.node_dim in (-2, 0) and layer.decomposed_layers == 1
    empty = all(value is None for name, value in vars(layer).items() if name.startswith("_cached"))
    hooks = _has_hooks(layer) or _has_hooks(layer.aggr_module)
    return plain and empty and not hooks and not methods and not layer.explain and not layer.training


def _has_hooks(module: nn.Module) -> bool:
    return any(value for name, value in vars(module).items() if name.endswith("_hooks") and isinstance(value, dict))


def _require(*conditions: bool) -> None:
    if not all(conditions):
        raise NotRecognised("an option of a layer that has no kernel")


def _adds(layer: Any) -> bool:
    return type(layer.aggr_module) is SumAggregation


def _passed(x: Symbol, operation: Operation) -> Symbol:
    """Features pass after their weight."""
    return x.follow(operation) if x.place is None else x.run(operation)


def _with_bias(layer: Any, result: Tensor) -> Tensor:
    return result if layer.bias is None else result + layer.bias


def _gcn(layer: Any, x: Symbol) -> Tensor:
    _require(_adds(layer), layer.normalize, layer.add_self_loops, not layer.improved, not layer.cached)
    return _with_bias(layer, layer.lin(x).run(Symmetric()))


def _sgc(layer: Any, x: Symbol) -> Tensor:
    _require(_adds(layer), layer.add_self_loops, not layer.cached)
    result: Tensor = layer.lin(x.follow(Symmetric(layer.K)))
    return result


def _appnp(layer: Any, x: Symbol) -> Tensor:
    _require(_adds(layer), layer.normalize, layer.add_self_loops, not layer.cached)
    return _passed(x, Walk(layer.K, layer.alpha))


def _sage(layer: Any, x: Symbol) -> Tensor:
    _require(_adds(layer) or type(layer.aggr_module) is MeanAggregation, not layer.normalize, not layer.project)
    near: Tensor = layer.lin_l(x.follow(Neighbours(mean=not _adds(layer))))
    return near + layer.lin_r(x) if layer.root_weight else near


def _gin(layer: Any, x: Symbol) -> Tensor:
    _require(_adds(layer), layer.eps.numel() == 1)
    result: Tensor = layer.nn(x.follow(Neighbours(mean=False, own=float(1 + layer.eps))))
    return result


def _gat(layer: Any, x: Symbol) -> Tensor:
    _require(_adds(layer), layer.add_self_loops, layer.edge_dim is None, layer.res is None, layer.lin is not None)
    operation = Attention(layer.att_dst.detach()[0], layer.att_src.detach()[0], layer.negative_slope)
    return _heads(layer, layer.lin(x).run(operation))


def _gatv2(layer: Any, x: Symbol) -> Tensor:
    _require(_adds(layer), layer.add_self_loops, layer.edge_dim is None, layer.res is None)
    sent = layer.lin_l(x)
    received = sent if layer.share_weights else layer.lin_r(x)
    return _heads(layer, sent.run(PairAttention(layer.att.detach()[0], layer.negative_slope), received))


def _heads(layer: Any, result: Tensor) -> Tensor:
    if not layer.concat:
        result = result.view(-1, layer.heads, layer.out_channels).mean(dim=1)
    return _with_bias(layer, result)


LAYERS: dict[type[nn.Module], Callable[[Any, Symbol], Tensor]] = {
    GCNConv: _gcn, SGConv: _sgc, APPNP: _appnp, SAGEConv: _sage, GINConv: _gin, GATConv: _gat, GATv2Conv: _gatv2,
}  # fmt: skip
"""How layers of message passing are written down, by exact type."""
