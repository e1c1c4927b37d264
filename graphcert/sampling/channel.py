"""One noisy channel (features or edges): its laws turned into thresholds, and the scratch memory its kernels need."""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphcert.noise import BernoulliFlip
from graphcert.sampling import philox
from graphcert.sampling.flips import GAP_BITS, GapTable, bit_threshold, gap_table
from graphcert.sampling.simd.row_sums import LANES, aligned
from graphcert.sampling.simd.vectors import DIGITS, GROUP, WORD

_BLOCK_WORDS = 4096
"""Random words of a block of rows: what follows from them stays in the caches."""
_STRIPS = 32
"""Strips whose deletions are drawn together."""


@dataclass(frozen=True)
class Channel:
    """The laws of a channel over rows (or strips) of a given number of elements.

    Attributes:
        gaps: table of the largest addition rate, `add_rate`.
        del_high, del_low: (deletion rates,) 128 digits of each distinct rate, ascending.
        level_high, level_low: (addition rates − 1,) 96-bit thresholds θ_a / θ_max of the smaller rates, ascending.
        ranks: (laws, 2) the place of each law's deletion rate and addition rate in these lists.
        threshold_error: bound on the total-variation error of one deletion.
    """

    gaps: GapTable
    del_high: NDArray[np.uint64]
    del_low: NDArray[np.uint64]
    level_high: NDArray[np.uint32]
    level_low: NDArray[np.uint64]
    ranks: NDArray[np.int64]
    add_rate: float
    add_channel: int
    delete_channel: int
    threshold_error: float

    @classmethod
    def of(
        cls, laws: tuple[BernoulliFlip, ...], elements: int, add_channel: int, delete_channel: int
    ) -> "Channel | None":
        """Prepare distinct laws; None if none of them changes anything."""
        if all(law.silent for law in laws):
            return None
        adds, deletes = sorted({law.add for law in laws}), sorted({law.delete for law in laws})
        digits = [bit_threshold(rate) for rate in deletes]
        shares = [int(Fraction(rate) / Fraction(adds[-1]) * 2**GAP_BITS) for rate in adds[:-1]]
        del_high, del_low = (np.array([getattr(d, half) for d in digits], np.uint64) for half in ("high", "low"))
        level_high = np.array([share >> 64 for share in shares], np.uint32)
        level_low = np.array([share & (2**64 - 1) for share in shares], np.uint64)
        ranks = np.array([(deletes.index(law.delete), adds.index(law.add)) for law in laws], np.int64)
        gaps, error = gap_table(adds[-1], elements), max(d.total_variation for d in digits)
        return cls(
            gaps, del_high, del_low, level_high, level_low, ranks, adds[-1], add_channel, delete_channel, error
        )  # fmt: skip

    def streams(self, purpose: int) -> tuple[int, int]:
        """Counter words of the additions and of the deletions."""
        return philox.stream_word(purpose, self.add_channel), philox.stream_word(purpose, self.delete_channel)

    @property
    def thresholds(self) -> tuple[Any, ...]:
        """What the kernels take: (high, low, cells) of gaps, (high, low) of deletion rates, (high, low) of levels."""
        gaps = self.gaps
        return gaps.high, gaps.low, gaps.cells, self.del_high, self.del_low, self.level_high, self.level_low

    @property
    def classes_of_laws(self) -> NDArray[np.int64]:
        """(laws, 2) the first and the last class that is seen under a law: of survivors, then of additions."""
        kept, added = self.ranks.T
        return np.stack([kept, self.deletions + added], axis=1)

    @property
    def sums_of_laws(self) -> NDArray[np.int64]:
        """(laws, 2) the rows of `RowScratch.sums` that make up X̃W: survivors from a law's class on, additions up to it."""
        kept, added = self.ranks.T
        return np.stack([self.deletions - kept, self.deletions + 1 + added], axis=1)

    @property
    def deletions(self) -> int:
        """Number of distinct deletion rates."""
        return self.del_high.size

    @property
    def additions(self) -> int:
        """Number of distinct addition rates."""
        return self.level_high.size + 1

    def room(self, elements: int) -> int:
        """Room for the additions among so many elements that hardly ever needs to grow."""
        return int(min(elements, self._likely(elements, 8) + 64))

    def draws(self, elements: int) -> int:
        """Draws that suffice for most rows of so many elements, in whole groups."""
        return -(-int(self._likely(elements, 1.5) + 1) // GROUP) * GROUP

    def _likely(self, elements: int, deviations: float) -> float:
        """Mean number of additions plus so many standard deviations."""
        return (mean := self.add_rate * elements) + deviations * math.sqrt(mean)

    def total_variation(self, rows: int, elements: int, ones: int) -> float:
        """Every row draws at most elements + 1 gaps, each with its level; every one draws one lane."""
        per_gap = self.gaps.total_variation + self.level_high.size * 2.0**-GAP_BITS
        return per_gap * rows * (elements + 1) + self.threshold_error * ones


class RowScratch:
    """Scratch memory for blocks of rows of `elements` features, at most `longest` of them ones, of one thread."""

    def __init__(self, channel: Channel, elements: int, longest: int) -> None:
        draws = channel.draws(elements)
        width = _whole_words(draws) * WORD
        rows = max(1, _BLOCK_WORDS // width)
        room = rows * (width // WORD + 1) + _whole_words(max(elements, width) + GROUP)
        self.words, self.steps = np.empty((rows, width), np.uint32), np.empty((rows, draws), np.uint32)
        self.begins, self.counts = (np.empty(rows, np.int64) for _ in range(2))
        self.hits, self.added = np.empty(room * WORD, np.int32), np.empty((channel.additions, room), np.uint64)
        self._lanes = _lane_scratch(channel, rows, rows * _whole_words(longest))
        self._sums = aligned(channel.deletions + channel.additions + 1, LANES)

    def sums(self, width: int) -> NDArray[np.float32]:
        """One running sum over table rows of that width per class, below a row of zeros."""
        if self._sums.shape[1] != width:
            self._sums = aligned(len(self._sums), width)
        return self._sums

    @property
    def arrays(self) -> tuple[Any, ...]:
        """What the row kernels take."""
        return self.words, self.steps, self.begins, self.counts, self.hits, self.added, *self._lanes


class StripScratch:
    """Scratch memory for one strip of at most `elements` pairs of nodes, `longest` of them clean edges, of one thread."""

    def __init__(self, channel: Channel, elements: int, longest: int) -> None:
        self.words = np.empty((1, WORD), np.uint32)
        self.begins, self.counts = (np.empty(1, np.int64) for _ in range(2))
        self._lanes = _lane_scratch(channel, _STRIPS, _STRIPS * _whole_words(longest))
        self._additions = channel.additions
        self.grow(channel.room(elements))

    def grow(self, hits: int) -> None:
        """Room for so many additions."""
        self.hits, self.added = np.empty(hits, np.int32), np.empty((self._additions, _whole_words(hits)), np.uint64)

    @property
    def arrays(self) -> tuple[Any, ...]:
        """What the edge kernel takes."""
        return self.words, self.begins, self.counts, self.hits, self.added, *self._lanes


def _lane_scratch(channel: Channel, rows: int, words: int) -> tuple[NDArray[Any], ...]:
    """What `draw_kept` takes for the deletions of so many rows and words of lanes, from `places` to `kept`."""
    digits, numbers = np.empty((words, 2 * DIGITS), np.uint32), np.empty((1, WORD), np.uint16)
    kept = np.empty((channel.deletions, words), np.uint64)
    return np.empty(rows, np.int64), np.empty((words, 2), np.int64), digits, numbers, kept


def _whole_words(lanes: int) -> int:
    """Masks that hold so many lanes."""
    return -(-lanes // WORD)
