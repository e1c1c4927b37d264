"""Fuzz all readers of files for some time: `make fuzz`, or

    python tests/fuzz/fuzz_watch.py SECONDS SEED [KIND …]

Every kind is read by a process of its own (`fuzz_files.py`), which is ended when it hangs. Prints how many inputs were tried
per kind and what came of them. An input that crashes a reader is saved in tests/fuzz/crashes, where the tests read it again
from then on, and the exit status is 1.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from fuzz_files import KINDS, SECONDS
from fuzz_kind import CRASHES, HERE, written

_PROGRAM = HERE / "fuzz_files.py"
_TURN, _HANG = 60.0, 6 * SECONDS
"""Seconds for which one kind is read at a time, and those after which reading one file is given up."""


def watched(folder: Path, seed: str, count: int, seconds: float, names: list[str]) -> list[dict[str, Any]]:
    """What a process that reads inputs of these kinds prints, and how it ended if it did not end well."""
    (folder / "prints").write_bytes(b"")
    command = [sys.executable, str(_PROGRAM), str(folder), seed, str(count), str(seconds), *names]
    paths = [str(HERE.parents[1]), *(path for path in sys.path if path)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)}
    environment.pop("GRAPHCERT_MEMORY", None)
    with open(folder / "prints", "w") as out, open(folder / "errors", "w") as errors:
        process = subprocess.Popen(command, stdout=out, stderr=errors, env=environment)
        hung = _wait(process, folder)
    lines = [json.loads(line) for line in (folder / "prints").read_text().splitlines()]
    said = (folder / "errors").read_text()[-1500:]
    if "write_corpus.py" in said or (process.returncode and not (at := _newest(folder))):
        raise SystemExit(said)
    if process.returncode:
        ended = "reading hung" if hung else f"the process ended with {process.returncode}: {said}"
        done = {line["kind"] for line in lines if "inputs" in line}
        name = next(name for name in names or KINDS if name not in done)
        lines.append({"kind": name, "input": at.read_bytes().hex(), "outcome": ended})
    return lines


def _wait(process: subprocess.Popen[bytes], folder: Path) -> bool:
    """Wait for the end; True if it had to be brought about, because one input took too long."""
    began = time.time()
    while process.poll() is None:
        newest = _newest(folder)
        if time.time() - (newest.stat().st_mtime if newest else began) > _HANG:
            process.kill()
            process.wait()
            return True
        time.sleep(0.2)
    return False


def _newest(folder: Path) -> Path | None:
    """The input at hand."""
    return max(folder.glob("file*"), key=lambda path: path.stat().st_mtime, default=None)


def save(line: dict[str, Any]) -> str:
    """Keep an input that should not have had this outcome; where."""
    content = bytes.fromhex(line["input"])
    name = hashlib.sha256(content).hexdigest()[:16]
    written(CRASHES / line["kind"], {name: content})
    return f"{line['kind']}/{name}"


def campaign(seconds: float, seed: str, names: list[str]) -> dict[str, dict[str, Any]]:
    """The counts of every kind, after all have had their turns."""
    began, turn, total = time.monotonic(), min(_TURN, seconds / len(names)), dict[str, dict[str, Any]]()
    seen: set[str] = set()
    round_ = 0
    while round_ == 0 or time.monotonic() - began + turn * len(names) <= seconds:
        for name in names:
            with tempfile.TemporaryDirectory() as folder:
                lines = watched(Path(folder), f"{seed}/{round_}", sys.maxsize, turn, [name])
            row = total.setdefault(
                name, {"inputs": 0, "read": 0, "refused": 0, "violations": 0, "slowest": 0.0, "peak": 0}
            )
            for line in lines:
                if "input" in line:
                    row["violations"] += "inputs" not in lines[-1]  # else it is among the counts
                    if line["outcome"][-200:] not in seen:
                        print(f"{save(line)}: {line['outcome']}", flush=True)
                    seen.add(line["outcome"][-200:])
                else:
                    row |= {key: row[key] + line[key] for key in ("inputs", "read", "refused", "violations")}
                    row |= {key: max(row[key], line[key]) for key in ("slowest", "peak")}
        round_ += 1
    return total


def main(seconds: float, seed: str, names: list[str]) -> int:
    """Print the table; 1 if there was any violation."""
    if unknown := set(names) - set(KINDS):
        raise SystemExit(f"no such kind of files: {', '.join(sorted(unknown))}; there are {', '.join(KINDS)}")
    print(f"seed {seed}")
    total = campaign(seconds, seed, names)
    print(f"{'kind':<16}{'inputs':>10}{'read':>10}{'refused':>10}{'crashes':>9}{'slowest':>10}{'peak':>10}")
    for name, row in total.items():
        counts = f"{row['inputs']:>10,}{row['read']:>10,}{row['refused']:>10,}{row['violations']:>9}"
        print(f"{name:<16}{counts}{row['slowest']:>8.2f} s{row['peak'] / 2**30:>6.2f} GiB")
    inputs, crashes = (sum(row[key] for row in total.values()) for key in ("inputs", "violations"))
    print(f"{inputs:,} inputs, {crashes} crashes")
    return int(crashes > 0)


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), sys.argv[2], sys.argv[3:] or list(KINDS)))
