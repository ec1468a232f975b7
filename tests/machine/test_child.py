"""A worker process costs its cell only: it answers, fails, crashes, hangs or is stopped, and its parent says how."""

from __future__ import annotations

import concurrent.futures
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jobs
import psutil
import pytest
from builders import TESTS

from harness import ConfigError, Unavailable
from harness.core.errors import CellError
from harness.core.processes import Progress
from harness.machine.child import Child, heavy_answers
from harness.machine.locks import MachineLock


@pytest.fixture(autouse=True)
def _importable_jobs(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(TESTS))


@pytest.fixture
def child(tmp_path):
    """Make children that leave with the test."""
    made = []

    def of(job, limit_s=20):
        made.append(Child(job, tmp_path / "logs" / f"{len(made)}.log", limit_s))
        return made[-1]

    yield of
    for one in made:
        one.__exit__(None, None, None)


def gone(pid, within_s=5):
    """Whether a process ends in time; a zombie that nobody reaps has ended."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


def until(condition, within_s=10):
    deadline = time.monotonic() + within_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert condition()


def test_a_job_s_value_is_the_answer(child, lock):
    assert child(jobs.Echo({"map": 0.5})).heavy_answer(lock) == {"map": 0.5}


def test_progress_is_passed_on_as_it_comes(child, lock):
    seen = []
    assert child(jobs.Count(3)).heavy_answer(lock, seen.append) == "counted"
    assert seen == [Progress(1, 3), Progress(2, 3), Progress(3, 3)]


def test_a_child_answers_commands_in_a_timed_section(child, lock):
    one = child(jobs.Answer())
    assert one.heavy_answer(lock) == "ready"
    with lock.timed():
        for command in (1, 2):
            one.send(command)
            assert one.answer() == 2 * command
        one.send(None)
        assert one.answer() == "bye"


def test_several_children_work_at_once_and_answer_in_their_order(child, lock, tmp_path):
    files = [tmp_path / "one", tmp_path / "two"]
    assert heavy_answers([*(child(jobs.Tick(str(file), 0.5)) for file in files), child(jobs.Echo(3))], lock) == [
        100,
        100,
        3,
    ]
    one, two = ([float(line) for line in file.read_text().splitlines()] for file in files)
    assert max(one[0], two[0]) < min(one[-1], two[-1])


def test_a_failure_stands_in_the_place_of_its_answer(child, lock):
    broken, fine = heavy_answers([child(jobs.Crash(3)), child(jobs.Echo(1))], lock)
    assert isinstance(broken, CellError)
    assert fine == 1


def test_a_child_is_not_started_before_its_answer_is_wanted(child, lock):
    assert child(jobs.Echo(1)).pid is None


def test_a_crash_is_told_with_its_signal_and_last_output(child, lock):
    with pytest.raises(CellError, match=r"was killed by SIGABRT; its last output: .*earlier line ⏎ .*the last words"):
        child(jobs.Crash()).heavy_answer(lock)


def test_an_exit_is_told_with_its_code(child, lock):
    with pytest.raises(CellError, match=r"exited with code 7; its last output: .*the last words"):
        child(jobs.Crash(7)).heavy_answer(lock)


@pytest.mark.parametrize(
    ("name", "kind"), [("ConfigError", ConfigError), ("Unavailable", Unavailable), ("NoDongle", Unavailable)]
)
def test_the_user_s_mistake_and_the_machine_s_lack_come_through_as_they_are(child, lock, name, kind):
    with pytest.raises(kind, match=r"^no such thing$"):
        child(jobs.Raise(name, "no such thing")).heavy_answer(lock)


@pytest.mark.parametrize("name", ["RuntimeError", "EOFError"])
def test_any_other_error_is_one_line(child, lock, name):
    with pytest.raises(CellError, match=rf"^{name}: first line$"):
        child(jobs.Raise(name, "first line\nsecond line")).heavy_answer(lock)


def test_a_job_that_the_child_cannot_import_is_told(child, lock, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "")
    with pytest.raises(CellError, match="ModuleNotFoundError: No module named 'jobs'"):
        child(jobs.Echo(1)).heavy_answer(lock)


def test_a_child_without_a_sign_of_life_is_given_up_with_its_last_output(child, lock):
    begun = time.monotonic()
    with pytest.raises(CellError, match=r"no sign of life for 1 s \(--qg-timeout\); its last output: about to hang"):
        child(jobs.Hang(), limit_s=1).heavy_answer(lock)
    assert time.monotonic() - begun < 3


def test_a_child_that_hangs_in_a_timed_section_is_given_up_too(child, lock):
    one = child(jobs.Hang(), limit_s=1)
    with lock.timed(), pytest.raises(CellError, match="no sign of life for 1 s"):
        one.answer()


def test_progress_is_a_sign_of_life(child, lock):
    assert child(jobs.Count(6, 0.4), limit_s=2).heavy_answer(lock) == "counted"


def test_a_child_stands_still_in_a_timed_section_and_its_limit_too(child, lock, tmp_path):
    ticks = tmp_path / "ticks"
    job, other = child(jobs.Tick(str(ticks), 0.5), limit_s=2), MachineLock(tmp_path)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(job.heavy_answer, lock)
        until(lambda: ticks.exists() and ticks.read_text().count("\n") > 5)
        wanted = time.monotonic()
        with other.timed():
            begun = time.monotonic()
            time.sleep(2.2)
            ended = time.monotonic()
        assert answer.result(10) == 100
    other.close()
    times = [float(line) for line in ticks.read_text().splitlines()]
    assert begun - wanted < 1
    assert not [moment for moment in times if begun < moment < ended]
    assert max(times) > ended


def test_leaving_kills_the_child_and_whatever_it_started(tmp_path, lock):
    with Child(jobs.Spawn(), tmp_path / "log", 20) as one:
        grandchild, pid = one.heavy_answer(lock), one.pid
        assert psutil.pid_exists(grandchild)
    assert gone(pid)
    assert gone(grandchild)


@pytest.mark.parametrize("stopped", [False, True])
def test_a_child_dies_with_its_parent_even_while_it_is_stopped(tmp_path, stopped):
    program = (
        "import sys, time, jobs; from pathlib import Path; from harness.machine.child import Child\n"
        "one = Child(jobs.Hang(), Path(sys.argv[1]), 60); one.start(); print(one.pid, flush=True); time.sleep(60)"
    )
    log = tmp_path / "log"
    with subprocess.Popen([sys.executable, "-c", program, log], stdout=subprocess.PIPE, text=True) as parent:
        pid = int(parent.stdout.readline())
        until(lambda: "about to hang" in Path(log).read_text())
        if stopped:
            os.kill(pid, signal.SIGSTOP)
        parent.kill()
    assert gone(pid)
