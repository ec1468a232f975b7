"""`quantgate doctor`, `compare`, `explain`, `anchor`, `selfcheck`, `sensitivity`.

Exit codes: 0 fine, 1 regression, 2 usage or unreadable input."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness import __version__
from harness.errors import CellError, ConfigError, Unavailable

EPILOG = """Suites run under pytest: `pytest suites/digits -n auto`; `pytest --help` lists quantgate's --qg- options."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The console script."""
    parser = argparse.ArgumentParser("quantgate", description="A gate for quantized object detectors.", epilog=EPILOG)
    parser.add_argument("--version", action="version", version=f"quantgate {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    doctor = commands.add_parser("doctor", help="what this machine can run, and where weights and data are looked for")
    doctor.set_defaults(run=lambda options: run_doctor())
    comparing = commands.add_parser(
        "compare", help="two results or baseline folders side by side; exit 1 on a regression",
        description="A and B are each a results.json, a results folder (.quantgate) or a baselines folder. "
        "B is judged against A by B's own baseline gates, else by: mAP −0.002, size +1 %%.",
    )  # fmt: skip
    comparing.add_argument("a", metavar="A", type=Path, help="what was accepted")
    comparing.add_argument("b", metavar="B", type=Path, help="what is new")
    comparing.set_defaults(run=lambda options: run_compare(options.a, options.b))
    sweep = commands.add_parser(
        "sensitivity", help="which layers lose how much in int8, ranked",
        description="Quantizes one group of layers at a time, all else in float, and judges each network on images of "
        "the train split that calibration has not seen. Weights and data are found as in a suite: by path, or by name "
        "in QUANTGATE_WEIGHTS and QUANTGATE_DATA.",
    )  # fmt: skip
    sweep.add_argument("model", metavar="MODEL", help="a checkpoint, by path or name")
    sweep.add_argument("--backend", default="onnxruntime", help="onnxruntime, the only one so far")
    sweep.add_argument("--data", required=True, help="a data set with a train split, by path or name")
    sweep.add_argument("--calibration", type=Path, help="other images to calibrate on: a data set or a folder")
    sweep.add_argument("--limit", type=int, default=64, help="judge on so many images, 0 for all (64)")
    sweep.add_argument("--imgsz", type=int, default=640, help="side of the network input (640)")
    sweep.add_argument("--scored", action="store_true", help="judge on the val split; then it is no test any more")
    sweep.set_defaults(run=run_sensitivity)
    _add_explain(commands)
    _add_anchor(commands)
    _add_selfcheck(commands)
    options = parser.parse_args(arguments)
    try:
        return int(options.run(options))
    except (ConfigError, Unavailable, CellError) as error:
        print(f"quantgate: {error}", file=sys.stderr)
        return 2


def _add_explain(commands: Any) -> None:
    explaining = commands.add_parser(
        "explain", help="where the accuracy of a cell went: stages, kinds of error, classes, images, layers",
        description="Swaps one stage at a time between the fp32 PyTorch pipeline and the cell's, and ranks the layers "
        "of int8 by the noise they add. In a run, --qg-explain does so for every cell that an accuracy gate fails.",
    )  # fmt: skip
    explaining.add_argument("cell", metavar="CELL", help="its id, as the table and the tests name it")
    explaining.add_argument("--suite", type=Path, default=Path("suites"), help="file or folder of suites (suites)")
    explaining.add_argument("--images", type=int, default=64, help="of the data set, from its start (64)")
    explaining.set_defaults(run=run_explain)


def _add_anchor(commands: Any) -> None:
    anchor = commands.add_parser(
        "anchor", help="what a release was like, so that many small regressions are one large one",
        description="`set` copies this machine's latency baselines; from then on every run that gates latency is also "
        "held against the copy (latency_creep, 10 %% unless a gate says otherwise). `show` says how far the baselines "
        "have moved since.",
    )  # fmt: skip
    anchor.add_argument("action", choices=("set", "show"))
    anchor.add_argument("release", nargs="?", default="", help="its name, for `set`")
    anchor.add_argument("--baselines", type=Path, default=Path("baselines"), help="the baselines (baselines)")
    anchor.set_defaults(run=run_anchor)


def _add_selfcheck(commands: Any) -> None:
    check = commands.add_parser(
        "selfcheck", help="the error rates of the latency gate on this machine, measured",
        description="aa: false alarms of unchanged code. power: how often injected work is caught. overhead: what "
        "recording costs. interference: gated ratios under `-n auto` against `-n 0`.",
    )  # fmt: skip
    check.add_argument("kind", choices=("aa", "power", "overhead", "interference"))
    check.add_argument("--trials", type=int, default=300, help="fresh baseline against fresh candidate (300)")
    check.add_argument("--quick", action="store_true", help="a few trials, to see that it works")
    check.add_argument("--limit", type=float, default=5, help="of the gate, percent (5)")
    check.add_argument("--inject", type=float, default=10, help="power: extra work of every call, percent (10)")
    check.add_argument("--sleep", action="store_true", help="power: sleep instead of work; judges the wall clock")
    check.add_argument("--wall", action="store_true", help="aa: judge the wall clock")
    check.add_argument("--neighbours", type=int, default=0, help="random CPU and memory hogs beside it (0)")
    check.add_argument("--jobs", type=int, default=1, help="trials at a time, neighbours of each other (1)")
    check.add_argument("--backends", default="", help="of onnxruntime,openvino,litert (all)")
    check.add_argument("--baselines", type=Path, help="use the baselines of this earlier selfcheck.json again")
    check.add_argument("--out", type=Path, default=Path("selfcheck.json"), help="everything as JSON (selfcheck.json)")
    check.set_defaults(run=run_selfcheck)


def run_anchor(options: argparse.Namespace) -> int:
    from rich.console import Console

    from harness import anchors

    console = Console()
    if options.action == "set":
        if not options.release:
            raise ConfigError("anchor set needs a name: quantgate anchor set v1.0")
        for line in anchors.set_all(options.baselines, options.release):
            console.print(line, soft_wrap=True)
    else:
        console.print(anchors.table(options.baselines))
    return 0


def run_selfcheck(options: argparse.Namespace) -> int:
    from rich.console import Console

    from harness import selfcheck, sources

    console = Console()
    cache = sources.cache_folder()
    backends = tuple(filter(None, options.backends.split(",")))
    if options.kind in ("overhead", "interference"):
        from harness import crosscheck

        if options.kind == "overhead":
            found = selfcheck.overhead()
            lines = [f"{name}: {value:.2f} µs a call" for name, value in found.items()]
        else:
            found, overlaps = crosscheck.shifts(
                backends or ("onnxruntime", "openvino"), 1 if options.quick else 3, cache
            )
            lines = [f"{cell}: {value:+.2%}" for cell, value in found.items()]
            lines.append(f"timed sections that met anything else: {overlaps}")
        console.print("\n".join([selfcheck.command(), *lines]), highlight=False)
        selfcheck.write(options.out, {"kind": options.kind, "found": found, "lines": lines})
        return 0
    injects = options.kind == "power"
    wanted = selfcheck.Wanted(
        options.kind, selfcheck.QUICK if options.quick else options.trials, options.limit / 100, options.neighbours,
        options.jobs, options.inject / 100 if injects else 0, injects and options.sleep,
        options.wall or (injects and options.sleep), backends, options.baselines, options.out,
    )  # fmt: skip
    done = selfcheck.run(wanted, cache, console.print)
    console.print(selfcheck.rate_table(selfcheck.rates(done, wanted), selfcheck.command()))
    console.print(f"everything: {options.out}", highlight=False)
    return 0


def run_doctor() -> int:
    from rich.console import Console

    from harness import doctor

    console = Console()
    console.print(doctor.machine_table())
    console.print(doctor.ability_table(doctor.abilities()))
    return 0


def run_compare(a: Path, b: Path) -> int:
    from rich.console import Console

    from harness import compare
    from harness.report.tables import draw, fitted
    from harness.types import FAILING

    rows = compare.compare(compare.load(a), compare.load(b), compare.gates(b))
    console = Console()
    for part in draw(fitted(compare.sheet(rows), console.width), console.width):
        console.print(part)
    for row in rows:
        if row.detail:
            console.print(f"{'/'.join(row.key)}: {row.detail}", soft_wrap=True)
    return 1 if any(row.status in FAILING for row in rows) else 0


def run_explain(options: argparse.Namespace) -> int:
    import tempfile

    from rich.console import Console

    from harness import sources, suitefile
    from harness.inputs import Settings
    from harness.report import explanation
    from harness.runner import Runner

    if options.images < 1:
        raise ConfigError(f"--images {options.images}: look at one image or more")
    suite, home, cell = suitefile.find(options.cell, options.suite)
    weights, data = (tuple(sources.folders_in(name)) for name in ("QUANTGATE_WEIGHTS", "QUANTGATE_DATA"))
    console = Console()
    with tempfile.TemporaryDirectory() as folder, console.status("") as status:
        settings = Settings(Path(folder), sources.cache_folder(), weights=weights, data=data)
        runner = Runner(
            settings,
            lambda label, progress: status.update(f"{label}: {progress.done} of {progress.total}" if progress else ""),
        )
        explained = runner.explain(suite, home, cell, options.images)
    for part in explanation.render(explained):
        console.print(part, soft_wrap=isinstance(part, str))
    return 0


def run_sensitivity(options: argparse.Namespace) -> int:
    from rich.console import Console

    from harness import sensitivity, sources
    from harness.matrix import matrix

    (cell,) = matrix(options.model, "fp32", options.backend, options.imgsz)
    weights = sources.find_weights(cell.weights, Path(), sources.folders_in("QUANTGATE_WEIGHTS"))
    data = sources.find_data([options.data], Path(), sources.folders_in("QUANTGATE_DATA"))
    if weights is None or data is None:
        missing = options.model if weights is None else options.data
        raise ConfigError(f"{missing} is not here; give its path: this command downloads nothing")
    wanted = sensitivity.SplitJob(data, options.calibration, options.limit, options.scored)
    cache = sources.cache_folder()
    console = Console()
    with console.status("") as status:
        split, rows = sensitivity.measure(
            cell, weights, wanted, cache,
            lambda label, progress: status.update(f"{label}: {progress.done} of {progress.total}" if progress else ""),
        )  # fmt: skip
    console.print(sensitivity.table(rows))
    console.print(sensitivity.explanation(cell, split), soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
