"""From the options of a command to its run."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphcert.cli import interrupts

if TYPE_CHECKING:
    from graphcert.run.nodes import Run


def run_of(folder: Path, given: dict[str, Any], factory: str | None = None) -> "Run":
    """The run in a folder; `factory` is the code that the user names to make its model."""
    interrupts.current.writes(folder)
    from graphcert.run.nodes import Run

    options: dict[str, Any] = {
        name: given.get(name) for name in ("data_root", "workers", "memory", "batch_size", "scheduler")
    }
    return Run(folder, **options, factory=factory, progress=given["progress"])
