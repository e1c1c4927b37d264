"""The report as one self-contained HTML page."""

from collections.abc import Sequence
from pathlib import Path

from graphcert import __version__
from graphcert.core.files import atomic_write_text
from graphcert.noise import CHANNELS, BernoulliFlip, Gaussian, Law, Selected, Uniform
from graphcert.report.content import ReportContent
from graphcert.report.laws import without_selection
from graphcert.report.notices import notices
from graphcert.report.page import page
from graphcert.report.sections import SECTIONS
from graphcert.report.theme import PALETTE
from graphcert.report.wording import number


def render(content: ReportContent) -> str:
    """The page; it loads nothing, runs no script, and is the same bytes for equal contents."""
    sections = [section for build in SECTIONS if (section := build(content)) is not None]
    return page(
        title=content.title,
        subtitle=_subtitle(content),
        notices=notices(content),
        sections=sections,
        palette=PALETTE,
        version=__version__,
    )


def write_report(path: Path, content: ReportContent) -> None:
    """Write the page to `path`, whole or not at all."""
    atomic_write_text(Path(path), render(content))


def _subtitle(content: ReportContent) -> list[str]:
    """What was certified against what, in a few words each."""
    certificate = content.certificate
    smoothing = certificate.smoothing
    noise = [_noise(channel, smoothing.levels(channel)) for channel in CHANNELS if smoothing.perturbs(channel)]
    return [f"{number(certificate.claims)} targets", *noise, f"α = {certificate.alpha:g}"]


def _noise(channel: str, levels: Sequence[Law]) -> str:
    """The parameters of a channel's noise, or their ranges over the levels of a localized scheme."""
    rows = without_selection(levels)
    flips = [law for law in rows if isinstance(law, BernoulliFlip)]
    sigmas = [law.sigma for law in rows if isinstance(law, Gaussian)]
    widths = [law.half_width for law in rows if isinstance(law, Uniform)]
    words = f"{channel} hidden"
    if flips:
        add, delete = _range([law.add for law in flips]), _range([law.delete for law in flips])
        words = f"{channel} θ⁺ = {add}, θ⁻ = {delete}"
    elif sigmas:
        words = f"{channel} σ = {_range(sigmas)}"
    elif widths:
        words = f"{channel} λ = {_range(widths)}"
    selects = [level.select for level in levels if isinstance(level, Selected)]
    return f"{words}, in rows selected with probability {_range(selects)}" if selects else words


def _range(rates: Sequence[float]) -> str:
    low, high = min(rates), max(rates)
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
