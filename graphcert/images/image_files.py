"""Images and masks from files: read strictly, never unpickled; and the labels of masks that say nothing."""

import warnings
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from graphcert.core.arrays import graph_fingerprint
from graphcert.core.reading import check_memory, damage_refused, open_regular
from graphcert.errors import DataError, InputError

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]

FORMATS = ("BMP", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
ENDINGS = (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
_SHARP = (".bmp", ".pgm", ".png", ".tif", ".tiff")
COLOURS = 3
"""Channels of an image from a file; a fourth one marks pixels that are selected for noise."""
MOST_PIXELS = 2**26
"""Larger images are refused before they are unpacked."""
_BITS_PER_SAMPLE = 258  # a tag of TIFF
_BYTES_PER_PIXEL = 16
"""What Pillow unpacks, turns and converts, and the array."""


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

    An image is turned as its file says (the orientation of EXIF), as every viewer does.

    Raises:
        DataError: if the file is missing, damaged, no image, too large, transparent, of more than 8 bits per channel, or
            holds several images.
    """
    with _opened(Path(path)) as image:
        if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
            raise DataError(f"{path} is transparent and shows no definite colours; save it without an alpha channel")
        if image.mode not in ("RGB", "L", "P", "1", "CMYK", "YCbCr") or not _eight_bits(image):
            raise DataError(f"{path} has pixels of mode {_stored(image)}; save it with 8 bits per channel")
        return np.array(ImageOps.exif_transpose(image).convert("RGB"), dtype=np.uint8)


def read_mask(path: str | Path) -> Pixels:
    """Read a mask as (H, W) uint8, one class per pixel: grey values, or the numbers of palette colours.

    A mask is turned as its file says, like an image.

    Raises:
        DataError: if the file is missing, damaged, no image, too large, compressed with loss, or holds colours, numbers of
            more than 8 bits, several images, or numbers that a reader stretches to 0 to 255.
    """
    if Path(path).suffix.lower() not in _SHARP:
        raise DataError(f"the mask {path} must be kept without loss, as PNG: another format may change its classes")
    with _opened(Path(path)) as image:
        lossy = any(word in str(image.info.get("compression")) for word in ("jpeg", "webp"))
        if lossy or image.format not in ("BMP", "PNG", "PPM", "TIFF"):
            raise DataError(f"the mask {path} is compressed with loss, which changes classes; save it as PNG")
        stored = _stored(image)
        if image.mode.startswith(("I", "F")):
            # Pillow reads grey values of 16 bits as I or I;16.
            values = np.array(ImageOps.exif_transpose(image))
            if values.min() < 0 or values.max() > 255 or (values != np.floor(values)).any():
                raise DataError(f"the mask {path} names classes beyond 255; number the classes from 0 to 255")
            return values.astype(np.uint8)
        # What Pillow calls L;4 are four bits that it stretches to 0 to 255, and L;I are negatives.
        if image.mode not in ("L", "P") or stored not in ("L", "P", "P;1", "P;2", "P;4"):
            raise DataError(f"the mask {path} has pixels of mode {stored!r}; save one 8-bit class number per pixel")
        return np.array(ImageOps.exif_transpose(image), dtype=np.uint8)


def _stored(image: Image.Image) -> str:
    """How the file holds a pixel, in Pillow's words: another mode than the image's if values are changed in reading."""
    modes = {tile[3] if isinstance(tile[3], str) else str(tile[3][0]) for tile in _tiles(image) if tile[3]}
    largest = _largest(image)
    return ", ".join(sorted(modes or {image.mode})) + ("" if largest == 255 else f" up to {largest}")


def _tiles(image: Image.Image) -> list[Any]:
    """How Pillow will decode the parts of the file: (decoder, box, offset, arguments)."""
    return list(getattr(image, "tile", []))


def _largest(image: Image.Image) -> int:
    """The value that stands for white in a PPM or PGM file, which names it; Pillow stretches it to 255."""
    return max((tile[3][-1] for tile in _tiles(image) if tile[0].startswith("ppm")), default=255)


def _eight_bits(image: Image.Image) -> bool:
    """Whether no channel has more than 8 bits in the file; of colours Pillow keeps the upper 8 without a word."""
    wide = image.format != "BMP" and any(bits in _stored(image) for bits in (";12", ";16", ";32", ";64"))
    return not wide and _largest(image) <= 255 and max(getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, (8,))) <= 8


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """The only image in a file, whose size and format have been checked; whatever goes wrong is a `DataError`."""
    try:
        with (
            damage_refused(f"the image {path} is damaged or unreadable", "replace it with a whole copy"),
            warnings.catch_warnings(),
            open_regular(path) as file,
        ):
            # Pillow warns about sizes that are refused below, and about tags that do not matter here.
            warnings.simplefilter("ignore")
            with _identified(path, file) as image:
                width, height = image.size
                if width * height > MOST_PIXELS:
                    raise DataError(f"{path} has {width}×{height} pixels, more than {MOST_PIXELS:,}; make it smaller")
                if _has_more(image):
                    raise DataError(f"{path} holds several images; save the one that is meant in a file of its own")
                check_memory(_BYTES_PER_PIXEL * width * height, str(path))
                yield image
    except FileNotFoundError:
        raise DataError(f"there is no image at {path}") from None


def _identified(path: Path, file: BinaryIO) -> Image.Image:
    try:
        return Image.open(file, formats=FORMATS)
    except Image.DecompressionBombError:
        raise DataError(f"{path} has far more than {MOST_PIXELS:,} pixels; make it smaller") from None
    except UnidentifiedImageError:
        raise DataError(f"{path} is no image in a known format ({', '.join(FORMATS)})") from None


def _has_more(image: Image.Image) -> bool:
    """Whether there is a second page or frame. What cameras append to a JPEG is none: every reader shows the first."""
    if image.format == "MPO":
        return False
    try:
        image.seek(1)
    except EOFError:
        return False
    return True


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
            image, mask = read_image(pictures[name]), None if self.masks is None else read_mask(masks[name])
            if mask is not None and mask.shape != image.shape[:2]:
                raise DataError(
                    f"the mask of {name} has {mask.shape[1]}×{mask.shape[0]} pixels but its image has "
                    f"{image.shape[1]}×{image.shape[0]}; resize the mask without interpolation"
                )
            yield name, image, mask


def _files(folder: Path, endings: tuple[str, ...]) -> dict[str, Path]:
    """Files with one of these endings, by name without ending."""
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}")
    with damage_refused(f"the folder {folder} cannot be read", "make it readable"):
        inside = sorted(folder.iterdir())
    found: dict[str, Path] = {}
    for path in inside:
        if path.suffix.lower() in endings and path.is_file() and not path.name.startswith("."):
            if any("\ud800" <= letter <= "\udfff" for letter in path.name):
                raise DataError(f"the name of {str(path)!r} is not valid UTF-8; rename the file")
            if path.stem in found:
                raise DataError(f"{found[path.stem]} and {path} have one name; rename one of them")
            found[path.stem] = path
    return found


Void = int | Iterable[int] | None
"""One void label, several, or none."""

NO_LABELLED_PIXEL = "no labelled pixel"


def void_labels(given: Void) -> tuple[int, ...]:
    """The void labels in ascending order, each once; `InputError` if one of them is no whole number from 0 to 255."""
    values = () if given is None else tuple(given) if isinstance(given, Iterable) else (given,)
    for value in values:
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not 0 <= value <= 255:
            raise InputError(f"void labels are values of masks, whole numbers from 0 to 255; got {value!r}")
    return tuple(sorted({int(value) for value in values}))


def labelled(mask: NDArray[np.integer], void: Collection[int]) -> NDArray[np.int64]:
    """A mask with −1 for void labels."""
    labels = mask.astype(np.int64)
    return np.where(np.isin(labels, list(void)), -1, labels)


def check_classes(labels: NDArray[np.integer], classes: int, void: Collection[int], name: str) -> None:
    """Raise `InputError` for labels beyond the K classes of the mask `name`, saying which void labels would mend it."""
    unknown = [int(label) for label in np.unique(labels[labels >= classes])]
    if unknown:
        several = ", ".join(str(label) for label in unknown[:4]) + " …" * (len(unknown) > 4)
        words = f"class {unknown[0]}" if len(unknown) == 1 else f"the classes {several}"
        which = "it means" if len(unknown) == 1 else "they mean"
        raise InputError(
            f'{name} names {words}, but the network knows {classes} classes; if {which} "no label", give --void '
            f"{','.join(str(label) for label in sorted({*void, *unknown}))}"
        )
