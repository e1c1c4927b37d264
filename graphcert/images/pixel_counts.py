"""How good a segmentation is, and how good it stays when every pixel that is not certified may change its class.

For class k let T be its true pixels, H of them labelled k (hits) and F other pixels labelled k (false). IoU = H / (T + F),
the intersection over the union. Only classes with true pixels are averaged, so the average is over the same classes
whatever an adversary does.

*Under attack.* Certified pixels keep their labels, open ones may get any. Then k keeps at least its certified hits, and its
union holds at most T, its certified false pixels, and every open pixel of another true class:

    IoU_k ≥ H_certified / (T + F_certified + open pixels of other classes)            attained, for each k alone

One open pixel cannot enlarge the unions of two classes, so their mean is larger than the mean of these bounds. With x_k ≥ 0
open pixels labelled k it is smallest when every open pixel is wrong, Σ x_k = U all of them; and Σ_k H_k / (D_k + x_k) with
H = H_certified, D = T + F_certified is for every λ ≥ 0 at least

    Σ_k min_x ( H_k / (D_k + x) + λ x ) − λ U            (0 ≤ x ≤ open pixels of other classes; weak duality)

*At most m changes among the open pixels.* They enlarge unions by at most m in all, and they take at most m open hits, worth
at most 1/D_k each, D = T + F. So the sum of IoUs is at least the bound above for all hits and U = m, less the m dearest
open hits.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphcert.core.arrays import Floats, Integers
from graphcert.errors import InputError

_ROUNDING = 1e-12
"""Taken off bounds; the sums of K quotients in them are exact to far less."""


@dataclass(frozen=True, eq=False)
class PixelCounts:
    """Pixels by class: of one image, or added up over several that are attacked one by one.

    Attributes:
        truth: (K,) T, pixels of each true class.
        hits: (K,) H, how many of them are labelled correctly.
        false: (K,) F, pixels labelled k that have another true class.
        certified_hits, certified_false: (K,) the certified ones of them.
        open: (K,) pixels of each true class that are not certified.
    """

    truth: Integers
    hits: Integers
    false: Integers
    certified_hits: Integers
    certified_false: Integers
    open: Integers

    @classmethod
    def of(
        cls, labels: ArrayLike, certified: ArrayLike, truth: ArrayLike, classes: int,
        void: int | Sequence[int] | None = None,
    ) -> "PixelCounts":  # fmt: skip
        """Count the pixels of one image.

        Args:
            labels: predicted classes 0 … K − 1, of any shape.
            certified: mask of the same shape, such as `Certificate.robust(…)`.
            truth: true classes of the same shape; pixels of class `void`, or below 0, are not counted at all.
            classes: K.
            void: the classes of the truth that mean "no label", one or several.

        Raises:
            InputError: for arrays of different sizes, or classes beyond K.
        """
        arrays = [np.asarray(array).ravel() for array in (labels, certified, truth)]
        if len({array.size for array in arrays}) > 1:
            raise InputError(
                f"labels, certified and truth must be of one size, got {', '.join(str(array.size) for array in arrays)}"
            )
        label, kept, true = (array.astype(np.int64) for array in arrays)
        counted = (true >= 0) if void is None else (true >= 0) & ~np.isin(true, void)
        label, sure, true = label[counted], kept[counted] != 0, true[counted]
        for name, array in (("label", label), ("true class", true)):
            if array.size and (array.min() < 0 or array.max() >= classes):
                wrong = array.min() if array.min() < 0 else array.max()
                raise InputError(f"there is a {name} {wrong} but the classes are 0 … {classes - 1}; name void=…")
        right = label == true

        def count(values: Integers, chosen: NDArray[np.bool_]) -> Integers:
            return np.bincount(values[chosen], minlength=classes).astype(np.int64)

        hits, false = count(label, right), count(label, ~right)
        certified_hits, certified_false = count(label, right & sure), count(label, ~right & sure)
        return cls(count(true, true >= 0), hits, false, certified_hits, certified_false, count(true, ~sure))

    def __add__(self, other: "PixelCounts") -> "PixelCounts":
        """Pixels of both."""
        return PixelCounts(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(self)))

    @property
    def pixels(self) -> int:
        """Number of pixels that are counted."""
        return int(self.truth.sum())

    @property
    def present(self) -> NDArray[np.bool_]:
        """(K,) classes that have true pixels."""
        return np.asarray(self.truth > 0)

    @property
    def accuracy(self) -> float:
        """Correct pixels / pixels; nan without pixels."""
        return _ratio(int(self.hits.sum()), self.pixels)

    @property
    def certified_ratio(self) -> float:
        """Certified pixels / pixels."""
        return _ratio(self.pixels - int(self.open.sum()), self.pixels)

    @property
    def certified_accuracy(self) -> float:
        """Certified and correct pixels / pixels: a lower bound of the accuracy under attack."""
        return _ratio(int(self.certified_hits.sum()), self.pixels)

    @property
    def open_ratio(self) -> float:
        """Pixels that are not certified / pixels; at a budget of zero the rate of abstention."""
        return _ratio(int(self.open.sum()), self.pixels)

    @property
    def iou(self) -> Floats:
        """(K,) intersection over union; nan for classes without true pixels."""
        return self._quotients(self.hits, self.truth + self.false)

    @property
    def mean_iou(self) -> float:
        """Mean of `iou` over the classes with true pixels."""
        return _mean(self.iou)

    @property
    def iou_lower(self) -> Floats:
        """(K,) the smallest IoU that open pixels can bring each class to; nan for classes without true pixels."""
        others = self.open.sum() - self.open
        return self._quotients(self.certified_hits, self.truth + self.certified_false + others)

    @property
    def mean_iou_lower(self) -> float:
        """Lower bound of the mean IoU when open pixels may get any labels: certified mean IoU."""
        others = self.open.sum() - self.open
        least = self._least_sum(self.certified_hits, self.truth + self.certified_false, others, int(self.open.sum()))
        return max(_mean(self.iou_lower), self._mean_of(least))

    def accuracy_after(self, changes: int) -> float:
        """Lower bound of the accuracy when at most so many of the open pixels change."""
        return _ratio(max(int(self.certified_hits.sum()), int(self.hits.sum()) - changes), self.pixels)

    def mean_iou_after(self, changes: int) -> float:
        """Lower bound of the mean IoU when at most so many of the open pixels change.

        A collective certificate bounds their number: `changes` = attacked_upper, the counted pixels being among its targets.
        """
        union, open_hits = self.truth + self.false, self.hits - self.certified_hits
        least = self._least_sum(self.hits, union, self.open.sum() - self.open, changes)
        order = np.argsort(union[self.present])
        each = open_hits[self.present][order]
        taken = np.clip(changes - (np.cumsum(each) - each), 0, each)
        loss = float((taken / union[self.present][order]).sum())
        return max(self.mean_iou_lower, self._mean_of(least - loss))

    def _quotients(self, over: Integers, under: Integers) -> Floats:
        return np.asarray(np.divide(over, under, out=np.full(over.shape, np.nan), where=self.present))

    def _mean_of(self, total: float) -> float:
        """A bound on the sum over classes as one on their mean, rounded down."""
        present = int(self.present.sum())
        return max(0.0, total / present - _ROUNDING) if present else float("nan")

    def _least_sum(self, hits: Integers, union: Integers, room: Integers, total: int) -> float:
        """Lower bound of Σ hits / (union + x) over 0 ≤ x ≤ room, Σ x ≤ total, for the classes with true pixels."""
        h, d, r = (array[self.present].astype(np.float64) for array in (hits, union, room))

        def dual(price: float) -> tuple[float, float]:
            # h/(d + x) + price·x is convex in x and smallest where its slope is zero, or at an end.
            x = np.clip(np.sqrt(h / price) - d, 0, r) if price > 0 else r
            return float((h / (d + x) + price * x).sum() - price * total), float(x.sum())

        if total == 0 or not h.any() or r.sum() <= total:
            return dual(0.0)[0] if total else float((h / d).sum())
        low, high = 0.0, float((h / d**2).max())  # above it nothing is bought
        best = max(dual(0.0)[0], dual(high)[0])
        for _ in range(60):
            middle = (low + high) / 2
            value, spent = dual(middle)
            best = max(best, value)
            low, high = (middle, high) if spent > total else (low, middle)
        return best


def certified_mask(labels: ArrayLike, certified: ArrayLike, size: tuple[int, int]) -> Integers:
    """(H, W) the label of every certified pixel, −1 elsewhere.

    Args:
        labels: (N,) predicted classes.
        certified: (N,) mask, such as `Certificate.robust(…)` or `~SegmentationCertificate.abstained`.
        size: (H, W) with H · W = N.

    Raises:
        InputError: if the sizes do not agree.
    """
    label, sure = np.asarray(labels).ravel(), np.asarray(certified).ravel()
    if not label.size == sure.size == size[0] * size[1]:
        raise InputError(
            f"an image of {size[0]}×{size[1]} pixels needs as many labels and marks, got {label.size} and {sure.size}"
        )
    return np.where(sure != 0, label, -1).astype(np.int64).reshape(size)


def _ratio(over: int, under: int) -> float:
    return over / under if under else float("nan")


def _mean(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")
