"""Noise on rows of real features.

A sample never depends on batches or threads, see `unit_noise`. All levels of a localized scheme share them: a row at
level ℓ is x + s_ℓ · ε with s the scale of its law. Rows that no view noises are not drawn.

*On a lattice* of step h, features are whole numbers z = x/h, and the classifier sees h · (z + round(s ε/h)): whole
numbers add exactly, and one fixed map makes floats of the sum. `UnitNoise.rounded_error` bounds what the float64
arithmetic of ε does.

*Without a lattice* the certificate is about real numbers. A noisy feature is computed in float64 and rounded once to
float32, and rounded noise is not translation-invariant: rounding could in principle tell two clean inputs apart (theory,
section 11, trap 12; Voráček & Hein 2023). It is assumed here that the classifier does not; the total variation that is
stated and subtracted does not include rounding.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from graphcert.core.arrays import Floats as Floats64
from graphcert.core.arrays import Integers, Mask
from graphcert.core.compiled import kernel
from graphcert.errors import DataError, InputError
from graphcert.noise import RealLaw
from graphcert.sampling.csr import CSR, Floats
from graphcert.sampling.unit_noise import UnitNoise, draw_units, unit_noise

LARGEST_WHOLE = 2**20
"""Features on a lattice, and the scale of their noise, are at most so many steps."""
_BLOCKS = 16  # of random bits, drawn at a time; changes the speed, never the result


@dataclass(frozen=True, eq=False)
class DenseNoise:
    """Continuous noise on the rows of clean features.

    Attributes:
        clean: the clean features (N, D), D the `width`; on a lattice in units of its `step`, which is 0 for none.
        scale: (V, J) the scale that a view puts on a block, in the units of `clean`.
        block: (N,) the block of every row.
    """

    clean: CSR
    width: int
    unit: UnitNoise
    scale: NDArray[np.float64]
    step: float
    block: Integers

    @classmethod
    def of(cls, clean: CSR, width: int, laws: Sequence[RealLaw], view_law: Integers, block: Integers) -> "DenseNoise":
        """Prepare laws of one kind and one lattice, the one of `view_law` (V, J) for every view and block."""
        unit, scales, step = unit_noise.of(laws[0]), [law.scale for law in laws], laws[0].lattice
        if step is None:
            return cls(clean, width, unit, np.array(scales)[view_law], 0.0, block)
        unit.check_lattice(laws[0])
        if max(scales) / step > LARGEST_WHOLE:
            wide = f"noise of scale {max(scales):g} is too wide for a lattice of step {step:g}"
            raise InputError(f"{wide}; use a larger step")
        steps = np.array([scale / step for scale in scales])
        return cls(whole_steps(clean, step), width, unit, steps[view_law], step, block)

    @property
    def total_variation(self) -> float:
        """Bound on the total-variation error of one sample, for the law on a lattice; 0 without one, see above."""
        if not self.step:
            return 0.0
        return self.block.size * self.width * self.unit.rounded_error(float(self.scale.max()))

    def fill(
        self, key: np.uint64, purpose: int, sample: int, view: int, out: Floats, selected: Mask | None = None
    ) -> None:
        """Write the noisy features (N, D) of one view to `out`, rows of at least D columns; `selected` (N,) as below."""
        one = replace(self, scale=self.scale[view : view + 1])
        one.fill_views(key, purpose, sample, out[None], None if selected is None else selected[None])

    def fill_views(self, key: np.uint64, purpose: int, sample: int, out: Floats, selected: Mask | None = None) -> None:
        """The same for all views, from one draw, to `out` (V, N, ≥ D); rows that are not `selected` (V, N) stay clean."""
        units, clean_values, row = np.empty((3, self.width))
        dense_rows(
            *self._address(key, purpose, sample), *self._rows,
            self.scale[:, self.block], self.step, self._chosen(selected), units, clean_values, row, out,
        )  # fmt: skip

    def first_layer(
        self, key: np.uint64, purpose: int, sample: int, weight: Floats, clean_product: Floats, out: Floats,
        selected: Mask | None = None,
    ) -> None:  # fmt: skip
        """out[v] = X W + s ∘ (ε W) for every view v of one sample; on a lattice the product of what `fill_views` writes.

        W is the `weight` (D, H), X W the `clean_product` (N, H); rows of `out` (V, N, H) that are not `selected` (V, N) are
        left as they are.
        """
        address, chosen, units = self._address(key, purpose, sample), self._chosen(selected), np.empty(self.width)
        scale = self.scale[:, self.block]
        if not self.step:
            scaled_first_layer(*address, scale, chosen, clean_product, weight, units, out)
            return
        lattice_first_layer(
            *address, *self._rows, scale, self.step, chosen, weight, units,
            np.empty(self.width), np.empty(self.width), out,
        )  # fmt: skip

    @property
    def _rows(self) -> tuple[NDArray[np.int32], NDArray[np.int32], Floats]:
        values = np.ones(self.clean.indices.size, np.float32) if self.clean.values is None else self.clean.values
        return self.clean.indptr, self.clean.indices, values

    def _address(self, key: np.uint64, purpose: int, sample: int) -> tuple[np.uint64, int, int, int, Floats64]:
        """Key, stream and sample, the branch of `draw_units`, and the noise of the sample if that is given."""
        stream = self.unit.stream(purpose)
        given = self.unit.given(key, stream, sample, (self.block.size, self.width))
        return key, stream, sample, self.unit.branch, given

    def _chosen(self, selected: Mask | None) -> Mask:
        return np.ones((len(self.scale), self.block.size), np.bool_) if selected is None else selected


def whole_steps(features: CSR, step: float) -> CSR:
    """Features in whole numbers of steps; each has to be the float32 nearest to one, as the classifier sees it."""
    values = np.ones(features.indices.size, np.float32) if features.values is None else features.values
    whole = np.rint(values.astype(np.float64) / step)
    if not np.array_equal((whole * step).astype(np.float32), values) or np.abs(whole).max(initial=0) > LARGEST_WHOLE:
        raise DataError(
            f"noise on a lattice needs features that are whole multiples of its step {step:g}, at most {LARGEST_WHOLE:,} "
            f"of them, rounded once to float32; round the features (torch.round(x / step) * step), or leave lattice out"
        )
    return CSR(features.indptr, features.indices, whole.astype(np.float32))


@kernel
def noisy_row(units, scale, step, clean, row):  # type: ignore[no-untyped-def]
    """row = clean + scale · units, summed in float64; on a lattice step · (clean + round(scale · units)), the sum exact."""
    if step > 0:
        for c in range(units.size):
            row[c] = (clean[c] + np.rint(units[c] * scale)) * step
    else:
        for c in range(units.size):
            row[c] = clean[c] + units[c] * scale


@kernel
def clean_row(begin, end, indices, values, row):  # type: ignore[no-untyped-def]
    """Write one row of a CSR matrix to `row` (D,)."""
    row[:] = 0
    for at in range(begin, end):
        row[indices[at]] += values[at]


@kernel
def dense_rows(  # type: ignore[no-untyped-def]
    key, stream, sample, branch, given, indptr, indices, values, scale, step, selected, units, clean, row, out
):
    """out[v, i, :D] = the noisy row i of view v, rounded once to float32, or the clean row where it is not selected.

    `indptr`, `indices`, `values` are the clean features in CSR form, in units of the step; `scale` and `selected` are
    (V, N); `units`, `clean`, `row` (D,) are float64 scratch.
    """
    words = np.empty((1, 4 * min(_BLOCKS, (units.size + 1) // 2)), np.uint32)
    for i in range(indptr.size - 1):
        drawn = False
        clean_row(indptr[i], indptr[i + 1], indices, values, clean)
        for v in range(out.shape[0]):
            if not selected[v, i]:
                for c in range(clean.size):
                    out[v, i, c] = clean[c] * step if step > 0 else clean[c]
                continue
            if not drawn:
                draw_units(key, stream, sample, i, branch, given, words, units)
                drawn = True
            noisy_row(units, scale[v, i], step, clean, row)
            for c in range(row.size):
                out[v, i, c] = row[c]


@kernel
def scaled_first_layer(  # type: ignore[no-untyped-def]
    key, stream, sample, branch, given, scale, selected, clean, weight, units, out
):
    """out[v, i] = clean[i] + scale[v, i] · (ε_i W) for selected rows, W the `weight` (D, H): one product for all views."""
    words = np.empty((1, 4 * min(_BLOCKS, (units.size + 1) // 2)), np.uint32)
    sums = np.empty(weight.shape[1], np.float32)
    for i in range(out.shape[1]):
        if not selected[:, i].any():
            continue
        draw_units(key, stream, sample, i, branch, given, words, units)
        sums[:] = 0
        for c in range(units.size):
            value = np.float32(units[c])
            for h in range(sums.size):
                sums[h] += value * weight[c, h]
        for v in range(out.shape[0]):
            factor = np.float32(scale[v, i])
            for h in range(sums.size):
                out[v, i, h] = clean[i, h] + factor * sums[h]


@kernel
def lattice_first_layer(  # type: ignore[no-untyped-def]
    key, stream, sample, branch, given, indptr, indices, values, scale, step, selected, weight, units, clean, row, out
):
    """out[v, i] = the noisy row i of view v (see `dense_rows`) times W for selected rows: a function of what is seen."""
    words = np.empty((1, 4 * min(_BLOCKS, (units.size + 1) // 2)), np.uint32)
    for i in range(out.shape[1]):
        if not selected[:, i].any():
            continue
        draw_units(key, stream, sample, i, branch, given, words, units)
        clean_row(indptr[i], indptr[i + 1], indices, values, clean)
        for v in range(out.shape[0]):
            if not selected[v, i]:
                continue
            noisy_row(units, scale[v, i], step, clean, row)
            out[v, i, :] = 0
            for c in range(row.size):
                value = np.float32(row[c])
                for h in range(out.shape[2]):
                    out[v, i, h] += value * weight[c, h]
