"""Any segmentation module as a classifier of pixels."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphcert.core.arguments import whole
from graphcert.errors import InputError, ModelError
from graphcert.voting.model_call import Call
from graphcert.voting.model_checks import check_model


class ImageModel(nn.Module):
    """Wraps a module that maps images (B, C, H, W) to logits (B, K, h, w), and checks what it returns.

    Smaller maps of logits are enlarged bilinearly; dictionaries are read at "out", where torchvision's models keep them.

    *Windows.* Under localized noise only a cell of each noisy image votes. A module may declare as attributes how far it
    sees: `reach`, a number of pixels beyond which nothing influences a logit, and `stride`, such that a window that begins
    at multiples of it (and ends there, or at the image's border) is computed like the whole image. Both are verified
    before votes are taken.

    Args:
        module: called with float32 images whose values lie around [0, 1].
        classes: K, if it is to be checked.
        batch: images per call. Sums may round differently in batches of other sizes, so it belongs to what determines the
            votes. One is best on processors, more on accelerators.
        mean, std: (C,) subtracted from and divided into the channels before the call.
        reach, stride: override what the module declares.

    Raises:
        InputError: if a number is outside its domain.
        ModelError: if `module` is no torch.nn.Module.
    """

    mean: Tensor | None
    std: Tensor | None

    def __init__(
        self, module: nn.Module, classes: int | None = None, *, batch: int = 1, mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None, reach: int | None = None, stride: int | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.module = check_model(module, "images")
        self.classes = None if classes is None else whole("classes of an image model", classes, 2)
        self.batch = whole("batch of an image model", batch, 1)
        declared = getattr(module, "reach", None)
        # Without a reach, a `stride` is one layer's own.
        stride = (1 if declared is None else getattr(module, "stride", 1)) if stride is None else stride
        reach = declared if reach is None else reach
        self.reach = None if reach is None else whole("reach of an image model", reach)
        self.stride = whole("stride of an image model", stride, 1)
        # Normalisation is on the module's device from the beginning.
        device = next((tensor.device for tensor in module.parameters()), torch.device("cpu"))
        for name, values in (("mean", mean), ("std", std)):
            self.register_buffer(name, None if values is None else _per_channel(name, values).to(device))

    @property
    def device(self) -> torch.device:
        """Where the module computes."""
        return Call(self.module).device

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) float32 → logits (B, K, H, W) float32; `ModelError` if the module returns anything else."""
        for values in (self.mean, self.std):
            if values is not None and values.shape[1] not in (1, images.shape[1]):
                raise ModelError(
                    f"the normalisation has {values.shape[1]} channels but the image has {images.shape[1]}; give one mean "
                    f"and one std per channel"
                )
        if self.mean is not None:
            images = images - self.mean
        if self.std is not None:
            images = images / self.std
        try:
            found = self.module(images)
        except (RuntimeError, TypeError, ValueError, IndexError) as error:
            first, *_ = str(error).splitlines() or [type(error).__name__]
            raise ModelError(
                f"the module cannot be called with {images.dtype} images of shape {tuple(images.shape)}: {first}"
            ) from error
        logits = _checked(found.get("out") if isinstance(found, Mapping) else found, images, self.classes).float()
        if logits.shape[2:] != images.shape[2:]:
            logits = F.interpolate(logits, size=images.shape[2:], mode="bilinear", align_corners=False)
        return logits


class Unmarked(nn.Module):
    """A module that is shown the first `channels` channels of images only: it does not see which pixels are noised.

    Certificates of its votes are sound, for whatever it computes is a function of what is seen; a module that was trained
    to look at the mark may have better votes.
    """

    def __init__(self, module: nn.Module, channels: int) -> None:
        super().__init__()
        self.module, self.channels = module, whole("channels of a module", channels, 1)
        for name in ("reach", "stride"):
            if hasattr(module, name):
                setattr(self, name, getattr(module, name))

    def forward(self, images: Tensor) -> Tensor:
        """(B, C', H, W) with C' ≥ channels → what the module returns of the first ones."""
        logits: Tensor = self.module(images[:, : self.channels])
        return logits


def _checked(logits: object, images: Tensor, classes: int | None) -> Tensor:
    """Return the logits if they are (B, K ≥ 2, h ≤ H, w ≤ W) floats."""
    batch, _, height, width = images.shape
    wanted = f"({batch}, K ≥ 2, {height}, {width})" if classes is None else f"({batch}, {classes}, {height}, {width})"
    if not isinstance(logits, Tensor) or logits.dim() != 4 or not logits.is_floating_point():
        found = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise ModelError(f"the module must return logits of shape {wanted}, got {found}")
    fits = logits.shape[0] == batch and 1 <= logits.shape[2] <= height and 1 <= logits.shape[3] <= width
    if not fits or logits.shape[1] < 2 or (classes is not None and logits.shape[1] != classes):
        raise ModelError(f"the module must return logits of shape {wanted}, or smaller maps, got {tuple(logits.shape)}")
    return logits


def _per_channel(name: str, values: Sequence[float]) -> Tensor:
    """(1, C, 1, 1) numbers; standard deviations above 0."""
    numbers = torch.as_tensor(np.array(values, dtype=np.float32).reshape(-1))
    if not numbers.numel() or not bool(torch.isfinite(numbers).all()) or (name == "std" and bool((numbers <= 0).any())):
        raise InputError(f"{name} needs one finite number per channel{', above 0' * (name == 'std')}, got {values!r}")
    return numbers[None, :, None, None]
