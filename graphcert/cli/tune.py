"""The command `graphcert tune`: which noise certifies most at an accuracy that is still good."""

from collections.abc import Mapping
from dataclasses import replace
from inspect import Parameter
from pathlib import Path
from typing import Any

import typer

from graphcert.cli import interrupts
from graphcert.cli.model_options import model_options, run_config
from graphcert.cli.options import SCHEDULER, WORKERS, argument, chosen, option, options_of
from graphcert.cli.output import Answer
from graphcert.errors import InputError
from graphcert.noise import settings_of_laws
from graphcert.run.settings.stages import CertificateConfig, SamplingConfig, fraction

_FLIPS = {
    "add": "θ⁺ of features", "delete": "θ⁻ of features", "edge_add": "θ⁺ of edges", "edge_delete": "θ⁻ of edges",
    "select": "The probability that a row gets the feature noise",
}  # fmt: skip
_OF_MODEL = ("model", "weights", "call", "output", "dataset_option", "split", "model_option", "training_option")
_OF_NOISE = ("partition", "affinity", "directed", "lattice")


def tune_options() -> list[Parameter]:
    """What is searched, how long, and the final run that it is for."""
    usual = {parameter.name: parameter for parameter in model_options()}
    laws = [law.setting for law in settings_of_laws().values() if law.setting is not None]
    scales = [one for one in laws if one.kind is float]
    words = "; one number, or least:most to search."
    return [
        argument("out", Path, "Folder of the search; an interrupted one continues there.", "--out"),
        option("dataset", str | None, "Name of a data set (see `graphcert datasets`) or path of an .npz graph."),
        option("objective", str, "What to certify most of: add, delete, edge_add, edge_delete, nodes, shift, or add+delete.",
               default="add"),
        option("floor", float, "The least accuracy of the best noise, on validation nodes.", default=0.8),
        option("candidates", int, "Noises that the first round tries.", default=24),
        option("rounds", int, "Rounds; each keeps the better half, with four times the votes.", default=3),
        option("votes", int, "Samples of a trial in the last round.", default=2000),
        option("seeds", str, "Seeds of the search, such as 1001,1002; never that of the final run.", default="1001"),
        option("minutes", float | None, "Begin no new work later than that (default: no limit).", "--time",
               metavar="MINUTES"),
        option("budgets", str | None, "Budgets of the objective (default: 0:20, or 0:2:0.1 for shift).", metavar="BUDGETS"),
        option("collective", str, "How localized noise is certified: naive, lp, milp, tight-lp or tight.", default="tight"),
        option("time_limit", float, "Seconds per budget and solve of the search.", default=60.0),
        *(option(name, str | None, help + words, metavar="RANGE") for name, help in _FLIPS.items()),
        *(option(one.name, str | None, f"{one.help.rstrip('.')}{words}", one.option, metavar="RANGE") for one in scales),
        *(usual[one.name] for one in laws if one.kind is not float),
        option("clusters", str, "Numbers of clusters to try; 1 is isotropic noise.", default="1,5", metavar="NUMBERS"),
        *(usual[name] for name in (*_OF_NOISE, *_OF_MODEL)),
        option("seed", int, "Of the final run; the search uses its split, never its noise.", default=0),
        *options_of(SamplingConfig, ("samples", "pilot_samples")),
        *options_of(CertificateConfig, ("alpha", "method", "label_share")),
        SCHEDULER, WORKERS, option("data_root", str | None, "Folder with data files, looked at before GRAPHCERT_DATA."),
    ]  # fmt: skip


def tune(_: typer.Context, **given: Any) -> Answer:
    """Search the noise with the best certified curve on validation nodes and other seeds; writes best.toml and the front.

    The final run is `graphcert certify --config OUT/best.toml --out RUN`. Exits with 1 if no noise reaches the floor.
    """
    if given["dataset"] is None:
        raise InputError("name a data set with --dataset; `graphcert datasets` lists them")
    from graphcert.tuning.search import Effort, search
    from graphcert.tuning.space import Space, usual_ranges
    from graphcert.tuning.trial import Goal

    goal = Goal(given["objective"], given["budgets"], given["collective"], given["time_limit"])
    space = _space(given, Space, usual_ranges(goal.axes))
    effort = Effort(
        given["candidates"], given["rounds"], given["votes"], _numbers("--seeds", given["seeds"]), given["floor"],
        given["minutes"],
    )  # fmt: skip
    base = run_config(given, space.candidates(1)[0])
    base = replace(
        base,
        sampling=replace(base.sampling, **chosen(given, SamplingConfig)),
        certificate=replace(base.certificate, **chosen(given, CertificateConfig)),
    )
    out: Path = given["out"]
    interrupts.current.advice = f"{out} keeps the trials that were measured; continue with"
    found = search(
        base, space, goal, effort, out, root=given["data_root"], workers=given["workers"], scheduler=given["scheduler"],
        progress=given["progress"],
    )  # fmt: skip
    front, picture, best = out / "front.csv", out / "front.svg", out / "best.toml"
    words = [*found._words(), f"front: {front}, {picture}"]
    facts: dict[str, Any] = {
        "candidates": found.candidates,
        "left_out": found.left_out,
        "front": front,
        "picture": picture,
    }
    if found.best is None:
        return Answer({**facts, "best": None}, words, 1)
    words.append(f"best: {best}; certify it with `graphcert certify --config {best} --out RUN`")
    return Answer({**facts, "best": best}, words)


def _space(given: Mapping[str, Any], space: Any, usual: dict[str, tuple[float, float]]) -> Any:
    """The asked ranges, or the usual ones where none was asked for."""
    laws = {name: law.setting for name, law in settings_of_laws().items() if law.setting is not None}
    scales = [name for name, one in laws.items() if one.kind is float]
    ranges = {name: _range(name, given[name]) for name in (*_FLIPS, *scales) if given[name] is not None}
    fixed = {
        name: given[name] for name, one in laws.items() if one.kind is not float and given[name] not in (None, False)
    }
    fixed |= {name: given[name] for name in _OF_NOISE if given[name] not in (None, False)}
    if "lattice" in fixed:
        fixed["lattice"] = _range("lattice", fixed["lattice"])[0]
    return space(ranges or usual, _numbers("--clusters", given["clusters"]), fixed)


def _range(name: str, text: str) -> tuple[float, float]:
    """One number, or least:most."""
    try:
        numbers = [float(fraction(part)) for part in text.split(":")]
        return (numbers[0], numbers[-1]) if len(numbers) < 3 else _range(name, "")
    except (ValueError, ZeroDivisionError, OverflowError):
        raise InputError(
            f"--{name.replace('_', '-')} takes a number, or least:most to search, got {text!r:.60}"
        ) from None


def _numbers(flag: str, text: str) -> tuple[int, ...]:
    """Whole numbers between commas."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"{flag} takes whole numbers between commas, such as 1,5, got {text!r:.60}") from None
