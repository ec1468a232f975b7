"""The commands of `quantgate`, one module each.

To add one, write `harness/commands/NAME.py` with two functions and put NAME into `NAMES`. `add(commands)` registers the
parser by `base.command(…)`, which asks for an example and for the function that runs. `run(options)` does the work and
returns an `Exit`. `add` runs at every start, so it and the module's head import nothing but argparse and what is as
light; `run` imports what it needs. Bad input is a `ConfigError` (exit 2), a machine that cannot is `Unavailable` or
`CellError` (exit 3): raise them, `cli.main` prints the line.
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
"""In the order of `quantgate --help`."""
