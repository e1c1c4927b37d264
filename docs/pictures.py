"""Draw the pictures of the documentation from graphcert's own numbers: `python docs/pictures.py`.

Every drawing carries a light and a dark style. `python docs/pictures.py report` also makes the quickstart's report and
takes its picture, which needs chromium.
"""

import shutil
import subprocess
import sys
import tempfile
from html import escape
from pathlib import Path

import numpy as np

import graphcert as gc
from graphcert.tradeoff.half_spaces import DEFAULT_ORDERS, Order, order_eta, order_weight

FOLDER = Path(__file__).parent / "pictures"
WIDTH = 560
"""So narrow that text of 15 pixels is still read on a telephone."""

STYLE = """
  svg { --paper: #fff; --ink: #1b1b1b; --soft: #5f6670; --line: #b4bac2; --blue: #2f6db5; --green: #2e8b5b; --red: #c0432b;
        --gold: #c98a10; --box: #eef2f7; font: 15px system-ui, sans-serif; }
  @media (prefers-color-scheme: dark) {
    svg { --paper: #1e2129; --ink: #ececec; --soft: #a9b0bd; --line: #596172; --blue: #6ca6ea; --green: #5cc08d;
          --red: #ee7b63; --gold: #e6b34a; --box: #2a3042; }
  }
  text { fill: var(--ink); } .soft { fill: var(--soft); } .small { font-size: 13px; } .bold { font-weight: 600; }
  .mid { text-anchor: middle; } .end { text-anchor: end; } .line { stroke: var(--line); stroke-width: 1.5; fill: none; }
  .paper { fill: var(--paper); } .box { fill: var(--box); stroke: var(--line); } .blue { fill: var(--blue); }
  .green { fill: var(--green); } .red { fill: var(--red); } .gold { fill: var(--gold); }
  .empty { fill: none; stroke: var(--line); } .struck { stroke: var(--red); stroke-width: 2.5; fill: none; }
"""


def text(x: float, y: float, words: str, kind: str = "") -> str:
    """A line of text."""
    return f'<text x="{x:g}" y="{y:g}" class="{kind}">{escape(words)}</text>'


def box(x: float, y: float, width: float, height: float, kind: str, radius: float = 0) -> str:
    """A rectangle."""
    return f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius:g}" class="{kind}"/>'


def dot(x: float, y: float, radius: float, kind: str) -> str:
    """A disc."""
    return f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" class="{kind}"/>'


def line(*points: tuple[float, float], kind: str = "line") -> str:
    """A polygonal line."""
    return f'<polyline points="{" ".join(f"{x:g},{y:g}" for x, y in points)}" class="{kind}"/>'


def arrow(x: float, y: float) -> str:
    """An arrow down that ends at (x, y)."""
    return line((x, y - 16), (x, y)) + line((x - 5, y - 6), (x, y), (x + 5, y - 6))


def drawing(title: str, height: float, parts: list[str]) -> str:
    """An SVG file."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" role="img">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n{box(0, 0, WIDTH, height, 'paper', 8)}\n"
        + "\n".join(parts)
        + "\n</svg>\n"
    )


MAP = (
    ("I have", "a first quarter of an hour", "Quickstart, Concepts"),
    ("I have", "a model of torch_geometric", "Bring your own model"),
    ("I have", "images, points or graphs", "Tutorials, pages per input"),
    ("I ask", "what noise, how many votes", "Choosing"),
    ("I ask", "why so little is certified", "Questions and answers"),
    ("I ask", "how many labels fall at once", "Collective certificates"),
    ("I got", "a report, or a run folder", "Reading a report, Verification"),
    ("I doubt", "a claim", "What is guaranteed, Attacks"),
    ("I doubt", "a formula", "Theory"),
    ("I write", "Python", "API, Docstrings"),
    ("I write", "about it, and compare", "Comparison, Glossary"),
)


def draw_map() -> str:
    """Which page answers what."""
    parts, before = [], ""
    for row, (who, what, page) in enumerate(MAP):
        y = 22 + 34 * row
        if who != before:
            parts.append(text(16, y + 19, who, "bold"))
        parts += [text(86, y + 19, what), box(318, y, 228, 27, "box", 6), text(330, y + 18, page, "small")]
        before = who
    return drawing("Which page answers which question", 34 * len(MAP) + 36, parts)


def draw_smoothing() -> str:
    """From a graph to a certificate."""
    steps = (
        ("your graph and your model", "neither is changed nor analysed"),
        ("random noise, thousands of times", "every noisy graph is classified by your model"),
        ("votes", "how often each node got each class: all that is kept"),
        ("a lower bound of the label's probability", "Clopper–Pearson, for all nodes together"),
        ("against the worst change within the budget", "exact trade-off of the noise (Neyman and Pearson)"),
        ("certified, or not proved", "a label that no change within the budget can move"),
    )
    parts = []
    for row, (name, words) in enumerate(steps):
        y = 14 + 74 * row
        parts += [
            box(60, y, 440, 54, "box", 8),
            text(280, y + 23, name, "mid bold"),
            text(280, y + 43, words, "mid small soft"),
        ]
        if row:
            parts.append(arrow(280, y - 2))
    return drawing("How a smoothed classifier is certified", 74 * len(steps) + 8, parts)


def draw_budget() -> str:
    """Bits and edges before and after a perturbation, and what it costs."""
    rng = np.random.default_rng(3)
    clean = (rng.random((5, 8)) < 0.35).astype(int)
    changed = clean.copy()
    row, column = np.argwhere(clean == 0)[4]
    changed[row, column] = 1
    ones = np.argwhere(clean == 1)[[3, 8]]
    changed[tuple(ones.T)] = 0
    places = [(40, 40), (120, 20), (190, 70), (150, 140), (60, 130)]
    edges, added, deleted = [(0, 1), (1, 2), (2, 3), (3, 4)], (0, 3), (0, 4)
    parts = []
    for number, (title, bits) in enumerate((("the clean graph", clean), ("a changed one", changed))):
        left = 24 + 276 * number
        parts.append(text(left, 30, title, "bold"))
        for y in range(5):
            for x in range(8):
                kind = "empty" if not bits[y, x] else "blue" if clean[y, x] == bits[y, x] else "gold"
                parts.append(box(left + 27 * x, 48 + 27 * y, 23, 23, kind, 3))
                if bits[y, x] < clean[y, x]:
                    a, b = left + 27 * x, 48 + 27 * y
                    parts.append(line((a + 4, b + 4), (a + 19, b + 19), kind="struck"))
                    parts.append(line((a + 19, b + 4), (a + 4, b + 19), kind="struck"))
        shown = [(u, v, "line") for u, v in edges]
        shown += [(*deleted, "line")] if number == 0 else [(*added, "struck")]
        for u, v, kind in shown:
            (a, b), (c, d) = places[u], places[v]
            parts.append(line((left + a, 200 + b), (left + c, 200 + d), kind=kind))
        parts += [dot(left + a, 200 + b, 9, "blue") for a, b in places]
    counts = int((changed > clean).sum()), int((changed < clean).sum())
    parts.append(
        text(280, 388, f"Budget: {counts[0]} bit added, {counts[1]} bits deleted, 1 edge added, 1 edge deleted.", "mid")
    )
    parts.append(text(280, 410, "The adversary may spend it anywhere, on whichever nodes it likes.", "mid small soft"))
    return drawing("What a budget counts", 424, parts)


def draw_collective() -> str:
    """A path of six nodes: each by itself against the whole budget, and all against one perturbation."""
    edges = np.array([[0, 1, 2, 3, 4], [1, 2, 3, 4, 5]])
    grid = np.arange(4) < np.array([3, 2, 2, 2, 2, 3])[:, None]
    field = gc.receptive_field(edges, layers=1, axis="feature_add")
    budgets = range(1, 5)
    together = gc.collective_strictly_local(grid, ["feature_add"], [field], budgets=budgets, integer=True)
    alone = gc.naive_bound(grid, ["feature_add"], [field], budgets=budgets)
    assert (together.gap == 0).all()
    parts = [text(24, 30, "Six nodes on a path. Each sees itself and its neighbours.", "bold")]
    for node in range(6):
        x = 70 + 84 * node
        if node:
            parts.append(line((x - 71, 62), (x - 13, 62)))
        parts += [dot(x, 62, 13, "blue"), text(x, 98, f"bears {2 if node in (0, 5) else 1}", "mid small soft")]
    parts += [
        text(24, 136, "changes", "small soft"),
        text(116, 136, "each alone", "small soft"),
        text(338, 136, "all against one perturbation", "small soft"),
    ]
    for row, budget in enumerate(budgets):
        y = 164 + 32 * row
        parts.append(text(46, y + 5, str(budget), "bold"))
        for left, curve in ((122, alone), (344, together)):
            kept = int(curve.certified[row])
            parts += [dot(left + 24 * k, y, 9, "green" if k < kept else "empty") for k in range(6)]
            parts.append(text(left + 146, y + 5, f"{kept} of 6"))
    parts.append(
        text(24, 300, "One perturbation cannot be everywhere: it breaks some nodes and leaves the", "small soft")
    )
    parts.append(
        text(24, 318, "others. Counted per node, each node faces a perturbation made for it alone.", "small soft")
    )
    return drawing("Per node and collective", 332, parts)


NEAR, FAR, SAMPLES, TARGETS = gc.BernoulliFlip(0.01, 0.5), gc.BernoulliFlip(0.05, 0.8), 10_000, 1_000
"""Two levels of noise, and the votes of the picture of half-spaces: unanimous."""


def proved(operation: str, near: int, far: int) -> tuple[bool, bool, bool]:
    """Whether the exact trade-off, eight half-spaces and the one of order 2 prove that the label survives these changes."""
    p_lower = gc.statistics.clopper_pearson_lower(SAMPLES, SAMPLES, 0.01 / TARGETS)
    axis = ("add", "delete").index(operation)
    exact = p_lower > (gc.trade_off(NEAR, **{operation: near}) * gc.trade_off(FAR, **{operation: far})).critical

    def crossed_by_none(orders: tuple[Order, ...]) -> bool:
        return any(
            order_weight(NEAR, *order)[axis] * near + order_weight(FAR, *order)[axis] * far < order_eta(p_lower, *order)
            for order in orders
        )

    return exact, crossed_by_none(DEFAULT_ORDERS), crossed_by_none((Order(2.0),))


def draw_exact() -> str:
    """What is proved about every way to spend changes near and far, exactly and by half-spaces."""
    parts = []
    for left, operation, rows, columns, step in ((52, "add", 5, 19, 12), (316, "delete", 11, 19, 12)):
        found = np.array([[proved(operation, near, far) for far in range(columns)] for near in range(rows)])
        exact, eight, one = (int(n) for n in found.sum(axis=(0, 1)))
        assert not (found[..., 1] & ~found[..., 0]).any()
        assert not (found[..., 2] & ~found[..., 1]).any()
        parts.append(text(left, 30, f"bits {operation}{'ed' if operation == 'add' else 'd'}", "bold"))
        for near in range(rows):
            y = 200 - 14 * near
            parts.append(text(left - 8, y + 4, str(near), "end small soft") if near % 2 == 0 else "")
            for far in range(columns):
                kind = next(
                    (k for k, holds in zip(("blue", "green", "gold"), found[near, far, ::-1], strict=True) if holds),
                    "empty",
                )
                parts.append(dot(left + 4 + step * far, y, 4.5 if kind != "empty" else 1.6, kind))
        parts += [text(left + 4 + step * far, 222, str(far), "mid small soft") for far in range(0, columns, 6)]
        parts.append(text(left + step * columns / 2, 242, "changes far away", "mid small soft"))
        for row, (kind, words) in enumerate(
            (
                ("blue", f"order 2 (published): {one}"),
                ("green", f"eight orders: {eight}"),
                ("gold", f"exact: {exact} allocations"),
            )
        ):
            parts += [dot(left + 4, 268 + 22 * row, 5, kind), text(left + 18, 273 + 22 * row, words, "small")]
    parts.append('<text transform="translate(16 168) rotate(-90)" class="small soft mid">changes nearby</text>')
    return drawing("What half-spaces miss", 330, [part for part in parts if part])


DRAWINGS = {
    "map": draw_map, "smoothing": draw_smoothing, "budget": draw_budget, "collective": draw_collective, "exact": draw_exact,
}  # fmt: skip


def picture_of_report(target: Path) -> None:
    """The upper part of the report of the README's first command."""
    from PIL import Image

    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("the picture of the report needs chromium; install it, or leave `report` out")
    with tempfile.TemporaryDirectory() as folder:
        run, shot = Path(folder, "run"), Path(folder, "shot.png")
        command = f"certify --dataset digits --model gcn --add 0.02 --delete 0.3 --samples 10000 --seed 0 --out {run}"
        start = "from graphcert.cli import main; main()"
        subprocess.run([sys.executable, "-c", start, *command.split()], check=True)
        page = f"file://{run / 'report.html'}"
        browser = [
            chromium,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--window-size=1000,1010",
        ]
        subprocess.run([*browser, f"--screenshot={shot}", page], check=True, capture_output=True)
        Image.open(shot).convert("P", palette=Image.Palette.ADAPTIVE, colors=64).save(target, optimize=True)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, draw in DRAWINGS.items():
        (FOLDER / f"{name}.svg").write_text(draw(), encoding="utf-8")
    if "report" in sys.argv[1:]:
        picture_of_report(FOLDER / "report.png")
