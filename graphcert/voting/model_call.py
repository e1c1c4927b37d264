"""How a model is called: any callable becomes one module that is called as model(x, edge_index, …)."""

import inspect
import threading
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.data import Data

from graphcert.core.arrays import EDGE_VALUES
from graphcert.core.features import unpacked
from graphcert.data.feature_tensors import dense_tensor, feature_tensor_of
from graphcert.errors import InputError, ModelError
from graphcert.models.base import Floats, SparseFirstModel
from graphcert.models.rownormalised import Rownormalised
from graphcert.voting.cache_detection import Input
from graphcert.voting.callable_contents import code_of, is_shared, modules_in

EXTRAS = EDGE_VALUES
"""What a model may be shown beside x and edge_index, in the order of an input."""

ARGUMENTS = ("x", "edge_index", *EXTRAS, "adj_t", "data")
"""What the arguments of a call may be."""

_OF_GRAPH = ("data", "batch", "graph", "g")
"""How people call a parameter that is a whole graph."""

_ONE_AT_A_TIME = threading.RLock()
"""Held while a function runs: what it has in its closure or in globals is not copied for each thread."""


def as_module(model: object, call: str | None = None, output: int | str | None = None) -> nn.Module:
    """One module that is called as model(x, edge_index, edge_weight=…, edge_attr=…) and returns what are logits.

    Args:
        model: a module, a function, a bound method or any other callable. What torch.compile made stands for what it was
            made from.
        call: its arguments in order, such as "x, edge_index, edge_weight", "x, adj_t", "x" or "data"; None to read them from
            its signature. `adj_t` is a sparse CSR tensor (N, N) with the weight of the edge j → i in row i and column j, as
            `torch_geometric.transforms.ToSparseTensor` makes it; `data` a `torch_geometric.data.Data`.
        output: which part of the output are the logits: a position in a tuple, a key of a dictionary or the name of an
            attribute; None if it returns the logits alone.

    Raises:
        ModelError: if it is not a callable, or its signature does not tell how to call it.
        InputError: for a `call` or an `output` that is none.
    """
    if not callable(model):
        raise ModelError(f"the model must be a torch.nn.Module or another callable, got {type(model).__name__}")
    refuse_class(model)
    if output is not None and (isinstance(output, bool) or not isinstance(output, (int, str))):
        raise InputError(f"output takes a position, a key or the name of an attribute, got {output!r}")
    if isinstance(model, Rownormalised):
        return Rownormalised(as_module(model.model, call, output))
    original = getattr(model, "_orig_mod", None) or getattr(model, "_torchdynamo_orig_callable", None) or model
    arguments = None if call is None else _told(call)
    if arguments is None:
        arguments = _inspected(original)
    plain = arguments[:2] == ("x", "edge_index") and call is None and output is None
    if plain and isinstance(original, nn.Module):
        return original
    return Called(original, arguments, call is not None, output)


def refuse_class(model: object) -> None:
    """Raise `ModelError` for a class where an object of it is meant."""
    if isinstance(model, type):
        raise ModelError(f"the model is the class {model.__name__}; give an object of it, {model.__name__}(…)")


def extras_of(module: nn.Module) -> tuple[str, ...]:
    """Those of `EXTRAS` that the module takes."""
    if isinstance(module, Rownormalised):
        return extras_of(module.model)
    if isinstance(module, Called):
        through = {"adj_t": EXTRAS[:1], "data": EXTRAS}
        taken = {extra for name in module.arguments for extra in through.get(name, (name,))}
    else:
        taken = set(_parameters(module.forward))
    return tuple(name for name in EXTRAS if name in taken)


def extras_needed(module: nn.Module) -> tuple[str, ...]:
    """Those of `EXTRAS` without which the module cannot be called."""
    if isinstance(module, Rownormalised):
        return extras_needed(module.model)
    if isinstance(module, Called) and module.in_order:
        return tuple(name for name in EXTRAS if name in module.arguments)
    asked = module.model if isinstance(module, Called) else module
    given = _parameters(asked.forward if isinstance(asked, nn.Module) else asked)
    return tuple(name for name in EXTRAS if name in given and given[name].default is inspect.Parameter.empty)


class Called(nn.Module):
    """A callable as a module; `arguments` are what it is given, by position if `in_order`, else extras by name."""

    def __init__(
        self, model: Callable[..., Any], arguments: tuple[str, ...], in_order: bool, output: int | str | None
    ) -> None:
        super().__init__()
        self.model, self.arguments, self.in_order, self.output = model, arguments, in_order, output
        # Part of the fingerprint, as every plain setting is.
        self.form = f"{', '.join(arguments)} → {output!r}"
        modules = [] if isinstance(model, nn.Module) else list(modules_in(model))
        if modules:  # their mode, their device and their weights are those of the model
            self.used = nn.ModuleList(modules)
        self.code = "" if isinstance(model, nn.Module) else code_of(model)
        self._shares = is_shared(model)

    def forward(
        self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None, edge_attr: Tensor | None = None
    ) -> Any:
        """What the callable returns, or the part of it that are the logits."""
        extras = {
            name: value for name, value in zip(EXTRAS, (edge_weight, edge_attr), strict=True) if value is not None
        }
        values: dict[str, Any] = {"x": x, "edge_index": edge_index, **extras}
        if "data" in self.arguments:
            values["data"] = Data(x=x, edge_index=edge_index, **extras)
        if "adj_t" in self.arguments:
            values["adj_t"] = _transposed_adjacency(x.shape[0], edge_index, edge_weight, x.dtype)
        given = [name for name in self.arguments if self.in_order or name not in EXTRAS]
        named = {} if self.in_order else {name: extras[name] for name in self.arguments if name in extras}
        with _ONE_AT_A_TIME if self._shares else nullcontext():
            return self._part(self.model(*(values[name] for name in given), **named))

    def _part(self, result: Any) -> Any:
        if self.output is None:
            return result
        try:
            if isinstance(self.output, str) and not isinstance(result, Mapping):
                return getattr(result, self.output)
            return result[self.output]
        except (KeyError, IndexError, TypeError, AttributeError):
            raise ModelError(
                f"the model returns {described(result)}, which has no part {self.output!r}; name another output"
            ) from None


def described(result: object) -> str:
    """What a model returned, in words."""
    if isinstance(result, Tensor):
        return str(tuple(result.shape))
    if isinstance(result, Mapping):
        return f"a dictionary of {', '.join(map(repr, list(result)[:8]))}"
    if isinstance(result, (tuple, list)):
        return f"a {type(result).__name__} of {len(result)}"
    return f"a {type(result).__name__}"


def _told(call: object) -> tuple[str, ...]:
    """The arguments that `call` names."""
    names = tuple(name.strip() for name in call.split(",")) if isinstance(call, str) else ()
    shows = "data" in names or ("x" in names and len(set(names)) == len(names))
    if not names or any(name not in ARGUMENTS for name in names) or not shows:
        raise InputError(
            f"call takes the arguments of the model in order, such as 'x, edge_index, edge_weight', 'x, adj_t', 'x' or "
            f"'data', got {call!r}"
        )
    return names


def _inspected(model: Callable[..., Any]) -> tuple[str, ...]:
    """The arguments that the signature of a model names."""
    function = model.forward if isinstance(model, nn.Module) else model
    given = _parameters(function)
    if not given or _takes_any(function):  # as a Sequential of torch_geometric does
        return ("x", "edge_index")
    first, *others = given.values()
    needed = [parameter.name for parameter in others if parameter.default is inspect.Parameter.empty]
    kind = getattr(first.annotation, "__name__", str(first.annotation)).rpartition(".")[2]
    if not needed and (first.name in _OF_GRAPH or kind in ("Data", "Batch")):
        return ("data",)
    if not others:
        if first.name == "x":
            return ("x",)
        raise ModelError(
            f"the model takes one argument, {first.name}; say call='x' if that is the features, or call='data' if it is a "
            f"torch_geometric.data.Data"
        )
    if others[0].name == "adj_t":
        return ("x", "adj_t")
    unknown = [name for name in needed if name not in EXTRAS and name != others[0].name]
    if unknown:
        raise ModelError(
            f"the model needs {', '.join(unknown)} as well; give a function that fills it in, "
            f"lambda x, edge_index: model(x, edge_index, {', '.join(f'{name}=…' for name in unknown)})"
        )
    return ("x", "edge_index", *(name for name in EXTRAS if name in given))


def _parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The named parameters of a callable; none if it does not tell."""
    try:
        given = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return {}
    return {name: one for name, one in given.items() if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)}


def _takes_any(function: Callable[..., Any]) -> bool:
    """Whether a callable has *args."""
    return any(one.kind is one.VAR_POSITIONAL for one in inspect.signature(function).parameters.values())


def _transposed_adjacency(nodes: int, edge_index: Tensor, weight: Tensor | None, dtype: torch.dtype) -> Tensor:
    """(N, N) sparse CSR, row i column j for the edge j → i."""
    source, target = edge_index
    order = (target * nodes + source).argsort()
    pointers = torch.zeros(nodes + 1, dtype=torch.int64, device=source.device)
    pointers[1:] = torch.bincount(target, minlength=nodes).cumsum(0)
    values = (
        torch.ones(source.numel(), dtype=dtype, device=source.device) if weight is None else weight[order].to(dtype)
    )
    return torch.sparse_csr_tensor(pointers, source[order], values, size=(nodes, nodes), check_invariants=False)


def _shown(model: nn.Module, x: Tensor) -> Tensor:
    """Features as a model takes them: sparse rows are for models with a sparse first layer only."""
    sparse = isinstance(model, SparseFirstModel)
    return x if sparse else dense_tensor(x, f"the dense features that {type(model).__name__} takes,")


class Call:
    """Calls a module, or a copy of it, on its device and with features in the type of its weights.

    Noise is drawn in float32; another type is a rounding of it, which belongs to the base classifier. `extras` are the
    names of what an input holds beside x and edge_index.
    """

    def __init__(self, model: nn.Module, extras: tuple[str, ...] = ()) -> None:
        tensors = [*model.parameters(), *model.buffers()]
        self.device = tensors[0].device if tensors else torch.device("cpu")
        self.dtype = next((tensor.dtype for tensor in tensors if tensor.is_floating_point()), torch.float32)
        self.extras = extras

    def __call__(self, model: nn.Module, x: Tensor, edges: Tensor, *values: Tensor) -> Any:
        """What the model returns, on the CPU if it is a tensor."""
        result = self.begun(model, x, edges, *values)
        return result.cpu() if isinstance(result, Tensor) else result

    def begun(self, model: nn.Module, x: Tensor, edges: Tensor, *values: Tensor) -> Any:
        """What the model returns, on its device, which may still compute it."""
        extras = dict(zip(self.extras, values, strict=True))
        with torch.inference_mode():
            moved = {
                name: value.to(self.device, self.dtype if value.is_floating_point() else value.dtype)
                for name, value in extras.items()
            }
            return model(_shown(model, x).to(self.device, self.dtype), edges.to(self.device), **moved)

    def first(self, model: nn.Module, *given: Tensor) -> Any:
        """The same, or `ModelError` if the model cannot be called so."""
        try:
            return self(model, *given)
        except ModelError:
            raise
        except Exception as error:
            x, edges = given[:2]
            form = ", ".join(("x", "edge_index", *self.extras))
            reason = next(iter(str(error).splitlines()), "")
            raise ModelError(
                f"the model cannot be called as model({form}) with {self.dtype} x {tuple(x.shape)} and "
                f"{edges.dtype} edge_index {tuple(edges.shape)}: {type(error).__name__}: {reason:.160}; if it takes other "
                f"arguments, name them by call="
            ) from error

    def answer(self, model: nn.Module, given: Input) -> Floats:
        """Logits (N, K) for the arrays of an input, sparse features as `packed`; a copy, whatever becomes of the output."""
        x = given[0] if given[0].ndim > 1 else unpacked(given[0])
        shown = feature_tensor_of(x), *map(torch.from_numpy, given[1:])
        logits: Floats = self(model, *shown).float().numpy().copy()
        return logits
