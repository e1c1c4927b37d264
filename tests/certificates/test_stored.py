"""Certificates, labels and attacks as files and dictionaries: exact, the same answers, and nothing false is read."""

import json
from contextlib import suppress
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

import graphcert as gc
from graphcert.certificates.confidence_bounds import unanimous_scores
from graphcert.certificates.stored import Stored
from graphcert.core.arrays import read_sealed, write_sealed
from graphcert.errors import DataError, InputError

N, SAMPLES = 24, 2000
PARTITION = gc.Partition(np.repeat([0, 1], N // 2), np.array([[0, 1], [1, 0]]))
LOCALIZED = gc.Smoothing([gc.BernoulliFlip(0.01, 0.6), gc.BernoulliFlip(0.05, 0.8)], partition=PARTITION)


def votes(smoothing: gc.Smoothing | gc.Hierarchical = LOCALIZED, classes: int = 3) -> gc.Votes:
    rng = np.random.default_rng(7)
    sure = rng.binomial(SAMPLES, rng.uniform(0.45, 1, N))
    counts = np.zeros((N, classes), np.int64)
    counts[:, 1], counts[:, 0] = sure, SAMPLES - sure
    pilot = np.tile(np.eye(classes, dtype=np.int64)[1] * 9, (N, 1))
    return gc.Votes(pilot, counts, smoothing, total_variation=2.0**-40, manifest={"data": "0123456789abcdef" * 4})


def made() -> dict[str, Stored]:
    scored = unanimous_scores(500, 0.0)
    localized = gc.certify(votes(), method="binary", targets=np.arange(0, N, 2))
    pairs = gc.certify(votes(), label_share=0.75)
    pixels = np.array([[[9, 0], [8, 1]], [[9, 0], [4, 5]]])
    return {
        "binary": localized,
        "multiclass": gc.certify(votes(), 0.1 + 0.2, False, method="multiclass"),
        "gaussian": gc.certify(votes(gc.Smoothing(gc.Gaussian(0.3, lattice=1 / 255)))),
        "hierarchical": gc.certify(votes(gc.Hierarchical(0.9, gc.Smoothing(gc.BernoulliFlip(0.01, 0.6))))),
        "band": gc.certify_scores(scored),
        "bernstein": gc.certify_scores(unanimous_scores(400, 0.0), bounds="bernstein"),
        "prediction": gc.predict(votes()),
        "segmentation": gc.seg_certify(pixels[::-1], pixels * 100, sigma=0.25, errors=1),
        "labels only": gc.seg_certify(pixels[::-1], pixels * 100, 0.5, method="bonferroni"),
        "attack": gc.Attack.of(localized, localized.collective(add=4, delete=3)),
        "uneven": pairs,
        "attack on a lead": gc.Attack.of(pairs, pairs.collective(add=4, delete=3)),
    }


MADE = made()
everything = pytest.mark.parametrize("result", MADE.values(), ids=MADE)


def assert_equal(first: Stored, second: Stored) -> None:
    assert type(first) is type(second)
    for field in fields(first):  # type: ignore[arg-type]
        mine, theirs = getattr(first, field.name), getattr(second, field.name)
        if isinstance(mine, np.ndarray):
            assert theirs.dtype == mine.dtype
            assert theirs.shape == mine.shape
            assert theirs.tobytes() == mine.tobytes(), field.name
            assert not theirs.flags.writeable
        else:
            assert theirs == mine
            assert type(theirs) is type(mine)


@everything
def test_a_file_and_a_dictionary_give_back_every_bit(result: Stored, tmp_path: Path) -> None:
    result.save(tmp_path / "result.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["result.npz"]
    again = type(result).load(tmp_path / "result.npz")
    assert_equal(result, again)
    assert_equal(result, type(result).from_dict(json.loads(json.dumps(result.to_dict(), allow_nan=False))))
    again.save(str(tmp_path / "again.npz"))
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "result.npz").read_bytes()


@pytest.mark.parametrize("name", ["binary", "hierarchical", "gaussian", "band", "multiclass"])
def test_what_was_loaded_answers_as_before(name: str, tmp_path: Path) -> None:
    saved = MADE[name]
    assert isinstance(saved, (gc.Certificate, gc.ScoreCertificate))
    saved.save(tmp_path / "certificate")
    loaded = type(saved).load(tmp_path / "certificate")
    budgets = {"shift": 0.1} if name == "gaussian" else {"add": 1, "delete": 2}
    assert np.array_equal(saved.robust(**budgets), loaded.robust(**budgets))  # type: ignore[arg-type]
    assert saved.certified_ratio() == loaded.certified_ratio() > 0
    assert saved.guarantee() == loaded.guarantee()
    if saved.simultaneous:
        one, two = (certificate.collective(**budgets) for certificate in (saved, loaded))  # type: ignore[arg-type]
        assert one.to_dict() == two.to_dict()


@everything
def test_a_description_is_short_and_says_what_it_is(result: Stored) -> None:
    words = repr(result)
    assert words.startswith(type(result).__name__)
    assert words.count("\n") <= 3
    assert max(map(len, words.splitlines())) < 200
    assert words == result.summary()


def test_the_summary_of_a_certificate_counts_its_targets() -> None:
    certificate = MADE["binary"]
    assert isinstance(certificate, gc.Certificate)
    answers = int((certificate.targets & ~certificate.abstained).sum())
    assert f"of 12 targets among 24 nodes: {answers} answer, {12 - answers} abstain" in certificate.summary()
    assert "alpha = 0.01 for all claims together, by the binary rule" in certificate.summary()


# Hostile files


@everything
def test_a_damaged_file_is_refused_in_one_sentence(result: Stored, tmp_path: Path) -> None:
    path = tmp_path / "result.npz"
    result.save(path)
    whole = path.read_bytes()
    for length in (0, 1, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError) as raised:
            type(result).load(path)
        assert "\n" not in str(raised.value)
    for at in range(0, len(whole), max(1, len(whole) // 60)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with suppress(DataError):
            assert_equal(result, type(result).load(path))  # a byte of the archive that means nothing


def test_files_of_another_kind_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "file.npz"
    with pytest.raises(DataError, match="there is no saved Certificate"):
        gc.Certificate.load(path)
    votes().save(path)
    with pytest.raises(DataError, match="not a saved Certificate"):
        gc.Certificate.load(path)
    MADE["band"].save(path)
    with pytest.raises(DataError, match="it is a 'ScoreCertificate'"):
        gc.Certificate.load(path)
    np.savez(path, description=np.array({"kind": "Certificate"}, dtype=object), sha256=np.array("0" * 64))
    with pytest.raises(DataError, match="not a complete saved Certificate"):
        gc.Certificate.load(path)
    with pytest.raises(DataError):
        gc.Certificate.load(tmp_path)
    with pytest.raises(DataError, match="cannot be written"):
        MADE["binary"].save(path / "below" / "a file")


CHANGES = [
    ({"format": 2}, "format 2"),
    ({"kind": "Votes"}, "'Votes'"),
    ({"alpha": 0.0}, "alpha"),
    ({"alpha": 0.6}, "alpha"),
    ({"alpha": "0.01"}, "alpha"),
    ({"alpha": True}, "alpha"),
    ({"simultaneous": 1}, "simultaneous"),
    ({"samples": 0}, "samples"),
    ({"samples": 10.0}, "samples"),
    ({"classes": 1}, "classes"),
    ({"method": "magic"}, "method"),
    ({"total_variation": 1.0}, "total_variation"),
    ({"smoothing": {}}, "Certificate"),
    ({"smoothing": None}, "Certificate"),
    ({"data_fingerprint": 5}, "data_fingerprint"),
    ({"unheard_of": 1}, "members"),
    ({"p_lower": 1.0}, "p_lower|two things"),
]


@pytest.mark.parametrize(("change", "words"), CHANGES)
def test_a_file_that_contradicts_itself_is_refused_although_its_checksum_is_right(
    change, words, tmp_path: Path
) -> None:
    path = tmp_path / "certificate.npz"
    MADE["binary"].save(path)
    description, arrays = read_sealed(path, "file", None)
    write_sealed(path, description | change, arrays)
    with pytest.raises(DataError, match=words) as raised:
        gc.Certificate.load(path)
    assert "\n" not in str(raised.value)
    with pytest.raises(InputError, match=words):
        gc.Certificate.from_dict(MADE["binary"].to_dict() | change)


def bits(*values: float) -> np.ndarray:
    return np.resize(np.array(values), N).view(np.int64)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("p_lower", bits(np.nan, 0.0)),
        ("p_lower", bits(np.inf, 0.0)),
        ("p_lower", bits(1.5, 0.0)),
        ("p_lower", bits(-0.5, 0.0)),
        ("p_lower", bits(0.9)),  # about nodes that are no targets
        ("p_lower", bits(0.9, 0.0)[:-1]),
        ("p_other_upper", bits(0.1)),
        ("targets", np.zeros(N, np.int64)),
        ("targets", np.full(N, 2)),
        ("targets", np.ones((N, 1), np.int64)),
        ("labels", np.full(N, -1)),
        ("labels", np.full(N, 3)),
        ("labels", np.zeros((2, N), np.int64)),
        ("alpha", np.zeros(N, np.int64)),
        ("more", np.zeros(N, np.int64)),
    ],
)
def test_arrays_that_no_certificate_has_are_refused(name: str, array: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "certificate.npz"
    MADE["binary"].save(path)
    description, arrays = read_sealed(path, "file", None)
    write_sealed(path, {key: value for key, value in description.items() if key != name}, arrays | {name: array})
    with pytest.raises(DataError) as raised:
        gc.Certificate.load(path)
    assert "\n" not in str(raised.value)


def test_a_claim_that_its_p_values_do_not_support_is_not_read() -> None:
    for name in ("segmentation", "prediction"):
        description = MADE[name].to_dict()
        description["abstained"] = np.zeros_like(description["abstained"], bool).tolist()
        with pytest.raises(InputError, match="p-value"):
            type(MADE[name]).from_dict(description)


@pytest.mark.parametrize(
    "description", [None, 5, [], {}, {"kind": "Certificate"}, {"kind": "Certificate", "format": 1}]
)
def test_what_is_no_description_is_refused(description) -> None:
    with pytest.raises(InputError, match="does not describe a Certificate"):
        gc.Certificate.from_dict(description)


def test_numbers_of_another_type_are_not_rounded_or_read_out_of_text() -> None:
    description = MADE["binary"].to_dict()
    for name, value in (("labels", 0.0), ("labels", "1"), ("p_lower", "0.9"), ("targets", 1), ("p_lower", True)):
        with pytest.raises(InputError, match=name):
            gc.Certificate.from_dict(description | {name: [value] * N})


# Curves


def test_a_curve_gives_back_every_bit_and_describes_itself(tmp_path: Path) -> None:
    certificate = MADE["binary"]
    assert isinstance(certificate, gc.Certificate)
    for curve in (
        certificate.collective(add=range(3), truth=certificate.labels),
        certificate.collective(1, method="naive"),
    ):
        curve.save(tmp_path / "curve.json")
        again = gc.CollectiveCurve.load(str(tmp_path / "curve.json"))
        assert json.dumps(again.to_dict()) == json.dumps(curve.to_dict())
        assert again.budgets.dtype == curve.budgets.dtype
        assert repr(curve).startswith(f"CollectiveCurve of 12 targets at {len(curve)} budgets (feature_add): ")
        assert "\n" not in repr(curve)


@pytest.mark.parametrize("content", ["", "{", "5", "{}", '{"axes": []}', '{"axes": ["a"], "axes": ["a"]}', "\x00"])
def test_a_file_that_is_no_curve_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "curve.json"
    with pytest.raises(DataError, match="there is no"):
        gc.CollectiveCurve.load(path)
    path.write_text(content)
    with pytest.raises(DataError, match="not a saved CollectiveCurve") as raised:
        gc.CollectiveCurve.load(path)
    assert "\n" not in str(raised.value)


def test_a_curve_that_contradicts_itself_is_refused(tmp_path: Path) -> None:
    certificate = MADE["binary"]
    assert isinstance(certificate, gc.Certificate)
    description = certificate.collective(add=range(3)).to_dict()
    (tmp_path / "curve.json").write_text(
        json.dumps(description | {"attacked_upper": [0, 0, 0], "bound": [9.0, 9.0, 9.0]})
    )
    with pytest.raises(DataError, match="below its bound"):
        gc.CollectiveCurve.load(tmp_path / "curve.json")
