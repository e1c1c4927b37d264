"""What a verification found, statement by statement."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

KINDS = ("contradiction", "proved", "recomputed", "believed")
"""What can be said of a statement of a run.

A contradiction is something that cannot be true, or that is missing. Proved means by exact arithmetic of
code that shares nothing with what made the claim; recomputed, that the package's own code gave the same; believed, that
nothing in the folder can show it.
"""


class Finding(NamedTuple):
    """One statement about a run.

    Attributes:
        kind: one of `KINDS`.
        where: the file of the run that says it, or the files.
        what: one sentence.
    """

    kind: str
    where: str
    what: str


@dataclass(frozen=True)
class Findings(Sequence[Finding]):
    """All findings about one run; truth is `holds`.

    Attributes:
        run: the folder.
        found: the findings, in the order in which they were made.
    """

    run: str
    found: tuple[Finding, ...]

    @classmethod
    def of(cls, run: str, found: Iterable[Finding]) -> "Findings":
        """Collect what checks yield."""
        return cls(run, tuple(found))

    @property
    def holds(self) -> bool:
        """Whether nothing contradicts anything."""
        return not self.of_kind("contradiction")

    def of_kind(self, kind: str) -> tuple[Finding, ...]:
        """The findings of one of `KINDS`."""
        return tuple(one for one in self.found if one.kind == kind)

    def __getitem__(self, index: Any) -> Any:
        return self.found[index]

    def __len__(self) -> int:
        return len(self.found)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.found)

    def __bool__(self) -> bool:
        return self.holds

    def __repr__(self) -> str:
        counts = ", ".join(f"{len(self.of_kind(kind))} {kind}" for kind in KINDS)
        return f"Findings about {self.run}: {'it holds' if self.holds else 'it does not hold'} ({counts})"

    def summary(self) -> str:
        """The findings in lines, contradictions first, each kind under a heading."""
        lines = []
        for kind in KINDS:
            if found := self.of_kind(kind):
                lines += [f"{kind}:", *(f"  {one.where}: {one.what}" for one in found)]
        return "\n".join([*lines, repr(self)])

    def to_dict(self) -> dict[str, Any]:
        """A plain description (JSON ready)."""
        return {"run": self.run, "holds": self.holds, "findings": [one._asdict() for one in self.found]}
