"""Images and masks from files: read strictly, never unpickled."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, UnidentifiedImageError

from graphcert.errors import DataError, InputError
from graphcert.sealed import graph_fingerprint

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]

FORMATS = ("BMP", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
ENDINGS = (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
_SHARP = (".bmp", ".pgm", ".png", ".tif", ".tiff")
MOST_PIXELS = 2**26
"""Larger images are refused before they are unpacked."""


def pixel_values(image: ArrayLike) -> Floats:
    """An image as float32 (H, W, C) in [0, 1]; grey images (H, W) get one channel.

    Args:
        image: uint8, where 255 means 1, or floats in [0, 1].

    Raises:
        InputError: for another shape or type, or values outside.
    """
    array = np.asarray(image)
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or 0 in array.shape:
        raise InputError(f"an image has the shape (height, width, channels), got {np.shape(image)}")
    if array.dtype == np.uint8:
        return (array / 255).astype(np.float32)
    if not np.issubdtype(array.dtype, np.floating):
        raise InputError(f"an image holds uint8, or floats in [0, 1], got {array.dtype}")
    values = np.ascontiguousarray(array, dtype=np.float32)
    if not ((values >= 0) & (values <= 1)).all():
        raise InputError("an image of floats must have values in [0, 1]; divide by the largest possible value")
    return values


def image_fingerprint(values: Floats) -> str:
    """64 hexadecimal digits that name an image as `graph_fingerprint` names its pixels; its size stands for labels."""
    return graph_fingerprint(values.reshape(-1, values.shape[2]), None, np.array(values.shape))


def read_image(path: str | Path) -> Pixels:
    """Read an image file as (H, W, 3) uint8; grey images get three equal channels.

    Raises:
        DataError: if the file is missing, damaged, no image, too large, transparent, or of more than 8 bits per channel.
    """
    with _opened(Path(path)) as image:
        if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
            raise DataError(f"{path} is transparent and shows no definite colours; save it without an alpha channel")
        if image.mode not in ("RGB", "L", "P", "1", "CMYK", "YCbCr"):
            raise DataError(f"{path} has pixels of mode {image.mode!r}; save it with 8 bits per channel")
        return np.array(image.convert("RGB"), dtype=np.uint8)


def read_mask(path: str | Path) -> Pixels:
    """Read a mask as (H, W) uint8, one class per pixel: grey values, or the numbers of palette colours.

    Raises:
        DataError: if the file is missing, damaged, no image, too large, compressed with loss, or holds colours or numbers of
            more than 8 bits.
    """
    if Path(path).suffix.lower() not in _SHARP:
        raise DataError(f"the mask {path} must be kept without loss, as PNG: another format may change its classes")
    with _opened(Path(path)) as image:
        if image.mode.startswith(("I", "F")):
            # Pillow reads grey values of 16 bits as I or I;16.
            values = np.array(image)
            if values.min() < 0 or values.max() > 255 or (values != np.floor(values)).any():
                raise DataError(f"the mask {path} names classes beyond 255; number the classes from 0 to 255")
            return values.astype(np.uint8)
        if image.mode not in ("L", "P"):
            raise DataError(f"the mask {path} has pixels of mode {image.mode!r}; save one 8-bit class number per pixel")
        return np.array(image, dtype=np.uint8)


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """An image whose size and format have been checked; whatever goes wrong is a `DataError`."""
    try:
        with warnings.catch_warnings():
            # Pillow warns about sizes that are refused below, and about tags that do not matter here.
            warnings.simplefilter("ignore")
            with Image.open(path, formats=FORMATS) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise DataError(
                        f"{path} has {image.width}×{image.height} pixels, more than {MOST_PIXELS:,}; make it smaller"
                    )
                yield image
    except FileNotFoundError:
        raise DataError(f"there is no image at {path}") from None
    except Image.DecompressionBombError:
        raise DataError(f"{path} has far more than {MOST_PIXELS:,} pixels; make it smaller") from None
    except UnidentifiedImageError:
        raise DataError(f"{path} is no image in a known format ({', '.join(FORMATS)})") from None
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError) as error:
        raise DataError(f"the image {path} is damaged or unreadable: {error}") from None


@dataclass(frozen=True)
class ImageFolder:
    """The images of a folder, sorted by name, each with its mask if there are masks.

    Iterating gives (name, image (H, W, 3) uint8, mask (H, W) uint8 or None), one image in memory at a time. The mask of an
    image is the file of the same name, whatever its ending, in the folder of masks.

    Attributes:
        images: folder of image files; other files and subfolders are left out.
        masks: folder of masks, or None.

    Raises:
        DataError: if a folder is missing or has no images, two images have one name, or an image has no mask; while
            iterating, for unreadable files and for a mask of another size than its image.
    """

    images: str | Path
    masks: str | Path | None = None

    def __post_init__(self) -> None:
        pictures = _files(Path(self.images), ENDINGS)
        if not pictures:
            raise DataError(f"the folder {self.images} holds no images (files ending in {', '.join(ENDINGS)})")
        if self.masks is not None:
            missing = [name for name in pictures if name not in _files(Path(self.masks), _SHARP)]
            if missing:
                raise DataError(f"the image {missing[0]} has no mask in {self.masks}; add one named {missing[0]}.png")

    @property
    def names(self) -> list[str]:
        """Names of the images without their endings, sorted."""
        return sorted(_files(Path(self.images), ENDINGS))

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[tuple[str, Pixels, Pixels | None]]:
        pictures = _files(Path(self.images), ENDINGS)
        masks = {} if self.masks is None else _files(Path(self.masks), _SHARP)
        for name in sorted(pictures):
            image = read_image(pictures[name])
            mask = None
            if self.masks is not None:
                mask = read_mask(masks[name])
                if mask.shape != image.shape[:2]:
                    raise DataError(
                        f"the mask of {name} has {mask.shape[1]}×{mask.shape[0]} pixels but its image has "
                        f"{image.shape[1]}×{image.shape[0]}; resize the mask without interpolation"
                    )
            yield name, image, mask


def _files(folder: Path, endings: tuple[str, ...]) -> dict[str, Path]:
    """Files with one of these endings, by name without ending."""
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in endings and path.is_file() and not path.name.startswith("."):
            if path.stem in found:
                raise DataError(f"{found[path.stem]} and {path} have one name; rename one of them")
            found[path.stem] = path
    return found
