"""Mutated files of every kind that graphcert reads, and what must come of them: one of its own errors, or valid content.

    python tests/fuzz_files.py FOLDER SEED COUNT [KIND …]

reads COUNT mutated files of every kind (or of the kinds named) and prints one line per violation and one summary line, all
JSON. File number i of a kind depends on (SEED, kind, i) alone.
"""

import io
import json
import pickle
import random
import resource
import signal
import sys
import time
import traceback
import warnings
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
import tomli_w
import torch
from fuzz_mutations import (
    Generator,
    changed_checkpoint,
    changed_image,
    changed_json,
    changed_npz,
    changed_pickle,
    changed_sealed,
    changed_toml,
    damage,
)
from PIL import Image

from graphcert.certificates import Certificate, ScoreCertificate, certify, certify_scores
from graphcert.certificates.method_hierarchy import MethodComparison
from graphcert.collective import CollectiveCurve
from graphcert.core.arrays import seal, to_json
from graphcert.core.reading import read_bytes, read_json
from graphcert.data import load_graph_file, validate
from graphcert.data.planetoid import PARTS, read_planetoid
from graphcert.errors import GraphcertError
from graphcert.images import read_image, read_mask
from graphcert.images.segmenter import Segmenter
from graphcert.images.unet import UNet
from graphcert.models import build_model, load_model, save_model
from graphcert.models.registry import MODELS
from graphcert.noise import BernoulliFlip, Gaussian, Hierarchical, Partition, Smoothing
from graphcert.run.collective_results import Collective
from graphcert.run.settings.graph_run import RunConfig
from graphcert.run.settings.image_run import SegmentSettings, read_settings
from graphcert.votes import BINS, UNIT, Scores, Votes
from graphcert.voting.shard_store import ShardStore

SECONDS, MEMORY = 20, 4 * 2**30
NODES, CLASSES = 8, 2


@dataclass(frozen=True)
class Kind:
    """Files of one kind: whole ones by name, how to change what they mean, and how to read one and check what it holds."""

    seeds: dict[str, bytes]
    change: Callable[[Generator, bytes], bytes]
    read: Callable[[Path], Any]


def graph_files() -> dict[str, bytes]:
    links = np.zeros((NODES, NODES), np.float32)
    for u, v in [(0, 1), (1, 2), (2, 3), (3, 0), (4, 5), (0, 4)]:
        links[u, v] = links[v, u] = 1
    bits = (np.arange(NODES * 3).reshape(NODES, 3) % 5 < 2).astype(np.float32)
    labels = np.arange(NODES) % CLASSES

    def parts(prefix: str, matrix: np.ndarray) -> dict[str, np.ndarray]:
        rows = sp.csr_array(matrix)
        found = {"data": rows.data, "indices": rows.indices, "indptr": rows.indptr, "shape": np.array(rows.shape)}
        return {prefix + part: array for part, array in found.items()}

    layouts = {
        "dots": {**parts("adj_matrix.", links), **parts("attr_matrix.", bits), "labels": labels},
        "lines": {**parts("adj_", links), **parts("attr_", bits), "labels": labels},
        "positions": {"A": np.stack(np.nonzero(links)), "X": np.stack(np.nonzero(bits)), "y": labels},
        "dense": {"A": np.stack(np.nonzero(links)), "X": bits, "y": labels},
    }
    found = {}
    for name, arrays in layouts.items():
        for save in (np.savez, np.savez_compressed):
            stream = io.BytesIO()
            save(stream, **arrays)
            found[f"{name} {save.__name__}"] = stream.getvalue()
    return found


def read_graph(path: Path) -> None:
    for form in ({}, {"directed": True}, {"weights": True}, {"directed": True, "weights": True}, {"standardise": True}):
        try:
            data = load_graph_file(path, **form, per_class_train=1, per_class_validation=1)
        except GraphcertError:
            if "standardise" in form:
                raise
            continue
        validate(data, binary="standardise" in form, directed="directed" in form)


def planetoid_files() -> dict[str, bytes]:
    known = sp.csr_matrix(np.eye(5, 4, dtype=np.float32))
    held_out = sp.csr_matrix(np.eye(3, 4, dtype=np.float32))
    lists = defaultdict(list, {node: [(node + 1) % NODES, (node - 1) % NODES] for node in range(NODES)})
    tables = [np.eye(2, dtype=np.int32)[np.arange(size) % 2] for size in (5, 3)]
    things = {"allx": known, "ally": tables[0], "tx": held_out, "ty": tables[1], "graph": lists}
    found = {name: pickle.dumps(thing, 3) for name, thing in things.items()}
    return {**found, "test.index": b"7\n5\n6\n"}


PLANETOID = planetoid_files()


def read_part(path: Path) -> None:
    """The part is told by its content: the first line of the file, put there by `planetoid_seeds`."""
    name, _, content = path.read_bytes().partition(b"\n")
    part = name.decode("latin-1") if name.decode("latin-1") in PARTS else "graph"
    graph = read_planetoid({**PLANETOID, part: content})
    assert graph.features.shape[0] == graph.nodes <= len(content) + 100
    assert graph.edges.size == 0 or 0 <= graph.edges.min() <= graph.edges.max() < graph.nodes


def changed_part(rng: Generator, content: bytes) -> bytes:
    name, inside = content.split(b"\n", 1)
    return name + b"\n" + rng.choice([damage, changed_pickle, changed_pickle])(rng, inside)


def partition() -> Partition:
    return Partition(np.arange(NODES) % 3, np.array([[0, 1, 2], [1, 0, 2], [2, 1, 0]]))


def all_votes() -> list[Votes]:
    pilot, counts = (np.tile([total, 0], (NODES, 1)) for total in (10, 50))
    flip = BernoulliFlip(0.01, 0.6)
    local = Smoothing([BernoulliFlip(0.01, 0.5), flip, flip], flip, partition=partition())
    histogram = np.zeros((NODES, BINS), np.int64)
    histogram[:, 0] = 50
    nothing = np.zeros(NODES, np.int64)
    scores = Scores(np.zeros((NODES, 2), np.int64), nothing, nothing, histogram, margins=histogram)
    return [
        Votes(pilot, counts, Smoothing(flip), manifest={"seed": 1}),
        Votes(pilot, counts, local, scores=scores),
        Votes(pilot, counts, Hierarchical(0.5, Smoothing(Gaussian(0.5)))),
    ]


def read_votes(path: Path) -> None:
    votes = Votes.load(path)
    assert (votes.counts >= 0).all()
    assert (votes.counts.sum(axis=1) == votes.samples).all()
    assert votes.samples >= 1 <= votes.pilot_samples
    assert isinstance(votes.manifest, dict)
    assert len(votes.labels) == votes.nodes


def certificates() -> list[Certificate | ScoreCertificate]:
    plain, scored, hierarchical = all_votes()
    return [certify(plain), certify(hierarchical, 0.1, False, method="multiclass"), certify_scores(scored)]


def read_certificate(path: Path) -> None:
    kind = ScoreCertificate if b"mean_lower.npy" in path.read_bytes() else Certificate
    found = kind.load(path)
    assert not (~found.abstained & ~found.targets).any()
    assert kind.from_dict(found.to_dict()).guarantee() == found.guarantee()


IDENTITY = {"seed": 1, "data": "x"}
SUMS = {
    "counts": np.full((NODES, CLASSES), 5), "sums": np.full(NODES, UNIT), "squares": np.full(NODES, 2**20),
    "histogram": np.eye(NODES, BINS, dtype=np.int64) * 10,
}  # fmt: skip


def read_shard(path: Path) -> None:
    store = ShardStore(path.parent, IDENTITY)
    store._file = lambda *_: path  # type: ignore[method-assign]
    for names in (("counts",), tuple(SUMS)):
        empty = {name: np.zeros_like(SUMS[name]) for name in names}
        found = store.read("main", 0, 10, empty)
        if found is not None:
            assert {name: array.shape for name, array in found.items()} == {n: a.shape for n, a in empty.items()}
            assert (found["counts"].sum(axis=1) == 10).all()
            assert all((array >= 0).all() for array in found.values())


def read_checkpoint(path: Path) -> None:
    model = load_model(path)
    assert all(torch.isfinite(value).all() for value in model.state_dict().values())
    assert not model.training


def read_network(path: Path) -> None:
    found = Segmenter.load(path)
    assert len(found.names) == len(found.palette) == found.model.classes
    assert all(torch.isfinite(value).all() for value in found.model.state_dict().values())
    json.dumps(found.training)


def read_partition(path: Path) -> None:
    found = Partition.from_dict(read_json(path, "a partition", "train again"))
    assert found.labels.min() >= 0
    assert found.labels.max() < found.clusters
    assert (np.sort(found.rank, axis=1) == np.arange(found.clusters)).all()


def curves() -> bytes:
    curve = CollectiveCurve(
        axes=("add", "delete"), budgets=np.array([[0, 0], [1, 0], [1, 2]]), targets=4, bound=np.array([0.0, 1.5, 9.0]),
        attacked_upper=np.array([0, 1, 4]), method=np.array(["lp"] * 3), status=np.array(["optimal"] * 3),
        gap=np.array([0.0, np.nan, 1.0]), correct_upper=np.array([0, 1, 3]), correct_targets=3,
        attacks=np.array([[0, 0], [1, 0], [1, 2]]),
    )  # fmt: skip
    return (
        Collective((MethodComparison({"naive": curve, "lp": curve}),), None, (curve,)).to_json("votes", 0.01).encode()
    )


def read_curves(path: Path) -> None:
    found = Collective.from_json(read_bytes(path).decode("latin-1"), "votes", 0.01, 4)
    if found is not None:
        for curve in [*found.comparisons[0].values(), *found.mean_score] if found.comparisons else []:
            assert ((curve.certified >= 0) & (curve.certified <= curve.targets)).all()
            assert (curve.attacked_upper >= np.floor(np.minimum(curve.bound, curve.targets))).all()
            list(curve.rows())
        found.table()


def pictures() -> dict[str, bytes]:
    rng = np.random.default_rng(0)
    found = {}
    for ending, options in (("PNG", {}), ("JPEG", {}), ("TIFF", {}), ("BMP", {}), ("PPM", {}), ("WEBP", {}),
                            ("TIFF", {"compression": "tiff_lzw"})):  # fmt: skip
        stream, exif = io.BytesIO(), Image.Exif()
        exif[0x0112] = 6
        Image.fromarray(rng.integers(0, 256, (9, 13, 3), dtype=np.uint8)).save(stream, ending, exif=exif, **options)
        found[f"{ending} {options}"] = stream.getvalue()
    return found


def masks() -> dict[str, bytes]:
    classes = np.random.default_rng(1).integers(0, 11, (9, 13), dtype=np.uint8)
    palette = Image.fromarray(classes).convert("P")
    images = {"L": Image.fromarray(classes), "P": palette, "I;16": Image.fromarray(classes.astype(np.uint16))}
    found = {}
    for mode, image in images.items():
        for ending in ("PNG", "TIFF", "BMP", "PPM"):
            if (mode, ending) not in (("P", "PPM"), ("I;16", "BMP"), ("I;16", "PPM")):
                stream = io.BytesIO()
                image.save(stream, ending)
                found[f"{mode} {ending}"] = stream.getvalue()
    return found


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


SEGMENT = {"images": "a", "masks": "b", "model": "net.pt", "sigma": [0.1, 0.3], "cells": [3, 5], "budgets": [0.1, 0.2]}


def sealed_file(description: dict[str, Any], arrays: dict[str, np.ndarray]) -> bytes:
    text, stream = to_json(description), io.BytesIO()
    np.savez(stream, description=np.array(text), sha256=np.array(seal(text, arrays)), **arrays)
    return stream.getvalue()


def written(folder: Path, save: Callable[[Path], None]) -> bytes:
    save(folder / "whole")
    return (folder / "whole").read_bytes()


def kinds(folder: Path) -> dict[str, Kind]:
    """All kinds of files; whole ones are written into the folder once."""
    shard = {"identity": IDENTITY, "purpose": "main", "start": 0, "stop": 10}
    shards = {name: sealed_file(shard, {n: SUMS[n] for n in names})
              for name, names in (("votes", ("counts",)), ("scores", tuple(SUMS)))}  # fmt: skip
    models = {
        name: written(folder, lambda path, name=name: save_model(build_model(name, 5, 3), path, name, 5, 3))
        for name in MODELS
    }
    network = Segmenter(
        UNet(classes=3, width=4, depth=2, cell=2),
        ("a", "b", "c"),
        ((0, 0, 0), (1, 2, 3), (9, 9, 9)),
        255,
        0.5,
        {"steps": 3},
    )
    runs = {path.name: path.read_bytes() for path in sorted((Path(__file__).parents[1] / "experiments").glob("*.toml"))}
    nodes = {name: text for name, text in runs.items() if b"[segment]" not in text}
    votes = {str(i): written(folder, one.save) for i, one in enumerate(all_votes())}
    parts = {name: name.encode() + b"\n" + content for name, content in PLANETOID.items()}
    claims = {str(i): written(folder, one.save) for i, one in enumerate(certificates())}
    return {
        "graph": Kind(graph_files(), changed_npz, read_graph),
        "planetoid": Kind(parts, changed_part, read_part),
        "votes": Kind(votes, changed_sealed, read_votes),
        "certificate": Kind(claims, changed_sealed, read_certificate),
        "shard": Kind(shards, changed_sealed, read_shard),
        "model": Kind(models, changed_checkpoint, read_checkpoint),
        "network": Kind({"unet": written(folder, network.save)}, changed_checkpoint, read_network),
        "settings": Kind(nodes, changed_toml, lambda path: RunConfig.load(path).to_dict()),
        "image settings": Kind(
            {"cells": tomli_w.dumps({"segment": SEGMENT}).encode()},
            changed_toml,
            lambda path: SegmentSettings.from_dict(read_settings(path)).to_dict(),
        ),
        "partition": Kind({"json": json.dumps(partition().to_dict()).encode()}, changed_json, read_partition),
        "curves": Kind({"json": curves()}, changed_json, read_curves),
        "image": Kind(pictures(), changed_image, read_picture),
        "mask": Kind(masks(), changed_image, read_classes),
    }


class TooSlow(BaseException):
    """Reading took longer than `SECONDS` of computing; a busy machine does not count."""


def too_slow(*_: object) -> None:
    raise TooSlow


def fuzz(folder: Path, seed: int, count: int, wanted: list[str]) -> None:
    """Print one line per violation and a summary."""
    known = kinds(folder)
    path, read, slowest, began = folder / "file.png", 0, (0.0, "", 0), time.monotonic()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.signal(signal.SIGPROF, too_slow)
    for name in wanted or list(known):
        kind = known[name]
        for whole in kind.seeds.values():
            path.write_bytes(whole)
            kind.read(path)  # a whole file is read
        for number in range(count):
            rng = random.Random(f"{seed}/{name}/{number}")
            whole = kind.seeds[rng.choice(sorted(kind.seeds))]
            content = (damage if rng.random() < 0.4 else kind.change)(rng, whole)
            path = folder / f"file{'.npz' if name == 'graph' else '.png'}"
            path.write_bytes(content)
            start, outcome = time.process_time(), "read"
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            try:
                kind.read(path)
                read += 1
            except GraphcertError as error:
                outcome = "many lines" if "\n" in str(error) else "refused"
            except BaseException as error:
                outcome = "".join(traceback.format_exception(error)[-4:])[-1500:]
                if isinstance(error, KeyboardInterrupt):
                    raise
            finally:
                signal.setitimer(signal.ITIMER_PROF, 0)
            slowest = max(slowest, (time.process_time() - start, name, number))
            if outcome not in ("read", "refused"):
                print(json.dumps({"kind": name, "number": number, "outcome": outcome}), flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    files = count * len(wanted or known)
    print(
        json.dumps(
            {"files": files, "read": read, "slowest": slowest, "peak": peak, "seconds": time.monotonic() - began}
        )
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    fuzz(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
