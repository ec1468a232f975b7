"""Interference of parallel tests: what is counted as an overlap, and how the shifts of several rounds are averaged."""

from __future__ import annotations

import json
import math
import subprocess
from pathlib import Path

import pytest

from harness.commands.selfcheck import parallel_runs
from harness.commands.selfcheck.parallel_runs import ParallelRun, overlaps, shifts
from harness.core.errors import CellError


def intervals(*spans: tuple[str, float, float]) -> list[dict[str, float | str]]:
    return [{"kind": kind, "start": start, "end": end} for kind, start, end in spans]


@pytest.mark.parametrize(
    ("spans", "count"),
    [
        ([], 0),
        ([("timed", 0, 5), ("heavy", 5, 6)], 0),  # one after the other
        ([("heavy", 0, 5), ("heavy", 1, 4)], 0),  # heavy work disturbs no clock
        ([("heavy", 0, 5), ("timed", 1, 4)], 1),
        ([("timed", 5, 6), ("timed", 5.5, 7)], 1),
        ([("heavy", 0, 5), ("heavy", 1, 4), ("timed", 5, 6), ("timed", 5.5, 7)], 1),
        ([("timed", 0, 9), ("heavy", 1, 2), ("heavy", 3, 4), ("timed", 5, 6)], 3),
    ],
)
def test_overlaps_are_counted_where_a_timed_section_takes_part(spans, count):
    assert overlaps(intervals(*spans)) == count
    assert overlaps(intervals(*spans[::-1])) == count


def test_a_shift_is_the_mean_of_the_rounds_and_overlaps_are_those_of_all_runs(monkeypatch):
    ran = []

    def run(backends, workers, cache):
        ran.append(workers)
        moved = {"0": 0.0, "auto": 0.01 * len(ran)}[workers]
        return ParallelRun({"a": 1.0 + moved, "b": 2.0}, overlaps=1)

    monkeypatch.setattr(parallel_runs, "_run", run)
    moved, met = shifts(["onnxruntime"], 2, Path("cache"))
    assert ran == ["0", "auto"] * 2
    assert moved == {"a": pytest.approx(math.expm1(0.03)), "b": 0}
    assert met == 4


@pytest.fixture
def pytest_run(monkeypatch):
    """A pytest that takes no time: it leaves these results and ends with this code."""

    def ending(code: int, content: object = None) -> list[tuple[list[str], str]]:
        asked = []

        def run(command, cwd, **options):
            asked.append((command, Path(cwd, "test_crosscheck.py").read_text()))
            if content is not None:
                Path(cwd, ".quantgate").mkdir()
                Path(cwd, ".quantgate", "results.json").write_text(json.dumps(content))
            return subprocess.CompletedProcess(command, code, "one\ntwo\nthree\nfour\n", "")

        monkeypatch.setattr(parallel_runs.subprocess, "run", run)
        return asked

    return ending


def test_a_run_is_of_the_backends_and_tells_the_mean_ratio_of_every_cell(pytest_run):
    cells = [{"id": "a", "samples": {"log_ratio_network": [0.1, 0.3]}}]
    asked = pytest_run(0, {"cells": cells, "intervals": intervals(("timed", 0, 2), ("heavy", 1, 3))})
    assert parallel_runs._run(["litert"], "auto", Path("cache")) == ParallelRun({"a": pytest.approx(0.2)}, 1)
    ((command, suite),) = asked
    assert command[command.index("-n") + 1] == "auto"
    assert "BACKENDS = ['litert']" in suite
    compile(suite, "test_crosscheck.py", "exec")


@pytest.mark.parametrize(("code", "content"), [(1, {"cells": [], "intervals": []}), (0, None)])
def test_a_run_that_fails_says_how_it_ended(pytest_run, code, content):
    pytest_run(code, content)
    with pytest.raises(CellError, match=rf"pytest -n 0 ended with {code}: \['two', 'three', 'four'\]"):
        parallel_runs._run(["litert"], "0", Path("cache"))
