"""Find a published file on this machine, or download it; either way its sha256 is checked before it is used."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import pooch

from graphcert.core.reading import open_regular, problem
from graphcert.errors import DataError

ENVIRONMENT = "GRAPHCERT_DATA"

Root = str | os.PathLike[str] | None


@dataclass(frozen=True)
class RemoteFile:
    """One published file: its place below a data folder, its address, its size in bytes and its sha256."""

    path: str
    url: str
    size: int
    sha256: str


def cache_folder() -> Path:
    """The user's cache, where downloads are kept."""
    return Path(pooch.os_cache("graphcert"))


def data_folders(root: Root = None) -> list[Path]:
    """Where files are looked for, in order: `root`, GRAPHCERT_DATA, ./datasets, the checkout's datasets, the cache."""
    named = [Path(os.path.expanduser(folder)) for folder in (root, os.environ.get(ENVIRONMENT)) if folder]
    checkout = Path(__file__).resolve().parents[2]
    shared = [checkout / "datasets"] if (checkout / "pyproject.toml").is_file() else []
    folders = [*named, Path("datasets"), *shared, cache_folder()]
    return list(dict.fromkeys(folder.absolute() for folder in folders))


def locate(file: RemoteFile, root: Root = None) -> tuple[Path, bytes] | None:
    """The first copy of `file` in `data_folders` and its content, or None; `DataError` if that copy is not the file."""
    name = Path(file.path).name
    for path in (folder / place for folder in data_folders(root) for place in dict.fromkeys((file.path, name))):
        try:
            if path.is_dir():
                continue
            with open_regular(path) as stream:
                content = stream.read(file.size + 1)  # what is longer is another file, however long it is
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise DataError(f"{path} cannot be read ({problem(error)}); make it readable or remove it") from None
        _verify(content, file, path)
        return path, content
    return None


def read_file(file: RemoteFile, root: Root = None) -> bytes:
    """The verified content of `file`, from this machine or, failing that, downloaded into the user's cache.

    Raises `DataError` for a damaged copy and for a failed download, which leaves no file behind.
    """
    found = locate(file, root)
    if found is None:
        _download(file, root)
        found = locate(file, root)
    if found is None:
        raise DataError(f"{file.path} vanished from {cache_folder()} right after its download; try again")
    return found[1]


def _verify(content: bytes, file: RemoteFile, path: Path) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found == file.sha256:
        return
    other = f"found sha256 {found} ({len(content)} bytes)" if len(content) <= file.size else "found a longer one"
    raise DataError(
        f"{path} is not the published file: expected sha256 {file.sha256} ({file.size} bytes), {other}; replace it with "
        f"{file.url} or delete it to have it downloaded again"
    )


def _download(file: RemoteFile, root: Root) -> None:
    """Fetch into the cache; pooch writes to a temporary file and moves it only when the checksum is right."""
    target = cache_folder() / file.path
    try:
        pooch.retrieve(file.url, f"sha256:{file.sha256}", fname=target.name, path=target.parent)
    except (OSError, ValueError) as error:
        folders = ", ".join(str(folder) for folder in data_folders(root))
        wrong = isinstance(error, ValueError) and not isinstance(error, OSError)
        problem = f"has not the expected sha256 {file.sha256}" if wrong else f"failed ({type(error).__name__})"
        raise DataError(
            f"{file.path} is in none of {folders}, and its download from {file.url} {problem}; get the file and "
            f"name its folder with --data-root or {ENVIRONMENT}"
        ) from None
