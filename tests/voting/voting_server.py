"""Votes in a process that may be killed: forks one child per line of standard input, so that imports are paid for once.

Run as a script. Answers every line (a folder) with the child's process number.
"""

import os
import sys

from voting_cases import CLASSES, FEATURES, NOISE, generic_model, randomise, small_graph, sparse_model

from graphcert.models import build_model
from graphcert.noise import Hierarchical
from graphcert.voting import sample_votes

SAMPLES, PILOT, SHARD = 1000, 200, 100
MODELS = {
    "sparse": lambda: sparse_model("gcn"),
    "generic": lambda: generic_model("perceptron"),
    "scored": lambda: sparse_model("gcn"),
    "hierarchical": lambda: randomise(build_model("gcn", FEATURES + 1, CLASSES)),
}


def take(kind, folder):
    """About half a second of voting."""
    model, options = MODELS[kind](), {"store": folder, "shard_samples": SHARD, "workers": 1, "scores": kind == "scored"}
    noise = Hierarchical(0.7, NOISE["both"]) if kind == "hierarchical" else NOISE["both"]
    return sample_votes(model, small_graph(800), noise, SAMPLES, PILOT, 7, **options)


def contents(folder):
    """The shards in a folder of votes, by name."""
    return {file.name: file.read_bytes() for file in folder.glob("*.npz")}


def serve():
    for kind in MODELS:
        take(kind, None)  # compile
    print("ready", flush=True)
    for line in sys.stdin:
        kind, folder = line.rstrip("\n").split(" ", 1)
        child = os.fork()
        if child == 0:
            take(kind, folder)
            os._exit(0)
        print(child, flush=True)
        os.waitpid(child, 0)
        print("ended", flush=True)


if __name__ == "__main__":
    serve()
