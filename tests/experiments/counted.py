"""A small experiment that writes down which cells it measured; other processes can import it."""

from pathlib import Path

from graphcert.experiments.experiment import Cell, Experiment, Front, Lines, Published, Row, Table


def cells(fast: bool, seeds: int) -> list[Cell]:
    return [
        {"kind": kind, "size": size, "seed": seed}
        for seed in range(seeds)
        for kind in "ab"
        for size in range(1 if fast else 3)
    ]


def measure(cell: Cell, workers: int | None) -> list[Row]:
    value = (0.1 if cell["kind"] == "a" else 0.3) * cell["size"] + 0.01 * cell["seed"]
    return [{**cell, "value": value, "other": 1 - value}]


def noted(cell: Cell, workers: int | None) -> list[Row]:
    log = Path("measured.txt")
    before = log.read_text() if log.exists() else ""
    log.write_text(f"{before}{cell['kind']}{cell['size']}{cell['seed']} ")
    if f"{cell['kind']}{cell['size']}" == "b1" and not Path("well.txt").exists():
        raise KeyboardInterrupt
    return measure(cell, workers)


def experiment(measured=measure) -> Experiment:
    return Experiment(
        name="small", title="A small one", paper="Nobody", cells=cells, measure=measured,
        tables=(Table("Values", ("kind",), "size", "value", percent=False), Table("Shares", ("kind",), "size", "other")),
        plots=(
            Lines("lines", "Values by size", "size", "value", "kind", "kind"),
            Front("front", "One against the other", "other", "value", "kind", "kind", "size"),
        ),
        published=(Published("values", "a paper", ("kind", "1"), (("a", "7"),)),),
        setting="Nothing is set.", findings=lambda rows: [f"There are {len(rows)} rows."],
    )  # fmt: skip
