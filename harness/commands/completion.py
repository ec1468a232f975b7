"""`quantgate completion SHELL`: the code that makes a shell complete quantgate's commands, options and cells.

By argcomplete: one library for bash, zsh and fish that asks the program itself at every TAB, so that ids of cells are
completed too (`base.cells`); the static code that shtab writes would not know them.
"""

from __future__ import annotations

import argparse

from harness.commands.base import Commands, Exit, command

SHELLS = ("bash", "zsh", "fish")


def add(commands: Commands) -> None:
    parser = command(
        commands, "completion", run,
        summary="shell code that completes commands, options and ids of cells",
        description="Prints code for the start-up file of your shell. Cells are those of .quantgate/results.json and "
        "of baselines/ in the current folder.",
        examples=[
            "echo 'eval \"$(quantgate completion bash)\"' >> ~/.bashrc",
            "echo 'eval \"$(quantgate completion zsh)\"' >> ~/.zshrc",
            "quantgate completion fish > ~/.config/fish/completions/quantgate.fish",
        ],
    )  # fmt: skip
    parser.add_argument("shell", choices=SHELLS)


def run(options: argparse.Namespace) -> Exit:
    from argcomplete.shell_integration import shellcode

    print(shellcode(["quantgate"], shell=options.shell))
    return Exit.FINE


def complete(parser: argparse.ArgumentParser) -> None:
    """Answer a shell that asks, and end the process; it says so by the variable `_ARGCOMPLETE`."""
    import argcomplete

    argcomplete.autocomplete(parser, always_complete_options=False)
