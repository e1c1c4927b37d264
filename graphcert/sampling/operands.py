"""What the intrinsics of this package are written with: their arguments, numbers and places in matrices."""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types

LONG, BIT = ir.IntType(64), ir.IntType(1)


class Operands:
    """The arguments of one call of an intrinsic, as its code sees them."""

    def __init__(self, context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        self._context, self._builder, self._signature, self._arguments = context, builder, signature, arguments

    def __getitem__(self, index: int) -> Any:
        return self._arguments[index]

    def _array(self, index: int) -> Any:
        view = self._context.make_array(self._signature.args[index])
        return view(self._context, self._builder, value=self._arguments[index])

    def data(self, index: int) -> Any:
        """Pointer to the first element of an array."""
        return self._array(index).data

    def shape(self, index: int) -> Any:
        """Lengths of the axes of an array."""
        return cgutils.unpack_tuple(self._builder, self._array(index).shape, self._signature.args[index].ndim)

    def place(self, index: int, row: Any, column: Any) -> Any:
        """Pointer to the element (row, column) of a matrix."""
        offset = row_start(self._builder, row, self.shape(index)[1], column)
        return self._builder.gep(self.data(index), [offset])

    def is_none(self, index: int) -> bool:
        """Whether None was passed; known when the code is made."""
        return isinstance(self._signature.args[index], types.NoneType)


def number(value: int) -> Any:
    """A 64-bit constant."""
    return ir.Constant(LONG, value)


def row_start(builder: Any, row: Any, width: Any, column: Any) -> Any:
    """Offset of the element (row, column) of a matrix of that width."""
    return builder.add(builder.mul(row, width), column)


def permuted(builder: Any, one: Any, two: Any, lanes: list[int]) -> Any:
    """The given lanes of two vectors, one behind the other."""
    return builder.shuffle_vector(one, two, ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), lanes))


def spread(builder: Any, value: Any, lanes: int) -> Any:
    """A number in all lanes of a vector."""
    zeros = ir.Constant(ir.VectorType(value.type, lanes), [0] * lanes)
    first = builder.insert_element(zeros, value, ir.Constant(ir.IntType(32), 0))
    return permuted(builder, first, zeros, [0] * lanes)
