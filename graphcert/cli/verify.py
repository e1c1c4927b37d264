"""The command `graphcert verify`: whether a run holds."""

from typing import Any

import typer

from graphcert.cli.output import Answer


def verify(_: typer.Context, **given: Any) -> Answer:
    """Check every file of a run against every other, the data, the model, and exact arithmetic; executes nothing in it.

    Exit code 0 if it holds, 1 if anything contradicts anything or cannot be confirmed. Says what was proved by code that
    shares nothing with what made the claims, what was only recomputed, and what must be believed.
    """
    from graphcert.run.verify import verify as verified

    found = verified(
        given["run_folder"], given["resample"], given["data_root"], model=given["model"], workers=given["workers"],
        memory=given["memory"], progress=given["progress"],
    )  # fmt: skip
    return Answer(found.to_dict(), found.summary().split("\n"), 0 if found else 1)
