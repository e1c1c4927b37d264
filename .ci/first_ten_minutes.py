"""A user's first ten minutes, timed: `make first-ten-minutes`.

    python first_ten_minutes.py [--repository ADDRESS] [--tutorial PAGE] [--limit SECONDS]

Clones the repository into an empty folder and does what its pages say, word for word: `make certify`, the example of an
own model of README.md, and a tutorial. Nothing outside of the clone is used but git, make, Python and the package index that
pip is set up with; the home folder is an empty one, so there are no caches. Every step must print a certified ratio of at
least a half and leave a report that is not empty. Exit status 1 if one does not, or if all of them take longer than the
limit. Processor seconds stand beside those of the clock, which a busy machine makes longer.
"""

import argparse
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STATED, TABULATED = r"certified (?:ratio )?(?:≈ )?(\d\.\d+)", r"(\d+\.\d) ?%"
"""How examples state certified ratios, and how tables of runs do."""


def section(page: Path, heading: str) -> str:
    """The text below a heading."""
    parts = re.split(r"^## (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))[heading]


def blocks(text: str, languages: str) -> list[tuple[str, str]]:
    """(language, content) of the fenced blocks in these languages, in their order."""
    return re.findall(rf"^```({languages})\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def run(clone: Path, language: str, content: str, environment: dict[str, str]) -> str:
    """What the commands, or the program, print; stops if they fail."""
    command = ["bash", "-e", "-c", content] if language == "bash" else [str(clone / ".venv/bin/python"), "-c", content]
    done = subprocess.run(
        command, cwd=clone, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode:
        raise SystemExit(f"{done.stdout}\n{content}\nfailed with exit status {done.returncode}")
    return done.stdout


def check(name: str, printed: str, clone: Path, since: float) -> str:
    """The largest ratio that was printed, and the reports that were written since then."""
    ratios = [float(number) for number in re.findall(STATED, printed)]
    ratios = ratios or [float(number) / 100 for number in re.findall(TABULATED, printed)]
    if max(ratios, default=0) < 0.5:
        raise SystemExit(f"{printed}\n{name}: no certified ratio of at least a half was printed")
    written = [path for path in clone.glob("**/report.html") if path.stat().st_mtime >= since]
    if not written or any(path.stat().st_size < 10_000 for path in written):
        raise SystemExit(f"{printed}\n{name}: no report, or an empty one")
    return f"ratios up to {max(ratios):g}, {', '.join(str(path.relative_to(clone)) for path in written)}"


def processor() -> float:
    """Processor seconds of all commands that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Run and time the steps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repository", default=str(ROOT), help="what git clones; by default the checkout itself")
    parser.add_argument("--tutorial", default="docs/tutorials/flips.md", help="a page of the repository")
    parser.add_argument("--limit", type=float, default=600.0, help="seconds that all steps may take together")
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        home, clone = Path(folder) / "home", Path(folder) / "graphcert"
        home.mkdir()
        subprocess.run(["git", "clone", "--quiet", options.repository, clone], check=True)
        print(f"{time.monotonic() - began:7.1f} s  git clone", flush=True)
        kept = {
            name: value for name, value in os.environ.items() if name.startswith("PIP_") or name in ("LANG", "PYTHON")
        }
        environment = {**kept, "HOME": str(home), "PATH": f"{clone / '.venv/bin'}:{os.environ['PATH']}"}
        set_up, own = (section(clone / "README.md", heading) for heading in ("Set up", "Your own model"))
        steps = {
            "README.md, set up": [
                ("bash", blocks(set_up, "bash")[0][1].splitlines()[0])
            ],  # the other one is `make test`
            "README.md, own model": blocks(own, "python"),
            options.tutorial: blocks((clone / options.tutorial).read_text(encoding="utf-8"), "python|bash"),
        }
        for name, todo in steps.items():
            since, clock, used = time.time() - 1, time.monotonic(), processor()
            # The blocks of Python of a page are one program; its commands come after them.
            program = "".join(content for language, content in todo if language == "python")
            printed = run(clone, "python", program, environment) if program else ""
            printed += "".join(
                run(clone, "bash", content, environment) for language, content in todo if language == "bash"
            )
            said = check(name, printed, clone, since)
            print(
                f"{time.monotonic() - clock:7.1f} s  {name} ({processor() - used:.1f} s of processors): {said}",
                flush=True,
            )
    total = time.monotonic() - began
    print(f"{total:7.1f} s  in all, of {options.limit:g}")
    if total > options.limit:
        sys.exit(1)


if __name__ == "__main__":
    main()
