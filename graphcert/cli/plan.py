"""The command `graphcert plan`: what how many samples would cost, and what they would probably prove."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import typer

from graphcert.cli import interrupts
from graphcert.cli.model_options import model_options, run_config
from graphcert.cli.options import refuse
from graphcert.cli.output import Answer
from graphcert.cli.run_of import run_of
from graphcert.errors import InputError


def plan(context: typer.Context, **given: Any) -> Answer:
    """Try the model of RUN_FOLDER, or one that is trained now (--dataset …), for a few dozen samples, and print a table.

    With --out the trained model stays in a folder, where `graphcert sample` goes on. What is printed is an estimate and no
    claim.
    """
    folder, out = given["run_folder"], given["out"]
    if folder is None:
        config = run_config(given)
        resources = interrupts.current.resources
        run = run_of(out or Path(resources.enter_context(TemporaryDirectory())) / "plan", given)
        data = run.train(config)
    else:
        run = run_of(folder, given, given["model"])
        config = run.load_config()
        trained = [parameter.name for parameter in model_options() if parameter.name != "model"]
        refuse(
            context, ("dataset", "out", *trained),
            f"{{flags}} cannot change the model of the run in {folder}, which is tried as it is; leave it out, or the "
            f"folder",
        )  # fmt: skip
        data = run.load_data(config)
    from graphcert.run.plan import plan as planned
    from graphcert.run.plan import plan_words

    claims = {name: given[name] for name in ("alpha", "method", "label_share") if given[name] is not None}
    if given["pilot"] < 1:
        raise InputError(f"--pilot takes a whole number of at least 1, got {given['pilot']}")
    found = planned(
        run.model(config), data, run.smoothing(config), given["seconds"], pilot=given["pilot"], seed=config.seed,
        workers=given["workers"], **claims,
    )  # fmt: skip
    return Answer(found.to_dict(), plan_words(found))
