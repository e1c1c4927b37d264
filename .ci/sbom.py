"""Write a bill of materials (CycloneDX 1.6, JSON) of an installed environment and of the data sets: `make sbom`.

    python sbom.py PYTHON SBOM LOCK …

PYTHON is the interpreter of the environment, SBOM the file to write, LOCK the locks by whose hashes it was installed. This
runs in an environment of its own, so that the tool is no part of what it describes.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

INSTALLED = """
import hashlib, importlib.metadata, json
from dataclasses import asdict
from graphcert.data.registry import REGISTRY
records = {}
for one in importlib.metadata.distributions():
    record = one.read_text("RECORD")
    if record:
        records[one.name] = hashlib.sha256(record.encode()).hexdigest()
entries = [{"name": one.name, "source": one.source, "licence": one.licence, "files": [asdict(file) for file in one.files]}
           for one in REGISTRY.values() if one.files]
print(json.dumps({"records": records, "data": entries}))
"""
"""Run by the interpreter of the environment: a digest of what every package installed, and the published data sets."""

RECORD = "graphcert:sha256-of-RECORD"
"""The property of a component that digests the list of its installed files, each of which has its own hash there."""


def normal(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(text: str) -> dict[str, tuple[str, list[str]]]:
    """Version and sha256 of the admitted files, by package."""
    found = re.findall(r"^([\w.-]+)==([^\s;]+)((?:[^\n]*\\\n)+[^\n]*)", text, flags=re.MULTILINE)
    return {normal(name): (version, re.findall(r"sha256:([0-9a-f]{64})", rest)) for name, version, rest in found}


def completed(bom: dict[str, Any], locks: str, installed: dict[str, Any]) -> dict[str, Any]:
    """The bill of the packages with their hashes, and with the data sets."""
    known = locked(locks)
    records = {normal(name): digest for name, digest in installed["records"].items()}
    for component in bom["components"]:
        name = normal(component["name"])
        version, digests = known.get(name, (None, []))
        if version == component.get("version"):
            hashes = [{"alg": "SHA-256", "content": digest} for digest in digests]
            source = {"type": "distribution", "url": f"https://pypi.org/simple/{name}/", "hashes": hashes}
            component.setdefault("externalReferences", []).append(
                {**source, "comment": "hashes of the files that the lock admits"}
            )
        if name in records:
            component.setdefault("properties", []).append({"name": RECORD, "value": records[name]})
    bom["components"] += [_data_file(entry, file) for entry in installed["data"] for file in entry["files"]]
    return bom


def _data_file(entry: dict[str, Any], file: dict[str, Any]) -> dict[str, Any]:
    """A published file of a data set."""
    return {
        "type": "data", "bom-ref": f"data:{file['path']}", "name": file["path"], "version": file["sha256"][:12],
        "description": f"data set {entry['name']}: {entry['source']}", "licenses": [{"license": {"name": entry["licence"]}}],
        "hashes": [{"alg": "SHA-256", "content": file["sha256"]}],
        "externalReferences": [{"type": "distribution", "url": file["url"]}],
    }  # fmt: skip


def main(python: str, target: Path, locks: list[str]) -> None:
    """Write the bill, after checking it against the schema of CycloneDX."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    environment = [sys.executable, "-m", "cyclonedx_py", "environment", "--sv", "1.6", "--output-reproducible", python]
    bom, installed = (
        json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        for command in (environment, [python, "-c", INSTALLED])
    )
    text = json.dumps(completed(bom, "\n".join(Path(lock).read_text() for lock in locks), installed), indent=1) + "\n"
    problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if problem is not None:
        raise SystemExit(f"the bill of materials does not fit the schema: {problem}")
    target.write_text(text)
    print(f"{target}: {len(bom['components'])} components")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
