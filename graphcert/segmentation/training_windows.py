"""Random windows of images under random Gaussian noise: what a U-Net is trained on."""

import torch
import torch.nn.functional as F
from torch import Tensor

_MOST_CELLS = 6
"""Training noise is localized over at most so many rows and columns of cells."""


class Windows:
    """Random windows of images with noise, from torch's own generator."""

    def __init__(self, pictures: list[Tensor], labels: list[Tensor], sigma: float, zoom: float) -> None:
        self.pictures, self.labels, self.sigma, self.zoom = pictures, labels, sigma, zoom
        self.size = tuple(min(picture.shape[axis] for picture in pictures) for axis in (1, 2))

    def draw(self, count: int) -> tuple[Tensor, Tensor]:
        """Noisy windows (B, C, h, w) and their labels (B, h, w); −1 says nothing."""
        drawn = [self._window(int(i)) for i in torch.randint(len(self.pictures), (count,))]
        clean, labels = (torch.stack(parts) for parts in zip(*drawn, strict=True))
        contrast, brightness = (torch.empty(count, 1, 1, 1).uniform_(-0.2, 0.2) for _ in range(2))
        middle = clean.mean(dim=(1, 2, 3), keepdim=True)
        clean = ((clean - middle) * (1 + contrast) + middle + brightness).clamp(0, 1)
        return add_noise(clean, self.sigma), labels

    def _window(self, i: int) -> tuple[Tensor, Tensor]:
        """One window of image i, mirrored or not, zoomed to the common size."""
        share = torch.empty(2).uniform_(self.zoom, 1.0)
        offset = (1 - share) * torch.empty(2).uniform_(-1.0, 1.0)
        mirror = 1.0 if torch.rand(()) < 0.5 else -1.0
        theta = torch.tensor([[mirror * share[1], 0.0, offset[1]], [0.0, share[0], offset[0]]])
        grid = F.affine_grid(theta[None], [1, 1, *self.size], align_corners=False)
        picture = F.grid_sample(self.pictures[i][None], grid, padding_mode="border", align_corners=False)
        mask = self.labels[i][None, None].float()
        label = F.grid_sample(mask, grid, mode="nearest", padding_mode="border", align_corners=False)
        return picture[0], label[0, 0].round().long()


def add_noise(clean: Tensor, sigma: float) -> Tensor:
    """Images (B, C, h, w) plus Gaussian noise of deviations up to `sigma`, by turns the same everywhere and localized."""
    count, _, height, width = clean.shape
    deviations = torch.empty(count, 1, height, width)
    for i in range(count):
        far = sigma * float(torch.rand(()))
        deviations[i] = far if i % 2 else localized_deviations(height, width, far * float(torch.rand(())), far)
    return clean + deviations * torch.randn_like(clean)


def localized_deviations(height: int, width: int, near: float, far: float) -> Tensor:
    """(h, w) deviations that grow from `near` in a random cell of a random grid to `far` in the most distant ones."""
    cells = [int(torch.randint(1, min(_MOST_CELLS, size) + 1, ())) for size in (height, width)]
    rows, columns = (
        (torch.arange(size) * count // size - torch.randint(count, ())).abs()
        for size, count in zip((height, width), cells, strict=True)
    )
    distance = torch.maximum(rows[:, None], columns[None, :])
    return near + (far - near) * distance / max(int(distance.max()), 1)
