"""Images and masks from files: what is read is what was saved, and everything else is refused in one sentence."""

import os
import pickle
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from image_modules import Threshold
from PIL import Image

import graphcert as gc
from graphcert.errors import DataError
from graphcert.segmentation import read_image, read_mask
from graphcert.segmentation.images import MOST_PIXELS, pixel_values

RGB = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
MASK = np.random.default_rng(1).integers(0, 12, (5, 7), dtype=np.uint8)


def save(path, array, **options):
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(array).save(path, **options)
    return path


def palette_image():
    image = Image.fromarray(MASK, "L").convert("P")
    image.putpalette([value for index in range(256) for value in (255 - index, index // 2, 7)])
    image.putdata(MASK.ravel().tolist())
    return image


@pytest.mark.parametrize("ending", ["png", "bmp", "tif", "ppm", "webp"])
def test_images_without_loss_come_back_as_they_were(tmp_path, ending):
    options = {"lossless": True} if ending == "webp" else {}
    assert np.array_equal(read_image(save(tmp_path / f"a.{ending}", RGB, **options)), RGB)


def test_grey_and_palette_images_have_three_channels(tmp_path):
    grey = read_image(save(tmp_path / "grey.png", RGB[..., 0]))
    assert np.array_equal(grey, np.repeat(RGB[..., :1], 3, axis=2))
    palette_image().save(tmp_path / "p.png")
    coloured = read_image(tmp_path / "p.png")
    assert np.array_equal(coloured[..., 0], 255 - MASK)
    assert read_image(save(tmp_path / "a.jpg", RGB)).shape == (5, 7, 3)


def test_masks_hold_class_numbers_whatever_colours_they_have(tmp_path):
    assert np.array_equal(read_mask(save(tmp_path / "grey.png", MASK)), MASK)
    palette_image().save(tmp_path / "palette.png")
    assert np.array_equal(read_mask(tmp_path / "palette.png"), MASK), "numbers, not colours"
    assert np.array_equal(read_mask(save(tmp_path / "wide.png", MASK.astype(np.uint16))), MASK)


def damaged(path):
    save(path, np.random.default_rng(2).integers(0, 256, (50, 50, 3), dtype=np.uint8))
    path.write_bytes(path.read_bytes()[:-2000])
    return path


def pickled(path):
    path.write_bytes(pickle.dumps(Trap()))
    return path


class Trap:
    """Unpickling it would leave a file behind."""

    def __reduce__(self):
        return Path("unpickled").touch, ()


def bomb(path):
    """A PNG that announces more pixels than are read, without holding them."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    side = int(MOST_PIXELS**0.5) + 1
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")
    )
    return path


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path, "there is no image at"),
        (lambda path: path.mkdir() or path, "damaged or unreadable"),
        (lambda path: path.write_text("hello") and path, "no image in a known format"),
        (pickled, "no image in a known format"),
        (damaged, "damaged or unreadable"),
        (bomb, "more than 67,108,864; make it smaller"),
        (lambda path: save(path, np.dstack([RGB, RGB[..., 0]])), "transparent"),
        (lambda path: save(path, MASK.astype(np.uint16)), "8 bits per channel"),
    ],
)
def test_what_is_no_image_is_refused(tmp_path, monkeypatch, make, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=words):
        read_image(make(tmp_path / "a.png"))
    assert not Path("unpickled").exists()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: save(folder / "a.png", RGB), "mode 'RGB'; save one 8-bit class number"),
        (lambda folder: save(folder / "a.png", MASK.astype(np.uint16) + 300), "beyond 255"),
        (lambda folder: save(folder / "a.jpg", MASK), "without loss"),
        (lambda folder: save(folder / "a.png", MASK > 3), "mode '1'"),
        (lambda folder: folder / "a.png", "there is no image at"),
        (lambda folder: bomb(folder / "a.png"), "make it smaller"),
    ],
)
def test_what_is_no_mask_is_refused(tmp_path, make, words):
    with pytest.raises(DataError, match=words):
        read_mask(make(tmp_path))


def test_a_folder_gives_its_images_by_name_with_their_masks(tmp_path):
    for name in ("b.png", "a.jpg", "c.PNG"):
        save(tmp_path / "images" / name, RGB)
        save(tmp_path / "masks" / f"{name[0]}.png", MASK)
    (tmp_path / "images" / "readme.txt").write_text("not an image")
    (tmp_path / "images" / ".d.png").write_text("hidden")
    folder = gc.ImageFolder(tmp_path / "images", tmp_path / "masks")
    assert folder.names == ["a", "b", "c"]
    assert len(folder) == 3
    found = list(folder)
    assert [name for name, _, _ in found] == ["a", "b", "c"]
    assert all(image.shape == (5, 7, 3) and np.array_equal(mask, MASK) for _, image, mask in found)
    assert all(mask is None for _, _, mask in gc.ImageFolder(str(tmp_path / "images")))


def test_a_folder_that_does_not_fit_is_refused(tmp_path):
    images, masks = tmp_path / "images", tmp_path / "masks"
    with pytest.raises(DataError, match="there is no folder"):
        gc.ImageFolder(images)
    images.mkdir()
    with pytest.raises(DataError, match="holds no images"):
        gc.ImageFolder(images)
    save(images / "a.png", RGB)
    masks.mkdir()
    with pytest.raises(DataError, match=r"image a has no mask .* named a\.png"):
        gc.ImageFolder(images, masks)
    save(masks / "a.png", MASK[:4])
    with pytest.raises(DataError, match="mask of a has 7×4 pixels but its image has 7×5"):
        list(gc.ImageFolder(images, masks))
    save(images / "a.bmp", RGB)
    with pytest.raises(DataError, match="have one name"):
        gc.ImageFolder(images)


def test_eight_bits_lie_on_the_lattice_of_their_noise():
    """Every value of 8 bits is one that noise of step 1/255 takes as it is."""
    image = np.arange(256, dtype=np.uint8).reshape(16, 16)
    values = pixel_values(image)
    assert values.shape == (16, 16, 1)
    assert values.min() == 0
    assert values.max() == 1
    smoothing = gc.Smoothing(gc.Gaussian(0.1, lattice=1 / 255))
    assert gc.sample_image_votes(Threshold(), image, smoothing, 2, 2).samples == 2


@pytest.mark.skipif("GRAPHCERT_DATA" not in os.environ, reason="needs the street images")
def test_street_images_are_read():
    root = Path(os.environ["GRAPHCERT_DATA"]) / "camvid" / "test"
    if not root.is_dir():
        pytest.skip("needs the street images")
    folder = gc.ImageFolder(root / "images", root / "masks")
    name, image, mask = next(iter(folder))
    assert name == folder.names[0]
    assert image.shape == (*mask.shape, 3)
    assert mask.max() <= 11
