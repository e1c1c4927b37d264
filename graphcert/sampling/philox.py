"""Counter-based random bits: Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").

Every random bit of graphcert is a pure function of five numbers:

    key     = the 64-bit seed
    counter = (block, row, sample, stream)          four 32-bit words

so the bits of (seed, sample, row, channel) never depend on batch size, thread, worker or restart, and one sample can be
drawn alone. Philox is a bijection of the counter for every key: two different addresses never share their bits.
"""

import numpy as np

from graphcert.core.compiled import kernel
from graphcert.errors import InputError

# What is drawn. The stream word of the counter is `purpose * 16 + channel`.
FEATURE_ADD, FEATURE_DELETE, EDGE_ADD, EDGE_DELETE = range(4)
REFINE = 4  # added to a channel: the extra bits of a draw that the first 32 could not decide
LEVEL = 8  # added to a channel: at which noise levels a drawn addition happens
# Rows that are noised, continuous noise, turns, and dropped nodes; beyond all flips.
SELECT, NORMAL, UNIFORM, SUBSET, TURN, DROP = range(256, 262)

# Why it is drawn. Pilot and main votes must be independent (theory, section 10), and so must training, and planning, which
# chooses the number of samples by votes.
PILOT, MAIN, TRAIN, VALIDATION, CHECK, PLAN = range(6)


def stream_word(purpose: int, channel: int) -> int:
    """The fourth counter word of one purpose (PILOT, MAIN, …) and channel (FEATURE_ADD, …)."""
    return purpose * 16 + channel


def seed_key(seed: int) -> np.uint64:
    """The 64-bit Philox key of a user's seed; raises `InputError` outside [0, 2^64)."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= int(seed) < 2**64:
        raise InputError(f"the seed must be a whole number from 0 to 2^64 − 1, got {seed!r}")
    return np.uint64(seed)


@kernel
def fill_blocks(key, stream, sample, row, rows, first, out, units=None):  # type: ignore[no-untyped-def]
    """Write the blocks `first`, `first` + 1, … of the rows `row` … `row + rows − 1` to `out` (≥ rows, 4 · blocks) uint32.

    With `units` (≥ rows, 2) int64, line k of `out` is row units[k, 0] from block units[k, 1] on. The loop over blocks
    carries nothing from one turn to the next, so the compiler turns it into vector code.
    """
    low = np.uint64(0xFFFFFFFF)
    shift = np.uint64(32)
    k0_start = key & low
    k1_start = key >> shift
    for k in range(rows):
        if units is None:
            its_row, its_first = row + k, first
        else:
            its_row, its_first = units[k, 0], units[k, 1]
        for i in range(out.shape[1] // 4):
            c0 = np.uint64(its_first + i) & low
            c1 = np.uint64(its_row)
            c2 = np.uint64(sample)
            c3 = np.uint64(stream)
            k0 = k0_start
            k1 = k1_start
            for _ in range(10):
                p0 = np.uint64(0xD2511F53) * c0
                p1 = np.uint64(0xCD9E8D57) * c2
                c0 = ((p1 >> shift) ^ c1 ^ k0) & low
                c2 = ((p0 >> shift) ^ c3 ^ k1) & low
                c1 = p1 & low
                c3 = p0 & low
                k0 = (k0 + np.uint64(0x9E3779B9)) & low
                k1 = (k1 + np.uint64(0xBB67AE85)) & low
            out[k, 4 * i] = np.uint32(c0)
            out[k, 4 * i + 1] = np.uint32(c1)
            out[k, 4 * i + 2] = np.uint32(c2)
            out[k, 4 * i + 3] = np.uint32(c3)
