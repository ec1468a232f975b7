"""Which statuses fail in a run, by its options."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.core.status import FAILING
from harness.inputs.finder import Settings
from harness.plugin.session import RunState
from harness.report.common.view import View
from harness.report.terminal.progress import Live


@pytest.mark.parametrize(
    ("require_baseline", "inconclusive_fails", "more"),
    [
        (False, False, set()),
        (True, False, {"no-baseline", "incomparable"}),
        (False, True, {"inconclusive"}),
        (True, True, {"no-baseline", "incomparable", "inconclusive"}),
    ],
)
def test_options_make_more_statuses_fail(require_baseline, inconclusive_fails, more):
    state = RunState(
        Settings(Path("run"), Path("cache")), Path("baselines"), update=False, require_baseline=require_baseline,
        explain=False, inconclusive_fails=inconclusive_fails, require_backends=(), again=(), view=View(), history=None,
        live=Live(None),
    )  # fmt: skip
    assert state.failing == FAILING | more
