"""Shards of votes: taken once, whole or absent, never mixed with those of another run."""

import io
import os
import zipfile

import numpy as np
import pytest
from voting_cases import NOISE, generic_model, small_graph, sparse_model

from graphcert.core.arrays import seal
from graphcert.errors import DataError, VotesError
from graphcert.noise import BernoulliFlip, Smoothing
from graphcert.voting import counting, sample_votes
from graphcert.voting.counting import Counter, shard_size
from graphcert.voting.shard_store import ShardStore

DATA, MODEL = small_graph(), sparse_model("sgc")
SAMPLES, PILOT, SHARD = 50, 20, 10


def take(store=None, model=MODEL, data=DATA, noise=NOISE["both"], samples=SAMPLES, seed=3, **options):
    options = {"shard_samples": SHARD, "workers": 1, **options}
    return sample_votes(model, data, noise, samples, PILOT, seed, store=store, **options)


@pytest.fixture(scope="module")
def expected():
    return take()


@pytest.fixture
def taken(monkeypatch):
    """The ranges of samples that are really drawn."""
    ranges = []
    count = Counter.count

    def counting(self, purpose, start, stop, *rest):
        ranges.append((purpose, start, stop))
        return count(self, purpose, start, stop, *rest)

    monkeypatch.setattr(Counter, "count", counting)
    return ranges


def shard_files(folder):
    return sorted(folder.glob("*.npz"))


def test_every_shard_is_taken_once(tmp_path, expected, taken):
    assert take(tmp_path) == expected
    assert taken == [(0, 0, 10), (0, 10, 20), *((1, start, start + 10) for start in range(0, 50, 10))]
    assert len(shard_files(tmp_path)) == 7
    taken.clear()
    assert take(tmp_path) == expected
    assert taken == []


def test_shards_of_large_graphs_have_fewer_samples(tmp_path, expected, monkeypatch):
    assert [shard_size(nodes) for nodes in (1, 10**5, 10**6, 10**9)] == [1000, 1000, 100, 1]
    monkeypatch.setattr(counting, "shard_size", lambda nodes: nodes // 2)
    assert take(tmp_path, shard_samples=None) == expected
    assert len(shard_files(tmp_path)) == 2 + 5  # of 12 samples: 20 and 50


def test_more_samples_continue_from_the_shards(tmp_path, taken):
    take(tmp_path)
    taken.clear()
    assert take(tmp_path, samples=75) == take(samples=75)
    assert taken[:3] == [(1, 50, 60), (1, 60, 70), (1, 70, 75)]


def test_equal_votes_make_equal_files(tmp_path):
    folders = [tmp_path / name for name in ("one", "two")]
    for folder, workers in zip(folders, (1, 3), strict=True):
        take(folder, workers=workers)
    one, two = ({file.name: file.read_bytes() for file in folder.iterdir()} for folder in folders)
    assert one == two


def truncate(content):
    return content[: len(content) // 2]


def flip_a_vote(content):
    """One bit within the stored counts."""
    position = content.index(b"counts.npy") + 180
    return content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :]


def text(content):
    return b"no shard at all"


DAMAGES = [
    truncate,
    flip_a_vote,
    text,
    lambda content: b"",
    lambda content: content[1:],
    lambda content: content + b"x",
]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["pilot-000000010-000000020.npz", "main-000000030-000000040.npz"])
def test_a_damaged_or_missing_shard_is_taken_again(name, damage, tmp_path, expected, taken):
    take(tmp_path)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(damage(whole))
    taken.clear()
    assert take(tmp_path) == expected
    assert len(taken) <= 1  # a byte that zip readers skip may not matter
    assert (tmp_path / name).read_bytes() == whole or not taken
    (tmp_path / name).unlink()
    taken.clear()
    assert take(tmp_path) == expected
    assert len(taken) == 1
    assert (tmp_path / name).read_bytes() == whole


def directory_field(offset, value):
    """Change bytes of the first entry in the list of members of a zip file."""

    def damage(content):
        at = content.index(b"PK\x01\x02") + offset
        return content[:at] + value + content[at + len(value) :]

    return damage


def member(name, content):
    """Replace a member under a right checksum of the archive."""

    def damage(whole):
        with zipfile.ZipFile(io.BytesIO(whole)) as archive:
            members = {each: archive.read(each) for each in archive.namelist()}
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            for each, old in members.items():
                archive.writestr(each, content if each == name else old)
        return stream.getvalue()

    return damage


def packed(method):
    def damage(whole):
        stream = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(whole)) as archive, zipfile.ZipFile(stream, "w", method) as other:
            for each in archive.namelist():
                other.writestr(each, archive.read(each))
        damaged = bytearray(stream.getvalue())
        damaged[60:70] = bytes(10)
        return bytes(damaged)

    return damage


def described(text):
    """Another description under a right seal."""

    def damage(whole):
        with np.load(io.BytesIO(whole)) as archive:
            arrays = {name: archive[name] for name in archive.files if name not in ("description", "sha256")}
        stream = io.BytesIO()
        np.savez(stream, description=np.array(text), sha256=np.array(seal(text, arrays)), **arrays)
        return stream.getvalue()

    return damage


UNREADABLE = {
    **{f"zeros at {offset} in the directory": directory_field(offset, bytes(4)) for offset in range(4, 46, 2)},
    "a header that never ends": member("counts.npy", b"\x93NUMPY\x01\x00\x40\x00" + b"{'descr': " + b"(" * 54),
    "a header of another language": member("counts.npy", b"\x93NUMPY\x02\x00\xff\xff\xff\x7f" + b"\xff" * 100),
    "a shape of truths": member(
        "counts.npy", b"\x93NUMPY\x01\x00\x40\x00{'descr': '<i8', 'fortran_order': False, 'shape': (True, -1)}"
    ),
    "lzma": packed(zipfile.ZIP_LZMA),
    "bzip2": packed(zipfile.ZIP_BZIP2),
    "deep JSON": described("[" * 100_000),
    "an object of one name twice": described('{"identity": 1, "identity": 2}'),
    "a list": described("[]"),
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_a_shard_that_cannot_be_read_does_not_block_resuming(what, tmp_path, expected, taken):
    """Whatever is wrong with it, it is taken again and is whole afterwards."""
    take(tmp_path)
    path = tmp_path / "main-000000030-000000040.npz"
    whole = path.read_bytes()
    path.write_bytes(UNREADABLE[what](whole))
    taken.clear()
    assert take(tmp_path) == expected
    assert taken in ([], [(1, 30, 40)])  # a date or an attribute in the directory may not matter
    assert path.read_bytes() == whole or not taken


@pytest.mark.skipif(os.name != "posix", reason="pipes and devices as POSIX has them")
def test_a_shard_that_is_a_pipe_or_a_broken_link_is_taken_again(tmp_path, expected):
    take(tmp_path)
    names = [file.name for file in shard_files(tmp_path)]
    for name, make in zip(names, (os.mkfifo, lambda path: path.symlink_to("nowhere"),
                                  lambda path: path.symlink_to("/dev/zero")), strict=False):  # fmt: skip
        (tmp_path / name).unlink()
        make(tmp_path / name)
    assert take(tmp_path) == expected
    assert all((tmp_path / name).is_file() and not (tmp_path / name).is_symlink() for name in names)


@pytest.mark.parametrize(
    "counts",
    [np.full((23, 3), 10), np.full((24, 4), [10, 0, 0, 0]), np.full((24, 3), [12, -2, 0]), np.zeros((24, 3, 1), int)],
    ids=["fewer nodes", "another class", "negative votes", "another axis"],
)
def test_sums_that_cannot_be_of_this_run_are_taken_again(counts, tmp_path, expected):
    """Well sealed and of the right identity, but impossible."""
    take(tmp_path)
    ShardStore(tmp_path, expected.manifest).write("main", 0, 10, {"counts": counts})
    assert take(tmp_path) == expected


def test_no_flipped_byte_changes_the_votes(tmp_path, expected, taken):
    """Every 23rd byte of a shard, one after the other: retaken or harmless, never believed and never a crash."""
    take(tmp_path)
    path = tmp_path / "main-000000000-000000010.npz"
    whole = path.read_bytes()
    store = ShardStore(tmp_path, expected.manifest)
    counts = store.read("main", 0, 10)
    refused = 0
    for position in range(0, len(whole), 23):
        damaged = bytearray(whole)
        damaged[position] ^= 0x55
        path.write_bytes(damaged)
        found = store.read("main", 0, 10)
        refused += found is None
        assert found is None or np.array_equal(found["counts"], counts["counts"])
    assert refused > len(whole) / 23 / 3


def test_a_shard_under_another_name_is_not_believed(tmp_path, expected):
    take(tmp_path)
    main = [file for file in shard_files(tmp_path) if file.name.startswith("main")]
    main[0].write_bytes(main[1].read_bytes())
    (tmp_path / "pilot-000000000-000000010.npz").write_bytes(main[0].read_bytes())
    assert take(tmp_path) == expected


def test_counts_that_do_not_add_up_are_not_believed(tmp_path, expected):
    store = ShardStore(tmp_path, expected.manifest)
    for wrong in (np.full((24, 3), 2), np.zeros((24, 3), int), np.full(10, 10)):
        store.write("main", 0, 10, {"counts": wrong})
        assert store.read("main", 0, 10) is None
    assert take(tmp_path) == expected


OTHERS = {
    "seed": {"seed": 4},
    "smoothing": {"noise": Smoothing(BernoulliFlip(0.05, 0.4), BernoulliFlip(0.02, 0.31))},
    "data": {"data": small_graph(seed=1)},
    "model": {"model": sparse_model("sgc", seed=1)},
    "path": {"path": "generic"},
}


@pytest.mark.parametrize("name", OTHERS)
def test_votes_of_another_run_are_an_error_and_stay_as_they_are(name, tmp_path):
    take(tmp_path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(
        VotesError, match=rf"holds votes of another run \(different: .*{name}.*\); choose another output"
    ):
        take(tmp_path, **OTHERS[name])
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_settings_of_a_model_are_part_of_the_run(tmp_path):
    """Equal weights with another number of propagation steps are another model."""
    take(tmp_path, model=sparse_model("sgc", hops=2))
    with pytest.raises(VotesError, match=r"different: model\)"):
        take(tmp_path, model=sparse_model("sgc", hops=3))


def test_any_identity_can_be_told_from_this_one(tmp_path, expected):
    for other in ({}, {"seed": None}, {**expected.manifest, "more": [1, {"x": 2.5}]}):
        ShardStore(tmp_path, other).write("main", 0, 10, {"counts": np.full((24, 3), 10)})
        with pytest.raises(VotesError, match="holds votes of another run"):
            ShardStore(tmp_path, expected.manifest).read("main", 0, 10)


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        take(tmp_path / "file" / "votes")


def test_a_model_with_scalar_buffers_can_be_stored(tmp_path):
    """Batch normalisation counts its batches in a tensor without dimensions."""
    model = generic_model("normalised")
    assert model.norm.num_batches_tracked.dim() == 0
    assert take(tmp_path, model=model) == take(tmp_path, model=model)


def test_an_exception_in_a_shard_keeps_the_shards_before_it(tmp_path, expected, monkeypatch, taken):
    count = Counter.count

    def failing(self, purpose, start, stop, *rest):
        if (purpose, start) == (1, 20):
            raise KeyboardInterrupt
        return count(self, purpose, start, stop, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(Counter, "count", failing)
        with pytest.raises(KeyboardInterrupt):
            take(tmp_path)
    assert len(shard_files(tmp_path)) == 4
    taken.clear()
    assert take(tmp_path) == expected
    assert len(taken) == 3


def test_the_progress_bar_counts_only_what_is_taken_now(tmp_path, capsys):
    take(tmp_path, progress=True)
    assert "70/70" in capsys.readouterr().err
    shard_files(tmp_path)[0].unlink()
    take(tmp_path, progress=True)
    bar = capsys.readouterr().err
    assert "70/70" in bar
    assert "samples/s" in bar
    take(tmp_path)
    assert capsys.readouterr().err == ""


def test_votes_on_disk_are_integers_and_text_only(tmp_path):
    take(tmp_path)
    for file in shard_files(tmp_path):
        with np.load(file, allow_pickle=False) as archive:
            assert {array.dtype.kind for array in (archive[name] for name in archive.files)} <= {"i", "U"}
