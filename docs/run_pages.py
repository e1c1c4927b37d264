"""Run the Python of Markdown pages, and write below each block what it printed.

    python docs/run_pages.py PAGE …

A page is one program: its blocks of Python run in order and share their names. A block of text that is the next one after a
block of Python holds what that printed. Numbers after ≈ depend a little on the processor, so `agree` lets them
differ by 0.05.
"""

import contextlib
import io
import re
import sys
from pathlib import Path

BLOCK = re.compile(r"^```(?P<language>[^\n]*)\n(?P<content>.*?)^```$", flags=re.MULTILINE | re.DOTALL)
ABOUT = re.compile(r"≈ (\d+(?:\.\d+)?)")


def run_page(text: str, name: str) -> tuple[str, str]:
    """The page with the output of this run in place of the one that it shows, and all that was printed."""
    namespace: dict[str, object] = {}
    everything, pending, end, written = "", None, 0, ""
    for block in BLOCK.finditer(text):
        written += text[end : block.start()]
        shown, end = block[0], block.end()
        if block["language"] == "python":
            # Padded, so that a traceback names the line of the page.
            source = "\n" * (text[: block.start()].count("\n") + 1) + block["content"]
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                exec(compile(source, name, "exec"), namespace)
            pending = printed.getvalue()
            everything += pending
        else:
            if block["language"] == "text" and pending is not None:
                shown = f"```text\n{pending}```"
            pending = None
        written += shown
    return written + text[end:], everything


def agree(shown: str, again: str) -> bool:
    """Whether two versions of a page are the same up to numbers after ≈."""
    pairs = zip(ABOUT.findall(shown), ABOUT.findall(again), strict=False)
    return ABOUT.sub("≈", shown) == ABOUT.sub("≈", again) and all(abs(float(a) - float(b)) <= 0.05 for a, b in pairs)


if __name__ == "__main__":
    for page in map(Path, sys.argv[1:]):
        before = page.read_text(encoding="utf-8")
        after, _ = run_page(before, str(page))
        if not agree(before, after):
            page.write_text(after, encoding="utf-8")
            print(f"{page}: written anew")
