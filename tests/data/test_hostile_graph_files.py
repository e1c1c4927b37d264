"""Graph files that lie, or ask for more than they hold: refused in one sentence before memory or time is taken."""

import gzip
import io
import os
import pickle
import struct
import time
import tracemalloc
import zipfile

import numpy as np
import pytest

from graphcert.data import load_dataset, load_graph_file
from graphcert.data import published_files as files_module
from graphcert.data.geom_gcn import read_geom_gcn
from graphcert.data.npz import read_npz
from graphcert.data.ogb_tables import OGB, read_ogb
from graphcert.data.planetoid import unpickle_array, unpickle_csr, unpickle_neighbours
from graphcert.data.published_files import RemoteFile, locate
from graphcert.errors import DataError

SPLIT = {"per_class_train": 1, "per_class_validation": 1}
GRAPH = {"A": np.array([[0, 1, 1, 2], [1, 0, 2, 1]]), "X": np.array([[0, 1, 5], [0, 1, 1]]), "y": np.arange(8) % 2}


def archive(arrays, method=zipfile.ZIP_DEFLATED):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as target:
        for name, array in arrays:
            member = io.BytesIO()
            np.save(member, array)
            target.writestr(f"{name}.npy", member.getvalue())
    return stream.getvalue()


def refused(content, words):
    with pytest.raises(DataError, match=f"mine: .*{words}") as caught:
        read_npz(io.BytesIO(content), "mine")
    assert "\n" not in str(caught.value)


def peak(call, *arguments):
    """Bytes that Python and numpy took at once while a call was refused, and its seconds."""
    tracemalloc.start()
    start = time.process_time()
    with pytest.raises(DataError):
        call(*arguments)
    seconds, most = time.process_time() - start, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most, seconds


@pytest.mark.parametrize("kind", [np.uint64, "the largest"])
@pytest.mark.parametrize("member", ["y", "A", "X"])
def test_whole_numbers_beyond_64_bits_with_sign_are_refused(member, kind):
    """2^64 − 1 would be read as −1: a node without a label."""
    array = GRAPH[member].astype(np.uint64)
    if kind == "the largest":
        array.reshape(-1)[0] = 2**64 - 1
    refused(archive({**GRAPH, member: array}.items()), f"{member} must hold whole numbers, found uint64; .* int64")


@pytest.mark.parametrize("weight", [1e-50, 1e-320, 1e-40, -1e-44])
@pytest.mark.parametrize("place", ["adj", "attr"])
def test_values_that_32_bits_do_not_tell_from_zero_are_refused(place, weight, tmp_path):
    """An edge of that weight vanished without a word."""
    rows = {"indices": np.array([1, 0]), "indptr": np.array([0, 1, 2]), "shape": np.array([2, 2])}
    arrays = {f"{prefix}_{part}": array for prefix in ("adj", "attr") for part, array in rows.items()}
    data = {f"{prefix}_data": np.array([1.0, weight if prefix == place else 1.0]) for prefix in ("adj", "attr")}
    np.savez(tmp_path / "mine.npz", **arrays, **data, labels=np.array([0, 1]))
    for standardise in (False, True):
        with pytest.raises(DataError, match=rf"{place} holds values below 1\.2e-38"):
            load_graph_file(tmp_path / "mine.npz", standardise=standardise, **SPLIT)
    with pytest.raises(DataError, match="X holds values below"):
        read_npz(io.BytesIO(archive({**GRAPH, "X": np.full((8, 1), weight)}.items())), "mine")


def test_members_that_are_there_twice_are_refused():
    other = ("y", (GRAPH["y"] + 1) % 2)
    with pytest.warns(UserWarning, match="Duplicate name"):
        content = archive([*GRAPH.items(), other])
    refused(content, "y.npy is there twice")


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_other_compressions_are_refused(method):
    refused(archive(GRAPH.items(), method), "oddly compressed")


def test_a_few_bytes_do_not_take_gigabytes():
    """Positions of a far feature, a wide sparse matrix, and zeros that were packed a thousandfold."""
    far = archive({**GRAPH, "X": np.array([[0, 1], [0, 10**8]])}.items())
    assert len(far) < 2000
    refused(far, "use fewer features")
    assert peak(read_npz, io.BytesIO(far), "mine")[0] < 2**24


def test_packed_zeros_are_refused_before_they_are_unpacked(monkeypatch):
    packed = archive({**GRAPH, "y": np.zeros(2**24, np.int8)}.items())
    assert len(packed) < 2**17
    monkeypatch.setenv("GRAPHCERT_MEMORY", "100M")
    refused(packed, r"member y .* would take 0\.5 GiB of memory, but 0\.1 GiB are allowed; .* GRAPHCERT_MEMORY")
    assert peak(read_npz, io.BytesIO(packed), "mine")[0] < 2**24


@pytest.mark.parametrize("line", [b"1\n", b"1,1,1,1\n", b"1," * 2**18])
def test_packed_tables_are_refused_while_they_are_unpacked(line, tmp_path, monkeypatch):
    """64 MB of text in some kilobytes, without the memory that it would take."""
    monkeypatch.setenv("GRAPHCERT_MEMORY", "1M")
    path = tmp_path / "raw" / "node-label.csv.gz"
    path.parent.mkdir()
    path.write_bytes(gzip.compress(line * (2**26 // len(line)), 6))
    most, seconds = peak(read_ogb, tmp_path, OGB["ogbn-arxiv"])
    assert most < 2**24
    assert seconds < 5
    with pytest.raises(DataError, match=r"unpacked, would take .* GiB of memory|characters or more"):
        read_ogb(tmp_path, OGB["ogbn-arxiv"])


def test_long_texts_of_geom_gcn_are_refused_before_they_are_taken_apart(monkeypatch):
    monkeypatch.setenv("GRAPHCERT_MEMORY", "1M")
    with pytest.raises(DataError, match=r"out1_node_feature_label.txt .* would take"):
        read_geom_gcn(b"\n" * 2**16, b"")


def test_sizes_in_the_directory_are_not_believed():
    """The last member says that it is four thousand times its size, or that the list of members is."""
    whole = archive(GRAPH.items())
    entry, end = whole.rfind(b"PK\x01\x02"), whole.rfind(b"PK\x05\x06")
    for at in (entry + 24, entry + 20, end + 12):
        lying = bytearray(whole)
        lying[at : at + 4] = struct.pack("<I", 2**30)
        most, _ = peak(read_npz, io.BytesIO(bytes(lying)), "mine")
        assert most < 2**26


@pytest.mark.skipif(os.name != "posix", reason="pipes and devices as POSIX has them")
def test_pipes_and_devices_are_refused_at_once(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe.npz")
    (tmp_path / "zero.npz").symlink_to("/dev/zero")
    for name in ("pipe.npz", "zero.npz"):
        with pytest.raises(DataError):
            load_dataset(tmp_path / name)
        with pytest.raises(DataError, match="not a regular file"):
            read_npz(tmp_path / name, name)
        monkeypatch.setattr(files_module, "cache_folder", lambda: tmp_path / "cache")
        with pytest.raises(DataError, match=r"cannot be read .*not a regular file"):
            locate(RemoteFile(name, "", 3, ""), tmp_path)


def test_a_published_name_on_a_huge_file_is_refused_unread(tmp_path):
    with open(tmp_path / "cora.npz", "wb") as file:
        file.truncate(2**34)  # a hole that takes no room
    most, seconds = peak(locate, RemoteFile("cora.npz", "", 1000, "0" * 64), tmp_path)
    assert most < 2**20
    assert seconds < 1


TWICE = b"\x80\x02K\x00K\x00\x86" + b"".join(b"q" + bytes([n]) + b"h" + bytes([n]) + b"\x86" for n in range(60))
HOSTILE = {
    "a large table": b"\x80\x02K\x01r\xff\xff\xff\x7f.",
    "a table in text": b"I1\np2147483647\n.",
    "a structure of 2^60 leaves as key": b"\x80\x02}" + TWICE[2:] + b"K\x01s.",
    "a structure of 2^60 leaves": TWICE + b".",
    "a nested key": b"\x80\x02}K\x00" + b"\x85" * 100_000 + b"K\x01s.",
    "a deep structure": b"\x80\x02K\x00" + b"\x85" * 100_000 + b".",
    "a list within itself": b"\x80\x02]q\x00h\x00a.",
    "a list twice within itself": b"\x80\x02]q\x00(h\x00h\x00e.",
    "a list in a list, both twice": b"\x80\x02]q\x00K\x01a]q\x01(h\x00h\x00e(h\x01h\x01l.",
    "a string that is not there": b"\x80\x02T\xff\xff\xff\x7fabc.",
    "bytes that are not there": b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b".",
    "a frame that is not there": b"\x80\x04\x95" + struct.pack("<Q", 2**40) + b".",
    "a list of bytes, many times": b"\x80\x02B" + struct.pack("<I", 10**6) + bytes(10**6) + b"q\x00"
    + b"cbuiltins\nlist\nh\x00\x85R" * 2000 + b".",
    "a long number": b"\x80\x02}\x8b" + struct.pack("<i", 10**6) + b"\x7f" * 10**6 + b"K\x01s.",
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE)
@pytest.mark.parametrize("read", [unpickle_array, unpickle_csr, unpickle_neighbours])
def test_hostile_pickles_take_bounded_time_and_memory(what, read):
    most, seconds = peak(read, HOSTILE[what])
    assert most < 2**28
    assert seconds < 10


def test_pickles_of_many_steps_are_refused(monkeypatch):
    lists = pickle.dumps({0: list(range(100))}, 2)
    assert unpickle_neighbours(lists) == {0: list(range(100))}
    monkeypatch.setattr("graphcert.data.pickle_machine._MOST_STEPS", 100)
    with pytest.raises(DataError, match="more than 100 steps"):
        unpickle_neighbours(lists)
