"""One process per run folder: a lock that the operating system drops when its owner ends, however it ends."""

import os
import shlex
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from graphcert.errors import DataError

LOCK = ".lock"
"""Name of the file in a locked folder; it says who holds it."""

_HELD: dict[Path, tuple[int, int]] = {}
"""The folders that this process has locked: the open lock file, and the thread that opened it."""


def seize(handle: int) -> bool | None:
    """Lock an open file: True if it is ours now, False if another has it, None where files cannot be locked."""
    try:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        return None
    return True


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold `folder` alone while the block runs; a block within a block of the same thread holds it already.

    The folder is created if absent, and removed again if the block leaves nothing in it. Where the file system knows no
    locks the block runs all the same. A folder that another process or thread holds, or that vanishes, is a `DataError`.
    """
    place = folder.resolve()
    if place in _HELD and _HELD[place][1] == threading.get_ident():
        refuse_vanished(place)
        yield
        refuse_vanished(place)
        return
    created = _create(place)
    try:
        while not _take(place):
            pass  # the last owner removed the file between our opening and locking it
    except BaseException:
        _remove_unowned(place / LOCK)
        _remove_empty(created)
        raise
    try:
        yield
        refuse_vanished(place)
    finally:
        if _release(place):
            _remove_empty(created)


def refuse_vanished(path: Path) -> None:
    """Raise `DataError` if `path` lies in a folder that this process has locked and that was deleted since."""
    if not _HELD:
        return
    path = path.resolve()
    for folder, (handle, _) in list(_HELD.items()):
        if path.is_relative_to(folder) and not _is(handle, folder / LOCK):
            raise DataError(f"{folder} was deleted or moved while it was being written; start again")


def release_all() -> None:
    """Remove the locks of this process, which is about to end without leaving its blocks."""
    for folder in list(_HELD):
        _release(folder)


def _create(folder: Path) -> list[Path]:
    """Make a folder; returns what was made, the innermost first."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder} cannot be made ({error.strerror}); choose another output folder") from None
    return missing


def _take(folder: Path) -> bool:
    """Lock the file of a folder and write the name of this process into it; False if the file has gone meanwhile."""
    path = folder / LOCK
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise DataError(f"{folder} cannot be written ({error.strerror}); choose another output folder") from None
    try:
        if seize(handle) is False:
            holder = os.read(handle, 10_000).decode(errors="replace").strip() or "another process"
            remedy = "wait until that has ended, or choose another output folder"
            raise DataError(f"{folder} is being written by {holder}; {remedy}")
        if _is(handle, path):
            os.ftruncate(handle, 0)
            os.write(handle, f"process {os.getpid()} ({shlex.join(['graphcert', *sys.argv[1:]])})\n".encode())
            _HELD[folder] = (handle, threading.get_ident())
            return True
    except BaseException:
        if _HELD.get(folder, (-1, 0))[0] == handle:  # not that of another thread
            del _HELD[folder]
        os.close(handle)
        raise
    os.close(handle)
    return False


def _remove_unowned(path: Path) -> None:
    """Remove a lock that nobody holds, such as one that an interrupt kept this process from taking."""
    with suppress(OSError):
        handle = os.open(path, os.O_RDWR)
        try:
            if seize(handle) and _is(handle, path):
                path.unlink()
        finally:
            os.close(handle)


def _release(folder: Path) -> bool:
    """Remove and drop a lock; whether it was still there."""
    handle, _ = _HELD.pop(folder)
    there = _is(handle, folder / LOCK)
    if there:
        with suppress(OSError):
            (folder / LOCK).unlink()
    os.close(handle)
    return there


def _remove_empty(folders: list[Path]) -> None:
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()


def _is(handle: int, path: Path) -> bool:
    """Whether `path` still names the open file."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except OSError:
        return False
