"""Files that are whole or absent, and folders for what may be lost."""

import atexit
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import cache, wraps
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

from graphcert.core.locks import locked, refuse_vanished, release_all, seize
from graphcert.errors import DataError

Method = TypeVar("Method", bound=Callable[..., Any])

_TEMPORARY = re.compile(r"\.(.+)\.[a-z0-9_]{8}\.tmp")
"""Names of files that are being written."""

_UNFINISHED: set[str] = set()
"""The files that this process is writing."""


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """A stream whose content appears at `path` at once and only if the block ends without an exception.

    The content is on disk before the name is: a crash at any moment leaves the old file or the new one. What a killed
    writer of the same file has left behind is removed. A run folder that was deleted is never made again.
    """
    if "\0" in str(path):
        raise DataError(f"{str(path)!r} cannot be written (no name holds a zero character); choose another name")
    refuse_vanished(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_abandoned(path.parent, path.name)
        with _temporary(path) as (stream, temporary):
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
            # mkstemp makes private files; results are as readable as any file the user creates.
            umask = os.umask(0)
            os.umask(umask)
            os.chmod(temporary, 0o666 & ~umask)
            refuse_vanished(path)
            os.replace(temporary, path)
    except OSError as error:
        refuse_vanished(path)
        reason = error.strerror or str(error)
        remedy = "make room or choose a folder that can be written"
        raise DataError(f"{path} cannot be written ({reason}); {remedy}") from None


@contextmanager
def _temporary(path: Path) -> Iterator[tuple[BinaryIO, str]]:
    """A new file beside `path`, locked as long as its writer lives, and gone at the end."""
    while True:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        _UNFINISHED.add(name)
        # Another process may have thought the file abandoned before it was locked.
        if seize(handle) is not False and os.fstat(handle).st_nlink:
            break
        os.close(handle)
        _UNFINISHED.discard(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream, name
    finally:
        Path(name).unlink(missing_ok=True)
        _UNFINISHED.discard(name)


def atomic_write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic_write(path) as stream:
        stream.write(text.encode())


def remove_abandoned(folder: Path, name: str | None = None) -> None:
    """Remove the temporary files in `folder`, of the file `name` only if one is given, whose writers are dead."""
    with os.scandir(folder) as entries:
        found = [(entry, match) for entry in entries if (match := _TEMPORARY.fullmatch(entry.name))]
    for entry, match in found:
        if name in (None, match[1]) and entry.is_file(follow_symlinks=False):
            with suppress(OSError):
                handle = os.open(entry.path, os.O_RDWR)
                try:
                    if seize(handle):
                        os.unlink(entry.path)
                finally:
                    os.close(handle)


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Hold a run folder alone, see `locked`, after removing what killed writers left in it."""
    with locked(folder):
        folder = folder.resolve()
        remove_abandoned(folder)
        for part in ("votes", "pictures"):
            for place, _, _ in os.walk(folder / part):
                remove_abandoned(Path(place))
        yield


def alone(new: bool = False) -> Callable[[Method], Method]:
    """Let a method run while no other process writes into `self.folder`; only if `new` it is made where it is absent."""

    def decorate(method: Method) -> Method:
        @wraps(method)
        def guarded(self: Any, *args: Any, **options: Any) -> Any:
            with claimed(self.folder) if new or self.folder.is_dir() else nullcontext():
                return method(self, *args, **options)

        return cast(Method, guarded)

    return decorate


def writing() -> bool:
    """Whether this process is writing a file at this moment."""
    return bool(_UNFINISHED)


def abandon() -> None:
    """Remove what this process has not finished, and its locks; it is about to end at once."""
    for name in list(_UNFINISHED):
        Path(name).unlink(missing_ok=True)
    release_all()


@cache
def private_folder() -> Path | None:
    """A folder for caches where the user's own cannot be written: below the system's temporary folder, or None.

    Caches hold machine code, so nobody else may be able to write there. The folder is found again by the next process;
    if its name is taken by something else, this process gets a new one of its own.
    """
    try:
        folder = Path(tempfile.gettempdir()) / f"graphcert-{os.getuid() if hasattr(os, 'getuid') else 'cache'}"
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        found = folder.lstat()
        mine = not hasattr(os, "getuid") or (found.st_uid == os.getuid() and not found.st_mode & 0o077)
        if stat.S_ISDIR(found.st_mode) and mine and os.access(folder, os.W_OK | os.X_OK):
            return folder
        folder = Path(tempfile.mkdtemp(prefix="graphcert-"))
    except OSError:
        return None
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
