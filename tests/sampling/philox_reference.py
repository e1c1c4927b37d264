"""The sampler once more, slowly: whole numbers and fractions, written from the description and not from the kernels.

Everything here compares a uniform number of 96 or 128 bits with an exact probability. No guides, no early exits, no
batches of random words.
"""

from bisect import bisect_right
from fractions import Fraction
from functools import lru_cache
from math import ceil

from graphcert.sampling.flips import LONGEST_TABLE

MASK = 2**32 - 1
STRIP = 32
FEATURE_ADD, FEATURE_DELETE, EDGE_ADD, EDGE_DELETE = range(4)
REFINE = 4


def philox(counter, key):
    """One block of Philox4x32-10: four 32-bit words of a counter (four words) under a key (two words)."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (p1 >> 32) ^ c1 ^ k0, p1 & MASK, (p0 >> 32) ^ c3 ^ k1, p0 & MASK
        k0, k1 = (k0 + 0x9E3779B9) & MASK, (k1 + 0xBB67AE85) & MASK
    return c0, c1, c2, c3


@lru_cache(2**15)
def block(seed, stream, sample, row, number):
    """The four words of one block of an address."""
    return philox((number, row, sample, stream), (seed & MASK, seed >> 32))


def uniform96(seed, stream, sample, row, draw):
    """The number in 0 … 2^96 − 1 that decides one gap: a word of the stream, then two words of its refinement."""
    first = block(seed, stream, sample, row, draw // 4)[draw % 4]
    second, third, *_ = block(seed, stream + REFINE, sample, row, draw)
    return first << 64 | second << 32 | third


def uniform128(seed, stream, sample, row, word, lane):
    """The number in 0 … 2^128 − 1 that decides element 64 · word + lane: one bit of each of 128 words of 64 bits."""
    value = 0
    for digit in range(128):
        words = block(seed, stream, sample, row, 64 * word + digit // 2)
        high, low = words[2 * (digit % 2) : 2 * (digit % 2) + 2]
        value = value << 1 | ((high << 32 | low) >> lane & 1)
    return value


def gap_thresholds(rate, elements):
    """P[gap ≤ k] as 96-bit numbers, rounded down, for as many k as the sampler tabulates."""
    if rate == 0:
        return []
    length = min(elements, ceil(min(16 / rate, LONGEST_TABLE)))
    above, below = (1 - Fraction(rate)).as_integer_ratio()
    thresholds, numerator, denominator = [], 1, 1
    for _ in range(length):
        numerator, denominator = numerator * above, denominator * below
        thresholds.append(min(2**96 * (denominator - numerator) // denominator, 2**96 - 1))
    return thresholds


def gap_positions(seed, stream, sample, row, elements, thresholds):
    """Flipped positions among 0 … elements − 1, by gaps; a gap as long as the table starts afresh behind it."""
    found, position, draw = [], 0, 0
    while thresholds and position < elements:
        uniform = uniform96(seed, stream, sample, row, draw)
        draw += 1
        gap = bisect_right(thresholds, uniform)
        position += gap
        if gap < len(thresholds):
            if position < elements:
                found.append(position)
            position += 1
    return found


def deleted(seed, stream, sample, row, number, rate):
    """Whether the `number`-th one of a row (or strip) is deleted."""
    digits = min(int(Fraction(rate) * 2**128), 2**128 - 1)
    return uniform128(seed, stream, sample, row, number // 64, number % 64) < digits


def noisy_features(seed, purpose, sample, rows, width, law):
    """Rows of ones → rows of noisy ones (sets)."""
    thresholds = gap_thresholds(law.add, width)
    result = []
    for row, ones in enumerate(rows):
        kept = {
            column
            for number, column in enumerate(sorted(ones))
            if not deleted(seed, purpose * 16 + FEATURE_DELETE, sample, row, number, law.delete)
        }
        flipped = gap_positions(seed, purpose * 16 + FEATURE_ADD, sample, row, width, thresholds)
        result.append(kept | (set(flipped) - set(ones)))
    return result


def noisy_edges(seed, purpose, sample, nodes, edges, law):
    """Pairs (i < j) → noisy pairs; random bits are addressed by strips of 32 rows i."""
    thresholds = gap_thresholds(law.add, STRIP * nodes)
    result = set()
    for strip, first in enumerate(range(0, nodes, STRIP)):
        clean = sorted(pair for pair in edges if first <= pair[0] < first + STRIP)
        result |= {
            pair
            for number, pair in enumerate(clean)
            if not deleted(seed, purpose * 16 + EDGE_DELETE, sample, strip, number, law.delete)
        }
        width = nodes - first - 1
        elements = min(STRIP, nodes - first) * width
        for hit in gap_positions(seed, purpose * 16 + EDGE_ADD, sample, strip, elements, thresholds):
            i, j = first + hit // width, first + 1 + hit % width
            if i < j and (i, j) not in edges:
                result.add((i, j))
    return result
