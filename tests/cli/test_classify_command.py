"""`graphcert classify`: from inputs to a report, and one sentence for what cannot work."""

import csv
from pathlib import Path

import numpy as np
import pytest

from graphcert.errors import InputError
from graphcert.noise import Budget
from graphcert.run.settings.output_run import OutputSettings

SMALL = ["--samples", 300, "--pilot-samples", 20, "--steps", 60]


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clouds of six points around 0 or around 1."""
    path = tmp_path_factory.mktemp("inputs") / "clouds.npz"
    labels = np.arange(32) % 2
    np.savez(path, inputs=labels[:, None, None] + np.random.default_rng(0).normal(0, 0.1, (32, 6, 2)), labels=labels)
    return path


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return [*csv.DictReader(stream)]


NOISES = {
    "Gaussian": (["--sigma", 0.5], ["radius"]),
    "selected": (["--sigma", 0.5, "--select", 0.9, "--touched", "1,3"], ["radius_1", "radius_3"]),
    "input-dependent": (["--sigma", 0.5, "--elasticity", 0.05, "--neighbours", 3], ["radius"]),
    "hidden": (["--ablate", 0.7], []),
    "kept": (["--keep", 2], []),
}


@pytest.mark.parametrize("name", NOISES)
def test_one_command_makes_tables_and_a_report(name, run, points, tmp_path):
    noise, radii = NOISES[name]
    folder = tmp_path / "run"
    code, out, err = run("classify", "--inputs", points, *noise, *SMALL, "--limit", 8, "--out", folder)
    assert code == 0, err
    assert "smoothed accuracy" in out
    assert "trained a network on 24 inputs" in err
    table, inputs = rows(folder / "results.csv"), rows(folder / "inputs.csv")
    assert [float(row["certified"]) for row in table[:1]] == [1.0]
    assert len(inputs) == 8
    assert [column for column in inputs[0] if column.startswith("radius")] == radii
    shares = [float(row["certified_accuracy"]) for row in table]
    assert max(shares[1:]) > 0
    page = (folder / "report.html").read_text()
    assert page.count("<img") == 8
    assert "What is guaranteed" in page
    for column in radii:
        assert max(float(row[column]) for row in inputs) > 0
    before = {
        path.name: path.read_bytes() for path in folder.glob("*") if path.is_file() and path.name != "manifest.json"
    }
    assert run("classify", "--inputs", points, *noise, *SMALL, "--limit", 8, "--out", folder)[0] == 0
    kept = ("results.csv", "inputs.csv", "model.pt", "plan.json", "settings.toml")
    assert all((folder / one).read_bytes() == before[one] for one in kept), "nothing is trained or voted again"


def test_a_network_serves_another_run_and_settings_come_from_a_file(run, points, tmp_path):
    assert run("classify", "--inputs", points, "--sigma", 0.5, *SMALL, "--out", tmp_path / "one")[0] == 0
    settings = tmp_path / "settings.toml"
    settings.write_text(
        f'[classify]\ninputs = "{points}"\nmodel = "{tmp_path}/one/model.pt"\nsigma = 0.25\nsamples = 200\n'
    )
    code, _, err = run(
        "classify",
        "--config",
        settings,
        "--pilot-samples",
        10,
        "--seed",
        3,
        "--budgets",
        "0.1,0.2",
        "--out",
        tmp_path / "two",
    )
    assert code == 0, err
    assert "trained" not in err
    assert [float(row["shift"]) for row in rows(tmp_path / "two/results.csv")] == [0, 0.1, 0.2]
    code, _, err = run("classify", "--config", settings, "--sigma", 0.25, "--seed", 4, "--out", tmp_path / "two")
    assert (code, err.count("\n")) == (2, 1)
    assert "--look-again" in err
    again = ["--pilot-samples", 10, "--sigma", 0.3, "--seed", 3, "--budgets", "0.1,0.2", "--out", tmp_path / "two"]
    code, _, err = run("classify", "--config", settings, *again)
    assert (code, err.count("\n")) == (2, 1)
    assert "another run" in err


def test_graphs_of_a_folder_are_certified_against_edges(run, tmp_path):
    lines, indicator, labels, first = [], [], [], 1
    for graph in range(16):
        size = 5 + graph % 3
        pairs = [(i, j) for i in range(size) for j in range(i) if graph % 2 or j == i - 1]
        lines += [f"{first + i}, {first + j}\n" for i, j in pairs]
        indicator += [f"{graph + 1}\n"] * size
        labels.append(f"{graph % 2}\n")
        first += size
    for part, text in (("A", lines), ("graph_indicator", indicator), ("graph_labels", labels)):
        (tmp_path / f"TOY_{part}.txt").write_text("".join(text))
    code, out, err = run("classify", "--inputs", tmp_path, "--edge-delete", 0.3, *SMALL, "--out", tmp_path / "run")
    assert code == 0, err
    table = rows(tmp_path / "run/results.csv")
    assert [int(row["edge_delete"]) for row in table] == list(range(9))
    assert "deleted" in out


WRONG = {
    "no noise": ([], "no noise"),
    "two kinds of noise": (["--sigma", 0.5, "--keep", 2], "of one kind"),
    "selection of nothing": (["--edge-delete", 0.1, "--select", 0.5], "--select"),
    "selection of hidden rows": (["--ablate", 0.5, "--select", 0.5], "--select"),
    "limits without a selection": (["--sigma", 0.5, "--touched", "1:3"], "--touched"),
    "no rows": (["--sigma", 0.5, "--select", 0.5, "--touched", "0:3"], "--touched"),
    "neighbours of nothing": (["--sigma", 0.5, "--neighbours", 3], "--elasticity"),
    "elasticity of selected rows": (["--sigma", 0.5, "--select", 0.5, "--elasticity", 0.1], "--select"),
    "elasticity by the other rule": (["--sigma", 0.5, "--elasticity", 0.1, "--method", "multiclass"], "binary"),
    "a deviation of 0": (["--sigma", 0], "sigma"),
    "too few samples": (["--sigma", 0.5, "--samples", 3], "samples"),
    "edges of points": (["--edge-delete", 0.1], "edges"),
    "bits of real numbers": (["--add", 0.1], "binary"),
    "more rows kept than there are": (["--keep", 7], "keep fewer"),
    "a norm as a word": (["--sigma", 0.5, "--budgets", "much"], "budgets"),
    "half a row": (["--ablate", 0.5, "--budgets", "0.5"], "budgets"),
    "an unknown method": (["--sigma", 0.5, "--method", "tight"], "method"),
    "no inputs left for training": (["--sigma", 0.5, "--limit", 32], "training"),
    "a network that is none": (["--sigma", 0.5, "--model", "/dev/null"], "classifier"),
    "steps of a network that is there": (["--sigma", 0.5, "--model", "net.pt", "--steps", 3], "--steps"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_work_is_one_sentence_and_writes_nothing(name, run, points, tmp_path):
    options, words = WRONG[name]
    code, out, err = run("classify", "--inputs", points, *options, "--out", tmp_path / "run")
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert words in err
    assert not (tmp_path / "run/votes").exists()


def test_other_samples_after_a_certificate_are_asked_for_twice(run, points, tmp_path):
    arguments = [
        "classify",
        "--inputs",
        points,
        "--sigma",
        0.5,
        "--pilot-samples",
        20,
        "--steps",
        60,
        "--out",
        tmp_path / "run",
    ]
    assert run(*arguments, "--samples", 300)[0] == 0
    code, _, err = run(*arguments, "--samples", 400)
    assert code == 2
    assert "--look-again" in err
    assert run(*arguments, "--samples", 400, "--look-again")[0] == 0
    assert "certified 2 times" in (tmp_path / "run/report.html").read_text()


def test_settings_name_every_cell_once():
    gaussian = OutputSettings("digits", sigma=0.5, select=0.9, touched="1:2", budgets="0.1,0.2")
    assert gaussian.cells() == (
        (Budget(), 0.0), (Budget(nodes=1), 0.1), (Budget(nodes=1), 0.2), (Budget(nodes=2), 0.1), (Budget(nodes=2), 0.2),
    )  # fmt: skip
    assert OutputSettings("digits", ablate=0.5, budgets="1,3").cells() == (
        (Budget(), 0.0), (Budget(nodes=1), 0.0), (Budget(nodes=3), 0.0),
    )  # fmt: skip
    flips = OutputSettings("graphs", add=0.1, edge_delete=0.2, budgets="0:2").cells()
    assert [one.as_tuple() for one, _ in flips] == [(0,) * 4, (1, 0, 0, 0), (2, 0, 0, 0), (0, 0, 0, 1), (0, 0, 0, 2)]
    again = OutputSettings.from_dict(gaussian.to_dict())
    assert again == gaussian
    for wrong in (
        {"inputs": "x", "sigma": "much"},
        {"sigma": 1.0},
        {"inputs": "x", "sigma": 1.0, "colour": 3},
        {"inputs": 3, "sigma": 1.0},
    ):
        with pytest.raises(InputError):
            OutputSettings.from_dict(wrong)
