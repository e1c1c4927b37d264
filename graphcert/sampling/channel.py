"""One noisy channel (features or edges): its laws turned into thresholds, and the scratch memory its kernels need."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphcert.noise import BernoulliFlip
from graphcert.sampling import philox
from graphcert.sampling.tables import GAP_BITS, GapTable, bit_threshold, gap_table

BLOCK = 64
"""Rows whose columns are drawn before the first of them is summed."""


@dataclass(frozen=True)
class Channel:
    """The laws of a channel over rows (or strips) of a given number of elements.

    Attributes:
        gaps: table of the largest addition rate.
        del_high, del_low: (deletion rates,) 128 digits of each distinct rate, ascending.
        level_high, level_low: (addition rates − 1,) 96-bit thresholds θ_a / θ_max of the smaller rates, ascending.
        ranks: (laws, 2) the place of each law's deletion rate and addition rate in these lists.
        add_rate: the largest addition rate.
        add_channel, delete_channel: where their random bits come from.
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
        return cls(
            gap_table(adds[-1], elements),
            np.array([d.high for d in digits], np.uint64),
            np.array([d.low for d in digits], np.uint64),
            np.array([share >> 64 for share in shares], np.uint32),
            np.array([share & (2**64 - 1) for share in shares], np.uint64),
            np.array([(deletes.index(law.delete), adds.index(law.add)) for law in laws], np.int64),
            adds[-1],
            add_channel,
            delete_channel,
            max(d.total_variation for d in digits),
        )

    @property
    def single(self) -> bool:
        """Whether there is one law only, which has simpler kernels."""
        return len(self.ranks) == 1

    @property
    def addition_classes(self) -> int:
        """Number of distinct addition rates."""
        return self.level_high.size + 1

    def streams(self, purpose: int) -> tuple[int, int]:
        """Counter words of the additions and of the deletions."""
        return philox.stream_word(purpose, self.add_channel), philox.stream_word(purpose, self.delete_channel)

    def law_thresholds(self) -> tuple[Any, ...]:
        """What the kernels of a single law take."""
        return self.gaps.high, self.gaps.low, self.gaps.guide, self.del_high[0], self.del_low[0]

    def level_thresholds(self) -> tuple[Any, ...]:
        """What the localized kernels take."""
        gaps = self.gaps
        return gaps.high, gaps.low, gaps.guide, self.del_high, self.del_low, self.level_high, self.level_low

    def room(self, elements: int) -> int:
        """Room for the additions among so many elements that hardly ever needs to grow."""
        mean = self.add_rate * elements
        return int(min(elements, mean + 8 * mean**0.5 + 64))

    def total_variation(self, rows: int, elements: int, ones: int) -> float:
        """Every row draws at most elements + 1 gaps, each with its level; every one draws one lane."""
        per_gap = self.gaps.total_variation + self.level_high.size * 2.0**-GAP_BITS
        return per_gap * rows * (elements + 1) + self.threshold_error * ones


class Scratch:
    """Scratch memory of one channel and thread; results never depend on it.

    Args:
        elements: length of a row, if rows are collected (features).
        hits: room for the additions of one row or strip.
        ones: the most clean ones in a row or strip.
        channel: the channel, if it is noisy.
    """

    def __init__(self, elements: int, hits: int, ones: int, channel: Channel | None) -> None:
        additions, deletions = (1, 1) if channel is None else (channel.addition_classes, channel.del_high.size)
        self.words = np.empty(64, np.uint32)
        self.columns = np.empty(2 * (ones + additions * elements), np.int32)
        self.row_ends = np.empty(BLOCK, np.int64)
        self.hits = np.empty(hits, np.int32)
        self.classes = np.empty(hits, np.uint8)
        self.masks = np.empty((ones // 64 + 1, deletions), np.uint64)
        self.begins, self.ends = (np.empty(deletions + additions, np.int64) for _ in range(2))

    def grow(self, hits: int) -> None:
        """More room for additions."""
        self.hits, self.classes = np.empty(hits, np.int32), np.empty(hits, np.uint8)

    @property
    def of_rows(self) -> tuple[Any, ...]:
        """What the row kernels of a single law take."""
        return self.words, self.columns, self.row_ends

    @property
    def of_levels(self) -> tuple[Any, ...]:
        """What the localized kernels take."""
        return self.words, self.columns, self.hits, self.classes, self.masks, self.begins, self.ends
