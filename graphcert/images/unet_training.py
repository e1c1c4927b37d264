"""Training a U-Net under the Gaussian noise that it will be smoothed with, isotropic and localized."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from graphcert.core.arguments import positive, real, whole
from graphcert.errors import InputError
from graphcert.images.image_files import Void, check_classes, labelled, void_labels
from graphcert.images.unet import UNet
from graphcert.models.base import single_torch_thread
from graphcert.models.fitting import FitLog, Report, class_weights, fit
from graphcert.sampling.philox import seed_key

_MOST_CELLS = 6
"""Training noise is localized over at most so many rows and columns of cells."""


@dataclass(frozen=True)
class Marking:
    """Noise in selected pixels only, which a further channel marks (theory, section 6).

    Attributes:
        near, far: every window selects its pixels with a probability drawn between these two.
        tile: pixels per side of the tiles that are selected together.
        hide: whether selected pixels become 0 instead of noisy.
    """

    near: float
    far: float
    tile: int = 1
    hide: bool = False

    def __post_init__(self) -> None:
        real("the probability of selection", self.near, math.ulp(0), 1)
        real("the probability of selection", self.far, self.near, 1)
        whole("the tile of selected pixels", self.tile, 1)

    def show(self, clean: Tensor, noisy: Tensor) -> Tensor:
        """Images (B, C, h, w) with and without noise → what is seen (B, C + 1, h, w)."""
        count, _, height, width = clean.shape
        rate = self.near + (self.far - self.near) * torch.rand(count, 1, 1, 1)
        chosen = torch.rand(count, 1, -(-height // self.tile), -(-width // self.tile)) < rate
        chosen = chosen.repeat_interleave(self.tile, 2).repeat_interleave(self.tile, 3)[..., :height, :width]
        seen = torch.where(chosen, torch.zeros_like(clean) if self.hide else noisy, clean)
        return torch.cat([seen, chosen.float()], dim=1)


class Windows:
    """Random windows of images with noise, from torch's own generator."""

    def __init__(
        self, pictures: list[Tensor], labels: list[Tensor], sigma: float, zoom: float, marking: Marking | None = None
    ) -> None:
        self.pictures, self.labels, self.sigma, self.zoom = pictures, labels, sigma, zoom
        self.marking = marking
        self.size = tuple(min(picture.shape[axis] for picture in pictures) for axis in (1, 2))

    def draw(self, count: int) -> tuple[Tensor, Tensor]:
        """Noisy windows (B, C, h, w) and their labels (B, h, w); −1 says nothing."""
        drawn = [self._window(int(i)) for i in torch.randint(len(self.pictures), (count,))]
        clean, labels = (torch.stack(parts) for parts in zip(*drawn, strict=True))
        contrast, brightness = (torch.empty(count, 1, 1, 1).uniform_(-0.2, 0.2) for _ in range(2))
        middle = clean.mean(dim=(1, 2, 3), keepdim=True)
        clean = ((clean - middle) * (1 + contrast) + middle + brightness).clamp(0, 1)
        return self.noisy(clean), labels

    def noisy(self, clean: Tensor) -> Tensor:
        """What the network is shown of images (B, C, h, w)."""
        noisy = add_noise(clean, self.sigma)
        return noisy if self.marking is None else self.marking.show(clean, noisy)

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


Picture = NDArray[np.uint8]
Labelled = tuple[list[Tensor], list[Tensor]]
"""Images (C, H, W) in [0, 1] and the classes (H, W) of their pixels, −1 for none."""


@dataclass(frozen=True)
class UNetTraining:
    """How to train.

    Attributes:
        steps: of the optimiser.
        batch: windows of images in a step, each mirrored, cropped, brightened and made noisy at random.
        learning_rate: the highest; it rises for a twentieth of the steps and then falls as a cosine.
        weight_decay: of AdamW.
        balance: exponent of the inverse frequency that weighs a class: 0 counts pixels, 1 counts classes.
        zoom: windows show at least this share of the height and width of their image.
        validate_every: steps between validations; the last step is one too.
    """

    steps: int = 2000
    batch: int = 8
    learning_rate: float = 4e-3
    weight_decay: float = 1e-2
    balance: float = 0.5
    zoom: float = 0.6
    validate_every: int = 200

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "validate_every"):
            whole(f"training option {name}", getattr(self, name), 1)
        positive("training option learning_rate", self.learning_rate)
        for name, least, most in (("weight_decay", 0.0, math.inf), ("balance", 0.0, 1.0), ("zoom", 0.1, 1.0)):
            real(f"training option {name}", getattr(self, name), least, most)


def train_unet(
    images: Sequence[Picture], masks: Sequence[Picture], sigma: float, classes: int, *, ignore: Void = None,
    validation: tuple[Sequence[Picture], Sequence[Picture]] | None = None, training: UNetTraining | None = None,
    shape: dict[str, Any] | None = None, seed: int = 0, report: Report | None = None, marking: Marking | None = None,
) -> tuple[UNet, FitLog]:  # fmt: skip
    """Fit a `UNet` to images under noise of every deviation up to `sigma`.

    Half of the windows get noise of one deviation everywhere, half of them noise that grows with the distance from a
    cell, as localized smoothing has it. An interrupt ends training early and keeps what was best so far.

    Args:
        images: of shape (H, W, C), 8 bits; heights and widths may differ.
        masks: of shape (H, W), the class of every pixel.
        sigma: the largest standard deviation, in units of pixel values in [0, 1].
        classes: K.
        ignore: void labels, values of masks that say nothing: one, several or none.
        validation: images and masks that choose the weights to keep, by their loss under noise; without them the last ones
            are kept. In both cases these are running means over the last steps.
        training: the schedule.
        shape: arguments of `UNet`, such as width and depth.
        seed: of weights, windows and noise.
        report: progress callback.
        marking: noise in selected pixels only; the network then takes a further channel, which marks them.

    Raises:
        InputError: if images and masks do not fit together, or a mask names no class.
        ModelError: if the loss stops being a number.
    """
    schedule = UNetTraining() if training is None else training
    real("the deviation sigma of training noise", sigma, 0)
    pictures, labels = _tensors(images, masks, classes, ignore, "training")
    held_out = None if validation is None else _tensors(*validation, classes, ignore, "validation")
    flat = torch.cat([picture.flatten(1) for picture in pictures], dim=1).double()
    mean, deviation = flat.mean(dim=1).tolist(), flat.std(dim=1, correction=0).clamp(min=1e-3).tolist()
    # One torch thread: sums of gradients must not depend on how many there are.
    with single_torch_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(seed_key(seed)) % 2**63)
        if marking is not None:
            mean, deviation = [*mean, 0.0], [*deviation, 1.0]
        model = UNet(len(mean), classes, mean=mean, deviation=deviation, **(shape or {}))
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        windows = Windows(pictures, labels, float(sigma), schedule.zoom, marking)
        weights = class_weights(labels, classes, schedule.balance)

        def loss_of(network: UNet) -> Tensor:
            return _loss(network, windows.draw(schedule.batch), weights)

        def validate(network: UNet) -> tuple[float, float]:
            assert held_out is not None
            return _validate(network, *held_out, weights, windows)

        return fit(
            model, loss_of, None if held_out is None else validate, report, steps=schedule.steps,
            learning_rate=schedule.learning_rate, weight_decay=schedule.weight_decay, validate_every=schedule.validate_every,
        )  # fmt: skip


def _loss(model: UNet, batch: tuple[Tensor, Tensor], weights: Tensor) -> Tensor:
    images, labels = batch
    loss = F.cross_entropy(model(images), labels, weights, ignore_index=-1, reduction="sum")
    return loss / (labels >= 0).sum().clamp(min=1)  # windows may hold no class


@torch.no_grad()
def _validate(
    model: UNet, pictures: list[Tensor], labels: list[Tensor], weights: Tensor, windows: Windows
) -> tuple[float, float]:
    """Loss and pixel accuracy under noise, the same noise every time."""
    loss = right = known = 0.0
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for picture, label in zip(pictures, labels, strict=True):
            # Both kinds of noise on every image.
            logits = model(windows.noisy(picture.expand(2, -1, -1, -1)))
            both = label.expand(2, -1, -1)
            loss += float(F.cross_entropy(logits, both, weights, ignore_index=-1, reduction="sum"))
            right += float((logits.argmax(dim=1) == both)[both >= 0].sum())
            known += float((both >= 0).sum())
    return loss / known, right / known


def _tensors(images: Sequence[Picture], masks: Sequence[Picture], classes: int, ignore: Void, kind: str) -> Labelled:
    if not len(images) or len(images) != len(masks):
        raise InputError(f"there must be as many {kind} masks as images, got {len(masks)} and {len(images)}")
    pictures, labels = [], []
    for k, (image, mask) in enumerate(zip(images, masks, strict=True)):
        if image.ndim != 3 or image.dtype != np.uint8 or mask.shape != image.shape[:2]:
            raise InputError(
                f"{kind} image {k} must be (H, W, C) of 8 bits and its mask (H, W), got {image.shape} {image.dtype} and "
                f"{mask.shape}"
            )
        truth = labelled(mask, void_labels(ignore))
        check_classes(truth, classes, void_labels(ignore), f"{kind} mask {k}")
        pictures.append(torch.from_numpy(image.astype(np.float32).transpose(2, 0, 1)).contiguous() / 255)
        labels.append(torch.from_numpy(truth))
    if all(bool((label < 0).all()) for label in labels):
        raise InputError(f"no pixel of the {kind} masks has a class: all are void; give masks that name classes")
    return pictures, labels
