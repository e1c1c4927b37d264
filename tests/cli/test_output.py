"""What every command shows: words, or one JSON document; on the way words, or nothing; and what a terminal changes."""

import io
import json
import logging
import re
import shutil
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
import typer
from commands import SMALL
from PIL import Image
from typed import call
from typer.testing import CliRunner

from graphcert.cli import app
from graphcert.cli.model_options import DATASETS
from graphcert.cli.options import with_options
from graphcert.cli.output import Answer, Manner, show
from graphcert.core.progress import done_before, progress_bar
from graphcert.core.tables import Table
from graphcert.data import REGISTRY
from graphcert.run.nodes import Run

NAMES = ("as_json", "quiet", "verbose")
OF_RUN = {"run", "timings", "warnings"}
TRAINED = {"network", "best_step", "steps", "interrupted", "history", "warnings"}
OF_INPUTS = OF_RUN | {"facts", "results", "tables", "report"}
CLAIMS = {"title", "targets", "alpha", "notices", "sweeps", "report"}
FEW = ["--samples", "64", "--pilot-samples", "8"]
COMMANDS = {
    "datasets": ("datasets", None),
    "train": (
        f"train {' '.join(SMALL[1:11])} --add 0.1 --out {{}}/trained",
        OF_RUN | {"model", "best_epoch", "best_accuracy"},
    ),
    "plan": ("plan {}/run --seconds 0.2 --pilot 4", {"budgets", "fits", "recommended", "warnings"}),
    "sample": ("sample {}/run --samples 60 --pilot-samples 20", OF_RUN | {"votes", "samples", "pilot_samples", "path"}),
    "certify": ("certify {}/run", OF_RUN | CLAIMS | {"method", "abstained", "budgets", "half"}),
    "collective": ("collective {}/run --add 0:2 --method lp", OF_RUN | CLAIMS | {"table"}),
    "attack": (
        "attack {}/run --add 1 --targets 0 --samples 50 --pilot-samples 10 --methods random",
        OF_RUN | {"settings", "table", "violations", "perturbations", "smallest_gap", "report"},
    ),
    "report": ("report {}/run", OF_RUN | {"report", "notices"}),
    "verify": ("verify {}/run --resample 0", {"run", "holds", "findings", "warnings"}),
    "classify": (
        f"classify --inputs {{}}/points.npz --sigma 0.5 {' '.join(FEW)} --steps 5 --limit 4 --out {{}}/classified",
        OF_INPUTS,
    ),
    "segment": (
        f"segment --images {{}}/images --model {{}}/pixels.pt --sigma 0.1 {' '.join(FEW)} --tau 0.6 --out {{}}/segmented",
        OF_INPUTS,
    ),
    "segment train": (
        "segment train --images {}/images --masks {}/masks --sigma 0.1 --steps 2 --batch 1 --width 4 --depth 1 --out "
        "{}/pixels.pt",
        TRAINED,
    ),
    "points": (
        f"points --shapes 1 --points 512 --model {{}}/parts.pt --sigma 0.1 {' '.join(FEW)} --tau 0.6 --out {{}}/parts",
        OF_INPUTS,
    ),
    "points train": (
        "points train --model pointnet --sigma 0.1 --points 512 --steps 1 --batch 1 --train-shapes 2 --out {}/parts.pt",
        TRAINED,
    ),
    "experiment list": ("experiment list", None),
    "experiment run": ("experiment run sparse --fast --seeds 1 --out {}/experiments", {"results", "experiments"}),
    "experiment results": ("experiment results {}/experiments", {"results", "experiments"}),
    "tune": (
        f"tune {' '.join(SMALL[1:9])} --clusters 1 --candidates 1 --rounds 1 --votes 50 --budgets 0:2 --floor 0 --out "
        "{}/tune",
        {"candidates", "front", "best", "left_out"},
    ),
}
"""Of every command what is typed, {} for a folder, and keys of its document (None for a list)."""


def walked(group, *above):
    """Every command with the names before it."""
    for name, command in group.commands.items():
        if not hasattr(command, "commands") or command.invoke_without_command:
            yield " ".join([*above, name]), command
        if hasattr(command, "commands"):
            yield from walked(command, *above, name)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a certified run, points, images with masks, and networks."""
    folder = tmp_path_factory.mktemp("place")
    assert call(*SMALL, folder / "run", "--collective", "lp") == 0
    labels = np.arange(16) % 2
    draws = np.random.default_rng(0).normal(0, 0.1, (16, 6, 2))
    np.savez(folder / "points.npz", inputs=labels[:, None, None] + draws, labels=labels)
    for kind, array in {"images": np.zeros((16, 16, 3), np.uint8), "masks": np.eye(16, dtype=np.uint8)}.items():
        (folder / kind).mkdir()
        Image.fromarray(array).save(folder / kind / "one.png")
    for name in ("segment train", "points train"):
        assert call(*typed(name, folder)) == 0
    return folder


def typed(name, folder):
    return COMMANDS[name][0].replace("{}", str(folder)).split()


def test_every_command_is_covered_here_and_takes_the_same_options():
    commands = dict(walked(typer.main.get_command(app)))
    assert set(commands) == set(COMMANDS), "a new command needs a row in COMMANDS"
    for name, command in commands.items():
        assert set(NAMES) <= {parameter.name for parameter in command.params}, name


@pytest.mark.parametrize("name", COMMANDS)
def test_standard_output_is_one_document(name, place, run):
    code, out, err = run(*typed(name, place), "--json")
    assert code == 0, err
    found = json.loads(out, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    keys = COMMANDS[name][1]
    assert isinstance(found, list) if keys is None else keys <= set(found)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_quiet_command_says_its_result_only(name, place, run):
    code, out, err = run(*typed(name, place), "--quiet")
    assert (code, err) == (0, "")
    assert out.strip()


@pytest.mark.parametrize("name", ["datasets", "segment train"])
def test_options_of_all_commands_may_stand_before_the_name(name, place, run):
    assert isinstance(json.loads(run("--json", *typed(name, place))[1]), list | dict)
    first, *rest = typed(name, place)
    assert isinstance(json.loads(run(first, "--json", *rest)[1]), list | dict)
    assert run("-q", *typed(name, place))[2] == ""


def test_a_document_has_the_numbers_of_the_words(place, run):
    words, found = run("certify", place / "run")[1], json.loads(run("certify", place / "run", "--json")[1])
    assert f"{found['targets']} targets, α = {found['alpha']:g}" in words
    assert f"{found['abstained']} of {found['targets']} targets abstain" in words
    table = [line.split() for line in words.splitlines() if line.startswith("  ")][1:]
    assert [int(line[-3]) for line in table] == [row["certified"] for row in found["budgets"]]
    for line, row in zip(table, found["budgets"], strict=True):
        for shown, share in zip(line[-2:], (row["ratio"], row["accuracy"]), strict=True):
            assert 0 <= 100 * share - float(shown.rstrip("%")) < 0.1 + 1e-9
    assert found["warnings"], "60 samples are few"
    assert "60 samples are too few" in found["warnings"][0]


def test_a_run_that_does_not_hold_is_a_document_too(place, run):
    path = place / "run/collective.csv"
    text = path.read_text()
    path.write_text(text.replace("naive", "tight", 1))
    try:
        code, out, _ = run("verify", place / "run", "--resample", 0, "--json")
    finally:
        path.write_text(text)
    assert code == 1
    assert json.loads(out)["holds"] is False


@pytest.mark.parametrize(
    "arguments", [("certify", "nowhere"), ("datasets", "--quiet", "--verbose"), ("--quiet", "datasets", "-v"), ()]
)
def test_a_failure_is_one_sentence_and_no_document(arguments, run):
    code, out, err = run("--json", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("graphcert: ")


def test_verbose_says_more(place, run):
    assert run("sample", place / "run", "--samples", 60, "--pilot-samples", 20, "-v")[2].count("\n") > 1 + run(
        "sample", place / "run", "--samples", 60, "--pilot-samples", 20
    )[2].count("\n")


@pytest.mark.parametrize("stage", ["certified in", "certified together in", "report drawn in"])
def test_every_stage_says_how_long_it_took(stage, place, run):
    assert stage in run("certify", place / "run")[2]


# Words on the way are those of a logger


def test_a_program_hears_nothing_unless_it_listens(place, capsys, caplog):
    Run(place / "run").report()
    assert capsys.readouterr() == ("", "")
    assert not caplog.messages
    caplog.set_level("INFO", "graphcert")
    Run(place / "run").report()
    assert any(words.startswith("report drawn in") for words in caplog.messages)


def test_a_command_leaves_the_logger_as_it_was(run):
    logger = logging.getLogger("graphcert")
    before = [*logger.handlers], logger.level, logger.propagate
    assert any(isinstance(handler, logging.NullHandler) for handler in logger.handlers)
    assert run("datasets", "-v")[0] == 0
    assert ([*logger.handlers], logger.level, logger.propagate) == before


def small(**given):
    """A command that speaks in every way there is."""
    print("of code of the user's")
    logging.getLogger("graphcert.anywhere").info("on the way")
    warnings.warn("be careful", UserWarning, stacklevel=1)
    return Answer({"value": float("nan"), "file": Path("a/b")}, ["value: none"], code=3)


@pytest.mark.parametrize(
    ("options", "out", "err"),
    [
        ([], "of code of the user's\nvalue: none\n", "on the way\nwarning: be careful\n"),
        (["-q"], "of code of the user's\nvalue: none\n", ""),
        (["--json"], None, "of code of the user's\non the way\nwarning: be careful\n"),
        (["--json", "-q"], None, "of code of the user's\n"),
    ],
)
def test_words_go_their_ways(options, out, err):
    application = typer.Typer()
    application.command()(with_options(lambda _, **given: small(**given)))
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        found = CliRunner().invoke(application, options)
    assert (found.exit_code, found.stderr) == (3, err)
    if out is None:
        assert json.loads(found.stdout) == {"value": None, "file": "a/b", "warnings": ["be careful"]}
    else:
        assert found.stdout == out


# A terminal


def test_a_bar_shows_the_time_left_and_what_was_there_before_does_not_shorten_it(monkeypatch):
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with progress_bar(100_100, "samples", "voting", True) as bar:
        done_before(bar, 100_000)
        for _ in range(3):
            time.sleep(0.02)
            bar.update()
            bar.refresh()
    assert "100003/100100" in terminal.getvalue()
    rates = [float(rate) for rate in re.findall(r"([\d.]+) samples/s", terminal.getvalue())]
    assert 0 < max(rates) < 1000
    assert re.search(r", \d\d:\d\d left", terminal.getvalue())


def test_no_bar_is_shown_in_a_pipe(place, run, tmp_path):
    shutil.copytree(place / "run", tmp_path / "run")
    options = ["--samples", 90, "--pilot-samples", 20, "--look-again"]
    assert run("sample", tmp_path / "run", *options)[2].count("\n") == 1


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def drawn(monkeypatch):
    """What a terminal of some width shows of words."""

    def shown(words, width, **environment):
        for name, value in {"COLUMNS": str(width), "TERM": "xterm-256color", **environment}.items():
            monkeypatch.setenv(name, value)
        terminal = Terminal()
        monkeypatch.setattr(sys, "stdout", terminal)
        show(Answer({}, words), Manner(False, False, False), [])
        monkeypatch.undo()
        return terminal.getvalue()

    return shown


TABLE = Table([["budget", "certified"], ["no change", "1,394"], ["[bold]5 bits[/bold]", "7"]])
LONG = "contradiction: " + "word " * 60 + "/a/path/" + "without/an/end/" * 20 + "report.html"


@pytest.mark.parametrize("width", [80, 200])
def test_a_terminal_wraps_between_words_and_draws_tables(drawn, width):
    text = drawn([LONG, TABLE], width, NO_COLOR="1")
    assert "─" in text
    assert "[bold]5 bits[/bold]" in text, "cells are no markup"
    assert "/a/path/" + "without/an/end/" * 20 + "report.html" in text, "a path is not cut"
    assert all(len(line) <= width for line in text.splitlines() if "/a/path" not in line and "\x1b" not in line)


WIDE = Table([["budget", "linear program", "exact trade-offs"], ["2 feature bits added and 3 deleted", "0.0%", "1.2%"]])


def test_headers_of_numbers_are_wrapped_before_words_are(drawn):
    text = drawn([WIDE], 55, NO_COLOR="1")
    assert "2 feature bits added and 3 deleted" in text
    assert "linear program" not in text
    assert "linear program" in drawn([WIDE], 80, NO_COLOR="1")


def test_colours_can_be_turned_off(drawn, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[1;31m" in drawn([LONG], 80)
    assert "31m" not in drawn([LONG], 80, NO_COLOR="1")


def test_a_pipe_gets_plain_text(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    show(Answer({}, ["contradiction:", TABLE]), Manner(False, False, False), [])
    assert capsys.readouterr().out.splitlines() == [
        "contradiction:",
        "  budget               certified",
        "  no change                1,394",
        "  [bold]5 bits[/bold]          7",
    ]


def test_help_in_a_pipe_has_no_rules(run):
    code, out, _ = run("certify", "--help")
    assert code == 0
    assert not set(out) & set("│─╭╰")


# Completion


@pytest.mark.parametrize(
    ("typed_so_far", "completed"),
    [
        ("graphcert col", {"collective"}),
        ("graphcert certify --dataset c", {"cora_ml", "citeseer", "cora"}),
        ("graphcert train --model g", {"gcn", "gat"}),
        ("graphcert certify --method b", {"binary"}),
        ("graphcert certify --collective n", {"none", "naive"}),
        ("graphcert collective run --method m", {"milp"}),
    ],
)
def test_a_shell_completes_names(typed_so_far, completed, run, monkeypatch):
    monkeypatch.setenv("_GRAPHCERT_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", typed_so_far)
    monkeypatch.setenv("COMP_CWORD", str(typed_so_far.count(" ")))
    assert set(run()[1].split()) == completed


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_script(shell, run, monkeypatch):
    monkeypatch.setenv("_GRAPHCERT_COMPLETE", f"source_{shell}")
    code, out, err = run()
    assert (code, err) == (0, "")
    assert f"_GRAPHCERT_COMPLETE=complete_{shell}" in out


def test_the_completed_data_sets_are_all_there_are():
    assert set(DATASETS) == {name for name, entry in REGISTRY.items() if entry.where != "registered"}
