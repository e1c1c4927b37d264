"""Readers of point clouds: what they return, and what they refuse. HDF5 goes through a stand-in for h5py here."""

import os
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphcert.errors import DataError, InputError
from graphcert.points import load_points
from graphcert.points.files import CATEGORIES, SHAPENET_PARTS, read_hdf5, read_shapenet_part, shapenet_names
from graphcert.points.shapes import PARTS

CHAIR = shapenet_names().index("Chair 1")


def rows(count: int, first: int = CHAIR, parts: int = 4, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.standard_normal((count, 6)), (first + rng.integers(0, parts, count))[:, None]], axis=1)


def text_folder(root: Path) -> Path:
    (root / "03001627").mkdir(parents=True)
    (root / "03797390").mkdir()
    (root / CATEGORIES).write_text("Chair\t03001627\nMug\t03797390\nCap\t02954340\n")
    for k in range(3):
        np.savetxt(root / "03001627" / f"c{k}.txt", rows(30 + k, seed=k), fmt="%.6f")
    np.savetxt(root / "03797390" / "m.txt", rows(20, shapenet_names().index("Mug 1"), 2), fmt="%.6f")
    return root


def test_the_names_of_parts_are_the_fifty_of_shapenet_part() -> None:
    names = shapenet_names()
    assert len(names) == len(set(names)) == 50
    # From the published table of categories and their labels.
    for kind, first in {"Airplane": 0, "Chair": 12, "Lamp": 24, "Mug": 36, "Table": 47}.items():
        assert names.index(f"{kind} 1") == first


def test_text_files_become_clouds(tmp_path: Path) -> None:
    folder = text_folder(tmp_path)
    found = read_shapenet_part(folder)
    assert [cloud.kind for cloud in found.clouds] == ["Chair"] * 3 + ["Mug"]
    assert found.names == shapenet_names()
    table = np.loadtxt(folder / "03001627" / "c1.txt")
    np.testing.assert_array_equal(found.clouds[1].points, table[:, :3])
    np.testing.assert_array_equal(found.clouds[1].parts, table[:, 6])  # type: ignore[arg-type]
    loaded = load_points(folder, 25, seed=1)
    for cloud, whole in zip(loaded.clouds, found.clouds, strict=True):
        assert len(cloud.points) == min(25, len(whole.points))
        assert np.linalg.norm(cloud.points, axis=1).max() == pytest.approx(1)
        np.testing.assert_allclose(cloud.points.mean(axis=0), 0, atol=1e-12)
    again = load_points(folder, 25, seed=1, limit=2)
    assert len(again.clouds) == 2
    assert len(load_points(folder, None, limit=9).clouds[0].points) == 30
    assert [c.name for c in again.clouds] == [c.name for c in load_points(folder, 20, seed=1, limit=2).clouds]
    assert len({tuple(c.name for c in load_points(folder, 25, seed=s, limit=2).clouds) for s in range(8)}) > 1


def test_generated_shapes_are_a_source() -> None:
    found = load_points("shapes", 600, seed=2, limit=3)
    assert found.names == PARTS
    assert [len(cloud.points) for cloud in found.clouds] == [600] * 3
    for options in ({"points": 0}, {"limit": 0}, {"seed": -1}, {"points": 100}):
        with pytest.raises(InputError):
            load_points("shapes", **options)  # type: ignore[arg-type]


GOOD = "0 0 0 0 0 1 12\n1 0 0 0 0 1 13\n"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "0 points"), ("0 0 0 0 0 1\n", "rows of other"), (GOOD + "1 2\n", "rows of other"),
        (GOOD + "a 0 0 0 0 1 12\n", "no table"), ("\x00\x01\x02", "rows of other"), ("é" * 7, "no table"),
        ("nan 0 0 0 0 1 12\n", "finite"), ("inf 0 0 0 0 1 12\n", "finite"), ("1e300 0 0 0 0 1 12\n", "finite"),
        ("0 0 0 0 0 1 12.5\n", "parts"), ("0 0 0 0 0 1 16\n", "parts"), ("0 0 0 0 0 1 -1\n", "parts"),
        ("0 0 0 0 0 1 nan\n", "parts"), ("0 0 0 0 0 1 1e30\n", "parts"),
    ],
)  # fmt: skip
def test_hostile_tables_are_refused_in_one_sentence(content: str, says: str, tmp_path: Path) -> None:
    folder = text_folder(tmp_path)
    (folder / "03001627" / "c1.txt").write_text(content)
    with pytest.raises(DataError, match=says) as error:
        load_points(folder)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "line",
    ["Chair\t../../etc", "Chair\t/etc", "Chair", "Boat\t03001627", "Chair\t03001627/..", "\x1b[31m 1", "Chair\t٠١"],
)
def test_hostile_lists_of_categories_are_refused(line: str, tmp_path: Path) -> None:
    folder = text_folder(tmp_path)
    (folder / CATEGORIES).write_text(line + "\n")
    with pytest.raises(DataError):
        load_points(folder)


def test_what_is_no_regular_file_or_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = text_folder(tmp_path)
    os.mkfifo(folder / "03001627" / "a.txt")
    with pytest.raises(DataError, match="regular"):
        load_points(folder)
    (folder / "03001627" / "a.txt").unlink()
    monkeypatch.setenv("GRAPHCERT_MEMORY", "2K")
    with pytest.raises(DataError, match="memory"):
        load_points(folder)


def test_folders_without_points_are_refused(tmp_path: Path) -> None:
    for source in (tmp_path, tmp_path / "none"):
        with pytest.raises(DataError, match="give"):
            load_points(source)
    (tmp_path / CATEGORIES).write_text("Chair 03001627\n")
    with pytest.raises(DataError, match="no clouds"):
        load_points(tmp_path)


# HDF5


class Array(np.ndarray):  # type: ignore[type-arg]
    """A data set, as h5py shows it."""

    is_virtual = False
    external = None


class File(dict):  # type: ignore[type-arg]
    """An open file of a stand-in for h5py: names and arrays in an .npz file."""

    def __init__(self, path: Path, mode: str) -> None:
        assert mode == "r"
        with np.load(path, allow_pickle=False) as arrays:
            super().__init__({name: arrays[name].view(Array) for name in arrays})

    def __enter__(self) -> "File":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def get(self, name: str, getlink: bool = False) -> Any:
        assert getlink
        return None if name not in self else types.SimpleNamespace() if name == OUTSIDE else HardLink()


class HardLink:
    pass


OUTSIDE = ""


@pytest.fixture
def h5py(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", types.SimpleNamespace(File=File, HardLink=HardLink, Dataset=Array))


def write(path: Path, **arrays: np.ndarray) -> None:
    with open(path, "wb") as stream:
        np.savez(stream, **arrays)


def shapenet_arrays(count: int = 3, points: int = 40) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    kinds = np.array([list(SHAPENET_PARTS).index("Chair")] * count, np.uint8)
    return {
        "data": rng.standard_normal((count, points, 3)).astype(np.float32), "label": kinds[:, None],
        "pid": (CHAIR + rng.integers(0, 4, (count, points))).astype(np.uint8),
    }  # fmt: skip


@pytest.mark.usefixtures("h5py")
def test_hdf5_files_become_clouds(tmp_path: Path) -> None:
    arrays = shapenet_arrays()
    write(tmp_path / "ply_data_train0.h5", **arrays)
    write(tmp_path / "ply_data_train1.h5", **{name: array[:2] for name, array in arrays.items()})
    found = read_hdf5(tmp_path)
    assert len(found.clouds) == 5
    assert found.names == shapenet_names()
    np.testing.assert_array_equal(found.clouds[1].points, arrays["data"][1].astype(np.float64))
    np.testing.assert_array_equal(found.clouds[4].parts, arrays["pid"][1])  # type: ignore[arg-type]
    assert len(load_points(tmp_path, 16, limit=2).clouds) == 2
    (tmp_path / "ply_data_train1.h5").unlink()
    (tmp_path / "ply_data_train0.h5").unlink()
    write(tmp_path / "train-00.h5", data=arrays["data"], label_seg=arrays["pid"].astype(np.int32) - CHAIR)
    partnet = read_hdf5(tmp_path)
    assert partnet.names == ("part 0", "part 1", "part 2", "part 3")
    assert partnet.clouds[0].kind == ""


@pytest.mark.usefixtures("h5py")
@pytest.mark.parametrize(
    "change",
    [
        {"data": np.zeros((3, 40))}, {"data": np.zeros((3, 40, 2))}, {"data": np.zeros((3, 0, 3))},
        {"data": np.full((3, 40, 3), np.nan)}, {"data": np.full((3, 40, 3), "x")}, {"pid": np.zeros((3, 40), np.uint8)},
        {"pid": np.zeros((3, 39), np.uint8)}, {"pid": np.full((3, 40), 12.0)}, {"label": np.full((3, 1), 16)},
        {"label": np.full((3, 2), 4)}, {"label": np.full((3, 1), -1)},
    ],
)  # fmt: skip
def test_hostile_hdf5_files_are_refused(change: dict[str, np.ndarray], tmp_path: Path) -> None:
    write(tmp_path / "ply_data_train0.h5", **{**shapenet_arrays(), **change})
    with pytest.raises(DataError):
        read_hdf5(tmp_path)


@pytest.mark.usefixtures("h5py")
@pytest.mark.parametrize("name", ["data", "pid", "label"])
def test_hdf5_files_that_refer_to_others_are_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "ply_data_train0.h5", **shapenet_arrays())
    with monkeypatch.context() as linked:
        linked.setattr(sys.modules[__name__], "OUTSIDE", name)
        with pytest.raises(DataError, match="another file"):
            read_hdf5(tmp_path)
    for attribute, value in (("is_virtual", True), ("external", [("other", 0, 1)])):
        with monkeypatch.context() as stored:
            stored.setattr(Array, attribute, value)
            with pytest.raises(DataError, match="another file"):
                read_hdf5(tmp_path)


def test_without_h5py_the_sentence_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    (tmp_path / "a.h5").write_bytes(b"")
    with pytest.raises(DataError, match="pip install h5py"):
        load_points(tmp_path)
