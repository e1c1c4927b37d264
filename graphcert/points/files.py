"""Point clouds from files: the layouts of ShapeNet Part (text and HDF5) and of PartNet (HDF5). Nothing is executed.

Yi et al. 2016, "A scalable active framework for region annotation in 3D shape collections"; Mo et al. 2019, "PartNet".
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphcert.core.arguments import whole
from graphcert.core.arrays import Floats, Integers
from graphcert.core.reading import check_memory, damage_refused, read_bytes
from graphcert.errors import DataError
from graphcert.points.cloud import PointCloud
from graphcert.points.shapes import PARTS, generated_shapes
from graphcert.sampling.philox import seed_key

SHAPES = "shapes"
"""The source that stands for generated shapes."""

CATEGORIES = "synsetoffset2category.txt"
SHAPENET_PARTS = {
    "Airplane": 4, "Bag": 2, "Cap": 2, "Car": 4, "Chair": 4, "Earphone": 3, "Guitar": 3, "Knife": 2, "Lamp": 4, "Laptop": 2,
    "Motorbike": 6, "Mug": 2, "Pistol": 3, "Rocket": 3, "Skateboard": 3, "Table": 3,
}  # fmt: skip
"""The categories of ShapeNet Part and how many parts each has; parts are numbered through, category after category."""

MOST_POINTS = 10**6
"""The most points of a cloud in a file."""

_STREAM = 12  # separates these random numbers from those of others with the same seed
_TEXT_COLUMNS = 7
_CHARACTERS = 16  # bytes of memory that a character of a table may take, as text and as numbers
_HDF5_PARTS = ("pid", "label_seg", "seg")


class LoadedPoints(NamedTuple):
    """Clouds, normalised, and the names of all parts that their numbers may mean."""

    clouds: list[PointCloud]
    names: tuple[str, ...]


def load_points(
    source: str | os.PathLike[str], points: int | None = 1024, seed: int = 0, limit: int | None = None
) -> LoadedPoints:
    """Generated shapes, or clouds from a folder, each normalised to the unit sphere.

    Args:
        source: "shapes" for `generated_shapes`, or a folder in the layout of `read_shapenet_part` or `read_hdf5`.
        points: points of a cloud; of larger ones in files so many are chosen at random, smaller ones stay; None for all of
            those in files and for 1,024 of generated ones.
        seed: of shapes, or of the choice of clouds and points.
        limit: how many clouds, chosen at random from a folder; None for all of them, or ten generated ones.

    Raises:
        InputError: if an argument is outside its domain.
        DataError: if the folder is in neither layout, or a file in it is damaged.
    """
    size = None if points is None else whole("points", points, 1)
    count = None if limit is None else whole("the number of clouds", limit, 1)
    key = int(seed_key(seed))
    if source == SHAPES:
        return LoadedPoints(generated_shapes(count or 10, size or 1024, key), PARTS)
    folder = Path(source)
    if not folder.is_dir():
        raise DataError(f"there is no folder {str(folder)[:200]!r}; give {SHAPES!r}, or a folder of point clouds")
    read = read_shapenet_part if (folder / CATEGORIES).exists() else read_hdf5
    found = read(folder, seed=key, limit=count)
    kept = []
    for number, cloud in enumerate(found.clouds):
        subset = cloud if size is None else cloud.subset(size, np.random.default_rng([key, number, _STREAM]))
        kept.append(subset.normalised())
    return LoadedPoints(kept, found.names)


def shapenet_names() -> tuple[str, ...]:
    """The names of the 50 parts of ShapeNet Part: "Airplane 1", …"""
    return tuple(f"{kind} {k + 1}" for kind, count in SHAPENET_PARTS.items() for k in range(count))


def _chosen(count: int, limit: int | None, seed: int) -> list[int]:
    """Which of so many clouds are read, in their order."""
    if limit is None or limit >= count:
        return list(range(count))
    return sorted(np.random.default_rng([seed, count, _STREAM]).permutation(count)[:limit].tolist())


def read_shapenet_part(folder: str | os.PathLike[str], *, seed: int = 0, limit: int | None = None) -> LoadedPoints:
    """Clouds in the text layout of ShapeNet Part, as they are.

    `synsetoffset2category.txt` has lines "Chair 03001627", and the folder 03001627 a file .txt per shape with rows
    x y z nx ny nz part, whose parts are numbered through all 16 categories.

    Args:
        folder: of this layout; categories without a folder are left out.
        seed, limit: which clouds are read, as in `load_points`.

    Raises:
        DataError: if a file is missing, damaged, too large for memory, or says something else.
    """
    root = Path(folder)
    files = [(kind, path) for kind, synset in _categories(root) for path in sorted((root / synset).glob("*.txt"))]
    if not files:
        raise DataError(f"{root} has no clouds of points (SYNSET/*.txt); give the folder that holds {CATEGORIES}")
    clouds = [_text_cloud(*files[k]) for k in _chosen(len(files), limit, seed)]
    return LoadedPoints(clouds, shapenet_names())


def _categories(root: Path) -> Iterator[tuple[str, str]]:
    """(category, synset) line by line."""
    path = root / CATEGORIES
    with damage_refused(f"{path} is no list of categories", "unpack the data again"):
        lines = read_bytes(path, _CHARACTERS).decode().splitlines()
    for line in filter(None, map(str.strip, lines)):
        kind, _, synset = line.partition("\t") if "\t" in line else line.partition(" ")
        if kind not in SHAPENET_PARTS or not re.fullmatch(r"\d{1,16}", synset.strip(), re.ASCII):
            raise DataError(f"{path} has the line {line[:60]!r}, which is no category of ShapeNet Part and its number")
        yield kind, synset.strip()


def _text_cloud(kind: str, path: Path) -> PointCloud:
    with damage_refused(f"{path} is no table of points", "unpack the data again"):
        text = read_bytes(path, _CHARACTERS).decode("ascii")
        rows = [line.split() for line in text.splitlines() if line.strip()]
        if not 0 < len(rows) <= MOST_POINTS:
            raise DataError(f"{path} has {len(rows):,} points; a cloud has from 1 to {MOST_POINTS:,}")
        if {len(row) for row in rows} != {_TEXT_COLUMNS}:
            raise DataError(
                f"{path} has rows of other than {_TEXT_COLUMNS} numbers (x y z nx ny nz part); unpack it again"
            )
        table = np.array(rows, dtype=np.float64)
    return _cloud(f"{kind} {path.stem}"[:80], table[:, :3], table[:, 6], kind, str(path))


def _cloud(name: str, points: Floats, parts: NDArray[Any], kind: str, where: str) -> PointCloud:
    """A cloud of ShapeNet Part, whose parts have to be those of its category."""
    first = sum(list(SHAPENET_PARTS.values())[: list(SHAPENET_PARTS).index(kind)])
    if not np.isin(parts, np.arange(first, first + SHAPENET_PARTS[kind])).all():  # fractions and NaN are none either
        raise DataError(f"{where} has parts that {kind} does not have; they are numbered through all categories")
    return PointCloud(name, points, parts.astype(np.int64), kind)


def read_hdf5(folder: str | os.PathLike[str], *, seed: int = 0, limit: int | None = None) -> LoadedPoints:
    """Clouds in files .h5, as they are: `data` (n, P, ≥ 3), and a part per point.

    Either `pid` (n, P) with `label` (n, 1), the part and the category of ShapeNet Part, as in `ply_data_train0.h5`; or
    `label_seg` or `seg` (n, P) as PartNet has it, whose parts are named by their number. The files of a folder are all of
    one of these kinds. It takes h5py, which is not installed with graphcert.

    Args:
        folder: with files .h5.
        seed, limit: which clouds are read, as in `load_points`.

    Raises:
        DataError: if h5py or the files are missing, or a file is damaged, too large for memory, or refers to other files.
    """
    root = Path(folder)
    files = sorted(root.glob("*.h5"))
    if not files:
        raise DataError(f"{root} has neither {CATEGORIES} nor files .h5; give a folder of ShapeNet Part or PartNet")
    try:
        import h5py
    except ImportError:
        raise DataError(f"{root} has files .h5, which h5py reads; install it: pip install h5py") from None
    clouds: list[PointCloud] = []
    sizes = [len(_arrays(h5py, path, ())["data"]) for path in files]
    kept = _chosen(sum(sizes), limit, seed)
    before, most = 0, 0
    shapenet = {_is_shapenet(h5py, path) for path in files}
    if len(shapenet) > 1:
        raise DataError(f"{root} mixes files of ShapeNet Part with others; keep them apart")
    for path, size in zip(files, sizes, strict=True):
        rows = [k - before for k in kept if before <= k < before + size]
        before += size
        for row in rows:
            cloud = _hdf5_cloud(path, row, _arrays(h5py, path, (row,)), shapenet == {True})
            clouds.append(cloud)
            most = max(most, 0 if cloud.parts is None else int(cloud.parts.max()) + 1)
    names = shapenet_names() if shapenet == {True} else tuple(f"part {k}" for k in range(most))
    return LoadedPoints(clouds, names)


def _is_shapenet(h5py: Any, path: Path) -> bool:
    with damage_refused(f"{path} is no HDF5 file of points", "unpack the data again"), h5py.File(path, "r") as file:
        return "pid" in file and "label" in file


def _arrays(h5py: Any, path: Path, rows: tuple[int, ...]) -> dict[str, Any]:
    """The arrays of a file, their named rows read; without rows, `data` alone as a range of its length."""
    with damage_refused(f"{path} is no HDF5 file of points", "unpack the data again"):
        with open(path, "rb") as plain:  # a regular file, and no more of it than there is
            os.fstat(plain.fileno())
        with h5py.File(path, "r") as file:
            found = {}
            for name in ("data", "label", *_HDF5_PARTS):
                link = file.get(name, getlink=True)
                if link is None:
                    continue
                if not isinstance(link, h5py.HardLink) or not isinstance(file[name], h5py.Dataset):
                    raise DataError(f"{path} has {name} in another file, or as no array; unpack the data again")
                array = file[name]
                if array.is_virtual or array.external or array.dtype.kind not in "iuf":
                    raise DataError(f"{path} has {name} in another file, or as no numbers; unpack the data again")
                found[name] = array
            if "data" not in found or found["data"].ndim != 3 or found["data"].shape[2] < 3:
                raise DataError(f"{path} has no array data (n, P, 3) of points; give files of ShapeNet Part or PartNet")
            if not rows:
                return {"data": range(found["data"].shape[0])}
            if not 0 < found["data"].shape[1] <= MOST_POINTS:
                raise DataError(
                    f"{path} has clouds of {found['data'].shape[1]:,} points; at most {MOST_POINTS:,} are read"
                )
            check_memory(64 * found["data"].shape[1] * found["data"].shape[2], str(path))
            return {name: np.array(array[rows[0]]) for name, array in found.items()}


def _hdf5_cloud(path: Path, row: int, arrays: dict[str, Any], shapenet: bool) -> PointCloud:
    points = np.asarray(arrays["data"], dtype=np.float64)[:, :3]
    name = next((one for one in _HDF5_PARTS if one in arrays), None)
    where = f"{path}, cloud {row}"
    parts: Integers | None = None
    if name is not None:
        parts = np.asarray(arrays[name])
        if parts.shape != points.shape[:1] or parts.dtype.kind not in "iu":
            raise DataError(f"{where} has no whole number {name} per point; unpack the data again")
    if not shapenet or parts is None:
        if parts is not None and not 0 <= int(parts.max()) < 2**16:
            raise DataError(f"{where} has parts beyond {2**16:,}; they are numbers from 0 on")
        return PointCloud(f"{path.stem} {row}"[:80], points, parts)
    category = np.asarray(arrays["label"]).reshape(-1)
    if category.size != 1 or not 0 <= int(category[0]) < len(SHAPENET_PARTS):
        raise DataError(f"{where} has no category of ShapeNet Part in label; unpack the data again")
    kind = list(SHAPENET_PARTS)[int(category[0])]
    return _cloud(f"{kind} {path.stem} {row}"[:80], points, parts, kind, where)
