"""`quantgate completion SHELL`: the code that makes a shell complete quantgate's commands, options and cells.

It uses argcomplete, one library for bash, zsh and fish. The shell then asks `quantgate` itself at every TAB, so ids of
cells are completed too (`base.completed_cells`); static code, as shtab writes it, would not know them.
"""

from __future__ import annotations

import argparse

from harness.commands.base import Commands, Exit, command

SHELLS = ("bash", "zsh", "fish")


def add(commands: Commands) -> None:
    """Register the command."""
    parser = command(
        commands, "completion", run,
        summary="shell code that completes commands, options and ids of cells",
        description="Prints code for the start-up file of your shell. The cells come from .quantgate/results.json and "
        "baselines/ in the current folder.",
        examples=[
            "echo 'eval \"$(quantgate completion bash)\"' >> ~/.bashrc",
            "echo 'eval \"$(quantgate completion zsh)\"' >> ~/.zshrc",
            "quantgate completion fish > ~/.config/fish/completions/quantgate.fish",
        ],
    )  # fmt: skip
    parser.add_argument("shell", choices=SHELLS)


def run(options: argparse.Namespace) -> Exit:
    """Print the code for the chosen shell."""
    from argcomplete.shell_integration import shellcode

    print(shellcode(["quantgate"], shell=options.shell))
    return Exit.FINE


def complete(parser: argparse.ArgumentParser) -> None:
    """Answer the shell that asks what may follow, and end the process.

    To be called where the environment variable `_ARGCOMPLETE` is set: the shell sets it to ask.
    """
    import argcomplete

    argcomplete.autocomplete(parser, always_complete_options=False)
