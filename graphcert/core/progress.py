"""The one bar of progress of the whole package."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tqdm import tqdm

_FORM = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt}, {rate_noinv_fmt}, {remaining} left{postfix}"


def progress_bar(total: int, unit: str, title: str, shown: Any) -> "tqdm[Any]":
    """A bar on standard error over so many units, with their rate and the time left; use it in a `with` block.

    Nothing is written unless it is `shown`.
    """
    from tqdm import tqdm

    return tqdm(total=total, unit=f" {unit}", desc=title, disable=not shown, bar_format=_FORM, dynamic_ncols=True)


def done_before(bar: "tqdm[Any]", count: int) -> None:
    """Move a bar by what was there already, which says nothing about the rate and the time left."""
    if not bar.disable:
        bar.initial += count
        bar.n += count
        bar.last_print_n += count
        bar.refresh()
