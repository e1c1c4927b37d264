"""SIMD intrinsics of integers, and what intrinsics are written with: their arguments, numbers and places in matrices.

Where a flip lies depends on the flip before it, and a plain loop takes them one by one; a running sum over the 16 lanes of
a vector takes four steps (Hillis & Steele 1986). Comparisons of 64 numbers make one 64-bit mask.
"""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types

from graphcert.core.compiled import intrinsic

GROUP = 16
"""Flips that `leap` takes at once."""

WORD = 64
"""Lanes of a mask."""

DIGITS = 16
"""Binary digits that `digits_to_numbers` takes together."""

_INT, _SHORT = ir.IntType(32), ir.IntType(16)
_WORDS, _NUMBERS = types.Array(types.uint32, 2, "C"), types.Array(types.uint16, 2, "C")
_PLACES = types.Array(types.int32, 1, "C")

LONG, BIT = ir.IntType(64), ir.IntType(1)


class Arguments:
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


@intrinsic
def leap(typing_context, steps, row, begin, position, out, at):  # type: ignore[no-untyped-def]
    """out[at + i] = position + Σ_{j ≤ i} steps[row, begin + j] for i < 16; returns the last of them.

    Returns −1 if a step has its highest bit set; what was written then means nothing. Nothing is checked: `steps` (R, ≥
    begin + 16) uint32 and `out` (≥ at + 16,) int32 are C-contiguous, and the sums stay below 2^31.
    """
    signature = types.int64(_WORDS, types.int64, types.int64, types.int64, _PLACES, types.int64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        given = Arguments(context, builder, signature, arguments)
        _, row, begin, position, _, at = arguments
        group = ir.VectorType(_INT, GROUP)
        zeros = ir.Constant(group, [0] * GROUP)
        taken = builder.load(builder.bitcast(given.place(0, row, begin), group.as_pointer()), align=4)
        sums = taken
        for shift in (1, 2, 4, 8):
            # Lane 16 of the pair is the first zero.
            lanes = [i - shift if i >= shift else GROUP for i in range(GROUP)]
            sums = builder.add(sums, permuted(builder, sums, zeros, lanes))
        there = builder.bitcast(builder.gep(given.data(4), [at]), group.as_pointer())
        builder.store(builder.add(sums, spread(builder, builder.trunc(position, _INT), GROUP)), there, align=4)
        marks = builder.bitcast(builder.icmp_signed("<", taken, zeros), _SHORT)
        length = builder.zext(builder.extract_element(sums, ir.Constant(_INT, GROUP - 1)), LONG)
        unmarked = builder.icmp_unsigned("==", marks, ir.Constant(_SHORT, 0))
        return builder.select(unmarked, builder.add(position, length), number(-1))

    return signature, generate


@intrinsic
def places_below(typing_context, places, at, limit):  # type: ignore[no-untyped-def]
    """How many of places[at] … places[at + 15] are below `limit`, for (≥ at + 16,) int32 and int64 numbers."""
    signature = types.int64(_PLACES, types.int64, types.int64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data, (_, at, limit) = Arguments(context, builder, signature, arguments).data(0), arguments
        group = ir.VectorType(_INT, GROUP)
        taken = builder.load(builder.bitcast(builder.gep(data, [at]), group.as_pointer()), align=4)
        inside = builder.icmp_signed("<", taken, spread(builder, builder.trunc(limit, _INT), GROUP))
        return builder.zext(builder.ctpop(builder.bitcast(inside, _SHORT)), LONG)

    return signature, generate


def _comparison(operator: str) -> Any:
    """Intrinsic that compares 64 numbers with one threshold."""

    def compare(typing_context, numbers, row, begin, threshold):  # type: ignore[no-untyped-def]
        signature = types.uint64(numbers, types.int64, types.int64, numbers.dtype)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            given = Arguments(context, builder, signature, arguments)
            _, row, begin, threshold = arguments
            lanes = ir.VectorType(threshold.type, WORD)
            taken = builder.load(builder.bitcast(given.place(0, row, begin), lanes.as_pointer()), align=2)
            return builder.bitcast(builder.icmp_unsigned(operator, taken, spread(builder, threshold, WORD)), LONG)

        return signature, generate

    return intrinsic(compare)


below = _comparison("<")
"""below(numbers, row, begin, threshold): bit i says whether numbers[row, begin + i] < threshold, for unsigned numbers."""

equal = _comparison("==")
"""equal(numbers, row, begin, threshold): bit i says whether numbers[row, begin + i] = threshold."""


@intrinsic
def digits_to_numbers(typing_context, words, row, out):  # type: ignore[no-untyped-def]
    """out[0, lane] = the 16 bits at `lane` of 16 words of 64, most significant first, for all 64 lanes.

    `words` (R, ≥ 32) uint32 has a pair (upper half, lower half) for every word of 64 bits; `out` is (≥ 1, ≥ 64) uint16.
    """
    signature = types.void(_WORDS, types.int64, _NUMBERS)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        given = Arguments(context, builder, signature, arguments)
        _, row, _ = arguments
        lanes = ir.VectorType(_SHORT, WORD)
        numbers = ir.Constant(lanes, [0] * WORD)
        for digit in range(DIGITS):
            halves = (builder.load(given.place(0, row, number(2 * digit + half))) for half in (0, 1))
            high, low = (builder.zext(half, LONG) for half in halves)
            word = builder.or_(builder.shl(high, number(32)), low)
            ones = builder.bitcast(word, ir.VectorType(BIT, WORD))
            larger = builder.add(numbers, ir.Constant(lanes, [1 << DIGITS - 1 - digit] * WORD))
            numbers = builder.select(ones, larger, numbers)
        builder.store(numbers, builder.bitcast(given.data(2), lanes.as_pointer()), align=2)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def lowest_one(typing_context, word):  # type: ignore[no-untyped-def]
    """Position of the lowest one of a 64-bit word (one machine instruction)."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(BIT, 0))

    return types.int64(types.uint64), generate


@intrinsic
def ones_in(typing_context, word):  # type: ignore[no-untyped-def]
    """Number of ones in a 64-bit word."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), generate
