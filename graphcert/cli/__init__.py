"""The command line: `graphcert datasets | train | sample | certify | collective | report | segment`.

Every command answers bad input with one sentence on standard error and exit code 2.
"""

import sys

import typer

from graphcert.cli.nodes import app
from graphcert.errors import GraphcertError

__all__ = ["app", "main"]


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
