"""Whether parallel tests disturb the clock: p50 of every cell under `-n auto` against `-n 0`, alternated.

    python bench/interference.py [--suite suites/digits] [--runs 5]

Prints the median over the runs of p50(-n auto) / p50(-n 0) per cell, worst first. Under `-n auto` there is always heavy
work that could disturb a timed section: both run all tests, and measure accuracy anew each time.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path


def p50(suite: str, workers: str, folder: Path) -> dict[str, float]:
    """The p50 of every cell in one run, milliseconds per call."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        suite,
        "-q",
        "--qg-fresh",
        "-n",
        workers,
        "--qg-results-dir",
        str(folder),
    ]
    subprocess.run(command, stdout=subprocess.DEVNULL)
    cells = json.loads((folder / "results.json").read_text())["cells"]
    return {cell["id"]: cell["metrics"]["latency_p50_ms"] for cell in cells if "latency_p50_ms" in cell["metrics"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", default="suites/digits")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    ratios: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        for number in range(options.runs):
            order = ["auto", "0"] if number % 2 else ["0", "auto"]
            found = {workers: p50(options.suite, workers, Path(name, workers)) for workers in order}
            for cell, alone in found["0"].items():
                ratios.setdefault(cell, []).append(found["auto"][cell] / alone)
    for cell, values in sorted(ratios.items(), key=lambda item: -abs(statistics.median(item[1]) - 1)):
        print(f"{statistics.median(values):.3f}  {cell}  ({' '.join(f'{value:.3f}' for value in values)})")


if __name__ == "__main__":
    main()
