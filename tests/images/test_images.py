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
from graphcert.images import read_image, read_mask
from graphcert.images.image_files import MOST_PIXELS, pixel_values

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


def png(path, header, rows):
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    pixels = chunk(b"IDAT", zlib.compress(rows))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b""))
    return path


def bomb(path):
    """A PNG that announces more pixels than are read, without holding them."""
    side = int(MOST_PIXELS**0.5) + 1
    return png(path, struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0), b"\0")


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


def sixteen_bits(path):
    """Three channels of 16 bits, which Pillow cannot write and reads as 8."""
    if path.suffix == ".ppm":
        path.write_bytes(b"P6 7 5 65535 " + RGB.astype(">u2").tobytes())
    elif path.suffix == ".tif":
        tags = [(256, 3, 1, 7), (257, 3, 1, 5), (258, 3, 3, 122), (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 1, 128)]
        tags += [(277, 3, 1, 3), (278, 3, 1, 5), (279, 4, 1, 210)]
        head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags)
        path.write_bytes(head + bytes(4) + struct.pack("<HHH", 16, 16, 16) + RGB.astype("<u2").tobytes())
    else:
        rows = b"".join(b"\0" + row.tobytes() for row in RGB.astype(">u2"))
        png(path, struct.pack(">IIBBBBB", 7, 5, 16, 2, 0, 0, 0), rows)
    return path


@pytest.mark.parametrize("ending", ["png", "tif", "ppm"])
def test_colours_of_16_bits_are_refused_and_not_reduced(tmp_path, ending):
    path = sixteen_bits(tmp_path / f"a.{ending}")
    with Image.open(path) as image:
        assert (image.mode, image.size) == ("RGB", (7, 5)), "Pillow takes it, with 8 bits"
        image.load()
    with pytest.raises(DataError, match="8 bits per channel"):
        read_image(path)


@pytest.mark.parametrize("ending", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_stand_as_their_file_says(tmp_path, ending, orientation):
    """Eight orientations, written out; what a viewer shows is what is read."""
    scene = np.zeros((16, 24, 3), np.uint8)
    scene[:8, :8, 0] = scene[:8, 16:, 1] = 255  # red above left, green above right
    stored = {
        1: scene, 2: scene[:, ::-1], 3: scene[::-1, ::-1], 4: scene[::-1], 5: scene.swapaxes(0, 1),
        6: np.rot90(scene, 1), 7: scene[::-1, ::-1].swapaxes(0, 1), 8: np.rot90(scene, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"jpg": {"quality": 95, "subsampling": 0}, "webp": {"lossless": True}}.get(ending, {})
    read = read_image(save(tmp_path / f"a.{ending}", np.ascontiguousarray(stored), exif=exif, **options))
    assert read.shape == scene.shape
    assert np.abs(read.astype(int) - scene).max() < 40


def test_masks_stand_as_their_file_says(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = save(tmp_path / "a.png", np.ascontiguousarray(np.rot90(MASK)), exif=exif)
    assert np.array_equal(read_mask(path), MASK)


@pytest.mark.parametrize(("ending", "read"), [("tif", read_image), ("png", read_image), ("webp", read_image),
                                              ("tif", read_mask), ("png", read_mask)])  # fmt: skip
def test_several_pages_or_frames_are_refused(tmp_path, ending, read):
    first, second = (Image.fromarray(RGB if read is read_image else MASK) for _ in range(2))
    second.putpixel((0, 0), 5)
    first.save(tmp_path / f"a.{ending}", save_all=True, append_images=[second])
    with pytest.raises(DataError, match="several images"):
        read(tmp_path / f"a.{ending}")


def stretched(path):
    """Classes 0 to 11 in a file that calls 11 white."""
    path.write_bytes(b"P5 7 5 11 " + MASK.tobytes())
    return path


def negative(path):
    """Classes in a file where 0 is white."""
    tag = struct.pack("<HHI", 262, 3, 1)
    content = save(path, MASK).read_bytes()
    path.write_bytes(content.replace(tag + b"\1", tag + b"\0"))
    return path


@pytest.mark.parametrize(
    "make",
    [
        lambda folder: stretched(folder / "a.pgm"),
        lambda folder: negative(folder / "a.tif"),
        lambda folder: save(folder / "a.png", MASK % 16, bits=4),
        lambda folder: save(folder / "a.jpg", MASK).rename(folder / "a.png"),
        lambda folder: save(folder / "a.webp", MASK).rename(folder / "a.png"),
        lambda folder: save(folder / "a.tif", MASK, compression="jpeg"),
    ],
)
def test_masks_whose_numbers_change_in_reading_are_refused(tmp_path, make):
    path = make(tmp_path)
    with Image.open(path) as image:
        assert image.mode in ("L", "RGB")
        assert not np.array_equal(np.array(image), MASK), "read without a word as other classes"
    with pytest.raises(DataError, match=r"8-bit class number|with loss"):
        read_mask(path)


def test_a_palette_of_four_bits_keeps_its_numbers(tmp_path):
    palette_image().save(tmp_path / "a.png", bits=4)
    assert np.array_equal(read_mask(tmp_path / "a.png"), MASK)


@pytest.mark.skipif(os.name != "posix", reason="pipes and links as POSIX has them")
def test_pipes_devices_and_links_in_a_circle_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    (tmp_path / "circle.png").symlink_to("circle.png")
    for name in ("pipe.png", "zero.png", "circle.png", "a\0b.png"):
        for read in (read_image, read_mask):
            with pytest.raises(DataError, match="damaged or unreadable"):
                read(tmp_path / name)
    save(tmp_path / "real" / "a.png", RGB)
    (tmp_path / "link.png").symlink_to(tmp_path / "real" / "a.png")
    assert np.array_equal(read_image(tmp_path / "link.png"), RGB)


def test_an_image_that_does_not_fit_into_memory_is_refused(tmp_path, monkeypatch):
    path = save(tmp_path / "a.png", RGB)
    monkeypatch.setenv("GRAPHCERT_MEMORY", "500")
    with pytest.raises(DataError, match="GiB are allowed"):
        read_image(path)


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
