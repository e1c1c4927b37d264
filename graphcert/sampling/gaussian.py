"""Gaussian noise on rows of features, from counter-based bits.

The numbers of a row come from its own address, two per block of random bits (Box and Muller 1958), so a sample never
depends on batches or threads. All levels of a localized scheme share them: a row at level ℓ is x + σ_ℓ · ε.

The certificate is about real numbers. A noisy feature is computed in float64 and rounded once to float32, and a rounded
Gaussian is not translation-invariant: rounding could in principle tell two clean inputs apart (theory, section 11, trap 12;
Voráček & Hein 2023). It is assumed here that the classifier does not; the total variation that is stated and subtracted does
not include rounding.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graphcert.kernel import kernel
from graphcert.sampling import philox
from graphcert.sampling.csr import CSR, Floats
from graphcert.sampling.philox import fill_blocks

Integers = NDArray[np.int64]

_BLOCKS = 16
"""Blocks of random bits that are drawn at a time; changes the speed, never the result."""


@dataclass(frozen=True, eq=False)
class GaussianRows:
    """Gaussian noise on the rows of clean features.

    Attributes:
        clean: the clean features, N rows.
        width: D.
        sigma: (V, J) the standard deviation that a view puts on a block.
        block: (N,) the block of every row.
    """

    clean: CSR
    width: int
    sigma: NDArray[np.float64]
    block: Integers

    def fill(self, key: np.uint64, purpose: int, sample: int, view: int, out: Floats) -> None:
        """Write the noisy features (N, D) of one view to `out`, rows of at least D columns."""
        clean = self.clean
        values = np.ones(clean.indices.size, np.float32) if clean.values is None else clean.values
        sigma = self.sigma[view][self.block]
        stream = philox.stream_word(purpose, philox.NORMAL)
        gaussian_rows(key, stream, sample, clean.indptr, clean.indices, values, sigma, np.empty(self.width), out)

    def first_layer(
        self, key: np.uint64, purpose: int, sample: int, weight: Floats, clean_product: Floats, out: Floats
    ) -> None:
        """out[v] = X W + σ ∘ (ε W) for every view v of one sample.

        Args:
            weight: (D, H) float32.
            clean_product: (N, H) X W.
            out: (V, N, H), overwritten.
        """
        stream = philox.stream_word(purpose, philox.NORMAL)
        sigma = self.sigma[:, self.block]
        gaussian_first_layer(key, stream, sample, sigma, clean_product, weight, np.empty(self.width), out)


@kernel
def draw_normals(key, stream, sample, row, words, out):  # type: ignore[no-untyped-def]
    """Write independent standard normal numbers of one address to `out` (D,) float64.

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
            # In (0, 1], so that the logarithm is finite.
            radius = np.sqrt(-2 * np.log((np.float64(first) + 1) * unit))
            angle = turn * (np.float64(second) * unit)
            at = 2 * (begin + k)
            out[at] = radius * np.cos(angle)
            if at + 1 < out.size:
                out[at + 1] = radius * np.sin(angle)


@kernel
def gaussian_rows(key, stream, sample, indptr, indices, values, sigma, normals, out):  # type: ignore[no-untyped-def]
    """out[i, :D] = x_i + sigma[i] · ε_i, summed in float64 and rounded once.

    Args:
        indptr, indices, values: the clean features in CSR form.
        normals: (D,) float64 scratch.
    """
    words = np.empty((1, 4 * _BLOCKS), np.uint32)
    for i in range(indptr.size - 1):
        draw_normals(key, stream, sample, i, words, normals)
        for c in range(normals.size):
            normals[c] *= sigma[i]
        for at in range(indptr[i], indptr[i + 1]):
            normals[indices[at]] += values[at]
        for c in range(normals.size):
            out[i, c] = normals[c]


@kernel
def gaussian_first_layer(key, stream, sample, sigma, clean, weight, normals, out):  # type: ignore[no-untyped-def]
    """out[v, i] = clean[i] + sigma[v, i] · (ε_i W): one product for all views.

    Args:
        sigma: (V, N) float64; clean: (N, H); weight: (D, H); normals: (D,) float64 scratch.
    """
    words = np.empty((1, 4 * _BLOCKS), np.uint32)
    sums = np.empty(weight.shape[1], np.float32)
    for i in range(out.shape[1]):
        draw_normals(key, stream, sample, i, words, normals)
        sums[:] = 0
        for c in range(normals.size):
            value = np.float32(normals[c])
            for h in range(sums.size):
                sums[h] += value * weight[c, h]
        for v in range(out.shape[0]):
            scale = np.float32(sigma[v, i])
            for h in range(sums.size):
                out[v, i, h] = clean[i, h] + scale * sums[h]
