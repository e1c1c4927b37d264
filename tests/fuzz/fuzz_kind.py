"""What a kind of files is to the fuzzer, and where its samples are kept."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fuzz_mutations import Change, Generator

HERE = Path(__file__).parent
CORPUS, CRASHES = HERE / "corpus", HERE / "crashes"


@dataclass(frozen=True)
class Kind:
    """Files of one kind: how to change what they mean, and how to read one and check what it holds.

    `suffix` ends the name of the file that is read. Kinds that consist of several files are `parts` of a whole: a sample is
    one of these files behind a line with its name, and is read among the others as they are in the corpus. `among` names
    another kind whose files these are, and which of them.
    """

    change: Change
    read: Callable[[Path], Any]
    suffix: str = ""
    parts: bool = False
    among: tuple[str, tuple[str, ...]] | None = None

    def samples(self, name: str) -> dict[str, bytes]:
        """Whole files by name, of the kind `name`."""
        folder, names = self.among or (name, None)
        found = {part: content for part, content in files_below(CORPUS / folder) if names is None or part in names}
        return {part: joined(part, content) for part, content in found.items()} if self.parts else found

    def changed(self, rng: Generator, content: bytes) -> bytes:
        """One sample changed in what it means."""
        if not self.parts:
            return self.change(rng, content)
        part, inside = split(content)
        return joined(part, self.change(rng, inside))


def files_below(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Names and contents of all files in a folder."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path.read_bytes()


def joined(part: str, content: bytes) -> bytes:
    """A part of a whole as one sample."""
    return part.encode() + b"\n" + content


def split(sample: bytes) -> tuple[str, bytes]:
    """The name of a part and its content."""
    name, _, content = sample.partition(b"\n")
    return name.decode("latin-1"), content


def whole(kind: str, sample: bytes) -> dict[str, bytes]:
    """The files of a whole by name with one of them replaced; what names no part of it replaces the first."""
    files = dict(files_below(CORPUS / kind))
    part, content = split(sample)
    return {**files, part if part in files else next(iter(files)): content}


def written(folder: Path, files: dict[str, bytes]) -> Path:
    """The folder, with these files."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder
