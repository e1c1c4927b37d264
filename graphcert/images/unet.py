"""A small U-Net (Ronneberger et al. 2015) for noisy images, made to be called a hundred thousand times on a processor.

Pixels are gathered into cells before the first convolution, so nothing is computed at full resolution but the logits.
In evaluation mode no operation mixes distant pixels: a pixel's logits depend on nothing further away than `reach`.
"""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphcert.core.arguments import whole
from graphcert.errors import InputError

_WIDEST = 6
"""The deepest levels have at most so many times the channels of the first."""


class UNet(nn.Module):
    """Images (B, C, H, W) with values around [0, 1] → logits (B, K, H, W); any height and width.

    An image of any size is padded at its lower and right border to whole cells of the deepest level. In evaluation mode,
    cutting a window out of an image changes no logits of pixels that are further than `reach` from the cuts, if the window
    starts at multiples of `stride` (and up to the rounding of sums, whose order may depend on the size).

    Args:
        channels: C, 3 for colour images.
        classes: K.
        width: channels of the first level; the next levels have 2, 3, 4 … times as many.
        depth: levels; each halves the resolution.
        context: blocks of twice as distant neighbours at the deepest level; more of them see further.
        cell: pixels per side of the cells that the first convolution sees; 4 is twice as fast as 2 and less sharp.
        mean, deviation: (C,) of pixel values in the training images, for normalisation.

    Attributes:
        stride: side of a cell of the deepest level, in pixels.
        reach: a bound from above on how many rows or columns away a pixel can influence a logit.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self, channels: int = 3, classes: int = 11, width: int = 32, depth: int = 4, context: int = 1, cell: int = 4,
        mean: Sequence[float] | None = None, deviation: Sequence[float] | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.channels, self.classes = whole("channels of a U-Net", channels, 1), whole("classes of a U-Net", classes, 2)
        self.width, self.depth = whole("width of a U-Net", width, 1), whole("depth of a U-Net", depth, 1)
        self.context, self.cell = whole("context of a U-Net", context), whole("cell of a U-Net", cell, 1)
        self.register_buffer("mean", _per_channel("mean", mean, channels, 0.0))
        self.register_buffer("deviation", _per_channel("deviation", deviation, channels, 1.0))
        widths = [width * min(level + 1, _WIDEST) for level in range(depth)]
        self.stem = nn.Conv2d(channels * cell**2, width, 3, padding=1, bias=False)
        self.encoder = nn.ModuleList(Block(size) for size in widths)
        self.down = nn.ModuleList(nn.Conv2d(upper, lower, 2, stride=2, bias=False) for upper, lower in pairwise(widths))
        self.bottom = nn.Sequential(*(Block(widths[-1], 2) for _ in range(context)))
        self.lift = nn.ModuleList(nn.Conv2d(lower, upper, 1, bias=False) for upper, lower in pairwise(widths))
        self.decoder = nn.ModuleList(Block(size) for size in widths[:-1])
        self.head = nn.Conv2d(width, classes * cell**2, 1)

    @property
    def stride(self) -> int:
        """Side of a cell of the deepest level, in pixels."""
        return int(self.cell * 2 ** (self.depth - 1))

    @property
    def reach(self) -> int:
        """No pixel influences a logit more than so many rows or columns away from it."""
        # What a cell of some level depends on ends so many pixels outside the cell itself.
        side, outside = self.cell, self.cell
        skipped = []
        for level in range(self.depth):
            outside += 2 * side
            if level < self.depth - 1:
                skipped.append(outside)
                side *= 2
        outside += self.context * 4 * side
        for before in reversed(skipped):
            side //= 2
            # A cell takes over from the cell around it, which is one finer cell larger on one side.
            outside = max(before, outside + side) + 2 * side
        return outside + self.cell - 1

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) → (B, K, H, W); `InputError` if the images have another shape."""
        if images.dim() != 4 or images.shape[1] != self.channels or 0 in images.shape:
            raise InputError(f"this U-Net takes images (B, {self.channels}, H, W), got {tuple(images.shape)}")
        height, width = images.shape[-2:]
        x = (images - self.mean) / self.deviation
        x = F.pad(x, (0, -width % self.stride, 0, -height % self.stride))
        x = self.stem(F.pixel_unshuffle(x, self.cell).contiguous(memory_format=torch.channels_last))
        skipped = []
        for level, block in enumerate(self.encoder):
            x = block(x)
            if level < self.depth - 1:
                skipped.append(x)
                x = self.down[level](x)
        x = self.bottom(x)
        for level in reversed(range(self.depth - 1)):
            x = self.decoder[level](skipped[level] + F.interpolate(self.lift[level](x), scale_factor=2.0))
        logits: Tensor = F.pixel_shuffle(self.head(x), self.cell)
        return logits[..., :height, :width]


class Block(nn.Module):
    """x + two 3 × 3 convolutions of it, the statistics of the first from training (He et al. 2016, pre-activation)."""

    def __init__(self, width: int, dilation: int = 1) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for _ in range(2))
        convolution = partial(nn.Conv2d, width, width, 3, padding=dilation, dilation=dilation, bias=False)
        self.convolutions = nn.ModuleList(convolution() for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, h, w) → the same shape."""
        out = x
        for norm, convolution in zip(self.norms, self.convolutions, strict=True):
            out = convolution(F.relu(norm(out)))
        return x + out


def _per_channel(name: str, values: Sequence[float] | None, channels: int, default: float) -> Tensor:
    """(C, 1, 1) numbers, one per channel; deviations above 0."""
    given = [default] * channels if values is None else list(values)
    numbers = torch.tensor(given, dtype=torch.float32, device="cpu")  # also while a network is only measured
    good = numbers.shape == (channels,) and bool(torch.isfinite(numbers).all())
    if not good or (name == "deviation" and bool((numbers <= 0).any())):
        raise InputError(f"the {name} of pixel values needs one finite number per channel, got {values!r}")
    return numbers[:, None, None]
