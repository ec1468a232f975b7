"""`quantgate selfcheck KIND`: the error rates of the latency gate on this machine."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.commands.base import Commands, Exit, command


def add(commands: Commands) -> None:
    parser = command(
        commands, "selfcheck", run,
        summary="the error rates of the latency gate on this machine, measured",
        description="aa: false alarms of unchanged code. power: how often injected work is caught. overhead: what "
        "recording costs. interference: gated ratios under `-n auto` against `-n 0`.",
        examples=["quantgate selfcheck aa --quick", "quantgate selfcheck power --inject 10 --trials 100"],
    )  # fmt: skip
    parser.add_argument("kind", choices=("aa", "power", "overhead", "interference"))
    parser.add_argument("--trials", type=int, default=300, help="fresh baseline against fresh candidate (300)")
    parser.add_argument("--quick", action="store_true", help="a few trials, to see that it works")
    parser.add_argument("--limit", type=float, default=5, help="of the gate, percent (5)")
    parser.add_argument("--inject", type=float, default=10, help="power: extra work of every call, percent (10)")
    parser.add_argument("--sleep", action="store_true", help="power: sleep instead of work; judges the wall clock")
    parser.add_argument("--wall", action="store_true", help="aa: judge the wall clock")
    parser.add_argument("--neighbours", type=int, default=0, help="random CPU and memory hogs beside it (0)")
    parser.add_argument("--jobs", type=int, default=1, help="trials at a time, neighbours of each other (1)")
    parser.add_argument("--backends", default="", help="of onnxruntime,openvino,litert (all)")
    parser.add_argument("--baselines", type=Path, help="use the baselines of this earlier selfcheck.json again")
    parser.add_argument("--out", type=Path, default=Path("selfcheck.json"), help="everything as JSON (selfcheck.json)")


def run(options: argparse.Namespace) -> Exit:
    from rich.console import Console

    from harness.commands.selfcheck import rates
    from harness.inputs import sources

    console = Console()
    cache = sources.cache_folder()
    backends = tuple(filter(None, options.backends.split(",")))
    if options.kind in ("overhead", "interference"):
        from harness.commands.selfcheck import parallel_runs

        if options.kind == "overhead":
            found = rates.overhead()
            lines = [f"{name}: {value:.2f} µs a call" for name, value in found.items()]
        else:
            found, overlaps = parallel_runs.shifts(
                backends or ("onnxruntime", "openvino"), 1 if options.quick else 3, cache
            )
            lines = [f"{cell}: {value:+.2%}" for cell, value in found.items()]
            lines.append(f"timed sections that met anything else: {overlaps}")
        console.print("\n".join([rates.command_line(), *lines]), highlight=False)
        rates.write_selfcheck(options.out, {"kind": options.kind, "found": found, "lines": lines})
        return Exit.FINE
    injects = options.kind == "power"
    wanted = rates.SelfcheckOptions(
        options.kind, rates.QUICK if options.quick else options.trials, options.limit / 100, options.neighbours,
        options.jobs, options.inject / 100 if injects else 0, injects and options.sleep,
        options.wall or (injects and options.sleep), backends, options.baselines, options.out,
    )  # fmt: skip
    done = rates.run_selfcheck(wanted, cache, console.print)
    console.print(rates.rate_table(rates.rates(done, wanted), rates.command_line()))
    console.print(f"everything: {options.out}", highlight=False)
    return Exit.FINE
