"""Sums over the marked ones of a noisy row, and a layer that takes such sums row by row; see `gather`."""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types

from graphcert.core.compiled import intrinsic
from graphcert.sampling.gather import LANES, MATRIX, ZEROS, add_row, for_columns, load, registers, store
from graphcert.sampling.operands import BIT, LONG, Operands, number, permuted, row_start

_BIAS = types.Array(types.float32, 1, "C")


@intrinsic
def sum_marked(  # type: ignore[no-untyped-def]
    typing_context, table, columns, begin, masks, place, words, void, row, sums, origin, target
):
    """sums[target] = sums[origin] + Σ table[columns[begin + i]] over the marked i with a column that is not void.

    Bit i mod 64 of the flat masks[place + i div 64] marks i, for i < 64 · words. Nothing is checked.

    Args:
        table: (R, H) float32, H a multiple of `LANES`; sums: (…, H) float32.
        columns: int32; masks: uint64; of any shape, seen as flat.
        void: (…, ⌈R / 64⌉) uint64: bit c mod 64 of void[row, c div 64] makes column c void; or None.
    """
    whole = types.int64
    signature = types.void(MATRIX, columns, whole, masks, whole, whole, void, whole, MATRIX, whole, whole)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        operands = Operands(context, builder, signature, arguments)
        table, sums = operands.data(0), operands.data(8)
        _, width = operands.shape(0)
        columns = builder.gep(operands.data(1), [operands[2]])
        masks = builder.gep(operands.data(3), [operands[4]])
        void = None
        if not operands.is_none(6):
            void = builder.gep(operands.data(6), [builder.mul(operands[7], operands.shape(6)[1])])

        def emit(start: Any, vectors: int) -> None:
            origin, target = (row_start(builder, operands[index], width, start) for index in (9, 10))
            slots = registers(builder, [load(builder, sums, origin, v) for v in range(vectors)])
            with cgutils.for_range(builder, operands[5], intp=LONG) as loop:
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

    Args:
        two: int64; or None, and there is one row only.
        sums: (…, H); bias: (H,); weight: (K, H); out: (…, ≥ column + K); all float32, H a multiple of `LANES`.
    """
    whole = types.int64
    signature = types.void(MATRIX, whole, two, _BIAS, MATRIX, MATRIX, whole, whole)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        operands = Operands(context, builder, signature, arguments)
        sums, bias, weight, out = (operands.data(index) for index in (0, 3, 4, 5))
        classes, width = operands.shape(4)
        there = row_start(builder, operands[6], operands.shape(5)[1], operands[7])

        def emit(start: Any, vectors: int) -> None:
            places = [
                row_start(builder, operands[index], width, start) for index in (1, 2) if not operands.is_none(index)
            ]
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
