"""Read changed files one after the other, within limits: every one must end in graphcert's own error or in valid content.

    python tests/fuzz/fuzz_files.py FOLDER SEED COUNT SECONDS [KIND …]

tries COUNT inputs of every kind (or of the kinds named), or as many as it can in so many seconds each: the whole files of
the corpus, what once crashed, and changes of whole files. It prints JSON: one line per violation and one with the counts of
every kind. An input that leads to an answer not yet seen is itself changed further. The input at hand stands in FOLDER, so
that whoever watches (`fuzz_watch.py`) knows what killed this process.
"""

import json
import random
import resource
import signal
import sys
import time
import traceback
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from fuzz_checks import CHECKS
from fuzz_graphs import GRAPHS
from fuzz_kind import CRASHES, Kind, files_below
from fuzz_mutations import Generator, damage
from fuzz_results import RESULTS
from fuzz_runs import RUNS

from graphcert.errors import GraphcertError

SECONDS, MEMORY = 20, 4 * 2**30
KINDS = {**GRAPHS, **RESULTS, **RUNS, **CHECKS}
_FURTHER = 60
"""How many inputs of new answers are kept at most, to be changed further; they grow no more than twofold."""


class TooSlow(BaseException):
    """Reading took longer than `SECONDS` of computing; a busy machine does not count."""


def too_slow(*_: object) -> None:
    raise TooSlow


def outcome(kind: Kind, path: Path) -> str:
    """What came of reading a file: "read", "refused: …", or what should not have happened."""
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        kind.read(path)
        return "read"
    except GraphcertError as error:
        return f"many lines: {error}" if "\n" in str(error) else f"refused: {error}"
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return "".join(traceback.format_exception(error)[-4:])[-1500:]
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


class Samples:
    """Whole files of a kind, and those of their changes that made a reader say something new."""

    def __init__(self, kind: Kind, wholes: dict[str, bytes]) -> None:
        self.kind, self.wholes, self.further = kind, list(wholes.values()), list[bytes]()
        self.answers: set[str] = set()

    def next(self, rng: Generator) -> bytes:
        """The next input."""
        content = rng.choice(self.further if self.further and rng.random() < 0.3 else self.wholes)
        if rng.random() < 0.6:
            with suppress(Exception):  # what is damaged already cannot be changed by its meaning
                return self.kind.changed(rng, content)
        return damage(rng, content)

    def learn(self, content: bytes, answer: str) -> None:
        """Keep an input whose answer is new, numbers and names apart."""
        words = "".join(c for c in answer if c.isalpha() or c == " ")
        if words not in self.answers and len(content) <= 2 * max(map(len, self.wholes)) + 2**10:
            self.further = [*self.further[-_FURTHER:], content]
        self.answers.add(words)


class Trial:
    """One kind of files, read input by input; violations are printed as they are found."""

    def __init__(self, name: str, folder: Path) -> None:
        self.kind = KINDS[name]
        self.path = folder / f"file{self.kind.suffix}"
        self.samples = Samples(self.kind, self.kind.samples(name))
        self.counts: dict[str, Any] = {
            "kind": name, "inputs": 0, "read": 0, "refused": 0, "violations": 0, "slowest": 0.0,
        }  # fmt: skip

    def read(self, content: bytes) -> str:
        """Read one input, count what came of it, and learn from it."""
        self.path.write_bytes(content)
        start = time.process_time()
        found = outcome(self.kind, self.path)
        self.counts["slowest"] = max(self.counts["slowest"], time.process_time() - start)
        self.counts["inputs"] += 1
        self.samples.learn(content, found)
        word = found.partition(":")[0]
        self.counts[word if word in ("read", "refused") else "violations"] += 1
        if word not in ("read", "refused"):
            print(json.dumps({"kind": self.counts["kind"], "input": content.hex(), "outcome": found}), flush=True)
        return found


def fuzz(folder: Path, seed: str, count: int, seconds: float, wanted: list[str]) -> None:
    """Print one line per violation, and one with the counts of every kind."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.signal(signal.SIGPROF, too_slow)
    for name in wanted or list(KINDS):
        trial, rng, began = Trial(name, folder), random.Random(f"{seed}/{name}"), time.monotonic()
        for whole in trial.samples.wholes:
            if (found := trial.read(whole)) != "read":
                raise SystemExit(
                    f"a sample of {name} is not read: {found}; write them anew: tests/fuzz/write_corpus.py"
                )
        for _, known in files_below(CRASHES / name):
            trial.read(known)
        while trial.counts["inputs"] < count and time.monotonic() - began < seconds:
            trial.read(trial.samples.next(rng))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps({**trial.counts, "answers": len(trial.samples.answers), "peak": peak}), flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    fuzz(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), sys.argv[5:])
