"""The innermost loop of every sparse product with a 0/1 matrix: add up rows of a table, in vector registers.

This loop decides the speed of voting. A compiler that cannot prove that the output does not overlap the table keeps the
running sum in memory; here it is held in vector registers by construction, through LLVM's portable vector types (16 lanes;
narrower machines split them). The order of the additions is fixed, so that the same numbers come out everywhere.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numpy.typing import NDArray

from graphcert.core.compiled import intrinsic
from graphcert.sampling.simd.vectors import BIT, LONG, Arguments, number, permuted, row_start, spread

LANES = 16
"""Tables have a multiple of so many columns; pad them with zeros."""

_CACHE_LINE = 64


def aligned(*shape: int) -> NDArray[np.float32]:
    """Zeros (shape) of float32 that start at a cache line: a vector that straddles two lines costs two loads."""
    size = int(np.prod(shape)) * 4
    memory = np.zeros(size + _CACHE_LINE, np.uint8)
    start = -memory.ctypes.data % _CACHE_LINE
    return memory[start : start + size].view(np.float32).reshape(shape)


VECTOR = ir.VectorType(ir.FloatType(), LANES)
ZEROS = ir.Constant(VECTOR, [0.0] * LANES)
MATRIX = types.Array(types.float32, 2, "C")


@intrinsic
def prefetch_row(typing_context, table, row):  # type: ignore[no-untyped-def]
    """Ask for a row of `table` (R, H) before it is read; waiting for rows at random places takes four times longer."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        given = Arguments(context, builder, signature, arguments)
        pointer, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer, flag, flag, flag])
        prefetch = builder.module.declare_intrinsic("llvm.prefetch", [pointer], kind)
        _, width = given.shape(0)
        with cgutils.for_range(builder, builder.udiv(width, number(LANES)), intp=LONG) as loop:
            column = builder.mul(loop.index, number(LANES))
            place = builder.gep(given.data(0), [row_start(builder, given[1], width, column)])
            # To be read, soon and often, as data.
            builder.call(prefetch, [builder.bitcast(place, pointer), flag(0), flag(3), flag(1)])
        return context.get_dummy_value()

    return types.void(MATRIX, types.int64), generate


def load(builder: Any, base: Any, offset: Any, vector: int) -> Any:
    """16 floats at base[offset + 16 · vector], without any assumption about alignment."""
    return builder.load(_place(builder, base, offset, vector), align=4)


def store(builder: Any, value: Any, base: Any, offset: Any, vector: int) -> None:
    """The inverse of `load`."""
    builder.store(value, _place(builder, base, offset, vector), align=4)


def _place(builder: Any, base: Any, offset: Any, vector: int) -> Any:
    place = builder.gep(base, [builder.add(offset, number(vector * LANES))])
    return builder.bitcast(place, VECTOR.as_pointer())


def registers(builder: Any, values: list[Any]) -> list[Any]:
    """Variables of a loop that hold vectors."""
    slots = [cgutils.alloca_once(builder, VECTOR) for _ in values]
    for slot, value in zip(slots, values, strict=True):
        builder.store(value, slot)
    return slots


def add_row(builder: Any, slots: list[Any], table: Any, offset: Any, factor: Any = None) -> None:
    """Add the vectors at table[offset] to the running sums, each times a vector `factor` if there is one."""
    for v, slot in enumerate(slots):
        value = load(builder, table, offset, v)
        value = value if factor is None else builder.fmul(value, factor)
        builder.store(builder.fadd(builder.load(slot), value), slot)


def for_columns(builder: Any, width: Any, emit: Callable[[Any, int], None]) -> None:
    """Emit code for blocks of 64 columns (four vectors), then for the one, two or three vectors that are left."""
    wide = builder.udiv(width, number(4 * LANES))
    with cgutils.for_range(builder, wide, intp=LONG) as loop:
        emit(builder.mul(loop.index, number(4 * LANES)), 4)
    covered = builder.mul(wide, number(4 * LANES))
    left = builder.udiv(builder.sub(width, covered), number(LANES))
    for vectors in (1, 2, 3):
        with builder.if_then(builder.icmp_unsigned("==", left, number(vectors))):
            emit(covered, vectors)


def _generate_sums(
    context: Any, builder: Any, signature: Any, arguments: Any, restarting: bool = False, scaled: bool = False
) -> Any:
    """The loops of `sum_rows` and its relatives (arguments as there), with four running sums where rows are wide."""
    given = Arguments(context, builder, signature, arguments)
    table, rows, out = (given.data(index) for index in (0, 1, 6))
    begin, end, first, scale, target = (given[index] for index in (2, 3, 4, 5, 7))
    _, width = given.shape(0)

    def entry(numbers: Any, position: Any) -> Any:
        return builder.zext(builder.load(builder.gep(numbers, [position])), LONG)

    def add(bank: list[Any], position: Any, start: Any) -> None:
        factor = None
        if scaled:
            label = entry(given.data(8), builder.add(position, given[9]))
            factor = spread(builder, builder.load(builder.gep(given.data(10), [label])), LANES)
        add_row(builder, bank, table, row_start(builder, entry(rows, position), width, start), factor)

    def emit(start: Any, vectors: int) -> None:
        unroll = 4 if vectors == 4 else 1
        banks = [registers(builder, [ZEROS] * vectors) for _ in range(unroll)]
        with builder.if_then(builder.icmp_signed(">=", first, number(0))):
            factor = spread(builder, scale, LANES) if scaled else None
            add_row(builder, banks[0], table, row_start(builder, first, width, start), factor)
        turns = builder.udiv(builder.sub(end, begin), number(unroll))
        with cgutils.for_range(builder, turns, intp=LONG) as loop:
            position = builder.add(begin, builder.mul(loop.index, number(unroll)))
            for k, bank in enumerate(banks):
                add(bank, builder.add(position, number(k)), start)
        done = builder.add(begin, builder.mul(turns, number(unroll)))
        with cgutils.for_range(builder, builder.sub(end, done), intp=LONG) as loop:
            add(banks[0], builder.add(done, loop.index), start)
        there = row_start(builder, target, width, start)
        for v in range(vectors):
            parts = [builder.load(bank[v]) for bank in banks]
            while len(parts) > 1:
                parts = [builder.fadd(a, b) for a, b in zip(parts[::2], parts[1::2], strict=True)]
            total = builder.fmul(parts[0], spread(builder, scale, LANES))
            if restarting:
                share = builder.fmul(load(builder, given.data(8), there, v), spread(builder, given[9], LANES))
                total = builder.fadd(total, share)
            if scaled and not given.is_none(11):
                total = builder.fadd(total, load(builder, given.data(11), start, v))
                negative = builder.fcmp_ordered("<", total, ZEROS)
                total = builder.select(builder.and_(negative, spread(builder, given[12], LANES)), ZEROS, total)
            store(builder, total, out, there, v)

    for_columns(builder, width, emit)
    return context.get_dummy_value()


_BIAS = types.Array(types.float32, 1, "C")
_INDICES = types.Array(types.int32, 1, "C")
_NUMBERS = (types.int64, types.int64, types.int64, types.float32)


@intrinsic
def sum_rows(typing_context, table, rows, begin, end, first, scale, out, target):  # type: ignore[no-untyped-def]
    """out[target] = scale · (table[first] + Σ_{begin ≤ i < end} table[rows[i]]); no first row if `first` < 0.

    For use inside kernels. Nothing is checked: every number in `rows` (…,) int32 must be a row of `table` (R, H), H a
    multiple of `LANES`; `out` (…, H) is not `table`; both are float32, all arrays C-contiguous.
    """
    return types.void(MATRIX, _INDICES, *_NUMBERS, MATRIX, types.int64), _generate_sums


@intrinsic
def sum_rows_restarting(  # type: ignore[no-untyped-def]
    typing_context, table, rows, begin, end, first, scale, out, target, anchor, restart
):
    """As `sum_rows`, plus restart · anchor[target] for an `anchor` (…, H) and a float32 `restart`."""
    signature = types.void(MATRIX, _INDICES, *_NUMBERS, MATRIX, types.int64, MATRIX, types.float32)
    return signature, partial(_generate_sums, restarting=True)


@intrinsic
def sum_scaled_rows(  # type: ignore[no-untyped-def]
    typing_context, table, rows, begin, end, first, scale, out, target, labels, shift, factors, bias, rectify
):
    """As `sum_rows`, but every row is multiplied and rounded before it is added: the first one with `scale`, the others
    with factors[labels[i + shift]], for float32 `factors` and int32 `labels`.

    Then plus `bias` (H,) float32 unless it is None, and zero where that is negative if `rectify`; NaN stays NaN.
    """
    of_factors = _INDICES, types.int64, _BIAS
    signature = types.void(MATRIX, _INDICES, *_NUMBERS, MATRIX, types.int64, *of_factors, bias, types.boolean)
    return signature, partial(_generate_sums, scaled=True)


@intrinsic
def sum_selected_rows(  # type: ignore[no-untyped-def]
    typing_context, table, columns, begin, masks, place, words, void, row, sums, origin, target
):
    """sums[target] = sums[origin] + Σ table[columns[begin + i]] over the selected i with a column that is not void.

    Bit i mod 64 of the flat masks[place + i div 64] (uint64) selects i, for i < 64 · words; columns are int32. Bit c mod 64
    of void[row, c div 64] makes column c void; `void` may be None. Nothing is checked: `table` (R, H) and `sums` (…, H) are
    float32, H a multiple of `LANES`.
    """
    whole = types.int64
    signature = types.void(MATRIX, columns, whole, masks, whole, whole, void, whole, MATRIX, whole, whole)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        given = Arguments(context, builder, signature, arguments)
        table, sums = given.data(0), given.data(8)
        _, width = given.shape(0)
        columns = builder.gep(given.data(1), [given[2]])
        masks = builder.gep(given.data(3), [given[4]])
        void = None
        if not given.is_none(6):
            void = builder.gep(given.data(6), [builder.mul(given[7], given.shape(6)[1])])

        def emit(start: Any, vectors: int) -> None:
            origin, target = (row_start(builder, given[index], width, start) for index in (9, 10))
            slots = registers(builder, [load(builder, sums, origin, v) for v in range(vectors)])
            with cgutils.for_range(builder, given[5], intp=LONG) as loop:
                word = builder.load(builder.gep(masks, [loop.index]))
                first = builder.gep(columns, [builder.mul(loop.index, number(64))])
                for lane in _ones_of(builder, word):
                    column = builder.zext(builder.load(builder.gep(first, [lane])), LONG)
                    with builder.if_then(_is_valid(builder, void, column), likely=True):
                        add_row(builder, slots, table, row_start(builder, column, width, start))
            for v, slot in enumerate(slots):
                store(builder, builder.load(slot), sums, target, v)

        for_columns(builder, width, emit)
        return context.get_dummy_value()

    return signature, generate


def _ones_of(builder: Any, word: Any) -> Any:
    """Emit a loop over the ones of a word, lowest first; yields the position of one, once, for the body."""
    left = cgutils.alloca_once_value(builder, word)
    test, body, done = (builder.append_basic_block(name) for name in ("ones", "one", "done"))
    builder.branch(test)
    builder.position_at_end(test)
    ones = builder.load(left)
    builder.cbranch(builder.icmp_unsigned("!=", ones, number(0)), body, done)
    builder.position_at_end(body)
    yield builder.cttz(ones, ir.Constant(BIT, 1))
    builder.store(builder.and_(ones, builder.sub(ones, number(1))), left)
    builder.branch(test)
    builder.position_at_end(done)


def _is_valid(builder: Any, void: Any, column: Any) -> Any:
    if void is None:
        return ir.Constant(BIT, 1)
    word = builder.load(builder.gep(void, [builder.lshr(column, number(6))]))
    return builder.not_(builder.trunc(builder.lshr(word, builder.and_(column, number(63))), BIT))


@intrinsic
def rectified_products(  # type: ignore[no-untyped-def]
    typing_context, sums, one, two, bias, weight, out, row, column
):
    """out[row, column + k] = ⟨weight[k], max(sums[one] + sums[two] + bias, 0)⟩ for all k; NaN stays NaN.

    `two` may be None: one row only. `sums` (…, H), `bias` (H,), `weight` (K, H) and `out` are float32, H a multiple of
    `LANES`.
    """
    whole = types.int64
    signature = types.void(MATRIX, whole, two, _BIAS, MATRIX, MATRIX, whole, whole)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        given = Arguments(context, builder, signature, arguments)
        sums, bias, weight, out = (given.data(index) for index in (0, 3, 4, 5))
        classes, width = given.shape(4)
        there = row_start(builder, given[6], given.shape(5)[1], given[7])

        def emit(start: Any, vectors: int) -> None:
            places = [row_start(builder, given[index], width, start) for index in (1, 2) if not given.is_none(index)]
            hidden = []
            for v in range(vectors):
                value = load(builder, sums, places[0], v)
                for place in places[1:]:
                    value = builder.fadd(value, load(builder, sums, place, v))
                value = builder.fadd(value, load(builder, bias, start, v))
                hidden.append(builder.select(builder.fcmp_ordered("<", value, ZEROS), ZEROS, value))
            fresh = builder.icmp_unsigned("==", start, number(0))
            with cgutils.for_range(builder, classes, intp=LONG) as loop:
                weights = row_start(builder, loop.index, width, start)
                total = ZEROS
                for v, value in enumerate(hidden):
                    product = builder.fmul(value, load(builder, weight, weights, v), flags=("contract",))
                    total = builder.fadd(total, product, flags=("contract",))
                place = builder.gep(out, [builder.add(there, loop.index)])
                before = builder.select(fresh, ir.Constant(ir.FloatType(), 0.0), builder.load(place))
                builder.store(builder.fadd(before, _total(builder, total)), place)

        for_columns(builder, width, emit)
        return context.get_dummy_value()

    return signature, generate


def _total(builder: Any, vector: Any) -> Any:
    """The sum of all lanes, halves upon halves."""
    half = LANES // 2
    while half:
        moved = permuted(builder, vector, vector, [(i + half) % LANES for i in range(LANES)])
        vector = builder.fadd(vector, moved)
        half //= 2
    return builder.extract_element(vector, ir.Constant(ir.IntType(32), 0))
