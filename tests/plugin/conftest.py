"""Fixtures of the plugin's tests: the state of a process without pytest, and a project with an accepted run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from demoproject import Demo

from harness.inputs.finder import Settings
from harness.plugin.session import RunState
from harness.report.common.view import View
from harness.report.terminal.progress import Live

RUN = "20261125-120000-abcdef"  # as a run names its folder


@pytest.fixture
def make_state(tmp_path: Path) -> Callable[..., RunState]:
    """A function that makes the state of a pytest process without options; its arguments replace fields.

    The folders lie below `tmp_path`, as in a project there.
    """

    def make(**changes: Any) -> RunState:
        made: dict[str, Any] = {
            "settings": Settings(tmp_path / ".quantgate" / "runs" / RUN, tmp_path / "cache"),
            "baselines": tmp_path / "baselines", "update": False, "require_baseline": False, "explain": False,
            "inconclusive_fails": False, "require_backends": (), "again": ("pytest",), "view": View(),
            "live": Live(None), "history": None,
        }  # fmt: skip
        return RunState(**{**made, **changes})

    return make


@pytest.fixture
def accepted(demo: Demo) -> Demo:
    """The project after a run whose accuracy became the baseline."""
    demo.run("-m", "accuracy", "--qg-baseline-update")
    return demo
