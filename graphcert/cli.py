"""The command line: `graphcert datasets | train | sample | certify | collective | report | segment`.

Every command answers bad input with one sentence on standard error and exit code 2.
"""

import json
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from graphcert._version import __version__
from graphcert.cli_segment import app as segment_app
from graphcert.errors import GraphcertError, InputError

if TYPE_CHECKING:
    from graphcert.config import RunConfig, SmoothingConfig
    from graphcert.pipeline import Run

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Prove how robust node classifiers on graphs are, by randomised smoothing.",
)

app.add_typer(segment_app, name="segment")

DatasetName = Annotated[
    str | None,
    typer.Option("--dataset", help="Name of a data set (see `graphcert datasets`) or path of an .npz graph."),
]
DatasetOption = Annotated[
    list[str] | None, typer.Option(help="key=value for the data set, for example nodes=5000; may be repeated.")
]
ModelName = Annotated[str, typer.Option("--model", help="gcn, appnp, gat, sgc or sage.")]
ModelOption = Annotated[
    list[str] | None, typer.Option(help="key=value for the model, for example hidden=32; repeatable.")
]
TrainingOption = Annotated[
    list[str] | None, typer.Option(help="key=value for training, for example epochs=300; repeatable.")
]
Add = Annotated[
    str,
    typer.Option(help="θ⁺ of features: probability that a zero becomes one; near:far with --clusters.", metavar="RATE"),
]
Delete = Annotated[str, typer.Option(help="θ⁻ of features: probability that a one becomes zero.", metavar="RATE")]
EdgeAdd = Annotated[str, typer.Option(help="θ⁺ of undirected edges.", metavar="RATE")]
EdgeDelete = Annotated[str, typer.Option(help="θ⁻ of undirected edges.", metavar="RATE")]
Select = Annotated[
    str | None,
    typer.Option(
        help="Hierarchical noise: probability that a node's row gets the feature noise; near:far with --clusters.",
        metavar="RATE",
    ),
]
Ablate = Annotated[
    bool,
    typer.Option(
        "--ablate",
        help="Hide selected rows instead of flipping bits; then --select is the probability of being ablated.",
    ),
]
Sigma = Annotated[
    str | None,
    typer.Option(help="Gaussian feature noise of this deviation in place of --add and --delete.", metavar="SIGMA"),
]
HalfWidth = Annotated[
    str | None,
    typer.Option(help="Uniform feature noise on [−λ, λ] in place of --add and --delete.", metavar="LAMBDA"),
]
Lattice = Annotated[
    str | None,
    typer.Option(help="Features and continuous noise are whole multiples of this step, e.g. 1/255.", metavar="STEP"),
]
Keep = Annotated[
    int | None, typer.Option(help="Exactly so many rows keep their features, all others are hidden (ablation).")
]
Clusters = Annotated[int, typer.Option(help="Clusters of localized smoothing; 1 is isotropic.")]
Levels = Annotated[int | None, typer.Option(help="Noise levels of localized smoothing (default: one per cluster).")]
PartitionMethod = Annotated[str, typer.Option("--partition", help="metis, spectral, louvain or label_propagation.")]
Affinity = Annotated[str, typer.Option(help="Rank clusters by edges or pagerank.")]
Samples = Annotated[int | None, typer.Option(help="Final samples, which bound the probabilities (default: 10000).")]
PilotSamples = Annotated[int | None, typer.Option(help="Independent samples that choose the labels (default: 1000).")]
Scores = Annotated[
    bool | None,
    typer.Option("--scores/--no-scores", help="Count class scores too, for the classifier of the largest mean score."),
]
Seed = Annotated[int, typer.Option(help="Of the split, the weights and the noise; same seed, same result.")]
Out = Annotated[Path, typer.Option(help="Folder of the run; an interrupted run continues there.")]
DataRoot = Annotated[str | None, typer.Option(help="Folder with data files, looked at before GRAPHCERT_DATA.")]
Workers = Annotated[int | None, typer.Option(help="Threads (default: one per processor).")]
BatchSize = Annotated[int | None, typer.Option(help="Samples a thread takes at a time; never changes the result.")]
Alpha = Annotated[float | None, typer.Option(help="Error rate of all claims together (default: 0.01).")]
Method = Annotated[str | None, typer.Option(help="binary or multiclass (default: binary).")]
PerNode = Annotated[
    bool | None,
    typer.Option("--per-node/--simultaneous", help="Spend alpha on each node instead of on all claims together."),
]
Nodes = Annotated[
    str | None,
    typer.Option(
        help='Most nodes that an adversary touches, with --select: "2", "1:3" or "1,2,5"; curves for each of them.',
        metavar="NODES",
    ),
]
MaxAdd = Annotated[int | None, typer.Option(help="End of the budget axis (default: where nothing is certified).")]
CollectiveMethod = Annotated[
    str | None,
    typer.Option(
        "--collective",
        help="All targets at once: naive, lp, milp, tight-lp, tight, all or none (default: tight if localized).",
    ),
]
ReceptiveField = Annotated[
    bool | None,
    typer.Option(
        "--receptive-field/--everywhere",
        help="Count only changes within a node's receptive field (edge noise without additions).",
    ),
]
Budgets = Annotated[
    str | None, typer.Option(help='Budgets of the sweep: "5", "0:20", "0:20:5" or "1,2,5".', metavar="BUDGETS")
]
TimeLimit = Annotated[float | None, typer.Option(help="Seconds per budget and solve (default: 20).")]
RunFolder = Annotated[Path, typer.Argument(help="Folder of the run.")]


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False) -> None:
    """Prove how robust node classifiers on graphs are, by randomised smoothing."""
    if version:
        typer.echo(f"graphcert {__version__}")
        raise typer.Exit


@app.command()
def datasets(
    data_root: DataRoot = None, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
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
    out: Out,
    dataset: DatasetName = None,
    model: ModelName = "gcn",
    add: Add = "0",
    delete: Delete = "0",
    edge_add: EdgeAdd = "0",
    edge_delete: EdgeDelete = "0",
    select: Select = None,
    ablate: Ablate = False,
    sigma: Sigma = None,
    half_width: HalfWidth = None,
    lattice: Lattice = None,
    keep: Keep = None,
    clusters: Clusters = 1,
    levels: Levels = None,
    partition: PartitionMethod = "metis",
    affinity: Affinity = "edges",
    seed: Seed = 0,
    dataset_option: DatasetOption = None,
    model_option: ModelOption = None,
    training_option: TrainingOption = None,
    data_root: DataRoot = None,
) -> None:
    """Train a model under the noise it will be certified with."""
    run = _run(out, data_root)
    noise = _noise(
        (add, delete),
        (edge_add, edge_delete),
        _rows(select, ablate, sigma, half_width, lattice, keep),
        clusters,
        levels,
        partition,
        affinity,
    )
    run.train(_config(dataset, model, noise, seed, dataset_option, model_option, training_option))


@app.command("sample")
def sample_command(
    run_folder: RunFolder,
    samples: Samples = None,
    pilot_samples: PilotSamples = None,
    scores: Scores = None,
    workers: Workers = None,
    batch_size: BatchSize = None,
    data_root: DataRoot = None,
) -> None:
    """Take votes with a trained model; an interrupted call continues where it was."""
    _run(run_folder, data_root, workers, batch_size).sample(samples, pilot_samples, scores)


@app.command("certify")
def certify_command(
    run_folder: Annotated[Path | None, typer.Argument(help="Folder of a run that has votes.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of a new run: the whole chain, with --dataset.")] = None,
    settings: Annotated[
        Path | None,
        typer.Option("--config", help="A file of settings (TOML, see experiments/) in place of --dataset …."),
    ] = None,
    dataset: DatasetName = None,
    model: ModelName = "gcn",
    add: Add = "0",
    delete: Delete = "0",
    edge_add: EdgeAdd = "0",
    edge_delete: EdgeDelete = "0",
    select: Select = None,
    ablate: Ablate = False,
    sigma: Sigma = None,
    half_width: HalfWidth = None,
    lattice: Lattice = None,
    keep: Keep = None,
    clusters: Clusters = 1,
    levels: Levels = None,
    partition: PartitionMethod = "metis",
    affinity: Affinity = "edges",
    samples: Samples = None,
    pilot_samples: PilotSamples = None,
    scores: Scores = None,
    seed: Seed = 0,
    alpha: Alpha = None,
    method: Method = None,
    per_node: PerNode = None,
    max_add: MaxAdd = None,
    max_delete: MaxAdd = None,
    max_edge_add: MaxAdd = None,
    max_edge_delete: MaxAdd = None,
    nodes: Nodes = None,
    collective: CollectiveMethod = None,
    time_limit: TimeLimit = None,
    receptive_field: ReceptiveField = None,
    dataset_option: DatasetOption = None,
    model_option: ModelOption = None,
    training_option: TrainingOption = None,
    workers: Workers = None,
    batch_size: BatchSize = None,
    data_root: DataRoot = None,
) -> None:
    """Certify the votes of RUN_FOLDER; or, with --dataset (or --config) and --out, do everything in one go.

    Everything is: train, sample, certify each node alone and all together, and report.
    """
    from dataclasses import asdict

    from graphcert.report import summary_lines

    if (run_folder is None) == (out is None):
        raise InputError(
            "give either the folder of a run that has votes, or --dataset … --out FOLDER for the whole chain"
        )
    run = _run(run_folder or out, data_root, workers, batch_size)
    given = {"alpha": alpha, "method": method, "max_add": max_add, "max_delete": max_delete}
    given |= {"max_edge_add": max_edge_add, "max_edge_delete": max_edge_delete, "nodes": nodes}
    given["simultaneous"] = None if per_node is None else not per_node
    given = {key: value for key, value in given.items() if value is not None}
    asked = {"method": collective, "time_limit": time_limit, "receptive_field": receptive_field}
    together: dict[str, Any] = {key: value for key, value in asked.items() if value is not None}
    if run_folder is not None:
        if dataset is not None or settings is not None:
            raise InputError("--dataset and --config start a new run; give --out instead of the folder of an old one")
        config = run.load_config()
        run.certify(**{**asdict(config.certificate), **given})
        run.collective(replace(config.collective, **together))
        content = run.report()
    else:
        if settings is None:
            rows = _rows(select, ablate, sigma, half_width, lattice, keep)
            noise = _noise((add, delete), (edge_add, edge_delete), rows, clusters, levels, partition, affinity)
            config = _config(dataset, model, noise, seed, dataset_option, model_option, training_option)
        else:
            config = _read_settings(settings, dataset)
        counts = {"samples": samples, "pilot_samples": pilot_samples, "scores": scores}
        chosen: dict[str, Any] = {key: value for key, value in counts.items() if value is not None}
        config = replace(
            config,
            sampling=replace(config.sampling, **chosen),
            certificate=replace(config.certificate, **given),  # type: ignore[arg-type]
            collective=replace(config.collective, **together),
        )
        content = run.all_stages(config)
    for line in summary_lines(content):
        typer.echo(line)
    typer.echo(f"report: {run.path('report.html')}")


@app.command("collective")
def collective_command(
    run_folder: RunFolder,
    add: Budgets = None,
    delete: Budgets = None,
    edge_add: Budgets = None,
    edge_delete: Budgets = None,
    nodes: Budgets = None,
    shift: Annotated[
        str | None,
        typer.Option(help='Norms under continuous noise: "0.5", "0:1:0.1" or "0.1,0.2".', metavar="NORMS"),
    ] = None,
    method: Annotated[str, typer.Option(help="naive, lp, milp, tight-lp, tight, or all of them.")] = "tight",
    time_limit: TimeLimit = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Also vote under isotropic noise at equal accuracy, and show its curve.")
    ] = False,
    receptive_field: ReceptiveField = None,
    workers: Workers = None,
    data_root: DataRoot = None,
) -> None:
    """Certify all targets of a certified run together, against one perturbation within a budget.

    Several axes make a grid; --nodes limits how many nodes an adversary touches, under hierarchical noise. Without any,
    every operation, or the norm of a change, is swept alone (localized noise of every row only). Sweeps over other axes
    that the run already has are kept.
    """
    from graphcert.report import summary_lines

    if method == "none":
        raise InputError("name a method: naive, lp, milp, tight-lp, tight or all")
    run = _run(run_folder, data_root, workers)
    old = run.load_config().collective
    sweep = {"add": add, "delete": delete, "edge_add": edge_add, "edge_delete": edge_delete}
    sweep |= {"nodes": nodes, "shift": shift}
    asked = {axis: text for axis, text in sweep.items() if text is not None}
    sweeps = (*(kept for kept in old.sweeps if set(kept) != set(asked)), asked) if asked else old.sweeps
    given = {"time_limit": time_limit, "receptive_field": receptive_field}
    options: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    if not run.collective(replace(old, method=method, sweeps=sweeps, isotropic=compare, **options)).ladders:
        raise InputError(
            "there is nothing to sweep: only localized noise of every row is swept without being asked, because the same "
            "noise everywhere gains nothing; give budgets such as --add 0:20, or --shift 0:1:0.1 under --sigma and "
            "--half-width, and --nodes 1:3 under hierarchical noise"
        )
    for line in summary_lines(run.report()):
        typer.echo(line)
    typer.echo(f"table: {run.path('collective.csv')}")
    typer.echo(f"report: {run.path('report.html')}")


@app.command("report")
def report_command(run_folder: RunFolder, data_root: DataRoot = None) -> None:
    """Write report.html of a certified run."""
    run = _run(run_folder, data_root)
    run.report()
    typer.echo(f"report: {run.path('report.html')}")


def _run(
    folder: Path | None, data_root: str | None, workers: int | None = None, batch_size: int | None = None
) -> "Run":
    from graphcert.pipeline import Run

    assert folder is not None
    return Run(folder, data_root, workers, batch_size, progress=sys.stderr.isatty(), say=_say)


def _say(line: str) -> None:
    typer.echo(line, err=True)


def _config(
    dataset: str | None,
    model: str,
    noise: "SmoothingConfig",
    seed: int,
    dataset_option: list[str] | None,
    model_option: list[str] | None,
    training_option: list[str] | None,
) -> "RunConfig":
    """Settings from the command line."""
    from graphcert.config import DatasetConfig, ModelConfig, RunConfig
    from graphcert.models import MODELS, Training

    if dataset is None:
        raise InputError("name a data set with --dataset; `graphcert datasets` lists them")
    if model not in MODELS:
        raise InputError(f"unknown model {model!r}; choose one of {', '.join(MODELS)}")
    training = _options(training_option, "--training-option")
    known = list(Training.__dataclass_fields__)
    for key in training:
        if key not in known:
            raise InputError(f"training has no option {key!r}; it has {', '.join(known)}")
    return RunConfig(
        smoothing=noise,
        seed=seed,
        dataset=DatasetConfig(dataset, _options(dataset_option, "--dataset-option")),
        model=ModelConfig(model, _options(model_option, "--model-option")),
        training=Training(**training),
    )


def _read_settings(path: Path, dataset: str | None) -> "RunConfig":
    """Settings from a file."""
    from graphcert.config import RunConfig

    if dataset is not None:
        raise InputError("--config names the data set, model and noise; leave --dataset out")
    if not path.is_file():
        raise InputError(f"there is no file of settings at {path}; experiments/ holds examples")
    return RunConfig.load(path)


def _noise(
    flips: tuple[str, str],
    edges: tuple[str, str],
    rows: dict[str, Any],
    clusters: int,
    levels: int | None,
    partition: str,
    affinity: str,
) -> "SmoothingConfig":
    """The noise from the command line."""
    from graphcert.config import RatesConfig, SmoothingConfig

    return SmoothingConfig(
        RatesConfig(_rate("--add", flips[0]), _rate("--delete", flips[1])),
        RatesConfig(_rate("--edge-add", edges[0]), _rate("--edge-delete", edges[1])),
        clusters,
        levels,
        partition,
        affinity,
        **rows,
    )


def _rows(
    select: str | None, ablate: bool, sigma: str | None, half_width: str | None, lattice: str | None, keep: int | None
) -> dict[str, Any]:
    """The noise of whole rows from the command line, as settings."""
    given: dict[str, Any] = {"ablate": ablate, "keep": keep}
    for name, text, kind in (
        ("select", select, "a probability"),
        ("sigma", sigma, "a number above 0"),
        ("half_width", half_width, "a number above 0"),
        ("lattice", lattice, "a step such as 1/255"),
    ):
        if text is not None:
            given[name] = _rate(f"--{name.replace('_', '-')}", text, kind)
    return given


def _rate(flag: str, text: str, kind: str = "a probability") -> float | tuple[float, ...]:
    """A number, or near:far."""
    try:
        rates = tuple(float(Fraction(part)) for part in text.split(":"))
    except (ValueError, ZeroDivisionError, OverflowError):
        raise InputError(f"{flag} takes {kind}, or near:far with --clusters, got {text!r}") from None
    return rates[0] if len(rates) == 1 else rates


def _options(pairs: list[str] | None, flag: str) -> dict[str, Any]:
    """key=value pairs; values are numbers, true, false or text."""
    options: dict[str, Any] = {}
    for pair in pairs or []:
        key, equals, text = pair.partition("=")
        if not equals or not key:
            raise InputError(f"{flag} takes key=value, got {pair!r}")
        try:
            options[key] = json.loads(text)
        except ValueError:
            options[key] = text
    return options


def main() -> None:
    """Entry point: one sentence and exit code 2 for bad input, 130 for an interrupt."""
    try:
        app()
    except GraphcertError as error:
        typer.echo(f"graphcert: {error}", err=True)
        sys.exit(2)
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        typer.echo(
            f"graphcert: {error.strerror or error}{place}; choose a folder that can be read and written", err=True
        )
        sys.exit(2)
    except KeyboardInterrupt:
        typer.echo("graphcert: interrupted; the same command continues where it was", err=True)
        sys.exit(130)
