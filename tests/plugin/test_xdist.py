"""Runs that end early or are shared by workers: results complete, children gone, locks free, timed sections alone."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from demoproject import FP32, INT8, Demo, output

SLOW = "slow-fp32-null-cpu"
WAIT_S = 60  # for another process to get somewhere; far more than it needs


@pytest.fixture
def own_lock(demo: Demo) -> Path:
    """A folder for the machine lock of the runs in a test, so that nobody else on the machine can hold it."""
    folder = demo.path / "locks"
    folder.mkdir()
    demo.pytester.makeconftest(
        "import functools, pathlib\n"
        "from harness.measure import runner\n"
        f"runner.MachineLock = functools.partial(runner.MachineLock, pathlib.Path({str(folder)!r}))\n"
    )
    return folder


def is_locked(file: Path, kind: int = fcntl.LOCK_EX) -> bool:
    """Whether somebody holds a lock on `file` that excludes `kind`."""
    if not file.exists():
        return False
    with file.open("r+") as lock:
        try:
            fcntl.flock(lock, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def locks_are_free(folder: Path) -> bool:
    """Whether a run used the machine's locks in `folder` and let go of them."""
    files = [folder / f"quantgate-{name}.lock" for name in ("gate", "section")]
    return all(file.exists() and not is_locked(file) for file in files)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


@dataclass
class Background:
    """A pytest that runs on its own while the test watches it."""

    process: subprocess.Popen[bytes]
    log: Path

    def descendants(self) -> list[psutil.Process]:
        while True:
            with contextlib.suppress(psutil.NoSuchProcess):  # one ended while they were listed
                return psutil.Process(self.process.pid).children(recursive=True)

    def measuring(self, log: Path) -> psutil.Process:
        """The child process that writes `log`."""
        found: list[psutil.Process] = []

        def look() -> bool:
            for child in self.descendants():
                try:
                    if os.path.samefile(f"/proc/{child.pid}/fd/1", log):
                        found.append(child)
                except OSError:  # it has ended, or has not opened it yet
                    continue
            return bool(found)

        wait_for(look)
        return found[0]

    def finished(self) -> pytest.RunResult:
        code = self.process.wait(WAIT_S)
        return pytest.RunResult(code, self.log.read_text().splitlines(), [], 0)


def _heed_ctrl_c() -> None:
    """Shells start what runs behind `&` with SIGINT ignored, and children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def start(slow: Demo) -> Iterator[Callable[..., Background]]:
    """A function that starts a pytest in a process group of its own, as a shell does."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*args: str) -> Background:
        log = slow.path / f"output-{len(started)}.txt"
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [sys.executable, "-m", "pytest", *args], stdout=stream, stderr=stream, start_new_session=True,
                preexec_fn=_heed_ctrl_c,
            )  # fmt: skip
        started.append(process)
        return Background(process, log)

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def slow(demo: Demo, own_lock: Path) -> Demo:
    """The project with a second model, whose accuracy takes two minutes."""
    demo.model("slow", delay_ms=30_000)
    demo.suite(models=["model.json", "slow.json"])
    return demo


def slow_log(demo: Demo, results: str = ".quantgate") -> Path:
    """What the child that scores the slow cell prints; appears when it starts."""
    found: list[Path] = []

    def look() -> bool:
        found.extend(demo.path.glob(f"{results}/runs/*/logs/score-slow-*.log"))
        return bool(found)

    wait_for(look)
    return found[0]


def accepted_fast(demo: Demo) -> bool:
    return any(demo.path.glob(f".quantgate/runs/*/demo/{FP32}.accuracy.record.json"))


def test_results_are_complete_when_workers_share_the_run(demo: Demo) -> None:
    demo.model("crash", fault="crash")
    demo.suite(models=["model.json", "crash.json"], precisions=["fp32", "int8", "w8a16"])
    demo.pytester.runpytest_subprocess("-n2").assert_outcomes(passed=5, failed=4, skipped=4)
    cells = demo.cells()
    assert {name: cell["status"] for name, cell in cells.items()} == {
        "crash-fp32-null-cpu": "error",
        "crash-int8-null-cpu": "error",
        "crash-w8a16-null-cpu": "unavailable",
        FP32: "no-baseline",
        INT8: "no-baseline",
        "model-w8a16-null-cpu": "unavailable",
    }
    assert all({"map", "latency_p50_ms"} <= cells[name]["metrics"].keys() for name in (FP32, INT8))
    assert len(list((demo.path / ".quantgate" / "runs").iterdir())) == 1


def test_workers_write_the_baselines_that_one_process_compares_with(demo: Demo) -> None:
    demo.suite(precisions=["fp32", "int8"])
    updated = demo.pytester.runpytest_subprocess("-n2", "-m", "accuracy", "--qg-baseline-update")
    assert "baselines: 2 written, 0 unchanged" in output(updated)
    assert demo.run("-m", "accuracy", "--qg-require-baseline").ret == 0
    assert demo.statuses() == {FP32: "unchanged", INT8: "unchanged"}


@pytest.mark.parametrize("workers", [0, 2])
def test_ctrl_c_leaves_results_and_free_locks_but_no_children(
    slow: Demo, own_lock: Path, start: Callable[..., Background], workers: int
) -> None:
    run = start(f"-n{workers}", "-m", "accuracy")
    run.measuring(slow_log(slow))
    wait_for(lambda: accepted_fast(slow))
    processes = run.descendants()
    os.killpg(run.process.pid, signal.SIGINT)
    result = run.finished()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert not psutil.wait_procs(processes, timeout=5)[1]
    assert locks_are_free(own_lock)
    assert slow.statuses() == {FP32: "no-baseline", SLOW: "not-run"}
    assert slow.cells()[SLOW]["reason"].startswith("test_accuracy was not run to the end (skipped, interrupted")
    assert slow.cells()[FP32]["metrics"]["map"] == pytest.approx(1.0)


def test_ctrl_c_in_a_timed_section_frees_the_machine(
    slow: Demo, own_lock: Path, start: Callable[..., Background]
) -> None:
    slow.model("slow", delay_ms=100)  # a section of ten seconds
    run = start("-k", "latency and slow")
    wait_for(lambda: is_locked(own_lock / "quantgate-gate.lock", fcntl.LOCK_SH))
    processes = run.descendants()
    os.killpg(run.process.pid, signal.SIGINT)
    assert run.finished().ret == pytest.ExitCode.INTERRUPTED
    assert not psutil.wait_procs(processes, timeout=5)[1]
    assert locks_are_free(own_lock)
    assert not (slow.path / ".quantgate" / "results.json").exists(), "no test ran to its end"


def test_a_killed_worker_costs_the_cell_that_it_was_measuring(
    slow: Demo, own_lock: Path, start: Callable[..., Background]
) -> None:
    run = start("-n2", "-m", "accuracy")
    child = run.measuring(slow_log(slow))
    worker = child.parent()
    assert worker is not None
    worker.kill()
    result = run.finished()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert f"crashed while running 'test_demo.py::test_accuracy[{SLOW}]'" in output(result)
    assert not psutil.wait_procs([child], timeout=5)[1]
    assert slow.statuses() == {FP32: "no-baseline", SLOW: "error"}
    assert locks_are_free(own_lock)


def test_a_timed_section_never_overlaps_heavy_work_of_another_run(
    slow: Demo, own_lock: Path, start: Callable[..., Background]
) -> None:
    slow.model("slow", delay_ms=3000)  # 4 images: heavy for twelve seconds, longer than a busy machine starts a pytest
    slow.model("timed", delay_ms=2)
    slow.suite(models=["slow.json", "timed.json"], precisions=["fp32", "int8"])
    heavy_run = start("-k", "accuracy and slow-fp32", "--qg-results-dir=heavy")
    child = heavy_run.measuring(slow_log(slow, "heavy"))
    timed_run = start("-n2", "-k", "latency and timed", "--qg-results-dir=timed")
    wait_for(lambda: child.status() == psutil.STATUS_STOPPED)
    timed_run.finished().assert_outcomes(passed=2)
    heavy_run.finished().assert_outcomes(passed=1)

    (section,) = intervals(slow, "timed", "timed")  # siblings share one
    assert section["end"] - section["start"] > 0.4, "two siblings, 100 calls of 2 ms each"
    heavy = intervals(slow, "heavy", "heavy") + intervals(slow, "timed", "heavy")
    assert all(work["end"] <= section["start"] or work["start"] >= section["end"] for work in heavy)
    others = [work for work in heavy if work["pid"] != section["pid"]]
    assert max(work["start"] for work in others) >= section["end"], "the stopped child went on"
    assert locks_are_free(own_lock)


def test_a_timed_test_waits_for_the_accuracy_that_other_workers_measure(
    slow: Demo, own_lock: Path, start: Callable[..., Background]
) -> None:
    slow.model("slow", delay_ms=300)
    slow.suite(models=["slow.json", "model.json"])
    start("-n2", "--qg-results-dir=all").finished().assert_outcomes(passed=5)
    sections, heavy = intervals(slow, "all", "timed"), intervals(slow, "all", "heavy")
    scored = [work["end"] for work in heavy if work["end"] - work["start"] > 1]
    assert len(sections) == 2, "one per model"
    assert scored
    assert min(section["start"] for section in sections) > max(scored)


def intervals(demo: Demo, results: str, kind: str) -> list[dict[str, Any]]:
    """What a run's interval log says of its timed or heavy work."""
    (log,) = demo.path.glob(f"{results}/runs/*/intervals.jsonl")
    return [line for line in map(json.loads, log.read_text().splitlines()) if line["kind"] == kind]
