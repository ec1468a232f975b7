"""Timed sections are alone on the machine, do not wait long, and die with their process."""

from __future__ import annotations

import itertools
import json
import os
import stat
import subprocess
import sys
import time

import pytest
from builders import TESTS

from harness.core.files import file_lock
from harness.machine.locks import MachineLock


@pytest.fixture
def start(tmp_path):
    """Start `lockers.py` processes on locks of this test alone; they end with it."""
    started = []

    def process(kind, seconds, sections=1):
        command = [sys.executable, TESTS / "lockers.py", kind, tmp_path, str(seconds), str(sections)]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield process
    for one in started:
        one.kill()
        one.communicate()


@pytest.fixture
def lock(tmp_path):
    """A machine lock of this test alone."""
    made = MachineLock(tmp_path)
    yield made
    made.close()


def intervals(folder, kind):
    lines = [json.loads(line) for line in (folder / "intervals.jsonl").read_text().splitlines()]
    return [(line["start"], line["end"]) for line in lines if line["kind"] == kind]


def overlap(one, other):
    return max(one[0], other[0]) < min(one[1], other[1])


def test_a_timed_section_overlaps_nothing_and_heavy_work_goes_on_between(start, tmp_path):
    processes = [start("heavy", 1), start("heavy", 1), start("timed", 0.02, 8), start("timed", 0.02, 8)]
    assert [process.wait(20) for process in processes] == [0] * 4
    timed, heavy = intervals(tmp_path, "timed"), intervals(tmp_path, "heavy")
    assert len(timed) == 16
    assert not [pair for pair in itertools.combinations(timed, 2) if overlap(*pair)]
    assert not [pair for pair in itertools.product(timed, heavy) if overlap(*pair)]
    assert len(heavy) > 2
    assert [pair for pair in itertools.combinations(heavy, 2) if overlap(*pair)]


def test_a_timed_section_waits_less_than_a_second_for_four_busy_processes(start):
    readers = [start("heavy", 20) for _ in range(4)]
    assert [reader.stdout.readline() for reader in readers] == ["working\n"] * 4
    writer = start("timed", 0.05, 10)
    waits = [float(line) for line in writer.communicate(timeout=20)[0].splitlines()]
    assert len(waits) == 10
    assert max(waits) < 1


@pytest.mark.parametrize("kind", ["timed", "heavy"])
def test_a_killed_process_frees_its_lock(start, lock, kind):
    holder = start(kind, 60)
    holder.stdout.readline()
    holder.kill()
    begun = time.monotonic()
    with lock.timed():
        assert time.monotonic() - begun < 1


def test_heavy_work_sees_that_a_timed_section_is_wanted_and_waits_until_it_is_over(start, lock):
    lock.enter_heavy()
    assert not lock.timed_section_waits()
    wanting = start("timed", 0.3)
    deadline = time.monotonic() + 10
    while not lock.timed_section_waits() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert lock.timed_section_waits()
    assert wanting.poll() is None
    lock.leave_heavy()
    wanting.stdout.readline()
    begun = time.monotonic()
    lock.enter_heavy()
    assert time.monotonic() - begun > 0.2
    assert not lock.timed_section_waits()


def test_a_timed_section_that_raises_gives_the_machine_back(lock, tmp_path):
    with pytest.raises(ZeroDivisionError), lock.timed():
        raise ZeroDivisionError
    other = MachineLock(tmp_path)
    assert not other.timed_section_waits()
    other.enter_heavy()
    other.close()


def test_every_user_of_the_machine_may_lock(tmp_path):
    mask = os.umask(0o077)
    try:
        MachineLock(tmp_path).close()
    finally:
        os.umask(mask)
    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o666}


def test_a_file_lock_is_held_by_one_process_at_a_time(start, tmp_path):
    assert [process.wait(20) for process in [start("file", 0.05) for _ in range(4)]] == [0] * 4
    held = [tuple(map(float, line.split())) for line in (tmp_path / "file.txt").read_text().splitlines()]
    assert len(held) == 4
    assert not [pair for pair in itertools.combinations(held, 2) if overlap(*pair)]


def test_a_killed_process_frees_its_file_lock(start, tmp_path):
    holder = start("file", 60)
    holder.stdout.readline()
    holder.kill()
    with file_lock(tmp_path / "key.lock"):
        assert not (tmp_path / "file.txt").exists()
