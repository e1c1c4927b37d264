"""Follow a forward pass with tensors that have a shape and no numbers, and write down what it does as a `Program`.

Code that asks for numbers, such as a branch that depends on them, fails, and so does every operation that is not listed
here: the module is then not recognised. What numbers do not reach runs as it is written.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from graphcert.models.fusion import fused
from graphcert.models.operations import Linear
from graphcert.models.program import Operation, Program, Step, Torch, Value
from graphcert.models.row_wise import by_rows, over

_METADATA = {
    *(getattr(Tensor, name).__get__ for name in ("shape", "dtype", "ndim", "layout", "is_sparse", "requires_grad")),
    Tensor.size, Tensor.dim, Tensor.numel, Tensor.__len__, Tensor.is_floating_point, Tensor.stride, Tensor.is_complex,
}  # fmt: skip
_DEVICE = Tensor.device.__get__
_LINEAR = {"linear", "matmul", "mm", "__matmul__"}
_COPIES = {"clone", "detach", "contiguous", "float"}
_VIEWS = {
    "view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze", "transpose", "t", "permute", "expand", "expand_as",
    "chunk", "split", "unbind", "narrow", "select", "__getitem__", "detach", "contiguous", "float", "view_as",
}  # fmt: skip
_PURE = _VIEWS | _LINEAR | {
    "add", "__add__", "__radd__", "sub", "__sub__", "__rsub__", "rsub", "mul", "__mul__", "__rmul__", "div", "true_divide",
    "__truediv__", "__rtruediv__", "__rdiv__", "neg", "__neg__", "pow", "__pow__", "abs", "exp", "log", "sqrt", "rsqrt",
    "addmm", "cat", "concat", "stack", "clone", "sum", "mean", "var", "std", "amax", "amin", "max", "min", "clamp", "norm",
    "maximum", "minimum", "normalize", "softmax", "log_softmax", "layer_norm", "batch_norm", "group_norm", "instance_norm",
    "relu", "elu", "leaky_relu", "prelu", "gelu", "silu", "selu", "celu", "relu6", "mish", "softplus", "softsign", "sigmoid",
    "logsigmoid", "tanh", "hardtanh", "hardswish", "hardsigmoid", "glu", "threshold", "tanhshrink", "sin", "cos", "erf",
}  # fmt: skip
_ROW_SUMS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((1, True), {}), ((1,), {"keepdim": True}), ((), {"dim": 1, "keepdim": True}),
    ((-1, True), {}), ((-1,), {"keepdim": True}), ((), {"dim": -1, "keepdim": True}),
]  # fmt: skip
_IN_PLACE = {"add_": "add", "sub_": "sub", "mul_": "mul", "div_": "div", "relu_": "relu", "tanh_": "tanh"}


class NotRecognised(Exception):
    """A forward pass does something that is not written down as a step; never seen outside of `recognised`."""


class Symbol(Tensor):
    """A tensor without numbers: features (place None), a value of the program, or the edges of the graph.

    `pending` are linear maps of rows, which come after the next weight where that makes rows narrower.
    """

    owner: "Trace"
    place: int | None
    pending: tuple[Callable[[int], int], ...]
    edges: bool

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Every operation and every question arrives here."""
        kwargs = kwargs or {}
        trace = next(part.owner for part in pytree.tree_leaves((args, kwargs)) if isinstance(part, Symbol))
        try:
            return trace.operation(func, args, kwargs)
        except Exception:
            # Code that catches this must not lead to another program.
            trace.failed = True
            raise

    def is_rows(self) -> bool:
        """Whether this is float32 with one row per node."""
        return not self.edges and self.dim() == 2 and self.shape[0] == self.owner.nodes and self.dtype == torch.float32

    def follow(self, operation: Operation) -> "Symbol":
        """A linear map of the rows, the same in every column, that waits for a weight."""
        trace = self.owner

        def step(place: int) -> int:
            return trace.step(operation, (place,), trace.shapes[place])

        return trace.symbol(tuple(self.shape), self.place, (*self.pending, step))

    def run(self, operation: Operation, *others: "Symbol") -> "Symbol":
        """An operation on rows as they are; the result has the shape of this."""
        places = tuple(self.owner.at(value) for value in (self, *others))
        return self.owner.symbol(tuple(self.shape), self.owner.step(operation, places, tuple(self.shape)))


class Trace:
    """What one forward pass has done so far."""

    def __init__(self, nodes: int, columns: int) -> None:
        self.products, self.steps, self.shapes = dict[int, Tensor](), dict[int, Step](), list[tuple[int, ...]]()
        self.nodes, self.failed = nodes, False
        self.features = self.symbol((nodes, columns), None)
        self.graph = self.symbol((2, 0), None, dtype=torch.int64)
        self.graph.edges = True

    def symbol(
        self, shape: tuple[int, ...], place: int | None, pending: Any = (), dtype: torch.dtype = torch.float32
    ) -> Symbol:
        """A new symbol."""
        made: Symbol = torch.empty(shape, dtype=dtype, device="meta").as_subclass(Symbol)
        made.owner, made.place, made.pending, made.edges = self, place, tuple(pending), False
        return made

    def step(self, operation: Operation, inputs: tuple[int, ...], shape: tuple[int, ...], aliases: bool = False) -> int:
        """Write down one step; return the place of its result."""
        self.shapes.append(shape)
        self.steps[len(self.shapes) - 1] = Step(operation, inputs, shape, aliases)
        return len(self.shapes) - 1

    def at(self, symbol: Symbol) -> int:
        """The place of a value, with nothing pending."""
        place = symbol.place
        if symbol.edges or place is None:
            raise NotRecognised("the features or the edges are used in another way than by a layer")
        for step in symbol.pending:
            place = step(place)
        symbol.place, symbol.pending = place, ()
        return place

    def operation(self, func: Any, args: Any, options: Any) -> Any:
        """One operation of the forward pass."""
        name, first = getattr(func, "__name__", ""), args[0] if args else None
        given = [part for part in pytree.tree_leaves((args, options)) if isinstance(part, Symbol)]
        if any(part.edges for part in given):
            return self._of_edges(func, name, given)
        if func in _METADATA:
            return _plain(func, args, options)
        if func == _DEVICE:
            return torch.device("cpu")
        if name == "dropout" and not options.get("training", True):
            return first
        if isinstance(first, Symbol) and name in _LINEAR and len(given) == 1 and first.is_rows():
            return self._linear(name, first, args[1:], options)
        if any(part.place is None for part in given):
            return self._of_features(name, args, options)
        if name in _IN_PLACE or options.get("inplace"):
            return self._in_place(func, name, args, options)
        if name not in _PURE or "out" in options:
            raise NotRecognised(f"the operation {name}")
        return self._torch(func, args, options)

    def _of_edges(self, func: Any, name: str, given: list[Symbol]) -> Any:
        """What may be asked about the edges: nothing that depends on their number."""
        if func in (Tensor.dim, *(getattr(Tensor, key).__get__ for key in ("ndim", "dtype", "layout", "is_sparse"))):
            return _plain(func, (given[0],), {})
        raise NotRecognised(f"the operation {name} on edges")

    def _linear(self, name: str, x: Symbol, rest: tuple[Any, ...], options: Any) -> Symbol:
        """x W + b; what is pending comes after W if that leaves fewer columns."""
        weight, bias = (*rest, *options.values(), None)[:2]
        if not isinstance(weight, Tensor) or weight.dim() != 2 or weight.dtype != torch.float32:
            raise NotRecognised(f"{name} with something else than a matrix")
        weight, pending = (weight.t() if name == "linear" else weight).detach().clone(), x.pending
        if x.place is None:
            self.shapes.append((self.nodes, weight.shape[1]))
            place = len(self.shapes) - 1
            self.products[place] = weight
        else:
            if pending and weight.shape[1] > weight.shape[0]:
                self.at(x)
                pending = ()
            inside = None if pending or bias is None else bias.detach().clone()
            place = self.step(Linear(weight, inside), (x.place,), (self.nodes, weight.shape[1]))
            bias = None if inside is not None else bias
        for step in pending:
            place = step(place)
        result = self.symbol((x.shape[0], weight.shape[1]), place)
        return result if bias is None else result + bias

    def _of_features(self, name: str, args: Any, options: Any) -> Symbol:
        """What features allow beside weights and layers: sums of rows, and division by a number per row."""
        x = args[0]
        if not isinstance(x, Symbol) or x.place is not None:
            raise NotRecognised(f"the operation {name} on features")
        if name in _COPIES and len(args) == 1:
            return x
        if name == "sum" and (args[1:], options) in _ROW_SUMS:
            return self._linear("matmul", x, (torch.ones(x.shape[1], 1),), {})
        scale = args[1] if len(args) == 2 else None
        column = isinstance(scale, Symbol) and scale.place is not None and scale.shape == (x.shape[0], 1)
        if name not in ("div", "__truediv__") or options or not column:
            raise NotRecognised(f"the operation {name} on features")
        by, divide = self.at(cast(Symbol, scale)), Torch(over, ((Value(), Value()), {}))

        def divided(place: int) -> int:
            return self.step(divide, (place, by), self.shapes[place])

        return self.symbol(tuple(x.shape), None, (*x.pending, divided))

    def _in_place(self, func: Any, name: str, args: Any, options: Any) -> Symbol:
        """Allowed where nothing else has seen the memory; then it is the same as a new value."""
        target = args[0]
        place = self.at(target) if isinstance(target, Symbol) else None
        seen = {place for step in self.steps.values() for place in step.inputs}
        if place is None or place in seen or (place in self.steps and self.steps[place].aliases):
            raise NotRecognised("a value is overwritten that something else has used")
        if name in _IN_PLACE:
            func = getattr(torch, _IN_PLACE[name])
        elif name not in _PURE:
            raise NotRecognised(f"the operation {name}")
        kept = {key: value for key, value in options.items() if key != "inplace"}
        new = cast(Symbol, self._torch(func, args, kept))
        if new.shape != target.shape:
            raise NotRecognised(f"the operation {name} on another shape")
        target.place = new.place
        return cast(Symbol, target)

    def _torch(self, func: Any, args: Any, options: Any) -> Any:
        """Leave it to torch."""
        flat, form = pytree.tree_flatten((args, options))
        places = tuple(self.at(part) for part in flat if isinstance(part, Symbol))
        kept = [_constant(part) for part in flat]
        operation = Torch(func, pytree.tree_unflatten(kept, form))
        shown = _plain(func, *pytree.tree_unflatten([_shape_of(part) for part in flat], form))
        aliases = getattr(func, "__name__", "") in _VIEWS
        if isinstance(shown, Tensor):
            return self._result(shown, operation, places, aliases)
        if not isinstance(shown, tuple):
            raise NotRecognised("an operation whose result is no tensor")
        whole = (self.step(operation, places, ()),)
        takes = (Torch(tuple.__getitem__, ((Value(), k), {})) for k in range(len(shown)))
        return tuple(self._result(part, take, whole, True) for part, take in zip(shown, takes, strict=True))

    def _result(self, shown: Tensor, operation: Operation, places: tuple[int, ...], aliases: bool) -> Symbol:
        if shown.layout != torch.strided:
            raise NotRecognised("a sparse value")
        shape = tuple(shown.shape)
        return self.symbol(shape, self.step(operation, places, shape, aliases), (), shown.dtype)

    def program(self, result: Symbol) -> Program:
        """The steps that lead to a result."""
        last = self.at(result)
        needed, stack = set[int](), [last]
        while stack:
            place = stack.pop()
            if place not in needed:
                needed.add(place)
                stack.extend(self.steps[place].inputs if place in self.steps else ())
        products = [place for place in self.products if place in needed]
        if not products:
            raise NotRecognised("the result does not depend on the features")
        steps = [place for place in self.steps if place in needed]
        at = {place: k for k, place in enumerate(products + steps)}
        listed = [replace(self.steps[p], inputs=tuple(at[k] for k in self.steps[p].inputs)) for p in steps]
        shapes = [self.shapes[p] for p in products]
        in_place, end = fused(shapes, listed, at[last])
        local = by_rows(shapes, in_place)
        weights = [self.products[p] for p in products]
        return Program(weights, in_place if local is None else local, end, local is not None)


def _plain(func: Any, args: Any, options: Any) -> Any:
    with torch._C.DisableTorchFunctionSubclass():
        return func(*args, **options)


def _constant(part: Any) -> Any:
    if isinstance(part, Symbol):
        return Value()
    return part.detach().clone() if isinstance(part, Tensor) else part


def _shape_of(part: Any) -> Any:
    return part.to("meta") if isinstance(part, Tensor) and not isinstance(part, Symbol) else part
