"""The commands about nodes of graphs."""

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from graphcert._version import __version__
from graphcert.cli.attack import attack, attack_options
from graphcert.cli.classify import classify, classify_options
from graphcert.cli.experiment import build_experiment_app
from graphcert.cli.model_options import DATASETS, model_options, run_config
from graphcert.cli.options import (
    LOOK_AGAIN,
    MEMORY,
    SCHEDULER,
    WORKERS,
    argument,
    chosen,
    new_app,
    option,
    options_of,
    refuse,
    say,
    with_options,
)  # fmt: skip
from graphcert.cli.output import Answer, run_facts
from graphcert.cli.plan import plan
from graphcert.cli.points import build_points_app
from graphcert.cli.report import report, report_options
from graphcert.cli.run_of import run_of
from graphcert.cli.segment import build_segment_app
from graphcert.cli.tune import tune, tune_options
from graphcert.cli.verify import verify
from graphcert.core.tables import Table
from graphcert.errors import InputError
from graphcert.run.settings.stages import (
    INJECTION_AXES,
    SWEEP_AXES,
    CertificateConfig,
    CollectiveConfig,
    SamplingConfig,
    collective_methods,
)

if TYPE_CHECKING:
    from graphcert.run.settings.graph_run import RunConfig

_HELP = "Prove how robust node classifiers on graphs are, by randomised smoothing."
_OF_VOTES = ("samples", "pilot_samples", "scores", "until", "undecided", "batch_size", "look_again")
_OF_COLLECTIVE = ("time_limit", "receptive_field")
_INJECTIONS = {
    "inject": "New nodes that an adversary adds, under --drop-nodes: 0:160:10; with --degree.",
    "degree": "Edges of each new node to old ones, with --inject.",
    "edges": "Edges between old nodes that change besides, under --drop-nodes.",
    "rows": "Old nodes whose features change besides, under --drop-nodes.",
}


def build_app() -> typer.Typer:
    """All commands, with the models and laws of noise that are registered now among their options."""
    app = new_app(_HELP, no_args_is_help=True)
    app.add_typer(build_segment_app(), name="segment")
    app.add_typer(build_points_app(), name="points")
    app.add_typer(build_experiment_app(), name="experiment")
    version = option("version", bool, "Print the version and leave.", "--version", default=False)
    app.callback(invoke_without_command=True)(with_options(root, version))
    words = "Name of a data set (see `graphcert datasets`) or path of an .npz graph."
    dataset = option("dataset", str | None, words, values=lambda: DATASETS)
    data_root = option("data_root", str | None, "Folder with data files, looked at before GRAPHCERT_DATA.")
    batch_size = option("batch_size", int | None, "Samples a thread takes at a time; never changes the result.")
    votes = [*options_of(SamplingConfig), LOOK_AGAIN]
    run_folder = argument("run_folder", Path, "Folder of the run.")
    again = option(
        "model", str | None, "Only if code of your own made it: its name once more, to run it.", metavar="NAME"
    )
    voting = WORKERS, MEMORY, batch_size, data_root
    budgets = 'Budgets of the sweep: "5", "0:20", "0:20:5" or "1,2,5".'
    settings = "A file of settings (TOML, see experiments/) in place of --dataset …."
    for name, command, *options in (
        ("datasets", datasets, data_root),
        (
            "train", train, argument("out", Path, "Folder of the run; an interrupted run continues there.", "--out"),
            dataset, model_options(), data_root,
        ),
        (
            "plan", plan, argument("run_folder", Path | None, "Folder of a run that has a model.", default=None),
            option("out", Path | None, "Folder to keep a model that is trained for this."), dataset, model_options(),
            option("seconds", float, "The time that voting may take.", default=600.0),
            option("pilot", int, "The least number of samples to try.", default=50),
            options_of(CertificateConfig, ("alpha", "method", "label_share")),
            WORKERS, data_root,
        ),
        ("tune", tune, tune_options()),
        ("sample", sample, run_folder, again, votes, SCHEDULER, voting),
        (
            "certify", certify, argument("run_folder", Path | None, "Folder of a run that has votes.", default=None),
            option("out", Path | None, "Folder of a new run: the whole chain, with --dataset."),
            option("settings", Path | None, settings, "--config"), dataset, model_options(), votes,
            options_of(CertificateConfig),
            options_of(CollectiveConfig, ("method", *_OF_COLLECTIVE), method="collective"), SCHEDULER, voting,
        ),
        (
            "collective", collective, run_folder,
            [option(axis, str | None, budgets, metavar="BUDGETS") for axis in SWEEP_AXES[:-1]],
            [option(axis, str | None, help, metavar="BUDGETS") for axis, help in _INJECTIONS.items()],
            option("shift", str | None, 'Norms under continuous noise: "0.5", "0:1:0.1" or "0.1,0.2".', metavar="NORMS"),
            option(
                "method", str, "naive, lp, milp, tight-lp, tight, or all of them.", default="tight",
                values=collective_methods,
            ),
            options_of(CollectiveConfig, _OF_COLLECTIVE), options_of(CollectiveConfig, ("isotropic",), shown=True),
            again, SCHEDULER, WORKERS, MEMORY, data_root,
        ),
        ("attack", attack, run_folder, attack_options(), again, voting),
        ("classify", classify, classify_options()),
        ("report", report, report_options(), data_root),
        (
            "verify", verify, run_folder,
            option("resample", int, "Shards of votes that are voted again, picked at random (default: 1).", default=1),
            again, WORKERS, MEMORY, data_root,
        ),
    ):  # fmt: skip
        app.command(name)(with_options(command, *options))
    return app


def root(context: typer.Context, **given: Any) -> Answer | None:
    """Prove how robust node classifiers on graphs are, by randomised smoothing."""
    if given["version"]:
        return Answer({"graphcert": __version__}, [f"graphcert {__version__}"])
    if context.invoked_subcommand is None:
        raise InputError("name a command; `graphcert --help` lists them")
    return None


def datasets(_: typer.Context, **given: Any) -> Answer:
    """List the data sets and where their files are; downloads nothing."""
    from graphcert.data import describe_datasets

    rows = describe_datasets(given["data_root"])
    table = [["name", "nodes", "edges", "features", "classes", "found in"]]
    for row in rows:
        numbers = ["any" if n is None else f"{n:,}" for n in (row.nodes, row.edges, row.features, row.classes)]
        table.append([row.name, *numbers, row.where])
    return Answer([vars(row) for row in rows], [Table(table, left=(0, 5), indent=0)])


def train(_: typer.Context, **given: Any) -> Answer:
    """Train a model under the noise it will be certified with."""
    run = run_of(given["out"], given)
    run.train(run_config(given))
    path, log = run.path("model.pt"), run.manifest().get("training")
    names = ("best_epoch", "best_loss", "best_accuracy")
    best = dict.fromkeys(names) if log is None else {name: log[name] for name in names}
    words = "" if log is None else f" (best epoch {log['best_epoch']}, validation accuracy {log['best_accuracy']:.3f})"
    return Answer(run_facts(run, model=path, **best), [f"model: {path}{words}"])


def sample(_: typer.Context, **given: Any) -> Answer:
    """Take votes with a trained model; an interrupted call continues where it was."""
    run = run_of(given["run_folder"], given, given["model"])
    votes = run.sample(**{name: given[name] for name in _OF_VOTES if name != "batch_size"}).votes
    path = run.path("votes/votes.npz")
    facts = {name: getattr(votes, name) for name in ("nodes", "classes", "samples", "pilot_samples")}
    words = f"votes: {path} ({votes.samples:,} samples of {votes.nodes:,} nodes, {votes.pilot_samples:,} pilot samples)"
    return Answer(run_facts(run, votes=path, **facts, path=votes.manifest["path"]), [words])


def certify(context: typer.Context, **given: Any) -> Answer:
    """Certify the votes of RUN_FOLDER; or, with --dataset (or --config) and --out, do everything in one go.

    Everything is: train, sample, certify each node alone and all together, and report.
    """
    from graphcert.cli.facts import certified_facts
    from graphcert.report import summary_words

    folder, out = given["run_folder"], given["out"]
    if (folder is None) == (out is None):
        whole = "--dataset … --out FOLDER for the whole chain"
        raise InputError(f"give either the folder of a run that has votes, or {whole}")
    run = run_of(folder or out, given, given["model"] if folder else None)
    claims = chosen(given, CertificateConfig)
    together = chosen(given, CollectiveConfig, method="collective")
    of_model = [parameter.name for parameter in model_options()]
    if folder is not None:
        config = run.load_config()
        voting = [] if config.collective.isotropic else ["workers", "memory"]
        fixed = [name for name in of_model if name != "model" or not _runs_code(config, together)]
        refuse(
            context, ("dataset", "settings", *fixed, *_OF_VOTES, *voting),
            "{flags} cannot change the votes of "
            f"the run in {folder}, which is certified as it is; use `graphcert "
            f"sample {folder}`, or start a new run with --out in place of the folder",
        )  # fmt: skip
    elif given["settings"] is None:
        config = run_config(given)
    else:
        refuse(
            context, ("dataset", *of_model),
            "--config names data set, model and noise; leave {flags} out, or change that file",
        )  # fmt: skip
        from graphcert.run.settings.graph_run import RunConfig
        from graphcert.run.settings.typed import read_toml

        path = given["settings"]
        values = read_toml(path, f"there is no file of settings at {path}; experiments/ holds examples")
        config = RunConfig.from_dict(values)
    config = replace(
        config,
        sampling=config.sampling if folder is not None else replace(config.sampling, **chosen(given, SamplingConfig)),
        certificate=replace(config.certificate, **claims),
        collective=replace(config.collective, **together),
    )
    _refuse_idle_collective(context, config, ("scheduler",) if folder is not None else ())
    if folder is None:
        content = run.all_stages(config, given["look_again"])
    else:
        _say_kept("certificate", config.certificate, claims)
        _say_kept("collective", config.collective, together)
        certified = run.certify(config.certificate)
        content = run.report(certified, run.collective(config.collective, certified))
    page = run.path("report.html")
    facts = run_facts(run, **certified_facts(content), report=page)
    return Answer(facts, [*summary_words(content), f"report: {page}"])


def collective(context: typer.Context, **given: Any) -> Answer:
    """Certify all targets of a certified run together, against one perturbation within a budget.

    Several axes make a grid; --nodes limits how many nodes an adversary touches, under hierarchical noise. Without any,
    every operation, or the norm of a change, is swept alone (localized noise of every row only). Sweeps over other axes
    that the run already has are kept.
    """
    from graphcert.cli.facts import collective_facts
    from graphcert.report import collective_words

    if given["method"] == "none":
        raise InputError("name a method: naive, lp, milp, tight-lp, tight or all")
    if not given["isotropic"]:
        refuse(context, ("workers", "memory"), "{flags} is about voting, and only --compare takes votes; leave it out")
    if given["method"] == "naive":
        refuse(context, ("time_limit",), "{flags} ends solves, and naive solves nothing; leave it out")
    run = run_of(given["run_folder"], given, given["model"])
    config = run.load_config()
    if given["isotropic"] and config.smoothing.clusters == 1:
        raise InputError(
            "--compare sets localized noise beside isotropic noise, and this run's noise is isotropic; leave it out"
        )
    asked = {axis: given[axis] for axis in (*SWEEP_AXES, *INJECTION_AXES) if given[axis] is not None}
    old = config.collective.sweeps
    kept = tuple(sweep for sweep in old if not asked or set(sweep) != set(asked))
    options = chosen(given, CollectiveConfig)
    new = replace(config.collective, **options, sweeps=(*kept, asked) if asked else old)
    if not _runs_code(config, options):
        refuse(context, ("model",), "{flags} has no use here: no code of your own is run; leave it out")
    replace(config, collective=new)  # refuses what does not fit the noise before anything is said
    _say_kept("collective", replace(new, sweeps=kept), options)
    certified = run.certified()
    found = run.collective(new, certified)
    if not found.comparisons:
        raise InputError(
            "there is nothing to sweep: only localized noise of every row is swept without being asked, because the same "
            "noise everywhere gains nothing; give budgets such as --add 0:20, or --shift 0:1:0.1 under --sigma, "
            "and --nodes 1:3 under hierarchical noise"
        )
    content, table, page = run.report(certified, found), run.path("collective.csv"), run.path("report.html")
    facts = run_facts(run, **collective_facts(content), table=table, report=page)
    return Answer(facts, [*collective_words(content), f"table: {table}", f"report: {page}"])


def _refuse_idle_collective(context: typer.Context, config: Any, also: tuple[str, ...]) -> None:
    """Refuse options of the collective certificate, and `also` others that only it can use, where there is none."""
    together = config.collective
    if together.method == "none":
        shapes = "{flags} shapes the collective certificate, and --collective none leaves it out"
        refuse(context, (*_OF_COLLECTIVE, *also), shapes)
    if together.method == "naive":
        refuse(context, ("time_limit",), "{flags} ends solves, and naive solves nothing; leave it out")
    if together.method != "none" and config.smoothing.clusters == 1 and not together.sweeps:
        refuse(
            context, ("collective", *_OF_COLLECTIVE, *also),
            "{flags} would do nothing: the same noise everywhere is not swept without being asked; name budgets afterwards, "
            "as in `graphcert collective RUN --add 0:20`",
        )  # fmt: skip


def _runs_code(config: "RunConfig", together: Mapping[str, Any]) -> bool:
    """Whether a collective certificate with these settings needs a model that code of the user's makes."""
    settings = replace(config.collective, **together)
    return config.model.factory is not None and (settings.isotropic or settings.receptive_field)


def _say_kept(section: str, settings: Any, asked: dict[str, Any]) -> None:
    """Say which settings a run keeps from earlier commands, where they are not the usual ones."""
    usual = type(settings)()
    values = {one.name: getattr(settings, one.name) for one in fields(settings) if one.name not in asked}
    kept = [f"{name} = {_plain_words(v)}" for name, v in values.items() if v != getattr(usual, name)]
    if kept:
        say(f"{section}: kept from this run's settings: {'; '.join(kept)}")


def _plain_words(value: Any) -> str:
    """A setting in words."""
    if isinstance(value, tuple):
        return ", ".join(" × ".join(f"{axis} {text}" for axis, text in sweep.items()) for sweep in value)
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
