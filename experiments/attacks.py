"""Certificate and attack side by side, on Cora-ML and Citeseer under three kinds of noise.

    python experiments/attacks.py --out experiments/attacks.md

Every run takes 2,000 samples. Searches score graphs by 30 samples; what they find is judged by 500 fresh ones. With
`--fast` the graphs are synthetic and small.
"""

import argparse
import time
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import graphcert as gc
from graphcert.attacks.methods import Effort
from graphcert.report.frame.wording import budget_words
from graphcert.run.attack import AttackSettings, attack_run
from graphcert.run.nodes import Run
from graphcert.run.settings.graph_run import RunConfig

warnings.simplefilter("ignore", gc.errors.OutOfReachWarning)
SCHEMES = {
    "GCN, isotropic feature flips": {
        "model": {"name": "gcn"}, "smoothing": {"features": {"add": 0.01, "delete": 0.6}},
    },
    "APPNP, localized feature flips": {
        "model": {"name": "appnp"},
        "smoothing": {"clusters": 5, "features": {"add": [0.05, 0.08], "delete": [0.65, 0.95]}},
        "collective": {"time_limit": 5.0, "sweeps": [{"add": "2,4"}, {"delete": "4,8"}]},
    },
    "GCN, deleted edges": {"model": {"name": "gcn"}, "smoothing": {"edges": {"add": 0.0, "delete": 0.4}}},
}  # fmt: skip
SMALL = {"name": "synthetic", "options": {"nodes": 150, "classes": 3, "features": 30}}
HEADER = (
    "| data set | noise | budget | targets | certified, each alone | survive, each alone | certified at once | "
    "survive one attack | judged |\n|---|---|---|--:|--:|--:|--:|--:|--:|"
)


def attacked(folder, dataset, scheme, seconds, samples, workers):
    """Certify a new run and attack it; the record, and the seconds of both."""
    settings = {"dataset": dataset, "sampling": {"samples": samples, "pilot_samples": 200}, **SCHEMES[scheme]}
    run, began = Run(folder, workers=workers), time.perf_counter()
    run.all_stages(RunConfig.from_dict(settings))
    certified = time.perf_counter()
    effort = Effort(samples=30, tries=4, rounds=3)
    options = {"targets": 2, "samples": 500, "pilot_samples": 100, "seconds": seconds, "effort": effort}
    record = attack_run(run, AttackSettings(**options))
    return record, certified - began, time.perf_counter() - certified


def lines_of(dataset, scheme, record):
    for row in record.rows:
        numbers = (row.targets, row.certified, row.surviving, row.certified_at_once, row.surviving_at_once)
        cells = " | ".join(f"{count:,}" for count in (*numbers, row.perturbations))
        yield f"| {dataset} | {scheme} | {budget_words(row.budget)} | {cells} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("attacks.md"))
    parser.add_argument("--seconds", type=float, default=120.0, help="for the searches of each run")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--only", help="one data set")
    parser.add_argument("--fast", action="store_true", help="small synthetic graphs, a few seconds each")
    given = parser.parse_args()
    datasets = [SMALL] if given.fast else [{"name": name} for name in ("cora_ml", "citeseer")]
    samples, seconds = (500, 2.0) if given.fast else (2000, given.seconds)
    table, notes, defects, gaps = [HEADER], [], 0, []
    for dataset in datasets:
        for scheme in SCHEMES if given.only in (None, dataset["name"]) else ():
            with TemporaryDirectory() as place:
                record, *took = attacked(Path(place) / "run", dataset, scheme, seconds, samples, given.workers)
            table += lines_of(dataset["name"], scheme, record)
            print("\n".join(table[-len(record.rows) :]), flush=True)
            defects, gaps = defects + len(record.violations), [*gaps, record.smallest_gap]
            notes.append(f"{dataset['name']}, {scheme}: {took[0]:.0f} s to certify, {took[1]:.0f} s of attacks")
    closing = f"Claims refuted: {defects}. Smallest gap: {min(gaps, default=0):,} targets.\n\n" + "; ".join(notes) + "."
    given.out.write_text("\n".join(table) + f"\n\n{closing}\n", encoding="utf-8")
    print(closing)


if __name__ == "__main__":
    main()
