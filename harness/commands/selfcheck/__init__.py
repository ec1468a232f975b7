"""`quantgate selfcheck KIND`: the error rates of the latency gate on this machine."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.commands.base import Commands, Exit, command


def add(commands: Commands) -> None:
    """Register the command."""
    parser = command(
        commands, "selfcheck", run,
        summary="the error rates of the latency gate on this machine, measured",
        description="aa: how often unchanged code is called a regression. power: how often injected work is caught. "
        "overhead: what recording costs per call. interference: gated ratios under `-n auto` against `-n 0`.",
        examples=["quantgate selfcheck aa --quick", "quantgate selfcheck power --inject 10 --trials 100"],
    )  # fmt: skip
    parser.add_argument("kind", choices=("aa", "power", "overhead", "interference"))
    parser.add_argument(
        "--trials", type=int, default=300, help="how often a fresh candidate is judged against a fresh baseline (300)"
    )
    parser.add_argument("--quick", action="store_true", help="a few trials, to see that it works")
    parser.add_argument("--limit", type=float, default=5, help="the gate's limit, percent (5)")
    parser.add_argument("--inject", type=float, default=10, help="power: extra work in every call, percent (10)")
    parser.add_argument("--sleep", action="store_true", help="power: sleep instead of work; judges the wall clock")
    parser.add_argument("--wall", action="store_true", help="aa: judge the wall clock")
    parser.add_argument(
        "--neighbours", type=int, default=0, help="processes beside it that use CPU and memory at random times (0)"
    )
    parser.add_argument("--jobs", type=int, default=1, help="trials at a time, which then disturb each other (1)")
    parser.add_argument("--backends", default="", help="some of onnxruntime,openvino,litert (all)")
    parser.add_argument("--baselines", type=Path, help="use the baselines of this earlier selfcheck.json again")
    parser.add_argument("--out", type=Path, default=Path("selfcheck.json"), help="everything as JSON (selfcheck.json)")


def run(options: argparse.Namespace) -> Exit:
    """Measure what KIND names, print it, and write everything that was measured to `--out`."""
    if options.kind in ("overhead", "interference"):
        return _without_trials(options)
    from rich.console import Console

    from harness.commands.selfcheck import rates
    from harness.inputs import sources

    power = options.kind == "power"
    wanted = rates.SelfcheckOptions(
        kind=options.kind,
        trials=rates.QUICK if options.quick else options.trials,
        limit=options.limit / 100,
        neighbours=options.neighbours,
        jobs=options.jobs,
        inject=options.inject / 100 if power else 0,
        asleep=power and options.sleep,
        wall=options.wall or (power and options.sleep),
        backends=_backends(options),
        baselines=options.baselines,
        out=options.out,
    )
    console = Console()
    done = rates.run_selfcheck(wanted, sources.cache_folder(), console.print)
    console.print(rates.rate_table(rates.rates(done, wanted), rates.command_line()))
    console.print(f"everything: {options.out}", highlight=False)
    return Exit.FINE


def _without_trials(options: argparse.Namespace) -> Exit:
    """Measure the overhead of recording, or the interference of parallel tests."""
    from rich.console import Console

    from harness.commands.selfcheck import parallel_runs, rates
    from harness.inputs import sources

    if options.kind == "overhead":
        found = rates.overhead()
        lines = [f"{name}: {value:.2f} µs per call" for name, value in found.items()]
    else:
        backends = _backends(options) or ("onnxruntime", "openvino")
        found, overlaps = parallel_runs.shifts(backends, 1 if options.quick else 3, sources.cache_folder())
        lines = [f"{cell}: {value:+.2%}" for cell, value in found.items()]
        lines.append(f"timed sections that met anything else: {overlaps}")
    Console().print("\n".join([rates.command_line(), *lines]), highlight=False)
    rates.write_selfcheck(options.out, {"kind": options.kind, "found": found, "lines": lines})
    return Exit.FINE


def _backends(options: argparse.Namespace) -> tuple[str, ...]:
    """The backends that the user names; empty for all."""
    return tuple(filter(None, options.backends.split(",")))
