"""The commands of `quantgate`, one module or package each.

To add one, write `harness/commands/NAME.py` with two functions and put NAME into `NAMES`. `add(commands)` registers the
command by `base.command(…)`, which asks for a summary, examples and the function that runs. `run(options)` does the
work and returns an `Exit`. Every start of `quantgate` calls every `add`, so `add` and the top of its module import
argparse and other light modules only; `run` imports what it needs. Bad input is a `ConfigError` (exit 2). What this
machine cannot do is an `Unavailable` or a `CellError` (exit 3). Raise them: `cli.main` prints the line.
"""

NAMES = (
    "init",
    "doctor",
    "compare",
    "gate",
    "report",
    "baseline",
    "explain",
    "sensitivity",
    "history",
    "export",
    "anchor",
    "selfcheck",
    "completion",
)
"""The commands in the order of `quantgate --help`."""
