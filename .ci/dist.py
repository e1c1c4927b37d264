"""Write the source archive and the wheel of what git tracks, the same bytes for the same commit: `make dist`.

    python dist.py FOLDER

The wheel is built from the unpacked source archive, so what a user builds from it is what is published. Times in both are
that of the last commit. The build fails if the archive leaves out a tracked file, if the wheel leaves out a file of the
package, or if the metadata are not those that an index accepts.
"""

import gzip
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from packaging.metadata import Metadata

ROOT = Path(__file__).resolve().parents[1]


def git(*arguments: str) -> str:
    """What a command of git prints about this repository."""
    return subprocess.run(["git", "-C", ROOT, *arguments], check=True, capture_output=True, text=True).stdout


def build(kind: str, source: Path, target: Path) -> Path:
    """The archive that the installed setuptools makes of a folder: kind is "sdist" or "wheel"."""
    code = f"from setuptools import build_meta; build_meta.build_{kind}({str(target)!r})"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=source, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    (archive,) = target.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return archive


def without_traces(archive: Path, epoch: int) -> None:
    """Write a .tar.gz again in the order of its names, without owners, and with one time for all members."""
    content = io.BytesIO()
    with tarfile.open(archive) as old, tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as new:
        for member in sorted(old.getmembers(), key=lambda member: member.name):
            member.mtime, member.uid, member.gid, member.uname, member.gname = epoch, 0, 0, "", ""
            member.pax_headers = {}
            member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            new.addfile(member, old.extractfile(member) if member.isfile() else None)
    with archive.open("wb") as file, gzip.GzipFile("", "wb", mtime=epoch, fileobj=file) as packed:
        packed.write(content.getvalue())


def same(what: str, wanted: set[str], found: set[str]) -> None:
    """Stop if two sets of files differ."""
    if wanted != found:
        raise SystemExit(f"{what}: missing {sorted(wanted - found)}, too many {sorted(found - wanted)}")


def main(folder: Path) -> None:
    """Build both, compare them with the repository, and put them into the folder."""
    tracked = {name for name in git("ls-files", "-z").split("\0") if name and (ROOT / name).is_file()}
    epoch = int(git("log", "-1", "--format=%ct"))
    os.environ["SOURCE_DATE_EPOCH"] = str(epoch)
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        for file in tracked:
            (place / "source" / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / file, place / "source" / file)
        (place / "built").mkdir()
        sdist = build("sdist", place / "source", place / "built")
        without_traces(sdist, epoch)
        with tarfile.open(sdist) as archive:
            archive.extractall(place / "unpacked", filter="data")
        (unpacked,) = (place / "unpacked").iterdir()
        inside = {str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if path.is_file()}
        made = {file for file in inside if file == "PKG-INFO" or file.startswith("graphcert.egg-info/")}
        same("source archive (MANIFEST.in)", tracked, inside - made)
        wheel = build("wheel", unpacked, place / "built")
        with zipfile.ZipFile(wheel) as packed:
            inside = {file for file in packed.namelist() if ".dist-info/" not in file}
            same("wheel (setup.cfg)", {file for file in tracked if file.startswith("graphcert/")}, inside)
            (card,) = [file for file in packed.namelist() if file.endswith(".dist-info/METADATA")]
            Metadata.from_email(packed.read(card), validate=True)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for archive in (sdist, wheel):
            kept = Path(shutil.copy(archive, folder))
            print(f"{kept}: {kept.stat().st_size:,} bytes, sha256 {hashlib.sha256(kept.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
