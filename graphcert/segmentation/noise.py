"""Noisy versions of one image, in all views of a scheme, from one draw per sample."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graphcert.errors import UnsupportedError
from graphcert.noise import Gaussian, Scheme
from graphcert.sampling import philox
from graphcert.sampling.csr import CSR, Floats
from graphcert.sampling.gaussian import gaussian_rows
from graphcert.sampling.sampler import Sampler
from graphcert.sampling.scheme_views import scheme_views
from graphcert.segmentation.windows import Window

Units = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ImageNoise:
    """The noise of a scheme around one clean image. Row n of the graph sampler is pixel n, so the same seed draws the same
    noise as for the image's grid graph.

    Attributes:
        image: (H, W, C) float32 clean values.
        sampler: of the grid graph without its edges, which no noise concerns.
        sigma: (V, J) the standard deviation that a view puts on a block.
    """

    image: Floats
    sampler: Sampler
    sigma: NDArray[np.float64]

    @classmethod
    def of(cls, image: Floats, smoothing: Scheme, seed: int) -> "ImageNoise":
        """Prepare the sampling.

        Raises:
            InputError: if the partition is one of another number of pixels.
            UnsupportedError: unless the noise is Gaussian noise of the channel values alone.
        """
        laws = smoothing.levels("features")
        if smoothing.perturbs("edges") or not all(isinstance(law, Gaussian) for law in laws):
            raise UnsupportedError(
                "images are smoothed by Gaussian noise of their channel values, Smoothing(features=Gaussian(σ)); for other "
                "noise classify GridGraph.data(image) with sample_votes"
            )
        height, width, channels = image.shape
        empty = CSR(np.zeros(height * width + 1, np.int32), np.empty(0, np.int32))
        _, distinct, view_law = scheme_views(smoothing, height * width)
        sigma = np.array([law.sigma for law in distinct if isinstance(law, Gaussian)])[view_law]
        return cls(image, Sampler(empty, channels, empty, smoothing, seed), sigma)

    @property
    def views(self) -> int:
        """Number of views V."""
        return self.sampler.views.count

    def units(self) -> Units:
        """Memory for one draw: (H, W, C) float64."""
        return np.empty(self.image.shape)

    def draw(self, purpose: int, sample: int, out: Units) -> None:
        """Write the standard normal numbers of one sample, which all views share, to `out` (H, W, C)."""
        sampler, channels = self.sampler, out.shape[-1]
        clean = sampler.clean_features
        stream = philox.stream_word(purpose, philox.NORMAL)
        rows = out.reshape(-1, channels)
        nothing, one = np.empty(0, np.float32), np.ones(len(rows))
        gaussian_rows(sampler.key, stream, sample, clean.indptr, clean.indices, nothing, one, np.empty(channels), rows)

    def deviations(self, view: int, window: Window) -> NDArray[np.float64]:
        """(h, w, 1) the standard deviation that a view puts on the pixels of a window."""
        height, width, _ = self.image.shape
        return np.asarray(self.sigma[view][self.sampler.views.block].reshape(height, width)[window.outer][..., None])

    def show(self, window: Window, deviations: NDArray[np.float64], units: Units, out: Floats) -> None:
        """Write what a view shows inside a window to `out` (h, w, C): summed in float64 and rounded once."""
        noise = deviations * units[window.outer]
        noise += self.image[window.outer]
        out[...] = noise
