"""`kill -9` of any worker or child at any moment: the run finishes, its cell is an error, the machine is free.

Three times by default, and as often as QUANTGATE_KILLS says: `QUANTGATE_KILLS=50 pytest tests/plugin/test_kills.py`.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import sys
import time

import psutil
import pytest
from demoproject import Demo, write_coco

from harness.machine.locks import MachineLock

KILLS = int(os.environ.get("QUANTGATE_KILLS", "3"))
LIMIT_S = 120


@pytest.mark.parametrize("number", range(KILLS))
def test_a_killed_process_costs_its_cell_only(pytester: pytest.Pytester, number: int) -> None:
    demo, draw = Demo(pytester), random.Random(number)
    write_coco(demo.path / "data" / "val.json")
    pytester.makeini("[pytest]\n")
    demo.model(work=200, delay_ms=5)
    demo.suite(precisions=["fp32", "int8"], gates='Gate("latency", max_rise=0.2)')
    locks = demo.path / "locks"
    locks.mkdir()
    pytester.makeconftest(
        "import functools, pathlib\nfrom harness.measure import runner\n"
        f"runner.MachineLock = functools.partial(runner.MachineLock, pathlib.Path({str(locks)!r}))\n"
    )
    command = [sys.executable, "-m", "pytest", "-n2", "--qg-baseline-update", "--qg-cache-dir", "cache"]
    with (demo.path / "out").open("w") as out:
        run = psutil.Popen(command, cwd=demo.path, stdout=out, stderr=subprocess.STDOUT)
    # From the first worker's collection on: until all have said hello, xdist ends the session when one dies.
    deadline = time.monotonic() + LIMIT_S
    while not list(demo.path.glob(".quantgate/runs/*/demo.plan.json")):
        assert time.monotonic() < deadline, (demo.path / "out").read_text()
        time.sleep(0.02)
    time.sleep(draw.uniform(0, 6))
    with contextlib.suppress(psutil.NoSuchProcess, IndexError):
        draw.choice(run.children(recursive=True)).kill()
    assert run.wait(LIMIT_S) in (0, 1), (demo.path / "out").read_text()
    lock = MachineLock(locks)
    assert not lock.timed_section_waits()
    with lock.timed():
        pass
    lock.close()
    cells = json.loads((demo.path / ".quantgate" / "results.json").read_text())["cells"]
    assert len(cells) == 2
    assert {cell["status"] for cell in cells} <= {"unchanged", "met", "error"}
    assert not [p for p in psutil.process_iter(["cmdline"]) if str(demo.path) in " ".join(p.info["cmdline"] or ())]
