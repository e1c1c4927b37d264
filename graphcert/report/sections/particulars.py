"""How the result was obtained: settings, provenance, timings."""

from collections.abc import Mapping

from markupsafe import Markup

from graphcert.report.content import ReportContent
from graphcert.report.page import block
from graphcert.report.sections.section import Section
from graphcert.report.wording import seconds, setting


def particulars(content: ReportContent) -> Section:
    """The settings that had a use, the votes' checksum, and the seconds of each stage."""
    used = {name: values for name, values in content.settings.items() if name != "collective" or content.collective}
    return Section("Settings", settings_block({**used, "votes": {"sha256": content.votes.digest}}, content.timings))


def settings_block(sections: Mapping[str, Mapping[str, object]], timings: Mapping[str, float]) -> Markup:
    """Names and values by section; what is off, empty or not set has no place there."""
    shown = [
        (name, [(key, setting(value)) for key, value in values.items() if _used(value)])
        for name, values in sections.items()
    ]
    shown.append(("timings", [(stage, seconds(duration)) for stage, duration in timings.items()]))
    return block("settings", [(name, rows) for name, rows in shown if rows])


def _used(value: object) -> bool:
    """Whether a setting has an effect; numbers have one, 0 too."""
    return value is not None and value is not False and value not in ("", (), [], {})
