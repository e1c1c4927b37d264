"""Seconds per noisy sample of a segmented image, against a plainly written loop and against forward passes alone.

    python benchmarks/images.py                  a table
    python benchmarks/images.py --quick --json   a list of {"case", "ratio", …}

240 × 180 pixels, 11 classes, untrained U-Nets. The plain loop draws normal numbers with torch, calls the module, takes the
largest logit and adds up one-hot votes; under localized noise it does so for every one of 3 × 5 cells and keeps the cell.
"over_forward" compares a sample with the one forward pass that isotropic noise cannot do without. Processor time of
one thread; all take turns, each is judged by its fastest one: other work on the machine only ever adds time.
"""

import math
import os
import time

os.environ["OMP_NUM_THREADS"] = "1"

import command
import numpy as np
import torch

import graphcert as gc
from graphcert.images.image_files import pixel_values
from graphcert.images.image_path import ImagePath
from graphcert.images.image_votes import image_problem
from graphcert.images.unet import UNet
from graphcert.sampling.philox import MAIN

HEIGHT, WIDTH, CLASSES = 180, 240, 11
NEAR, FAR = 0.25, 0.5


def image():
    return np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def plain(model, clean, sigmas, cells, counts):
    """One sample, as one writes it first: sigmas (V, H, W), cells (V, H, W) masks, counts (H, W, K)."""
    for sigma, cell in zip(sigmas, cells, strict=True):
        labels = model((clean + sigma * torch.randn(clean.shape))[None]).argmax(dim=1)[0]
        votes = torch.nn.functional.one_hot(labels, CLASSES)
        counts[cell] += votes[cell]


def localized(partition):
    """σ of every cell's image, and the cell's pixels."""
    level = partition.rank[:, partition.labels] * 2 // partition.clusters
    sigmas = np.where(level == 0, NEAR, FAR).astype(np.float32)
    cells = partition.labels == np.arange(partition.clusters)[:, None]
    return (torch.from_numpy(array.reshape(-1, HEIGHT, WIDTH)) for array in (sigmas, cells))


def fastest(turns, **actions):
    """The shortest time of every action; they take turns."""
    best = dict.fromkeys(actions, float("inf"))
    for _ in range(turns):
        for name, action in actions.items():
            began = time.process_time()
            action()
            best[name] = min(best[name], time.process_time() - began)
    return best


def compare(name, network, smoothing, sigmas, cells, turns):
    model = network.eval()
    values = pixel_values(image())
    wrapped = gc.ImageModel(model)
    path = ImagePath(image_problem(values, smoothing, 0), (HEIGHT, WIDTH), wrapped, wrapped.reach)
    clean = torch.from_numpy(values).permute(2, 0, 1).contiguous()
    counts = torch.zeros(HEIGHT, WIDTH, CLASSES, dtype=torch.int64)
    mine = np.zeros((HEIGHT * WIDTH, CLASSES), np.int64)
    shown = clean[None].contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        best = fastest(
            turns,
            ours=lambda: path.add_votes(MAIN, 0, 1, mine),
            plain=lambda: plain(model, clean, sigmas, cells, counts),
            forward=lambda: path.model(shown),
        )
    return {
        "case": name,
        "ratio": round(best["plain"] / best["ours"], 2),
        "seconds": round(best["ours"], 4),
        "forward": round(best["forward"], 4),
        "over_forward": round(best["ours"] / best["forward"], 2),
        "reach": path.reach,
        "pixels_computed": round(sum(math.prod(window.shape) for _, window in path._parts) / (HEIGHT * WIDTH), 2),
    }


def measure_all(quick):
    torch.set_num_threads(1)
    torch.manual_seed(0)
    turns = 3 if quick else 10
    partition = gc.GridGraph(HEIGHT, WIDTH).cells(3, 5)
    isotropic = gc.Smoothing(gc.Gaussian(NEAR, lattice=1 / 255))
    levels = gc.Smoothing([gc.Gaussian(sigma, lattice=1 / 255) for sigma in (NEAR, FAR)], partition=partition)
    far, near = UNet(classes=CLASSES), UNet(classes=CLASSES, depth=2, context=0)
    everywhere = torch.full((1, HEIGHT, WIDTH), NEAR), torch.ones(1, HEIGHT, WIDTH, dtype=torch.bool)
    return [
        compare("isotropic, U-Net that sees the whole image", far, isotropic, *everywhere, turns),
        compare("3 × 5 cells, U-Net that sees the whole image", far, levels, *localized(partition), turns),
        compare(f"3 × 5 cells, U-Net that sees {near.reach} pixels far", near, levels, *localized(partition), turns),
    ]


if __name__ == "__main__":
    command.run(__doc__, measure_all)
