"""How the result was obtained: settings, provenance, timings."""

from graphcert.report.content import ReportContent
from graphcert.report.page import block
from graphcert.report.sections.section import Section
from graphcert.report.wording import seconds, setting


def particulars(content: ReportContent) -> Section:
    """All settings as they are, the votes' checksum, and the seconds of each stage."""
    sections = [
        (name, [(key, setting(value)) for key, value in values.items()]) for name, values in content.settings.items()
    ]
    sections.append(("votes", [("sha256", content.votes.digest)]))
    if content.timings:
        sections.append(("timings", [(stage, seconds(duration)) for stage, duration in content.timings.items()]))
    return Section("Settings", block("settings", sections))
