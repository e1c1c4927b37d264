"""The innermost loop of every sparse product with a 0/1 matrix: add up rows of a table, in vector registers.

This loop decides the speed of voting. Written as a plain loop, a compiler that cannot prove that the output does not overlap
the table keeps the running sum in memory and checks for overlap at every turn; here the running sum is held in vector
registers by construction, through LLVM's portable vector types (16 lanes; narrower machines split them). The order of the
additions is fixed by this file, so that the same numbers come out everywhere.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numpy.typing import NDArray

from graphcert.kernel import intrinsic

LANES = 16
"""Tables have a multiple of so many columns; pad them with zeros."""

_CACHE_LINE = 64


def aligned(*shape: int) -> NDArray[np.float32]:
    """Zeros (shape) of float32 that start at a cache line: a vector that straddles two lines costs two loads."""
    size = int(np.prod(shape)) * 4
    memory = np.zeros(size + _CACHE_LINE, np.uint8)
    start = -memory.ctypes.data % _CACHE_LINE
    return memory[start : start + size].view(np.float32).reshape(shape)


_FLOAT, _INT = ir.FloatType(), ir.IntType(64)
_VECTOR = ir.VectorType(_FLOAT, LANES)


class _Loop:
    """Emits the loops over columns and rows for one call of `sum_rows`."""

    def __init__(
        self,
        builder: Any,
        table: Any,
        rows: Any,
        out: Any,
        numbers: tuple[Any, ...],
        anchor: Any = None,
        restart: Any = None,
    ) -> None:
        self.builder = builder
        self.table, self.rows, self.out = table, rows, out
        self.anchor, self.restart = anchor, restart
        self.width, self.begin, self.end, self.first, self.scale, self.target = numbers

    def _number(self, value: int) -> Any:
        return ir.Constant(_INT, value)

    def _load(self, base: Any, offset: Any) -> Any:
        """16 floats at base[offset], without any assumption about alignment."""
        builder = self.builder
        return builder.load(builder.bitcast(builder.gep(base, [offset]), _VECTOR.as_pointer()), align=4)

    def columns(self, start: Any, vectors: int, unroll: int) -> None:
        """Sum `vectors` · 16 columns from `start` on, with `unroll` independent running sums per vector."""
        builder = self.builder
        zero = ir.Constant(_VECTOR, [0.0] * LANES)
        sums = [[cgutils.alloca_once_value(builder, zero) for _ in range(vectors)] for _ in range(unroll)]
        for bank in sums:
            for slot in bank:
                builder.store(zero, slot)

        def add_row(row: Any, bank: list[Any]) -> None:
            base = builder.add(builder.mul(row, self.width), start)
            for v, slot in enumerate(bank):
                value = self._load(self.table, builder.add(base, self._number(v * LANES)))
                builder.store(builder.fadd(builder.load(slot), value), slot)

        def row_at(position: Any) -> Any:
            return builder.zext(builder.load(builder.gep(self.rows, [position])), _INT)

        with builder.if_then(builder.icmp_signed(">=", self.first, self._number(0))):
            add_row(self.first, sums[0])
        count = builder.sub(self.end, self.begin)
        turns = builder.udiv(count, self._number(unroll))
        with cgutils.for_range(builder, turns, intp=_INT) as loop:
            position = builder.add(self.begin, builder.mul(loop.index, self._number(unroll)))
            for k, bank in enumerate(sums):
                add_row(row_at(builder.add(position, self._number(k))), bank)
        done = builder.add(self.begin, builder.mul(turns, self._number(unroll)))
        with cgutils.for_range(builder, builder.sub(self.end, done), intp=_INT) as loop:
            add_row(row_at(builder.add(done, loop.index)), sums[0])
        self._finish(start, sums)

    def _spread(self, number: Any) -> Any:
        """A float in all lanes."""
        zero = ir.Constant(_VECTOR, [0.0] * LANES)
        lane = self.builder.insert_element(zero, number, ir.Constant(ir.IntType(32), 0))
        return self.builder.shuffle_vector(lane, zero, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))

    def _finish(self, start: Any, sums: list[list[Any]]) -> None:
        """Add the banks pairwise, scale, add the anchor's share, and store."""
        builder = self.builder
        spread = self._spread(self.scale)
        base = builder.add(builder.mul(self.target, self.width), start)
        for v in range(len(sums[0])):
            parts = [builder.load(bank[v]) for bank in sums]
            while len(parts) > 1:
                parts = [builder.fadd(a, b) for a, b in zip(parts[::2], parts[1::2], strict=True)]
            offset = builder.add(base, self._number(v * LANES))
            total = builder.fmul(parts[0], spread)
            if self.anchor is not None:
                share = builder.fmul(self._load(self.anchor, offset), self._spread(self.restart))
                total = builder.fadd(total, share)
            place = builder.gep(self.out, [offset])
            builder.store(total, builder.bitcast(place, _VECTOR.as_pointer()), align=4)

    def all_columns(self) -> None:
        """Blocks of 64 columns with four running sums each, then blocks of 16 with one (fastest for few rows)."""
        builder = self.builder
        wide = builder.udiv(self.width, self._number(4 * LANES))
        with cgutils.for_range(builder, wide, intp=_INT) as loop:
            self.columns(builder.mul(loop.index, self._number(4 * LANES)), vectors=4, unroll=4)
        covered = builder.mul(wide, self._number(4 * LANES))
        narrow = builder.udiv(builder.sub(self.width, covered), self._number(LANES))
        with cgutils.for_range(builder, narrow, intp=_INT) as loop:
            self.columns(builder.add(covered, builder.mul(loop.index, self._number(LANES))), vectors=1, unroll=1)


_MATRIX, _ROWS = types.Array(types.float32, 2, "C"), types.Array(types.int32, 1, "C")
_NUMBERS = (types.int64, types.int64, types.int64, types.float32)


@intrinsic
def sum_rows(typing_context, table, rows, begin, end, first, scale, out, target):  # type: ignore[no-untyped-def]
    """out[target] = scale · (table[first] + Σ_{begin ≤ i < end} table[rows[i]]); no first row if `first` < 0.

    For use inside kernels. Nothing is checked: every number in `rows` must be a row of `table`.

    Args:
        table: (R, H) float32, C-contiguous, H a multiple of `LANES`.
        rows: (…,) int32, C-contiguous; begin, end: int64 range in it.
        first: int64; scale: float32.
        out: (…, H) float32, C-contiguous, not `table`; target: int64 row of it.
    """
    signature = types.void(_MATRIX, _ROWS, *_NUMBERS, _MATRIX, types.int64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _emit(context, builder, signature, arguments, anchor=None)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def sum_rows_restarting(  # type: ignore[no-untyped-def]
    typing_context, table, rows, begin, end, first, scale, out, target, anchor, restart
):
    """As `sum_rows`, plus restart · anchor[target] for an `anchor` (…, H) and a float32 `restart`."""
    signature = types.void(_MATRIX, _ROWS, *_NUMBERS, _MATRIX, types.int64, _MATRIX, types.float32)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _emit(context, builder, signature, arguments, anchor=8)
        return context.get_dummy_value()

    return signature, generate


def _emit(context: Any, builder: Any, signature: Any, arguments: Any, anchor: int | None) -> None:
    """Emit the loops; arguments 0, 1 and 6 are arrays, and number `anchor` too if there is one."""

    def array(index: int) -> Any:
        return context.make_array(signature.args[index])(context, builder, value=arguments[index])

    table = array(0)
    width = cgutils.unpack_tuple(builder, table.shape, 2)[1]
    numbers = (width, *arguments[2:6], arguments[7])
    extra = (None, None) if anchor is None else (array(anchor).data, arguments[anchor + 1])
    _Loop(builder, table.data, array(1).data, array(6).data, numbers, *extra).all_columns()
