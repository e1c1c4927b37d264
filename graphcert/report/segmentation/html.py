"""The report of segmentations as one self-contained HTML page."""

from pathlib import Path

from graphcert import __version__
from graphcert.core.files import atomic_write_text
from graphcert.report.page import page
from graphcert.report.segmentation.content import SegmentationContent
from graphcert.report.segmentation.sections import SECTIONS
from graphcert.report.theme import PALETTE


def render(content: SegmentationContent) -> str:
    """The page; it loads nothing, runs no script, and is the same bytes for equal contents."""
    return page(
        pictures=True,
        title=content.title,
        subtitle=content.subtitle,
        notices=content.notices,
        sections=[section for build in SECTIONS if (section := build(content)) is not None],
        palette=PALETTE,
        version=__version__,
    )


def write_report(path: Path, content: SegmentationContent) -> None:
    """Write the page to `path`, whole or not at all."""
    atomic_write_text(Path(path), render(content))
