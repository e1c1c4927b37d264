"""`python tests/guarantees [--runs R] [--seed S]`: the table of false claims, and what two planted mistakes do to it."""

import argparse
import sys

import numpy as np
from counted_runs import FALSE_ALARM, Count, counted, honest, line, shared_pilot, undivided
from guarantee_cases import ALPHA, Case
from guarantee_table import CASES


def shown(case: Case, found: Count) -> Count:
    """Print a row of the table, and hand the count on."""
    print(line(case, found), flush=True)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python tests/guarantees", description="Count runs with a false claim.")
    parser.add_argument("--runs", type=int, default=4_000, help="repetitions per case")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    rng, good = np.random.default_rng(asked.seed), True
    print(
        f"Runs with any false claim; alpha = {ALPHA}, exact 99 % intervals, false alarms {FALSE_ALARM:g} for all cases"
    )
    for case in CASES:
        good &= not shown(case, counted(case, asked.runs, rng, honest)).accused
    print("Planted: every claim spends the whole of alpha")
    for case in (one for one in CASES if not one.idle):
        good &= shown(case, counted(case, asked.runs, rng, undivided)).accused
    print("Planted: the votes that bound the label have chosen it")
    case = next(one for one in CASES if one.name == "a tie of two classes")
    good &= shown(case, counted(case, 3 * asked.runs, rng, shared_pilot)).accused
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
