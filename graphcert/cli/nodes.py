"""The commands about nodes of graphs."""

import json
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import graphcert.cli.options as option
from graphcert._version import __version__
from graphcert.cli import interrupts
from graphcert.cli.given import refuse
from graphcert.cli.segment import app as segment_app
from graphcert.cli.settings import noise_config, read_settings, rows_of_noise, run_config, with_split
from graphcert.errors import InputError

if TYPE_CHECKING:
    from graphcert.run.nodes import Run

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Prove how robust node classifiers on graphs are, by randomised smoothing.",
)

app.add_typer(segment_app, name="segment")

_OF_MODEL = (
    "model", "add", "delete", "edge_add", "edge_delete", "select", "ablate", "sigma", "half_width", "lattice", "keep",
    "clusters", "levels", "partition", "affinity", "seed", "split", "dataset_option", "model_option", "training_option",
)  # fmt: skip
"""What determines a trained model and its noise, beside the data set and a file of settings."""
_OF_VOTES = ("samples", "pilot_samples", "scores", "batch_size", "look_again")
_OF_COLLECTIVE = ("time_limit", "receptive_field")


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False) -> None:
    """Prove how robust node classifiers on graphs are, by randomised smoothing."""
    if version:
        typer.echo(f"graphcert {__version__}")
        raise typer.Exit


@app.command()
def datasets(
    data_root: option.DataRoot = None, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
) -> None:
    """List the data sets and where their files are; downloads nothing."""
    from graphcert.data import describe_datasets

    rows = describe_datasets(data_root)
    if as_json:
        typer.echo(json.dumps([vars(row) for row in rows], indent=1))
        return
    typer.echo(f"{'name':<20}{'nodes':>8}{'edges':>8}{'features':>10}{'classes':>9}  found in")
    for row in rows:
        numbers = [
            f"{'any' if n is None else format(n, ',')}" for n in (row.nodes, row.edges, row.features, row.classes)
        ]
        typer.echo(f"{row.name:<20}{numbers[0]:>8}{numbers[1]:>8}{numbers[2]:>10}{numbers[3]:>9}  {row.where}")


@app.command("train")
def train_command(
    out: option.Out,
    dataset: option.DatasetName = None,
    model: option.ModelName = "gcn",
    add: option.Add = "0",
    delete: option.Delete = "0",
    edge_add: option.EdgeAdd = "0",
    edge_delete: option.EdgeDelete = "0",
    select: option.Select = None,
    ablate: option.Ablate = False,
    sigma: option.Sigma = None,
    half_width: option.HalfWidth = None,
    lattice: option.Lattice = None,
    keep: option.Keep = None,
    clusters: option.Clusters = 1,
    levels: option.Levels = None,
    partition: option.PartitionMethod = "metis",
    affinity: option.Affinity = "edges",
    seed: option.Seed = 0,
    dataset_option: option.DatasetOption = None,
    split: option.Split = None,
    model_option: option.ModelOption = None,
    training_option: option.TrainingOption = None,
    data_root: option.DataRoot = None,
) -> None:
    """Train a model under the noise it will be certified with."""
    run = _run(out, data_root)
    noise = noise_config(
        (add, delete),
        (edge_add, edge_delete),
        rows_of_noise(select, ablate, sigma, half_width, lattice, keep),
        clusters,
        levels,
        partition,
        affinity,
    )
    run.train(run_config(dataset, model, noise, seed, with_split(dataset_option, split), model_option, training_option))


@app.command("sample")
def sample_command(
    run_folder: option.RunFolder,
    samples: option.Samples = None,
    pilot_samples: option.PilotSamples = None,
    scores: option.Scores = None,
    look_again: option.LookAgain = False,
    workers: option.Workers = None,
    batch_size: option.BatchSize = None,
    data_root: option.DataRoot = None,
) -> None:
    """Take votes with a trained model; an interrupted call continues where it was."""
    _run(run_folder, data_root, workers, batch_size).sample(samples, pilot_samples, scores, look_again=look_again)


@app.command("certify")
def certify_command(
    context: typer.Context,
    run_folder: Annotated[Path | None, typer.Argument(help="Folder of a run that has votes.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of a new run: the whole chain, with --dataset.")] = None,
    settings: Annotated[
        Path | None,
        typer.Option("--config", help="A file of settings (TOML, see experiments/) in place of --dataset …."),
    ] = None,
    dataset: option.DatasetName = None,
    model: option.ModelName = "gcn",
    add: option.Add = "0",
    delete: option.Delete = "0",
    edge_add: option.EdgeAdd = "0",
    edge_delete: option.EdgeDelete = "0",
    select: option.Select = None,
    ablate: option.Ablate = False,
    sigma: option.Sigma = None,
    half_width: option.HalfWidth = None,
    lattice: option.Lattice = None,
    keep: option.Keep = None,
    clusters: option.Clusters = 1,
    levels: option.Levels = None,
    partition: option.PartitionMethod = "metis",
    affinity: option.Affinity = "edges",
    samples: option.Samples = None,
    pilot_samples: option.PilotSamples = None,
    scores: option.Scores = None,
    look_again: option.LookAgain = False,
    seed: option.Seed = 0,
    alpha: option.Alpha = None,
    method: option.Method = None,
    per_node: option.PerNode = None,
    max_add: option.MaxAdd = None,
    max_delete: option.MaxAdd = None,
    max_edge_add: option.MaxAdd = None,
    max_edge_delete: option.MaxAdd = None,
    nodes: option.Nodes = None,
    collective: option.CollectiveMethod = None,
    time_limit: option.TimeLimit = None,
    receptive_field: option.ReceptiveField = None,
    dataset_option: option.DatasetOption = None,
    split: option.Split = None,
    model_option: option.ModelOption = None,
    training_option: option.TrainingOption = None,
    workers: option.Workers = None,
    batch_size: option.BatchSize = None,
    data_root: option.DataRoot = None,
) -> None:
    """Certify the votes of RUN_FOLDER; or, with --dataset (or --config) and --out, do everything in one go.

    Everything is: train, sample, certify each node alone and all together, and report.
    """
    from graphcert.report import summary_lines

    if (run_folder is None) == (out is None):
        raise InputError(
            "give either the folder of a run that has votes, or --dataset … --out FOLDER for the whole chain"
        )
    run = _run(run_folder or out, data_root, workers, batch_size)
    claims: dict[str, Any] = {"alpha": alpha, "method": method, "max_add": max_add, "max_delete": max_delete}
    claims |= {"max_edge_add": max_edge_add, "max_edge_delete": max_edge_delete, "nodes": nodes}
    claims["simultaneous"] = None if per_node is None else not per_node
    claims = {key: value for key, value in claims.items() if value is not None}
    asked = {"method": collective, "time_limit": time_limit, "receptive_field": receptive_field}
    together: dict[str, Any] = {key: value for key, value in asked.items() if value is not None}
    if run_folder is not None:
        config = run.load_config()
        refuse(
            context, ("dataset", "settings", *_OF_MODEL, *_OF_VOTES, *(() if config.collective.isotropic else ("workers",))),
            "{flags} cannot change the votes of "
            f"the run in {run_folder}, which is certified as it is; use `graphcert "
            f"sample {run_folder}`, or start a new run with --out in place of the folder",
        )  # fmt: skip
        config = replace(
            config,
            certificate=replace(config.certificate, **claims),
            collective=replace(config.collective, **together),
        )
        _refuse_idle_collective(context, config)
        _say_kept("certificate", config.certificate, claims)
        _say_kept("collective", config.collective, together)
        certified = run.certify(config.certificate)
        content = run.report(certified, run.collective(config.collective, certified))
    else:
        if settings is None:
            rows = rows_of_noise(select, ablate, sigma, half_width, lattice, keep)
            noise = noise_config((add, delete), (edge_add, edge_delete), rows, clusters, levels, partition, affinity)
            options = with_split(dataset_option, split), model_option, training_option
            config = run_config(dataset, model, noise, seed, *options)
        else:
            refuse(
                context, ("dataset", *_OF_MODEL),
                "--config names data set, model and noise; leave {flags} out, or change that file",
            )  # fmt: skip
            config = read_settings(settings)
        counts = {"samples": samples, "pilot_samples": pilot_samples, "scores": scores}
        chosen: dict[str, Any] = {key: value for key, value in counts.items() if value is not None}
        config = replace(
            config,
            sampling=replace(config.sampling, **chosen),
            certificate=replace(config.certificate, **claims),
            collective=replace(config.collective, **together),
        )
        _refuse_idle_collective(context, config)
        content = run.all_stages(config, look_again)
    for line in summary_lines(content):
        typer.echo(line)
    typer.echo(f"report: {run.path('report.html')}")


@app.command("collective")
def collective_command(
    context: typer.Context,
    run_folder: option.RunFolder,
    add: option.Budgets = None,
    delete: option.Budgets = None,
    edge_add: option.Budgets = None,
    edge_delete: option.Budgets = None,
    nodes: option.Budgets = None,
    shift: Annotated[
        str | None,
        typer.Option(help='Norms under continuous noise: "0.5", "0:1:0.1" or "0.1,0.2".', metavar="NORMS"),
    ] = None,
    method: Annotated[str, typer.Option(help="naive, lp, milp, tight-lp, tight, or all of them.")] = "tight",
    time_limit: option.TimeLimit = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Also vote under isotropic noise at equal accuracy, and show its curve.")
    ] = False,
    receptive_field: option.ReceptiveField = None,
    workers: option.Workers = None,
    data_root: option.DataRoot = None,
) -> None:
    """Certify all targets of a certified run together, against one perturbation within a budget.

    Several axes make a grid; --nodes limits how many nodes an adversary touches, under hierarchical noise. Without any,
    every operation, or the norm of a change, is swept alone (localized noise of every row only). Sweeps over other axes
    that the run already has are kept.
    """
    from graphcert.report import collective_lines

    if method == "none":
        raise InputError("name a method: naive, lp, milp, tight-lp, tight or all")
    if not compare:
        refuse(context, ("workers",), "{flags} speeds up voting, and only --compare takes votes; leave it out")
    if method == "naive":
        refuse(context, ("time_limit",), "{flags} ends solves, and naive solves nothing; leave it out")
    run = _run(run_folder, data_root, workers)
    config = run.load_config()
    old = config.collective
    if compare and config.smoothing.clusters == 1:
        raise InputError(
            "--compare sets localized noise beside isotropic noise, and this run's noise is isotropic; leave it out"
        )
    sweep = {"add": add, "delete": delete, "edge_add": edge_add, "edge_delete": edge_delete}
    sweep |= {"nodes": nodes, "shift": shift}
    asked: dict[str, Any] = {axis: text for axis, text in sweep.items() if text is not None}
    sweeps = (*(kept for kept in old.sweeps if set(kept) != set(asked)), asked) if asked else old.sweeps
    limits = {"time_limit": time_limit, "receptive_field": receptive_field}
    options: dict[str, Any] = {key: value for key, value in limits.items() if value is not None}
    new = replace(old, method=method, sweeps=sweeps, isotropic=compare, **options)
    replace(config, collective=new)  # refuses what does not fit the noise before anything is said
    _say_kept(
        "collective",
        replace(new, sweeps=tuple(kept for kept in sweeps if kept != asked)),
        {**options, "method": method, "isotropic": compare},
    )
    certified = run.certified()
    found = run.collective(new, certified)
    if not found.comparisons:
        raise InputError(
            "there is nothing to sweep: only localized noise of every row is swept without being asked, because the same "
            "noise everywhere gains nothing; give budgets such as --add 0:20, or --shift 0:1:0.1 under --sigma and "
            "--half-width, and --nodes 1:3 under hierarchical noise"
        )
    for line in collective_lines(run.report(certified, found)):
        typer.echo(line)
    typer.echo(f"table: {run.path('collective.csv')}")
    typer.echo(f"report: {run.path('report.html')}")


@app.command("report")
def report_command(run_folder: option.RunFolder, data_root: option.DataRoot = None) -> None:
    """Write report.html of a certified run."""
    run = _run(run_folder, data_root)
    run.report()
    typer.echo(f"report: {run.path('report.html')}")


def _refuse_idle_collective(context: typer.Context, config: Any) -> None:
    """Refuse options of the collective certificate where there is none."""
    together = config.collective
    if together.method == "none":
        refuse(
            context, _OF_COLLECTIVE, "{flags} shapes the collective certificate, and --collective none leaves it out"
        )
    if together.method == "naive":
        refuse(context, ("time_limit",), "{flags} ends solves, and naive solves nothing; leave it out")
    if together.method != "none" and config.smoothing.clusters == 1 and not together.sweeps:
        refuse(
            context, ("collective", *_OF_COLLECTIVE),
            "{flags} would do nothing: the same noise everywhere is not swept without being asked; name budgets afterwards, "
            "as in `graphcert collective RUN --add 0:20`",
        )  # fmt: skip


def _say_kept(section: str, settings: Any, asked: dict[str, Any]) -> None:
    """Say which settings a run keeps from earlier commands, where they are not the usual ones."""
    usual = type(settings)()
    kept = [
        f"{setting.name} = {_plain_words(getattr(settings, setting.name))}"
        for setting in fields(settings)
        if setting.name not in asked and getattr(settings, setting.name) != getattr(usual, setting.name)
    ]
    if kept:
        _say(f"{section}: kept from this run's settings: {'; '.join(kept)}")


def _plain_words(value: Any) -> str:
    """A setting in words."""
    if isinstance(value, tuple):
        return ", ".join(" × ".join(f"{axis} {text}" for axis, text in sweep.items()) for sweep in value)
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _run(
    folder: Path | None, data_root: str | None, workers: int | None = None, batch_size: int | None = None
) -> "Run":
    assert folder is not None
    interrupts.current.writes(folder)
    from graphcert.run.nodes import Run

    return Run(
        folder, data_root=data_root, workers=workers, batch_size=batch_size, progress=sys.stderr.isatty(), say=_say
    )


def _say(line: str) -> None:
    typer.echo(line, err=True)
