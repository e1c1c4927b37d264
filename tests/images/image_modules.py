"""Segmentation modules whose arithmetic is exact on a lattice of 1/256, so that equal votes can be asked for."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

STEP = 1 / 256


def lattice_image(height, width, channels=3, seed=0):
    """Floats in [0, 1] that are whole multiples of 1/256."""
    whole = np.random.default_rng(seed).integers(0, 257, (height, width, channels))
    return (whole * STEP).astype(np.float32)


class Threshold(nn.Module):
    """Class 1 where the first channel, `shift` columns to the right, exceeds ½."""

    def __init__(self, shift=0):
        super().__init__()
        self.shift = shift

    def forward(self, images):
        value = torch.roll(images[:, :1], -self.shift, dims=3) - 0.5
        return torch.cat([-value, value], dim=1)


class Cross(nn.Module):
    """Class 1 where a pixel and its four neighbours sum to more than what is uneven and so never attained."""

    reach = 1

    def forward(self, images):
        kernel = torch.tensor([[0.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 1.0, 0.0]])[None, None]
        value = F.conv2d(images[:, :1], kernel, padding=1) - (2 + STEP / 2)
        return torch.cat([-value, value], dim=1)


class Pyramid(nn.Module):
    """Three classes from sums over 3 × 3 pixels, maxima of 2 × 2 of them and sums over 3 × 3 of these: stride 2."""

    stride = 2
    reach = 6

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        self.fine, self.coarse = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 3, 3, padding=1)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(torch.randint(-1, 2, parameter.shape, generator=generator))

    def forward(self, images):
        fine = self.fine(images)
        coarse = self.coarse(F.max_pool2d(fine, 2, ceil_mode=True))
        height, width = images.shape[2:]
        return fine[:, :3] + coarse.repeat_interleave(2, 2).repeat_interleave(2, 3)[..., :height, :width]
