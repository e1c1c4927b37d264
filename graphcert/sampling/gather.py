"""The innermost loop of every sparse product with a 0/1 matrix: add up rows of a table, in vector registers.

This loop decides the speed of voting. Written as a plain loop, a compiler that cannot prove that the output does not overlap
the table keeps the running sum in memory and checks for overlap at every turn; here the running sum is held in vector
registers by construction, through LLVM's portable vector types (16 lanes; narrower machines split them). The order of the
additions is fixed by this file, so that the same numbers come out everywhere.
"""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

LANES = 16
"""Tables have a multiple of so many columns; pad them with zeros."""

_FLOAT, _INT = ir.FloatType(), ir.IntType(64)
_VECTOR = ir.VectorType(_FLOAT, LANES)


class _Loop:
    """Emits the loops over columns and rows for one call of `sum_rows`."""

    def __init__(self, builder: Any, table: Any, rows: Any, out: Any, numbers: tuple[Any, ...]) -> None:
        self.builder = builder
        self.table, self.rows, self.out = table, rows, out
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
        self._finish(start, sums, zero)

    def _finish(self, start: Any, sums: list[list[Any]], zero: Any) -> None:
        """Add the banks pairwise, scale, and store."""
        builder = self.builder
        spread = builder.insert_element(zero, self.scale, ir.Constant(ir.IntType(32), 0))
        spread = builder.shuffle_vector(spread, zero, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))
        base = builder.add(builder.mul(self.target, self.width), start)
        for v in range(len(sums[0])):
            parts = [builder.load(bank[v]) for bank in sums]
            while len(parts) > 1:
                parts = [builder.fadd(a, b) for a, b in zip(parts[::2], parts[1::2], strict=True)]
            place = builder.gep(self.out, [builder.add(base, self._number(v * LANES))])
            builder.store(builder.fmul(parts[0], spread), builder.bitcast(place, _VECTOR.as_pointer()), align=4)

    def all_columns(self) -> None:
        """Blocks of 64 columns with two running sums each, then blocks of 16 with four."""
        builder = self.builder
        wide = builder.udiv(self.width, self._number(4 * LANES))
        with cgutils.for_range(builder, wide, intp=_INT) as loop:
            self.columns(builder.mul(loop.index, self._number(4 * LANES)), vectors=4, unroll=2)
        covered = builder.mul(wide, self._number(4 * LANES))
        narrow = builder.udiv(builder.sub(self.width, covered), self._number(LANES))
        with cgutils.for_range(builder, narrow, intp=_INT) as loop:
            self.columns(builder.add(covered, builder.mul(loop.index, self._number(LANES))), vectors=1, unroll=4)


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
    matrix, vector = types.Array(types.float32, 2, "C"), types.Array(types.int32, 1, "C")
    expected = (matrix, vector, types.int64, types.int64, types.int64, types.float32, matrix, types.int64)
    signature = types.void(*expected)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        arrays = {
            index: context.make_array(signature.args[index])(context, builder, value=arguments[index])
            for index in (0, 1, 6)
        }
        width = cgutils.unpack_tuple(builder, arrays[0].shape, 2)[1]
        numbers = (width, arguments[2], arguments[3], arguments[4], arguments[5], arguments[7])
        _Loop(builder, arrays[0].data, arrays[1].data, arrays[6].data, numbers).all_columns()
        return context.get_dummy_value()

    return signature, generate
