"""What a section is."""

from typing import NamedTuple

from markupsafe import Markup


class Section(NamedTuple):
    """A heading and what stands below it."""

    heading: str
    html: Markup
