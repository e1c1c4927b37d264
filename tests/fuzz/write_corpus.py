"""Write the corpus, small whole files of every kind, after a format has changed: `write_corpus.py [KIND …]`."""

import gzip
import io
import json
import pickle
import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
import tomli_w
import torch
from fuzz_kind import CORPUS, HERE, written
from fuzz_results import CLASSES, IDENTITY, NODES, SUMS
from fuzz_runs import SMALL, called
from PIL import Image

from graphcert.certificates import certify, certify_scores
from graphcert.certificates.method_hierarchy import MethodComparison
from graphcert.collective import CollectiveCurve
from graphcert.core.arrays import seal, to_json
from graphcert.data.geom_gcn import EDGES, FEATURES
from graphcert.images.segmenter import Segmenter
from graphcert.images.unet import UNet
from graphcert.models import build_model, save_model
from graphcert.models.registry import MODELS
from graphcert.noise import BernoulliFlip, Gaussian, Hierarchical, Partition, Smoothing
from graphcert.run.collective_results import Collective
from graphcert.run.folder import REPORT
from graphcert.run.statement import write_statement
from graphcert.votes import BINS, Scores, Votes
from graphcert.voting.shard_store import KINDS

Files = dict[str, bytes]
LINKS = [(0, 1), (1, 2), (2, 3), (3, 0), (4, 5), (0, 4)]
LABELS = np.arange(NODES) % CLASSES
BITS = (np.arange(NODES * 3).reshape(NODES, 3) % 5 < 2).astype(np.float32)
SEGMENT = {"images": "a", "masks": "b", "model": "net.pt", "sigma": [0.1, 0.3], "cells": [3, 5], "budgets": [0.1, 0.2]}


def links() -> np.ndarray:
    matrix = np.zeros((NODES, NODES), np.float32)
    for u, v in LINKS:
        matrix[u, v] = matrix[v, u] = 1
    return matrix


def of(save: Callable[..., Any], *arguments: Any, **options: Any) -> bytes:
    """What a function writes into a stream."""
    stream = io.BytesIO()
    save(stream, *arguments, **options)
    return stream.getvalue()


def saved(save: Callable[[Path], Any]) -> bytes:
    """What a function writes into a file."""
    with tempfile.TemporaryDirectory() as folder:
        save(Path(folder) / "whole")
        return (Path(folder) / "whole").read_bytes()


def graphs() -> Files:
    def parts(prefix: str, matrix: np.ndarray) -> dict[str, np.ndarray]:
        rows = sp.csr_array(matrix)
        found = {"data": rows.data, "indices": rows.indices, "indptr": rows.indptr, "shape": np.array(rows.shape)}
        return {prefix + part: array for part, array in found.items()}

    layouts = {
        "dots": {**parts("adj_matrix.", links()), **parts("attr_matrix.", BITS), "labels": LABELS},
        "lines": {**parts("adj_", links()), **parts("attr_", BITS), "labels": LABELS},
        "positions": {"A": np.stack(np.nonzero(links())), "X": np.stack(np.nonzero(BITS)), "y": LABELS},
        "dense": {"A": np.stack(np.nonzero(links())), "X": BITS, "y": LABELS},
    }
    plain = {f"{name}.npz": of(np.savez, **layouts[name]) for name in ("dots", "positions")}
    return plain | {f"{name}-packed.npz": of(np.savez_compressed, **arrays) for name, arrays in layouts.items()}


def tensors() -> Files:
    edges = torch.from_numpy(np.stack(np.nonzero(links())))
    graph = {"x": torch.from_numpy(BITS), "edge_index": edges, "y": torch.from_numpy(LABELS)}
    nodes = torch.arange(NODES)
    masks = {"train_mask": nodes % 4 == 0, "val_mask": nodes % 4 == 1, "test_mask": nodes % 4 == 2}
    weights = {"edge_weight": torch.full((edges.shape[1],), 0.5), "edge_attr": torch.ones(edges.shape[1], 2)}
    found = {"plain": graph, "masks": graph | masks, "weights": graph | weights}
    return {f"{name}.pt": of(_save, content) for name, content in found.items()}


def _save(stream: io.BytesIO, content: dict[str, Any]) -> None:
    torch.save({name: value.clone() for name, value in content.items()}, stream)


def planetoid() -> Files:
    known = sp.csr_matrix(np.eye(5, 4, dtype=np.float32))
    held_out = sp.csr_matrix(np.eye(3, 4, dtype=np.float32))
    lists = defaultdict(list, {node: [(node + 1) % NODES, (node - 1) % NODES] for node in range(NODES)})
    tables = [np.eye(2, dtype=np.int32)[np.arange(size) % 2] for size in (5, 3)]
    things = {"allx": known, "ally": tables[0], "tx": held_out, "ty": tables[1], "graph": lists}
    return {**{name: pickle.dumps(thing, 3) for name, thing in things.items()}, "test.index": b"7\n5\n6\n"}


def geom_gcn() -> Files:
    rows = [f"{n}\t{','.join(str(int(bit)) for bit in BITS[n])}\t{LABELS[n]}" for n in range(NODES)]
    masks = dict(
        zip(("train_mask", "val_mask", "test_mask"), np.eye(3, dtype=int)[:, np.arange(NODES) % 3], strict=True)
    )
    return {
        FEATURES: "\n".join(["node_id\tfeature\tlabel", *rows, ""]).encode(),
        EDGES: "\n".join(["node_id\tnode_id", *(f"{u}\t{v}" for u, v in LINKS), ""]).encode(),
        "split.npz": of(np.savez, **masks),
    }  # fmt: skip


def ogb() -> Files:
    tables = {
        "raw/edge": LINKS, "raw/node-feat": BITS.tolist(), "raw/node-label": LABELS[:, None].tolist(),
        "split/train": [[0], [1]], "split/valid": [[2], [3]], "split/test": [[4], [5], [6], [7]],
    }  # fmt: skip
    texts = {name: "".join(",".join(map(str, row)) + "\n" for row in rows) for name, rows in tables.items()}
    return {f"{name}.csv.gz": gzip.compress(text.encode(), mtime=0) for name, text in texts.items()}


def scipy_files() -> Files:
    coo = sp.coo_array(links() * 0.5)
    return {
        "adjacency.npz": of(sp.save_npz, sp.csr_array(links())), "coo.npz": of(sp.save_npz, coo),
        "features.npz": of(sp.save_npz, sp.csc_array(BITS)), "dense.npy": of(np.save, BITS),
        "labels.npy": of(np.save, LABELS),
    }  # fmt: skip


def partition() -> Partition:
    return Partition(np.arange(NODES) % 3, np.array([[0, 1, 2], [1, 0, 2], [2, 1, 0]]))


def all_votes() -> dict[str, Votes]:
    pilot, counts = (np.tile([total, 0], (NODES, 1)) for total in (10, 50))
    flip = BernoulliFlip(0.01, 0.6)
    local = Smoothing([BernoulliFlip(0.01, 0.5), flip, flip], flip, partition=partition())
    histogram = np.zeros((NODES, BINS), np.int64)
    histogram[:, 0] = 50
    nothing = np.zeros(NODES, np.int64)
    scores = Scores(np.zeros((NODES, 2), np.int64), nothing, nothing, histogram, margins=histogram)
    return {
        "plain": Votes(pilot, counts, Smoothing(flip), manifest={"seed": 1}),
        "scores": Votes(pilot, counts, local, scores=scores),
        "hierarchical": Votes(pilot, counts, Hierarchical(0.5, Smoothing(Gaussian(0.5)))),
        "inputs": Votes(pilot, counts, Hierarchical(0.5, Smoothing(Gaussian(0.5))), rows=np.arange(1, NODES + 1)),
    }


def certificates() -> Files:
    votes = all_votes()
    several = certify(votes["hierarchical"], 0.1, False, method="multiclass")
    found = {"plain": certify(votes["plain"]), "hierarchical": several, "scores": certify_scores(votes["scores"])}
    return {f"{name}.npz": saved(one.save) for name, one in found.items()}


def curve() -> CollectiveCurve:
    return CollectiveCurve(
        axes=("add", "delete"), budgets=np.array([[0, 0], [1, 0], [1, 2]]), targets=4, bound=np.array([0.0, 1.5, 9.0]),
        attacked_upper=np.array([0, 1, 4]), method=np.array(["lp"] * 3), status=np.array(["optimal"] * 3),
        gap=np.array([0.0, np.nan, 1.0]), correct_upper=np.array([0, 1, 3]), correct_targets=3,
        attacks=np.array([[0, 0], [1, 0], [1, 2]]),
    )  # fmt: skip


def shards() -> Files:
    text, found = to_json({"identity": IDENTITY, "purpose": "main", "start": 0, "stop": 10}), {}
    for name, names in zip(("votes", "pilot-scores", "scores"), KINDS, strict=True):
        arrays = {each: SUMS[each] for each in names}
        sealed = np.array(seal(text, arrays))
        found[f"{name}.npz"] = of(np.savez_compressed, description=np.array(text), sha256=sealed, **arrays)
    return found


def manifest() -> bytes:
    nodes = {"samples": 50, "pilot_samples": 10, "method": "binary", "simultaneous": True}
    looks = [*({**nodes, "alpha": alpha} for alpha in (0.01, 0.05))]
    looks.append({"samples": 50, "pilot_samples": 10, "alpha": 0.01, "tau": 0.75})
    return json.dumps({"timings": {"sampling": 1.5}, "seed": 0, "looks": looks}).encode()


def settings() -> Files:
    runs = {path.name: path.read_bytes() for path in sorted((HERE.parents[1] / "experiments").glob("*.toml"))}
    return {name: text for name, text in runs.items() if b"[segment]" not in text}


def networks() -> Files:
    network = Segmenter(
        UNet(classes=3, width=4, depth=1, cell=2), ("a", "b", "c"), ((0, 0, 0), (1, 2, 3), (9, 9, 9)), 255, 0.5, {"steps": 3}
    )  # fmt: skip
    return {"unet.pt": saved(network.save)}


def weights() -> Files:
    state = {name: value.clone() for name, value in build_model("gcn", 5, 3).state_dict().items()}
    lightning = {"state_dict": {f"model.{name}": value for name, value in state.items()}, "epoch": 3}
    return {"plain.pt": of(_save, state), "lightning.pt": saved(lambda path: torch.save(lightning, path))}


def pictures() -> Files:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 13, 3), dtype=np.uint8)
    found, exif = {}, Image.Exif()
    exif[0x0112] = 6
    for ending in ("png", "jpeg", "tiff", "bmp", "ppm", "webp"):
        found[f"image.{ending}"] = of(Image.fromarray(pixels).save, ending, exif=exif)
    return {**found, "packed.tiff": of(Image.fromarray(pixels).save, "tiff", compression="tiff_lzw")}


def masks() -> Files:
    classes = np.random.default_rng(1).integers(0, 11, (9, 13), dtype=np.uint8)
    images = {"L": Image.fromarray(classes), "P": Image.fromarray(classes).convert("P")}
    images["I"] = Image.fromarray(classes.astype(np.uint16))
    endings = {"L": ("png", "tiff", "bmp", "ppm"), "P": ("png", "tiff", "bmp"), "I": ("png", "tiff")}
    return {f"{mode}.{one}": of(images[mode].save, one) for mode, several in endings.items() for one in several}


def run() -> Files:
    """A whole run; its report is left out, which is long and read by nobody but people."""
    with tempfile.TemporaryDirectory() as folder:
        code, said = called("certify", *SMALL, "--seed", "0", "--out", folder)
        assert code == 0, said
        (Path(folder) / REPORT).unlink()
        write_statement(folder)
        files = [path for path in Path(folder).rglob("*") if path.is_file() and not path.name.startswith(".")]
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def corpus() -> dict[str, Files]:
    """All whole files, by kind and name."""
    models = {
        f"{name}.pt": saved(lambda path, name=name: save_model(build_model(name, 5, 3), path, name, 5, 3))
        for name in MODELS
    }
    found = Collective((MethodComparison({"naive": curve(), "lp": curve()}),), None, (curve(),))
    return {
        "graph": graphs(), "tensors": tensors(), "planetoid": planetoid(), "geom-gcn": geom_gcn(), "ogb": ogb(),
        "scipy": scipy_files(), "votes": {f"{name}.npz": saved(one.save) for name, one in all_votes().items()},
        "shard": shards(), "certificate": certificates(), "curve": {"curve.json": saved(curve().save)},
        "curves": {"collective.json": found.to_json("votes", 0.01).encode()}, "manifest": {"manifest.json": manifest()},
        "partition": {"partition.json": json.dumps(partition().to_dict()).encode()}, "model": models,
        "settings": settings(), "network": networks(), "weights": weights(),
        "image-settings": {"cells.toml": tomli_w.dumps({"segment": SEGMENT}).encode()}, "image": pictures(),
        "mask": masks(), "run": run(),
    }  # fmt: skip


if __name__ == "__main__":
    for kind, files in corpus().items():
        if kind in sys.argv[1:] or len(sys.argv) == 1:
            shutil.rmtree(CORPUS / kind, ignore_errors=True)
            written(CORPUS / kind, files)
            print(f"{kind}: {len(files)} files, {sum(map(len, files.values())):,} bytes")
