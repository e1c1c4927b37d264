"""The result object: counts, ratios, rows, CSV."""

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from graphcert.collective import CollectiveCurve, collective_strictly_local, receptive_field
from graphcert.collective.curve import strengthened
from graphcert.errors import InputError


def curve(**more):
    grid = np.array([[True, True], [True, False], [True, True], [False, False]])
    field = receptive_field(np.array([[0], [1]]), 1, "feature_add", num_nodes=4)
    return collective_strictly_local(grid, ["feature_add"], [field], [0, 1, 2], **more)


def test_counts_ratios_and_accuracy():
    plain = curve(integer=True)
    assert len(plain) == 3
    assert plain.budgets.tolist() == [[0], [1], [2]]
    assert plain.attacked_upper.tolist() == [1, 2, 3]
    assert plain.certified.tolist() == [3, 2, 1]
    assert plain.ratio.tolist() == [0.75, 0.5, 0.25]
    assert plain.accuracy is None
    assert plain.gap.tolist() == [0, 0, 0]
    targets, correct = np.array([True, True, False, True]), np.array([True, False, True, True])
    masked = curve(integer=True, targets=targets, correct=correct)
    assert masked.certified.tolist() == [2, 1, 0]
    # Of the two correct targets one is never certified and the other one falls at two changes.
    assert masked.accuracy.tolist() == [1 / 3, 1 / 3, 0]


def test_rows_and_csv_say_the_same(tmp_path):
    result = curve(correct=np.ones(4, dtype=bool))
    rows = list(result.rows())
    assert [row["feature_add"] for row in rows] == [0, 1, 2]
    assert [row["certified"] for row in rows] == result.certified.tolist()
    assert rows[1]["accuracy"] == rows[1]["ratio"]
    assert {row["method"] for row in rows} <= {"naive", "lp"}
    result.to_csv(tmp_path / "collective.csv")
    with open(tmp_path / "collective.csv", newline="", encoding="utf-8") as file:
        read = list(csv.DictReader(file))
    assert [{name: str(value) for name, value in row.items()} for row in rows] == read


def test_an_absent_accuracy_is_an_empty_field(tmp_path):
    curve().to_csv(tmp_path / "collective.csv")
    with open(tmp_path / "collective.csv", newline="", encoding="utf-8") as file:
        assert [row["accuracy"] for row in csv.DictReader(file)] == ["", "", ""]


def test_the_example_of_the_documentation_runs_and_says_what_it_prints():
    text = (Path(__file__).parents[2] / "docs" / "collective.md").read_text(encoding="utf-8")
    names = {}
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    exec(next(block for block in blocks if "collective_strictly_local" in block), names)
    shown = re.findall(r"# array\(\[(.*?)\]\)", text)
    for found, printed in zip((names["curve"].certified, names["curve"].gap), shown, strict=True):
        assert found.tolist() == [float(number) for number in printed.split(",")]


def test_a_curve_survives_being_written_down():
    for result in (curve(integer=True), curve(correct=np.ones(4, dtype=bool))):
        described = json.loads(json.dumps(result.to_dict(), allow_nan=False))
        again = CollectiveCurve.from_dict(described)
        assert list(again.rows()) == list(result.rows()) or np.isnan(result.gap).any()
        assert again.to_dict() == result.to_dict()
    with pytest.raises(InputError, match="does not describe"):
        CollectiveCurve.from_dict({"axes": ["feature_add"]})


def test_attacks_are_written_down_and_curves_from_before_there_were_any_still_read():
    plain = curve(integer=True)
    described = plain.to_dict()
    assert CollectiveCurve.from_dict({k: v for k, v in described.items() if k != "attacks"}).attacks is None
    attacked = replace(plain, attacks=np.array([[0, 0], [1, 0], [1, 1]]))
    again = CollectiveCurve.from_dict(json.loads(json.dumps(attacked.to_dict())))
    assert again.attacks.tolist() == attacked.attacks.tolist()


def test_of_two_bounds_the_smaller_one_counts():
    one, two = curve(), curve(integer=True)
    best = strengthened(one, two)
    assert best.attacked_upper.tolist() == np.minimum(one.attacked_upper, two.attacked_upper).tolist()
    assert (best.gap <= one.gap).all()
    assert [m for m, a, b in zip(best.method, one.attacked_upper, two.attacked_upper, strict=True) if b < a] == [
        m for m, a, b in zip(two.method, one.attacked_upper, two.attacked_upper, strict=True) if b < a
    ]
    assert strengthened(two, one).attacked_upper.tolist() == best.attacked_upper.tolist()


def test_bounds_of_some_budgets_count_there_alone():
    weak, strong = curve(), curve(integer=True)
    for row in range(len(weak)):
        part = replace(
            strong,
            **{
                name: getattr(strong, name)[[row]]
                for name in ("budgets", "bound", "attacked_upper", "method", "status", "gap")
            },
        )
        best = strengthened(weak, part, np.array([row]))
        expected = weak.attacked_upper.copy()
        expected[row] = min(expected[row], strong.attacked_upper[row])
        assert best.attacked_upper.tolist() == expected.tolist()
