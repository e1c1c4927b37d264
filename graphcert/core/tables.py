"""Rows of cells for people: as text for a terminal, as HTML for a notebook, and as a table of pandas."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from graphcert.errors import UnsupportedError


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells in columns, one line per row; the first column is set to the left."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    numbers = ["".join(f"  {cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True)) for row in rows]
    return [f"  {row[0]:<{widths[0]}}{cells}" for row, cells in zip(rows, numbers, strict=True)]


def html_table(above: str, header: Sequence[str], rows: Sequence[Sequence[str]], below: str = "") -> str:
    """A sentence, one `<table>` and another sentence, every text escaped, for the output of a notebook."""
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    sentences = [f"<p>{escape(text)}</p>" if text else "" for text in (above, below)]
    return f"{sentences[0]}<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{sentences[1]}"


def data_frame(columns: Mapping[str, Any], index: str) -> Any:
    """A pandas.DataFrame of columns (N,) whose rows are numbered under the name `index`.

    Raises:
        UnsupportedError: if pandas is not installed.
    """
    try:
        import pandas
    except ImportError:
        raise UnsupportedError("to_pandas() needs pandas; install it with pip install 'graphcert[pandas]'") from None
    frame = pandas.DataFrame(dict(columns))
    frame.index.name = index
    return frame
