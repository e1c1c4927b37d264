"""Rows of cells for people: as text for a terminal, as HTML for a notebook, and as a table of pandas."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

from graphcert.errors import UnsupportedError


class Table(NamedTuple):
    """A header and rows of cells among lines of text; the columns in `left` are set to the left."""

    rows: Sequence[Sequence[str]]
    left: Collection[int] = (0,)
    indent: int = 2


def plain_lines(words: "Iterable[str | Table]") -> list[str]:
    """Lines and tables as lines alone."""
    return [line for part in words for line in ([part] if isinstance(part, str) else aligned(*part))]


def aligned(rows: Sequence[Sequence[str]], left: Collection[int] = (0,), indent: int = 2) -> list[str]:
    """Rows of cells in columns, one line per row; the columns in `left` are set to the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    cells = [[f"{c:{'<' if i in left else '>'}{widths[i]}}" for i, c in enumerate(row)] for row in rows]
    return [" " * indent + "  ".join(row).rstrip() for row in cells]


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
