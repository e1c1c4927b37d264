"""What the benchmarks have in common on the command line."""

import argparse
import json
from collections.abc import Callable


def run(doc: str | None, measure: Callable[[bool], list[dict[str, object]]]) -> None:
    """Measure, quickly or not, and print a table or JSON."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, smaller cases")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    rows = measure(options.quick)
    if options.json:
        print(json.dumps(rows, indent=1))
        return
    for row in rows:
        print(f"{row['case']}\n  " + ", ".join(f"{key} {value}" for key, value in row.items() if key != "case"))
