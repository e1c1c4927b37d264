"""`graphcert collective`: all targets at once, after a run and inside the whole chain."""

import csv
import json
import shutil

import pytest
from typed import call

from graphcert.errors import InputError, OutOfReachWarning
from graphcert.noise import AXES
from graphcert.run.settings.graph_run import RunConfig
from graphcert.run.settings.stages import budget_values

SMALL = [
    "--dataset", "synthetic", "--dataset-option", "nodes=300", "--dataset-option", "classes=3",
    "--dataset-option", "features=40", "--training-option", "epochs=30", "--samples", "300", "--pilot-samples", "50",
]  # fmt: skip
NAMES = ("naive", "lp-2", "milp-2", "lp", "milp", "tight")
LOCALIZED = ["--add", "0.05:0.1", "--delete", "0.3:0.7", "--clusters", "3"]
ISOTROPIC = ["--add", "0.05", "--delete", "0.3"]


def chain(folder, *arguments):
    assert call("certify", *SMALL, *arguments, "--out", folder) == 0
    return folder


@pytest.fixture(scope="module")
def localized(tmp_path_factory):
    """A finished localized run."""
    return chain(tmp_path_factory.mktemp("runs") / "localized", *LOCALIZED)


@pytest.fixture
def copy(localized, tmp_path):
    """One that may be changed."""
    shutil.copytree(localized, tmp_path / "copy")
    return tmp_path / "copy"


def table(folder):
    with open(folder / "collective.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_chain_of_a_localized_run_sweeps_every_operation(localized):
    rows = table(localized)
    assert {row["asked"] for row in rows} == {"naive", "lp", "tight"}
    assert {row["sweep"] for row in rows} == {"0", "1"}
    last = [row for row in rows if row["sweep"] == "0" and row["asked"] == "tight"][-1]
    assert last["certified"] == "0" or last["feature_add"] == "64"
    assert "collective" in json.loads((localized / "manifest.json").read_text())["timings"]
    page = (localized / "report.html").read_text(encoding="utf-8")
    assert "linear program" in page


def test_looking_for_budgets_warns_of_nothing(tmp_path, recwarn):
    """The chain has said in a sentence of its own that the samples are too few."""
    chain(tmp_path / "run", *LOCALIZED, "--collective", "lp", "--alpha", "0.0001", "--samples", "40")
    assert [str(found.message) for found in recwarn if issubclass(found.category, OutOfReachWarning)] == []


def test_sweeps_are_added_replaced_and_never_weaker_than_each_node_alone(copy, run):
    code, out, _ = run("collective", copy, "--add", "0:4", "--method", "all")
    assert code == 0
    assert "collective.csv" in out
    assert "exact trade-offs" in out
    assert "{" not in out
    rows = table(copy)
    counts = {asked: [int(row["certified"]) for row in rows if row["asked"] == asked] for asked in NAMES}
    assert len(counts["milp"]) == 5
    for naive, linear_two, integer_two, linear, integer, tight in zip(*(counts[name] for name in NAMES), strict=True):
        assert naive <= linear_two <= integer_two <= integer <= tight
        assert linear_two <= linear <= integer
    assert run("collective", copy, "--delete", "0,2,5", "--method", "lp")[0] == 0
    assert {row["sweep"] for row in table(copy)} == {"0", "1"}
    assert run("collective", copy, "--add", "0:2", "--method", "naive")[0] == 0
    kept = table(copy)
    assert {(row["sweep"], row["feature_add"]) for row in kept} == {("0", "0"), ("1", "0"), ("1", "1"), ("1", "2")}
    assert len(RunConfig.load(copy / "config.toml").collective.sweeps) == 2


def test_the_same_votes_give_the_same_table(copy, run):
    assert run("collective", copy, "--add", "0:3", "--delete", "0:4:2", "--method", "lp")[0] == 0
    first = (copy / "collective.csv").read_bytes()
    assert len(table(copy)) == 2 * 4 * 3
    assert run("collective", copy, "--add", "0:3", "--delete", "0:4:2", "--method", "lp")[0] == 0
    assert (copy / "collective.csv").read_bytes() == first


def test_receptive_fields_of_the_model_certify_more(copy, run):
    assert run("collective", copy, "--add", "0:4", "--method", "lp")[0] == 0
    everywhere = [int(row["certified"]) for row in table(copy) if row["asked"] == "lp"]
    assert run("collective", copy, "--add", "0:4", "--method", "lp", "--receptive-field")[0] == 0
    local = [int(row["certified"]) for row in table(copy) if row["asked"] == "lp"]
    assert sum(local) > sum(everywhere)
    assert all(a <= b for a, b in zip(everywhere, local, strict=True))
    code, _, err = run("collective", copy, "--edge-add", "0:1", "--method", "lp", "--receptive-field")
    assert code == 2
    assert "new reach" in err


def test_other_claims_do_not_inherit_the_curves(copy, run):
    config = (copy / "config.toml").read_text()
    (copy / "config.toml").write_text(config.replace("alpha = 0.01", "alpha = 0.05"))
    assert run("report", copy)[0] == 0
    assert "belongs to other claims" in (copy / "report.html").read_text(encoding="utf-8")


def test_isotropic_noise_has_nothing_to_sweep_unless_asked(run, tmp_path):
    folder = chain(tmp_path / "isotropic", *ISOTROPIC)
    assert not (folder / "collective.csv").exists()
    code, _, err = run("collective", folder)
    assert code == 2
    assert "--add 0:20" in err
    assert run("collective", folder, "--add", "0:2", "--method", "milp")[0] == 0
    assert len(table(folder)) == 9


def test_isotropic_noise_at_equal_accuracy_is_shown_beside(copy, run):
    assert run("collective", copy, "--add", "0:3", "--method", "lp", "--compare")[0] == 0
    rows = [row for row in table(copy) if row["asked"] == "isotropic"]
    assert [row["feature_add"] for row in rows] == ["0", "1", "2", "3"]
    assert "equal accuracy" in (copy / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "needle"),
    [
        (["--add", "-1"], "whole numbers"),
        (["--add", "1.5"], "whole numbers"),
        (["--add", "5:1"], "whole numbers"),
        (["--add", "0:5:0"], "whole numbers"),
        (["--add", "0:1:2:3"], "whole numbers"),
        (["--add", "many"], "whole numbers"),
        (["--method", "magic"], "magic"),
        (["--time-limit", "-1"], "time limit"),
    ],
)
def test_bad_sweeps(localized, run, arguments, needle):
    before = (localized / "collective.csv").read_bytes()
    code, _, err = run("collective", localized, *arguments)
    assert code == 2
    assert needle in err
    assert (localized / "collective.csv").read_bytes() == before


def test_a_run_without_certificate_says_what_to_run_first(run, tmp_path):
    code, _, err = run("collective", tmp_path / "nothing")
    assert code == 2
    assert "graphcert train" in err


def test_a_damaged_file_is_named(copy, run):
    (copy / "collective.json").write_text("{")
    code, _, err = run("report", copy)
    assert code == 2
    assert "collective" in err


def test_budgets_as_text():
    assert budget_values("add", "5") == (5,)
    assert budget_values("add", 3) == (3,)
    assert budget_values("add", "0:20:5") == (0, 5, 10, 15, 20)
    assert budget_values("add", "1,2,5") == (1, 2, 5)
    with pytest.raises(InputError, match="edge_add"):
        budget_values("edge_add", "")


def test_scores_give_the_curve_of_another_classifier(run, tmp_path):
    folder = tmp_path / "scores"
    code, _, _ = run("certify", *SMALL, *LOCALIZED, "--scores", "--out", folder)
    assert code == 0
    rows = [row for row in table(folder) if row["asked"] == "mean_score"]
    assert {row["sweep"] for row in rows} == {"0", "1"}
    assert all(int(row["certified"]) <= int(row["targets"]) for row in rows)
    plain = chain(tmp_path / "votes", *LOCALIZED)
    ours = [row for row in table(folder) if row["asked"] != "mean_score"]
    assert ours == table(plain), "counting scores changes no vote"


@pytest.mark.parametrize("method", ["binary", "multiclass"])
def test_mean_scores_are_certified_by_the_rule_of_the_votes(method, run, tmp_path):
    code, _, _ = run("certify", *SMALL, *ISOTROPIC, "--scores", "--method", method, "--out", tmp_path / "run")
    assert code == 0
    report = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert ("margins over all other classes" in report) == (method == "multiclass")


def test_attacks_are_kept_cluster_by_cluster(localized):
    """Their changes add up to the budget, or less; what they break is what the exact search says, less the gap."""
    with open(localized / "attacks.csv", newline="", encoding="utf-8") as file:
        attacks = list(csv.DictReader(file))
    curves = {(row["sweep"], *(row[axis] for axis in AXES)): row for row in table(localized) if row["asked"] == "tight"}
    assert {row["asked"] for row in attacks} == {"tight"}
    abstained = None
    for key, curve in curves.items():
        mine = [row for row in attacks if (row["sweep"], *(row[f"budget_{axis}"] for axis in AXES)) == key]
        assert [row["cluster"] for row in mine] == ["0", "1", "2"]
        for axis in AXES:
            assert sum(int(row[axis]) for row in mine) <= int(curve[axis])
        assert sum(int(row["targets"]) for row in mine) == int(curve["targets"])
        if all(row["broken"] for row in mine):
            known = int(curve["attacked_upper"]) - float(curve["gap"]) - sum(int(row["broken"]) for row in mine)
            abstained = known if abstained is None else abstained
            assert known == abstained
    assert abstained is not None
