"""Files that stages and users leave, from votes to images: how they are read, and what must hold of what is accepted."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fuzz_kind import Kind
from fuzz_mutations import changed_checkpoint, changed_image, changed_json, changed_sealed, changed_toml

from graphcert.certificates import Certificate, ScoreCertificate
from graphcert.collective import CollectiveCurve
from graphcert.core.reading import read_bytes, read_json
from graphcert.errors import DataError
from graphcert.images import read_image, read_mask
from graphcert.images.segmenter import Segmenter
from graphcert.models import build_model, load_model
from graphcert.models.weights import load_weights
from graphcert.noise import Partition
from graphcert.run.collective_results import Collective
from graphcert.run.folder import MANIFEST, RunFolder
from graphcert.run.settings.graph_run import RunConfig
from graphcert.run.settings.image_run import SegmentSettings, read_settings
from graphcert.verification import run_files
from graphcert.votes import BINS, UNIT, Votes
from graphcert.voting.shard_store import KINDS as SHARDS
from graphcert.voting.shard_store import ShardStore

NODES, CLASSES = 8, 2
IDENTITY = {"seed": 1, "data": "x"}
SUMS = {
    "counts": np.full((NODES, CLASSES), 5), "class_sums": np.full((NODES, CLASSES), UNIT), "sums": np.full(NODES, UNIT),
    "squares": np.full(NODES, 2**20), "histogram": np.eye(NODES, BINS, dtype=np.int64) * 10,
    "margins": np.eye(NODES, BINS, dtype=np.int64)[:, :, None] * [10, 10],
}  # fmt: skip
"""What the shards of the corpus hold, of ten samples."""


def read_votes(path: Path) -> None:
    votes = Votes.load(path)
    assert (votes.counts >= 0).all()
    assert (votes.counts.sum(axis=1) == votes.samples).all()
    assert (votes.pilot_counts.sum(axis=1) == votes.pilot_samples).all()
    assert votes.samples >= 1 <= votes.pilot_samples
    assert isinstance(votes.manifest, dict)
    assert len(votes.labels) == votes.nodes
    assert 0 <= votes.total_variation < 1
    try:
        found = run_files.read_votes(path)
    except DataError:  # the independent check is stricter
        return
    assert found.digest == votes.digest, "the independent check reads other votes"
    assert np.array_equal(found.counts, votes.counts)
    assert np.array_equal(found.pilot_counts, votes.pilot_counts)
    assert found.total_variation == votes.total_variation
    assert (found.rows is None) == (votes.rows is None)
    assert votes.rows is None or (np.array_equal(found.rows, votes.rows) and votes.rows.min() >= 1)


def read_certificate(path: Path) -> None:
    kind = ScoreCertificate if b"mean_lower.npy" in path.read_bytes() else Certificate
    found = kind.load(path)
    assert not (~found.abstained & ~found.targets).any()
    assert kind.from_dict(found.to_dict()).guarantee() == found.guarantee()


def read_shard(path: Path) -> None:
    store = ShardStore(path.parent, IDENTITY)
    store._file = lambda *_: path  # type: ignore[method-assign]
    for names in SHARDS:
        empty = {name: np.zeros_like(SUMS[name]) for name in names}
        found = store.read("main", 0, 10, empty)
        if found is not None:
            assert {name: array.shape for name, array in found.items()} == {n: a.shape for n, a in empty.items()}
            assert (found["counts"].sum(axis=1) == 10).all()
            assert all((array >= 0).all() for array in found.values())
            return
    raise DataError("the shard is taken again")


def read_checkpoint(path: Path) -> None:
    model = load_model(path)
    assert all(torch.isfinite(value).all() for value in model.state_dict().values())
    assert not model.training


def read_network(path: Path) -> None:
    found = Segmenter.load(path)
    assert len(found.names) == len(found.palette) == found.model.classes
    assert all(torch.isfinite(value).all() for value in found.model.state_dict().values())
    json.dumps(found.training)


def read_weights(path: Path) -> None:
    model = build_model("gcn", 5, 3)
    load_weights(model, path)
    for value in model.state_dict().values():
        assert torch.isfinite(value).all()
        assert ((value == 0) | (value.abs() >= torch.finfo(value.dtype).tiny)).all()


def check_texts(settings: dict[str, Any]) -> None:
    """Whatever settings say can be shown on a terminal."""
    assert "\\u001b" not in json.dumps(settings, default=str)


def read_partition(path: Path) -> None:
    found = Partition.from_dict(read_json(path, "a partition", "train again"))
    assert found.labels.min() >= 0
    assert found.labels.max() < found.clusters
    assert (np.sort(found.rank, axis=1) == np.arange(found.clusters)).all()


def check_curve(curve: CollectiveCurve) -> None:
    assert ((curve.certified >= 0) & (curve.certified <= curve.targets)).all()
    assert (curve.attacked_upper >= np.floor(np.minimum(curve.bound, curve.targets))).all()
    list(curve.rows())


def read_curves(path: Path) -> None:
    found = Collective.from_json(read_bytes(path).decode("latin-1"), "votes", 0.01, 4)
    if found is not None:
        for curve in [*found.comparisons[0].values(), *found.mean_score] if found.comparisons else []:
            check_curve(curve)
        found.table()


def read_manifest(path: Path) -> None:
    (path.parent / MANIFEST).write_bytes(path.read_bytes())
    run = RunFolder(path.parent)
    for look in run.looks():
        assert look["samples"] > 0, "nothing was sampled"
        assert 0 < look["alpha"] < 1, "no error rate"
    run.spent()
    run.refuse_second_look({"samples": 3, "pilot_samples": 2}, look_again=True)
    run.record({"seed": 1})


def read_picture(path: Path) -> None:
    found = read_image(path)
    assert found.dtype == np.uint8
    assert found.ndim == 3
    assert found.size > 0
    assert found.shape[2] == 3


def read_classes(path: Path) -> None:
    found = read_mask(path)
    assert found.dtype == np.uint8
    assert found.ndim == 2
    assert found.size > 0


RESULTS = {
    "votes": Kind(changed_sealed, read_votes, ".npz"),
    "shard": Kind(changed_sealed, read_shard, ".npz"),
    "certificate": Kind(changed_sealed, read_certificate),
    "curve": Kind(changed_json, lambda path: check_curve(CollectiveCurve.load(path))),
    "curves": Kind(changed_json, read_curves),
    "manifest": Kind(changed_json, read_manifest),
    "partition": Kind(changed_json, read_partition),
    "model": Kind(changed_checkpoint, read_checkpoint),
    "network": Kind(changed_checkpoint, read_network),
    "weights": Kind(changed_checkpoint, read_weights),
    "settings": Kind(changed_toml, lambda path: check_texts(RunConfig.load(path).to_dict())),
    "image-settings": Kind(
        changed_toml, lambda path: check_texts(SegmentSettings.from_dict(read_settings(path)).to_dict())
    ),
    "image": Kind(changed_image, read_picture, ".png"),
    "mask": Kind(changed_image, read_classes, ".png"),
}
