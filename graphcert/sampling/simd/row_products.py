"""Products of rows with a matrix, in vector registers, whose rounding does not depend on how many rows there are.

A library chooses the order of its additions by the shape of the whole product, so a row could come out otherwise in a part
of a graph than in the whole graph. Here every entry is bias + x[0] W[0] + x[1] W[1] + …, added in that order whatever the
rows beside it are.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import binding
from numba.core import cgutils, types

from graphcert.core.compiled import intrinsic, kernel
from graphcert.sampling.simd.row_sums import LANES, MATRIX, for_columns, load, registers, store
from graphcert.sampling.simd.vectors import LONG, Arguments, number, row_start, spread

ROWS = 6
"""Rows that are held in registers together, so that a row of the matrix is loaded once for all of them."""

_MANY_REGISTERS = bool(binding.get_host_cpu_features().get("avx512f"))


def _for_vectors(builder: Any, width: Any, emit: Callable[[Any, int], None]) -> None:
    """Like `for_columns`, one vector at a time: the running sums of six rows fill the registers of smaller machines."""
    with cgutils.for_range(builder, builder.udiv(width, number(LANES)), intp=LONG) as loop:
        emit(builder.mul(loop.index, number(LANES)), 1)


def product_of_rows(rows: int, many_registers: bool = _MANY_REGISTERS) -> Any:
    """The intrinsic that computes so many rows of `row_products` from a given one on; the same bits for any number."""

    def product(typing_context, x, row, matrix, depth, bias, out):  # type: ignore[no-untyped-def]
        signature = types.void(MATRIX, types.int64, MATRIX, types.int64, types.Array(types.float32, 1, "C"), MATRIX)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            given = Arguments(context, builder, signature, arguments)
            (_, length), (_, width), (_, columns) = (given.shape(index) for index in (0, 2, 5))
            entries, matrix, bias, out = (given.data(index) for index in (0, 2, 4, 5))
            places = [builder.add(given[1], number(k)) for k in range(rows)]

            def emit(start: Any, vectors: int) -> None:
                first = [load(builder, bias, start, v) for v in range(vectors)]
                sums = [registers(builder, first) for _ in places]
                with cgutils.for_range(builder, given[3], intp=LONG) as loop:
                    there = row_start(builder, loop.index, width, start)
                    factors = [load(builder, matrix, there, v) for v in range(vectors)]
                    for place, slots in zip(places, sums, strict=True):
                        entry = builder.gep(entries, [row_start(builder, place, length, loop.index)])
                        _add(builder, slots, spread(builder, builder.load(entry), LANES), factors)
                for place, slots in zip(places, sums, strict=True):
                    there = row_start(builder, place, columns, start)
                    for v, slot in enumerate(slots):
                        store(builder, builder.load(slot), out, there, v)

            (for_columns if many_registers else _for_vectors)(builder, width, emit)
            return context.get_dummy_value()

        return signature, generate

    return intrinsic(product)


def _add(builder: Any, slots: list[Any], entry: Any, factors: list[Any]) -> None:
    """Add entry · factor to every running sum, rounded once where the machine can."""
    for slot, factor in zip(slots, factors, strict=True):
        term = builder.fmul(entry, factor, flags=("contract",))
        builder.store(builder.fadd(builder.load(slot), term, flags=("contract",)), slot)


_several, _one = product_of_rows(ROWS), product_of_rows(1)


@kernel
def row_products(x, matrix, depth, bias, out):  # type: ignore[no-untyped-def]
    """out[i] = bias + Σ_{h < depth} x[i, h] · matrix[h] for every row of x (N, ≥ depth).

    `matrix` (≥ depth, H'), `bias` (H',) and `out` (≥ N, H') have the same multiple of `LANES` columns; `out` is not `x`. All
    are float32 and C-contiguous. `graphcert.models.kernels.dense` computes the same product with another rounding, and
    slower; graphcert's own models keep it, so that their votes keep their bits.
    """
    together = x.shape[0] - x.shape[0] % ROWS
    for i in range(0, together, ROWS):
        _several(x, i, matrix, depth, bias, out)
    for i in range(together, x.shape[0]):
        _one(x, i, matrix, depth, bias, out)
