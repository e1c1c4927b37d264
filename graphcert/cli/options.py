"""Options that several commands share, as typer reads them; those of laws of noise come from their registry."""

import inspect
from collections.abc import Callable
from functools import update_wrapper
from pathlib import Path
from typing import Annotated, Any

import typer

from graphcert.errors import InputError
from graphcert.noise import Setting, settings_of_laws

DatasetName = Annotated[
    str | None,
    typer.Option("--dataset", help="Name of a data set (see `graphcert datasets`) or path of an .npz graph."),
]
DatasetOption = Annotated[
    list[str] | None, typer.Option(help="key=value for the data set, for example nodes=5000; may be repeated.")
]
Split = Annotated[
    int | None, typer.Option(help="Which split, from 0 on, where the masks of an .npz graph hold several.")
]
ModelName = Annotated[str, typer.Option("--model", help="gcn, appnp, gat, sgc, sage, or a registered model.")]
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
Lattice = Annotated[
    str | None,
    typer.Option(help="Features and continuous noise are whole multiples of this step, e.g. 1/255.", metavar="STEP"),
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
LookAgain = Annotated[
    bool,
    typer.Option(
        "--look-again",
        help="Take other numbers of samples although a certificate was seen; the error rates of both looks add up.",
    ),
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


class LawOptions:
    """A command with one option per law that a number or choice asks for, in place of its parameter `laws`.

    The registry is read anew whenever the command line is built, so that a law that a user has registered has its option.
    The command gets {setting: value} of the options that were given.
    """

    def __init__(self, command: Callable[..., None]) -> None:
        update_wrapper(self, command, assigned=("__module__", "__name__", "__qualname__", "__doc__"))
        self._command = command

    def __call__(self, **values: Any) -> None:
        """Call the command with the values of its parameters and of the options of laws."""
        given = {name: values.pop(name) for name in settings_of_laws()}
        self._command(
            **values, laws={name: value for name, value in given.items() if value is not None and value is not False}
        )

    @property
    def __signature__(self) -> inspect.Signature:
        parameters: list[inspect.Parameter] = []
        for parameter in inspect.signature(self._command).parameters.values():
            found = [_option(law.setting) for law in settings_of_laws().values()] if parameter.name == "laws" else []
            parameters += found or [parameter]
        if len({parameter.name for parameter in parameters}) < len(parameters):
            raise InputError("a law of noise is asked for by the name of another option; give its setting another name")
        return inspect.Signature(parameters)

    @property
    def __annotations__(self) -> dict[str, Any]:  # type: ignore[override]
        return {parameter.name: parameter.annotation for parameter in self.__signature__.parameters.values()}


def _option(setting: Setting | None) -> inspect.Parameter:
    """The option of one law, as typer reads it."""
    assert setting is not None  # `settings_of_laws`
    kind: Any = {float: str | None, int: int | None, bool: bool}[setting.kind]
    option = typer.Option(setting.option, help=setting.help, metavar=setting.metavar)
    default = False if setting.kind is bool else None
    return inspect.Parameter(
        setting.name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default, annotation=Annotated[kind, option]
    )
