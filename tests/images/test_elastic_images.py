"""Noise that depends on the image: its deviation, its radii, and runs with it."""

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from shape_pictures import NAMES, pictures

import graphcert as gc
from graphcert.errors import GraphcertError
from graphcert.images.unet_training import UNetTraining
from graphcert.run.image_claims import certify_image, elastic_radii, image_sigmas
from graphcert.run.image_network import train_segmenter
from graphcert.run.images import SegmentRun
from graphcert.run.settings.image_run import SegmentSettings, isotropic

NORMS = (0.0, 0.05, 0.1, 0.15)


def save(folder: Path, arrays: list[np.ndarray]) -> Path:
    folder.mkdir(parents=True)
    for k, array in enumerate(arrays):
        Image.fromarray(array).save(folder / f"{k:02d}.png")
    return folder


def noise(rng: np.random.Generator, count: int) -> list[np.ndarray]:
    return [rng.integers(0, 256, (3, 4, 3), dtype=np.uint8) for _ in range(count)]


def elastic(known: Path | str, **options: object) -> SegmentSettings:
    given: dict[str, object] = {
        "images": "",
        "model": "",
        "sigma": (0.2,),
        "elasticity": 0.1,
        "neighbours": 2,
        **options,
    }
    return SegmentSettings(train_images=str(known), **given)  # type: ignore[arg-type]


def distance(one: np.ndarray, two: np.ndarray) -> float:
    return math.dist((one / 255).ravel().tolist(), (two / 255).ravel().tolist())


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32), rate=st.floats(0, 2), k=st.integers(1, 4))
def test_deviations_follow_the_definition(
    tmp_path_factory: pytest.TempPathFactory, seed: int, rate: float, k: int
) -> None:
    rng = np.random.default_rng(seed)
    known, asked = noise(rng, 5), noise(rng, 3)
    folder = save(tmp_path_factory.mktemp("known") / "images", known)
    found = image_sigmas(elastic(folder, elasticity=rate, neighbours=k), asked)

    def near(image: np.ndarray, others: list[np.ndarray]) -> float:
        return sum(sorted(distance(image, other) for other in others)[:k]) / k

    mean = sum(near(one, [two for two in known if two is not one]) for one in known) / len(known)
    expected = [0.2 * math.exp(rate * (near(image, known) - mean)) for image in asked]
    assert found == pytest.approx(expected, rel=1e-10)
    # The property that the radii rest on.
    for i, one in enumerate(asked):
        for j, two in enumerate(asked[:i]):
            assert abs(math.log(found[i] / found[j])) <= rate * distance(one, two) + 2.0**-32


@given(
    masses=st.lists(st.floats(0, 1), min_size=1, max_size=20),
    pixels=st.integers(1, 2000),
    sigma=st.floats(0.05, 2),
    rate=st.floats(0, 0.5),
)
def test_radii_are_those_of_three_channels(masses: list[float], pixels: int, sigma: float, rate: float) -> None:
    several = np.array([masses, masses[::-1]])
    found = elastic_radii(several, sigma, pixels, rate)
    assert found.shape == several.shape
    for mass, radius in zip(several.ravel(), found.ravel(), strict=True):
        assert radius == pytest.approx(gc.input_dependent_radius(mass, sigma, 3 * pixels, rate), abs=2e-6 * sigma)


def test_the_dimension_matters() -> None:
    assert elastic_radii(0.1, 0.25, 43200, 0.01) < 0.99 * gc.input_dependent_radius(0.1, 0.25, 43200, 0.01)
    assert elastic_radii(0.1, 0.25, 43200, 0.0) == pytest.approx(0.25 * 1.2815515655446004)


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32), rate=st.one_of(st.just(0.0), st.floats(0.05, 0.5)), sigma=st.floats(0.1, 0.5))
def test_claims_about_one_image(seed: int, rate: float, sigma: float) -> None:
    rng = np.random.default_rng(seed)
    size, samples = (3, 4), 300
    hits = rng.binomial(samples, rng.random(12) ** 0.05)
    votes = gc.Votes(np.tile([[5, 0]], (12, 1)), np.stack([hits, samples - hits], axis=1), isotropic(sigma, True))
    claims = gc.certify(votes, 0.01)
    radii = gc.input_dependent_radius(claims.p_other_upper, sigma, 36, rate)
    # Right below and right above every radius.
    norms = sorted({0.0, *(radius * near for radius in radii[radii > 0].tolist() for near in (1 - 1e-5, 1 + 1e-5))})
    wanted = elastic("known", elasticity=rate, samples=samples, budgets=tuple(norms), tau=0.7, alpha=0.01)
    found = certify_image("x", votes, None, wanted, size)
    for k, norm in enumerate(norms):
        expected = radii >= norm if norm else claims.p_lower > 0.5
        assert np.array_equal(found.per_pixel[k].ravel(), expected)
        # What the adversary gains by moving the noise is never given back.
        assert not (found.per_pixel[k].ravel() & ~claims.robust(shift=norm)).any()
    assert found.sigma == sigma
    assert found.radius == gc.input_dependent_radius(1 - 0.7, sigma, 36, rate)
    assert np.array_equal(~found.kept.ravel(), gc.seg_certify(votes.pilot_counts, votes.counts, 0.7, 0.01).abstained)


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Training and test images, the second test image far brighter, and a network."""
    root = tmp_path_factory.mktemp("shapes")
    for part, seed, count in (("train", 0, 8), ("test", 5, 2)):
        images, masks = pictures(count, seed)
        if part == "test":
            images[1] = (images[1] // 2 + 127).astype(np.uint8)
        save(root / part / "images", images)
        save(root / part / "masks", masks)
    train_segmenter(
        root / "net.pt", (str(root / "train/images"), str(root / "train/masks")), 0.2, names=NAMES,
        training=UNetTraining(steps=40, batch=4, learning_rate=0.02), shape={"width": 8, "depth": 2, "cell": 1},
    )  # fmt: skip
    return root


def test_a_run_with_noise_of_its_own_for_every_image(shapes: Path, tmp_path: Path) -> None:
    wanted = elastic(
        shapes / "train/images", images=str(shapes / "test/images"), masks=str(shapes / "test/masks"),
        model=str(shapes / "net.pt"), elasticity=0.01, samples=120, pilot_samples=10, budgets=NORMS,
    )  # fmt: skip
    content = SegmentRun(tmp_path).certify(wanted)
    with open(tmp_path / "results.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    sigmas = json.loads((tmp_path / "manifest.json").read_text())["sigma"]
    assert 0.2 < sigmas["00"] * 1.05 < sigmas["01"]
    for row in rows:
        assert float(row["sigma"]) == sigmas[row["image"]]
        if row["claim"] == "segcertify":
            radius = gc.input_dependent_radius(0.25, sigmas[row["image"]], 24 * 32 * 3, 0.01)
            assert float(row["budget"]) == radius
    assert content.claims[0].sigma != content.claims[1].sigma
    smallest = min(float(row["budget"]) for row in rows if row["claim"] == "segcertify")
    assert f"{math.floor(smallest * 1e4) / 1e4:g}" in content.facts[1][2]
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "depends on the image" in page
    assert "".join(f'<th scope="col">{name}</th>' for name in ("image", "σ", "radius")) in page
    assert "computes σ anew" in page
    again = SegmentSettings.from_dict({**wanted.to_dict(), "sigma": [0.2], "budgets": list(NORMS)})
    assert again == wanted


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"cells": (2, 2), "sigma": (0.1, 0.2)}, "not both"),
        ({"train_images": None}, "--train-images"),
        ({"elasticity": -0.1}, "elasticity"),
        ({"elasticity": float("nan")}, "elasticity"),
        ({"elasticity": None}, "neighbours"),
        ({"neighbours": 0}, "neighbours"),
        ({"neighbours": 8}, "neighbours"),
        ({"elasticity": 1e9}, "elasticity"),
        ({"images": "other"}, "one size"),
        ({"train_images": "none"}, "no folder"),
    ],
)
def test_what_cannot_work_is_refused_before_voting(
    shapes: Path, tmp_path: Path, options: dict[str, object], words: str
) -> None:
    save(tmp_path / "other", [np.zeros((9, 9, 3), np.uint8)])
    given = {"train_images": str(shapes / "train/images"), "images": str(shapes / "test/images"), **options}
    if given["images"] == "other":
        given["images"] = str(tmp_path / "other")
    base = {"model": str(shapes / "net.pt"), "sigma": (0.2,), "elasticity": 0.01, "neighbours": 2}
    with pytest.raises(GraphcertError, match=words):
        SegmentRun(tmp_path / "run").certify(SegmentSettings(**{**base, **given}))  # type: ignore[arg-type]
    assert not (tmp_path / "run").exists()
