"""The page about inputs with one label each: its pictures, curves and words."""

import base64
import io
import re
from typing import Any

import numpy as np
import pytest
from PIL import Image

from graphcert.noise import Budget
from graphcert.report.outputs.claims import OutputClaims, inputs_table, results_table
from graphcert.report.outputs.page import OutputContent, output_page
from graphcert.report.outputs.pictures import picture_of

NO_EDGES = np.empty((2, 0), np.int64)


def shown(address: str) -> np.ndarray:
    """(H, W, 3) the picture that an address holds."""
    kind, content = address.split(",")
    assert kind == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(content))) as picture:
        return np.array(picture.convert("RGB"))


def test_images_keep_their_pixels() -> None:
    rows = np.array([[0], [0.25], [0.5], [1]], np.float32)
    picture = shown(picture_of((1, 2, 2), rows, NO_EDGES))
    size = picture.shape[0] // 2
    assert [int(picture[y, x, 0]) for y in (0, size) for x in (0, size)] == [0, 64, 128, 255]
    colours = shown(picture_of((3, 1, 2), np.array([[0, 0, 1], [1, 0, 0]], np.float32), NO_EDGES))
    assert colours[0, 0].tolist() == [0, 0, 255]
    assert colours[0, -1].tolist() == [255, 0, 0]


SHAPES = [((5,), 5), ((6, 2), 6), ((6, 1), 6), ((), 7), ((1, 3, 3), 9), ((1,), 1), ((), 1)]


@pytest.mark.parametrize(("shape", "rows"), SHAPES)
def test_inputs_of_every_kind_have_a_picture_and_equal_ones_the_same(shape: tuple[int, ...], rows: int) -> None:
    values = np.random.default_rng(0).normal(size=(rows, shape[1] if len(shape) == 2 else 1)).astype(np.float32)
    edges = np.array([[0, 1, 2, 3], [1, 0, 3, 2]]) if not shape and rows > 3 else NO_EDGES
    address = picture_of(shape, values, edges)
    assert address == picture_of(shape, values, edges)
    assert shown(address).std() > 0 or rows == 1
    flat = picture_of(shape, np.zeros_like(values), edges)
    assert shown(flat).ndim == 3, "without any range of values"


def claims(**changed: Any) -> OutputClaims:
    """Four inputs against two norms in at most one row or in all of them."""
    cells = tuple(
        (Budget(nodes=limit), norm) for limit, norm in ((None, 0.0), (1, 0.25), (1, 0.5), (None, 0.25), (None, 0.5))
    )
    kept = np.array([[1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]], np.bool_)
    given: dict[str, Any] = {
        "numbers": np.array([3, 5, 8, 9]), "truth": np.array([0, 1, 1, 0]), "labels": np.array([0, 0, 1, 1]),
        "abstained": ~kept[0], "p_lower": np.array([0.9, 0.8, 0.7, 0.4]), "p_other_upper": np.array([0.1, 0.2, 0.3, 0.6]),
        "sigma": np.full(4, 0.5), "rows": np.array([6, 6, 7, 7]), "cells": cells, "kept": kept, "guarantee": "It holds.",
        "radii": {1: np.array([0.625, 0.375, 0.125, 0.0]), None: np.array([0.3, 0, 0, 0])}, "votes": {},
    }  # fmt: skip
    return OutputClaims(**{**given, **changed})


def page(found: OutputClaims) -> str:
    content = OutputContent(found, ("cat", "dog"), ["data:image/png;base64,AA=="] * 4, "Gaussian noise", "ℓ2", 0.01)
    return output_page(content).html()


def test_numbers_captions_and_curves_are_those_of_the_claims() -> None:
    html = page(claims())
    captions = "cat ✓ · radius 0.625 in 1 row", "cat ✗ (true dog) · radius 0.375 in 1 row", "abstains"
    for words in (*captions, "It holds.", "50.0%", "≤ 1 row", "any rows"):
        assert words in html, words
    assert re.search(r"a change of ℓ2 norm 0.25 in at most 1 row</th><td>50.0%</td><td>25.0%", html)
    assert html.count("<img") == 4
    without = page(claims(truth=None))
    assert "and correct" not in without
    assert "✓" not in without


def test_tables_have_a_row_per_budget_and_per_input() -> None:
    lines = results_table(claims()).splitlines()
    assert lines[0].endswith("nodes,shift,inputs,certified,certified_accuracy")
    assert lines[2] == "0,0,0,0,1,0.25,4,0.5,0.25"
    assert lines[4] == "0,0,0,0,,0.25,4,0.25,0.25"
    lines = inputs_table(claims()).splitlines()
    assert lines[0] == "input,label,truth,abstained,rows,sigma,p_lower,p_other_upper,radius_1,radius"
    assert lines[4] == "9,1,0,1,7,0.5,0.4,0.6,0.0,0.0"
