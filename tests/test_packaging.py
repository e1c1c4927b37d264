"""What a user's tools see: editable installs are a plain path, and a name that does not exist is a type error."""

import configparser
import importlib.util
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

import graphcert
from graphcert.data.registry import REGISTRY

ROOT = Path(__file__).parents[1]

USES = """
import graphcert as gc

reveal_type(gc.certify)
reveal_type(gc.Votes.load)
reveal_type(gc.errors.DataError)
gc.nonsense
gc.Budget(feature_ad=1)
"""


def test_unknown_names_are_type_errors_and_known_ones_have_their_types(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    (tmp_path / "uses.py").write_text(USES)
    # Without what else is installed: whether types come from this package is the question, and this is far quicker.
    quick = ["--no-site-packages", "--ignore-missing-imports", "--follow-imports=silent", "--cache-dir=cache"]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *quick, "uses.py"],
        cwd=tmp_path, env={**os.environ, "MYPYPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = {int(line.split(":")[1]): line for line in done.stdout.splitlines() if line.startswith("uses.py:")}
    assert set(said) == {4, 5, 6, 7, 8}, done.stdout + done.stderr
    assert "graphcert.votes.votes.Votes, alpha: float" in said[4]
    assert "-> graphcert.votes.votes.Votes" in said[5]
    assert "-> graphcert.errors.DataError" in said[6]
    assert 'error: Module has no attribute "nonsense"' in said[7]
    assert 'error: Unexpected keyword argument "feature_ad"' in said[8]


def test_an_editable_install_is_a_plain_path(tmp_path: Path) -> None:
    """An import hook would work too, but no type checker and no editor follows it."""
    pytest.importorskip("setuptools", minversion="64")
    checkout = tmp_path / "checkout"
    shutil.copytree(ROOT / "graphcert", checkout / "graphcert", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, checkout / name)
    build = f"from setuptools import build_meta; print(build_meta.build_editable(r'{tmp_path}'))"
    subprocess.run([sys.executable, "-c", build], cwd=checkout, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (hook,) = [name for name in archive.namelist() if "/" not in name]
        assert hook.endswith(".pth")
        assert archive.read(hook).decode().split() == [str(checkout)]


def settings() -> configparser.ConfigParser:
    read = configparser.ConfigParser()
    read.read(ROOT / "setup.cfg", encoding="utf-8")
    return read


@pytest.mark.parametrize("file", ["constraints.txt", "constraints-scatter.txt", "constraints-sbom.txt"])
def test_every_locked_package_has_hashes(file: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    blocks = re.findall(r"^\S.*?(?=^\S|\Z)", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE), re.MULTILINE | re.DOTALL)
    assert blocks
    for block in blocks:
        assert re.match(r"[\w.-]+==\S+( ; .*)?( \\\n    --hash=sha256:[0-9a-f]{64})+\n\Z", block), block


def test_everything_that_graphcert_needs_is_locked() -> None:
    """Torch stands in the Makefile, because its builds differ by machine."""
    options = settings()["options"], settings()["options.extras_require"]
    wanted = [options[0]["install_requires"], options[1]["test"], options[1]["dev"]]
    names = {name.lower() for text in wanted for name in re.findall(r"^([\w-]+)", text, flags=re.MULTILINE)}
    locked = re.findall(r"^([\w.-]+)==", (ROOT / "constraints.txt").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert names - set(locked) == {"torch", "graphcert"}
    assert re.search(r"^TORCH := \d", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)


def script_of(name: str) -> Any:
    """A script that make runs."""
    spec = importlib.util.spec_from_file_location(name, ROOT / ".ci" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_bill_of_materials_has_the_hashes_of_the_lock_and_the_data_sets() -> None:
    """Packages of another version than the locked one, such as torch, have only the digest of what they installed."""
    script, lock = script_of("sbom"), (ROOT / "constraints.txt").read_text(encoding="utf-8")
    (version, digests), every = script.locked(lock)["numpy"], re.findall(r"^([\w.-]+)==", lock, flags=re.MULTILINE)
    assert set(script.locked(lock)) == set(map(script.normal, every))
    data = {"path": "a/b.npz", "url": "https://example.org/b.npz", "size": 3, "sha256": "ab" * 32}
    found = script.completed(
        {"components": [{"name": "NumPy", "version": version}, {"name": "torch", "version": "2"}]}, lock,
        {"records": {"numpy": "cd", "Torch": "ef"}, "data": [{"name": "b", "source": "c", "licence": "d", "files": [data]}]},
    )  # fmt: skip
    numpy, torch, file = found["components"]
    ((reference,), digest) = numpy["externalReferences"], numpy["properties"][0]["value"]
    assert ([one["content"] for one in reference["hashes"]], digest) == (digests, "cd")
    assert len(digests) > 10
    assert "externalReferences" not in torch
    assert torch["properties"] == [{"name": script.RECORD, "value": "ef"}]
    assert (file["type"], file["hashes"][0]["content"]) == ("data", data["sha256"])


@pytest.mark.slow
def test_the_bill_of_this_environment_fits_the_schema_and_is_complete(tmp_path: Path) -> None:
    """Where `make sbom` has made the environment of its tool."""
    tool = Path(os.environ.get("GRAPHCERT_SBOM_TOOL", ROOT / ".venv-sbom" / "bin" / "python"))
    if not tool.is_file():
        pytest.skip("make sbom makes the environment that this needs")
    target = tmp_path / "sbom.json"
    subprocess.run([tool, ROOT / ".ci" / "sbom.py", sys.executable, target, ROOT / "constraints.txt"], check=True)
    bill = json.loads(target.read_text(encoding="utf-8"))
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    hashes = {one["name"]: one.get("hashes") or one.get("properties") for one in bill["components"]}
    assert {"numpy", "torch", "numba", "highspy", "graphcert"} <= set(hashes)
    assert all(hashes.values())
    assert {file.path for entry in REGISTRY.values() for file in entry.files} <= set(hashes)


def test_documents_of_a_release_name_this_version_and_its_day() -> None:
    card, changes, security = ((ROOT / name).read_text() for name in ("CITATION.cff", "CHANGELOG.md", "SECURITY.md"))
    assert f"\nversion: {graphcert.__version__}\n" in card
    version, day = re.findall(r"^## \[(\d.*)\] – (.*)$", changes, flags=re.MULTILINE)[0]
    assert version == graphcert.__version__
    assert f"\ndate-released: {day}\n" in card
    assert f"newest version, now {graphcert.__version__}," in security


def test_the_citation_names_five_papers() -> None:
    assert (ROOT / "CITATION.cff").read_text(encoding="utf-8").count("- type: conference-paper") == 5


def test_the_supported_versions_of_python_are_the_same_everywhere() -> None:
    metadata = settings()
    supported = re.findall(r"Python :: (\d+\.\d+)$", metadata["metadata"]["classifiers"], flags=re.MULTILINE)
    assert metadata["options"]["python_requires"] == f">={supported[0]}"
    assert f"SUPPORTED := {' '.join(supported)}\n" in (ROOT / "Makefile").read_text()
    (matrix,) = re.findall(r"python: \[(.*)\]", (ROOT / ".github/workflows/ci.yml").read_text())
    assert re.findall(r"[\d.]+", matrix) == supported


def test_source_archives_of_the_same_files_are_the_same_bytes(tmp_path: Path) -> None:
    """Whenever and by whomever they were written, in whichever order; what a file says still counts."""
    script, packed = script_of("dist"), []
    for number, (names, content) in enumerate([("ab", "x"), ("ba", "x"), ("ab", "y")]):
        archive = tmp_path / f"{number}.tar.gz"
        with tarfile.open(archive, "w:gz") as written:
            for name in names:
                member = tarfile.TarInfo(f"graphcert-1/{name}")
                member.size, member.mtime, member.uid, member.uname = 1, 1000 + number, number, f"user{number}"
                written.addfile(member, io.BytesIO(content.encode()))
        script.without_traces(archive, epoch=10**9)
        packed.append(archive.read_bytes())
        with tarfile.open(archive) as again:
            assert {(each.name, each.mtime) for each in again} == {(f"graphcert-1/{name}", 10**9) for name in "ab"}
    assert packed[0] == packed[1] != packed[2]


def test_archives_that_leave_out_a_file_are_not_released() -> None:
    with pytest.raises(SystemExit, match=r"wheel: missing .'report\.html\.j2'., too many .'notes\.txt'"):
        script_of("dist").same("wheel", {"a.py", "report.html.j2"}, {"a.py", "notes.txt"})


def test_the_first_ten_minutes_are_those_of_the_readme() -> None:
    script, readme = script_of("first_ten_minutes"), ROOT / "README.md"
    (_, commands), *_ = script.blocks(script.section(readme, "Set up"), "bash")
    assert commands.splitlines()[0] == "make certify"
    ((_, program),) = script.blocks(script.section(readme, "Your own model"), "python")
    assert 'report="report.html"' in program
    assert 'print("certified ratio"' in program


def test_a_first_step_without_a_result_fails(tmp_path: Path) -> None:
    check = script_of("first_ten_minutes").check
    report = tmp_path / "runs" / "report.html"
    report.parent.mkdir()
    report.write_text("x" * 20_000)
    assert check("step", "certified ratio 0.9\n", tmp_path, 0.0) == "ratios up to 0.9, runs/report.html"
    assert check("step", "1 feature bit added  1,084  77.5%  76.8%\n", tmp_path, 0.0).startswith("ratios up to 0.775,")
    for printed, since in [("certified ratio 0.2\n", 0.0), ("done", 0.0), ("certified ratio 0.9\n", time.time() + 60)]:
        with pytest.raises(SystemExit, match="step: no "):
            check("step", printed, tmp_path, since)
    report.write_text("")
    with pytest.raises(SystemExit, match="step: no report, or an empty one"):
        check("step", "certified ratio 0.9\n", tmp_path, 0.0)


def test_text_files_end_with_one_newline_and_lines_without_spaces() -> None:
    """What the hooks of .pre-commit-config.yaml check, for those who do without them."""
    kinds = {".py", ".md", ".toml", ".cfg", ".txt", ".yml", ".yaml", ".cff", ".j2"}
    skipped = {"build", "runs", "wheels"}
    files = [path for path in ROOT.rglob("*") if path.suffix in kinds and not path.is_symlink()]
    for path in files:
        top = path.relative_to(ROOT).parts[0]
        if top in skipped or top.startswith(".venv") or top.endswith(".egg-info"):
            continue
        text = path.read_text(encoding="utf-8")
        assert not text or (text[-1] == "\n" and text[-2:] != "\n\n"), path
        assert not re.search(r"[ \t]$", text, flags=re.MULTILINE), path
