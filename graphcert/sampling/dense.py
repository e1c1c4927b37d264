"""Gaussian and uniform noise on rows of real features, from counter-based bits.

The numbers of a row come from its own address, two per block of random bits, so a sample never depends on batches or
threads. All levels of a localized scheme share them: a row at level ℓ is x + s_ℓ · ε with s the standard deviation or
half-width. Rows that no view noises are not drawn.

*On a lattice* of step h, features are whole numbers z = x/h, and the classifier sees h · (z + round(s ε/h)): whole numbers
add exactly, and one fixed map makes floats of the sum. `rounded_error` bounds what the float64 arithmetic of ε does.

*Without a lattice* the certificate is about real numbers. A noisy feature is computed in float64 and rounded once to
float32, and rounded noise is not translation-invariant: rounding could in principle tell two clean inputs apart (theory,
section 11, trap 12; Voráček & Hein 2023). It is assumed here that the classifier does not; the total variation that is
stated and subtracted does not include rounding.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from graphcert.core.compiled import kernel
from graphcert.errors import DataError, InputError
from graphcert.noise import Gaussian, Uniform
from graphcert.sampling import philox
from graphcert.sampling.csr import CSR, Floats
from graphcert.sampling.philox import fill_blocks

Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

LARGEST_WHOLE = 2**20
"""Features on a lattice, and the scale of their noise, are at most so many steps."""
_BLOCKS = 16  # of random bits, drawn at a time; changes the speed, never the result


@dataclass(frozen=True, eq=False)
class DenseNoise:
    """Continuous noise on the rows of clean features.

    Attributes:
        clean: the clean features, N rows; on a lattice in units of its step.
        width: D.
        uniform: whether the noise is uniform and not Gaussian.
        scale: (V, J) the standard deviation or half-width that a view puts on a block, in the units of `clean`.
        step: the step of the lattice, 0 for none.
        block: (N,) the block of every row.
    """

    clean: CSR
    width: int
    uniform: bool
    scale: NDArray[np.float64]
    step: float
    block: Integers

    @classmethod
    def of(
        cls, clean: CSR, width: int, laws: Sequence[Gaussian | Uniform], view_law: Integers, block: Integers
    ) -> "DenseNoise":
        """Prepare laws of one kind and one lattice, view_law (V, J) being the index of the one that a view puts on a block.

        Raises:
            DataError: if the features are not whole multiples of the step of the lattice, up to `LARGEST_WHOLE` of them.
            InputError: if the noise is wider than `LARGEST_WHOLE` steps.
        """
        scales = [law.sigma if isinstance(law, Gaussian) else law.half_width for law in laws]
        step = laws[0].lattice
        if step is None:
            return cls(clean, width, isinstance(laws[0], Uniform), np.array(scales)[view_law], 0.0, block)
        if max(scales) / step > LARGEST_WHOLE:
            raise InputError(
                f"noise of scale {max(scales):g} is too wide for a lattice of step {step:g}; use a larger step"
            )
        steps = np.array([scale / step for scale in scales])
        return cls(whole_steps(clean, step), width, isinstance(laws[0], Uniform), steps[view_law], step, block)

    @property
    def total_variation(self) -> float:
        """Bound on the total-variation error of one sample, for the law on a lattice; 0 without one, see above."""
        if not self.step:
            return 0.0
        return self.block.size * self.width * rounded_error(self.uniform, float(self.scale.max()))

    def fill(
        self, key: np.uint64, purpose: int, sample: int, view: int, out: Floats, selected: Mask | None = None
    ) -> None:
        """Write the noisy features (N, D) of one view to `out`, rows of at least D columns; `selected` (N,) as below."""
        one = replace(self, scale=self.scale[view : view + 1])
        one.fill_views(key, purpose, sample, out[None], None if selected is None else selected[None])

    def fill_views(self, key: np.uint64, purpose: int, sample: int, out: Floats, selected: Mask | None = None) -> None:
        """Write the noisy features of all views of one sample, from one draw, to `out` (V, N, ≥ D).

        Args:
            selected: (V, N) the rows that get noise, the others are the clean ones; None for all.
        """
        units, clean_values, row = np.empty((3, self.width))
        dense_rows(
            key, self._stream(purpose), sample, self.uniform, *self._rows,
            self.scale[:, self.block], self.step, self._chosen(selected), units, clean_values, row, out,
        )  # fmt: skip

    def first_layer(
        self,
        key: np.uint64,
        purpose: int,
        sample: int,
        weight: Floats,
        clean_product: Floats,
        out: Floats,
        selected: Mask | None = None,
    ) -> None:
        """out[v] = X W + s ∘ (ε W) for every view v of one sample; on a lattice the product of what `fill_views` writes.

        Args:
            weight: (D, H) float32.
            clean_product: (N, H) X W.
            out: (V, N, H), overwritten; rows that are not selected are left as they are.
            selected: (V, N) the rows that get noise; None for all.
        """
        stream, chosen, units = self._stream(purpose), self._chosen(selected), np.empty(self.width)
        scale = self.scale[:, self.block]
        if not self.step:
            scaled_first_layer(key, stream, sample, self.uniform, scale, chosen, clean_product, weight, units, out)
            return
        lattice_first_layer(
            key, stream, sample, self.uniform, *self._rows, scale, self.step, chosen, weight, units,
            np.empty(self.width), np.empty(self.width), out,
        )  # fmt: skip

    @property
    def _rows(self) -> tuple[NDArray[np.int32], NDArray[np.int32], Floats]:
        values = np.ones(self.clean.indices.size, np.float32) if self.clean.values is None else self.clean.values
        return self.clean.indptr, self.clean.indices, values

    def _stream(self, purpose: int) -> int:
        return philox.stream_word(purpose, philox.UNIFORM if self.uniform else philox.NORMAL)

    def _chosen(self, selected: Mask | None) -> Mask:
        return np.ones((len(self.scale), self.block.size), np.bool_) if selected is None else selected


def whole_steps(features: CSR, step: float) -> CSR:
    """Features in units of the step of a lattice, as whole numbers; see `DenseNoise.of` for errors.

    Every feature has to be the float32 nearest to a multiple of the step, which is what the classifier is shown of it.
    """
    values = np.ones(features.indices.size, np.float32) if features.values is None else features.values
    whole = np.rint(values.astype(np.float64) / step)
    if not np.array_equal((whole * step).astype(np.float32), values) or np.abs(whole).max(initial=0) > LARGEST_WHOLE:
        raise DataError(
            f"noise on a lattice needs features that are whole multiples of its step {step:g}, at most {LARGEST_WHOLE:,} "
            f"of them, rounded once to float32; round the features (torch.round(x / step) * step), or leave lattice out"
        )
    return CSR(features.indptr, features.indices, whole.astype(np.float32))


def rounded_error(uniform: bool, scale: float) -> float:
    """Bound on the total variation between round(S ε) as it is drawn and as it is described, for one number.

    u = 2⁻⁵³, S ≤ 2²⁰ is the scale, and log, sin and cos are assumed to be within 4 units in the last place (8u). Couple the
    64 random bits with the real uniform number whose leading bits they are: the two laws differ at most by the probability
    that rounding falls differently, that is, that a half-integer lies between S ε and what is computed for it.

    *Uniform.* The computed number is off by at most 3.02uS, S ε has the density 1/(2S), and at most 2S + 2 half-integers are
    in reach: (2S + 2) · 2 · 3.02uS/(2S) ≤ 8u(S + 1).

    *Gaussian* (Box and Muller 1958), ε = √(−2 ln U) · C with C = cos 2πV. Computed are Ũ in [U(1 − 2.01u), (U + 2⁻⁶⁴)(1 +
    2.01u)], C̃ within 28u of C, and a further factor within 8.2u of 1. Given C > 0 and a half-integer, t = (k + ½)/S in units
    of ε, the exact number passes t where U passes U* = exp(−t²/(2C²)); with y = t/C and q = 8.3u + 28.1u/C the computed
    one disagrees only for U in a window of length at most 2U*(1.01 q y² + 2.03u) + 2⁻⁶³. Sums over k are bounded by
    integrals: Σ U* ≤ 1 + 1.26S and Σ U* y² ≤ 1.26SC + 0.74. If C < 1/(19S), nothing is ever passed (ε is below 9.44 unless
    U < 2⁻⁶⁴), and over the rest E[1/C] ≤ 0.64 (3.64 + ln S). Together less than 128u(S + 1).
    """
    return (2.0**-50 if uniform else 2.0**-46) * (scale + 1)


@kernel
def draw_units(key, stream, sample, row, uniform, words, out):  # type: ignore[no-untyped-def]
    """Write the unit noise of one address to `out` (D,) float64: uniform on [−1, 1), or standard normal.

    Args:
        words: (1, a multiple of four) uint32 scratch for random words.
    """
    turn = np.float64(2 * np.pi)
    unit = np.float64(2.0**-64)
    half = np.uint64(32)
    size = words.shape[1] // 4
    for begin in range(0, (out.size + 1) // 2, size):
        fill_blocks(key, stream, sample, row, 1, begin, words)
        for k in range(min(size, (out.size + 1) // 2 - begin)):
            first = (np.uint64(words[0, 4 * k]) << half) | np.uint64(words[0, 4 * k + 1])
            second = (np.uint64(words[0, 4 * k + 2]) << half) | np.uint64(words[0, 4 * k + 3])
            at = 2 * (begin + k)
            if uniform:
                # The same 64 bits, read as a signed number, are uniform around 0.
                out[at] = np.float64(np.int64(first)) * (2 * unit)
                if at + 1 < out.size:
                    out[at + 1] = np.float64(np.int64(second)) * (2 * unit)
                continue
            # In (0, 1], so that the logarithm is finite.
            radius = np.sqrt(-2 * np.log((np.float64(first) + 1) * unit))
            angle = turn * (np.float64(second) * unit)
            out[at] = radius * np.cos(angle)
            if at + 1 < out.size:
                out[at + 1] = radius * np.sin(angle)


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
    key, stream, sample, uniform, indptr, indices, values, scale, step, selected, units, clean, row, out
):
    """out[v, i, :D] = the noisy row i of view v, rounded once to float32, or the clean row where it is not selected.

    Args:
        indptr, indices, values: the clean features in CSR form, in units of the step.
        scale, selected: (V, N).
        units, clean, row: (D,) float64 scratch.
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
                draw_units(key, stream, sample, i, uniform, words, units)
                drawn = True
            noisy_row(units, scale[v, i], step, clean, row)
            for c in range(row.size):
                out[v, i, c] = row[c]


@kernel
def scaled_first_layer(  # type: ignore[no-untyped-def]
    key, stream, sample, uniform, scale, selected, clean, weight, units, out
):
    """out[v, i] = clean[i] + scale[v, i] · (ε_i W) for selected rows: one product for all views.

    Args:
        scale, selected: (V, N); clean: (N, H); weight: (D, H); units: (D,) float64 scratch.
    """
    words = np.empty((1, 4 * min(_BLOCKS, (units.size + 1) // 2)), np.uint32)
    sums = np.empty(weight.shape[1], np.float32)
    for i in range(out.shape[1]):
        if not selected[:, i].any():
            continue
        draw_units(key, stream, sample, i, uniform, words, units)
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
    key, stream, sample, uniform, indptr, indices, values, scale, step, selected, weight, units, clean, row, out
):
    """out[v, i] = the noisy row i of view v times W for selected rows: a function of what is seen, and of nothing else.

    Args: as in `dense_rows`; weight (D, H).
    """
    words = np.empty((1, 4 * min(_BLOCKS, (units.size + 1) // 2)), np.uint32)
    for i in range(out.shape[1]):
        if not selected[:, i].any():
            continue
        draw_units(key, stream, sample, i, uniform, words, units)
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
