"""A command that is refused: how every test of a command's bad input asks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.commands.cli import main


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a command that cannot be done, check that it ends as the user's mistake in one line; returns the line."""

    def refused(*arguments: str) -> str:
        assert main(list(arguments)) == 2
        err = capsys.readouterr().err
        assert err.count("\n") == 1
        return err

    return refused
