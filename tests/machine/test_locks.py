"""Timed sections are alone on the machine, do not wait long, and die with their process."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
import os
import stat
import time

import pytest
from lockers import overlap

from harness import ConfigError
from harness.machine import locks
from harness.machine.locks import MachineLock


def intervals(folder, kind):
    lines = [json.loads(line) for line in (folder / "intervals.jsonl").read_text().splitlines()]
    return [(line["start"], line["end"]) for line in lines if line["kind"] == kind]


def test_a_timed_section_overlaps_nothing_and_heavy_work_goes_on_between(lockers, tmp_path):
    processes = [lockers("heavy", 1), lockers("heavy", 1), lockers("timed", 0.02, 8), lockers("timed", 0.02, 8)]
    assert [process.wait(20) for process in processes] == [0] * 4
    timed, heavy = intervals(tmp_path, "timed"), intervals(tmp_path, "heavy")
    assert len(timed) == 16
    assert not [pair for pair in itertools.combinations(timed, 2) if overlap(*pair)]
    assert not [pair for pair in itertools.product(timed, heavy) if overlap(*pair)]
    assert len(heavy) > 2
    assert [pair for pair in itertools.combinations(heavy, 2) if overlap(*pair)]


def test_a_timed_section_waits_less_than_a_second_for_four_busy_processes(lockers):
    readers = [lockers("heavy", 20) for _ in range(4)]
    assert [reader.stdout.readline() for reader in readers] == ["working\n"] * 4
    writer = lockers("timed", 0.05, 10)
    waits = [float(line) for line in writer.communicate(timeout=20)[0].splitlines()]
    assert len(waits) == 10
    assert max(waits) < 1


@pytest.mark.parametrize("kind", ["timed", "heavy"])
def test_a_killed_process_frees_its_lock(lockers, lock, kind):
    holder = lockers(kind, 60)
    holder.stdout.readline()
    holder.kill()
    begun = time.monotonic()
    with lock.timed():
        assert time.monotonic() - begun < 1


def test_heavy_work_sees_that_a_timed_section_is_wanted_and_waits_until_it_is_over(lockers, lock):
    lock.enter_heavy()
    assert not lock.timed_section_waits()
    wanting = lockers("timed", 0.3)
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


def test_an_accelerator_is_locked_besides_so_that_other_programs_can_have_it(lock, tmp_path):
    file = tmp_path / "quantgate-cuda-1.lock"
    with lock.timed("cuda:1"), file.open() as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with file.open() as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with lock.timed("cpu"):
        assert list(tmp_path.glob("quantgate-c*")) == [file], "the CPU is what the machine's lock is for"


def test_a_lock_that_cannot_be_opened_is_one_line(tmp_path):
    (tmp_path / "quantgate-section.lock").mkdir()
    with pytest.raises(ConfigError, match=r"machine's lock .*-section.lock cannot be opened: Is a directory; remove"):
        MachineLock(tmp_path)


@pytest.mark.parametrize("kind", ["timed", "heavy"])
def test_a_long_wait_for_another_process_is_told_and_its_end_too(lockers, tmp_path, monkeypatch, kind):
    monkeypatch.setattr(locks, "NOTICE_S", 0.05)
    told = []
    with contextlib.closing(MachineLock(tmp_path, on_wait=told.append)) as lock:
        holder = lockers("timed", 0.5)
        holder.stdout.readline()
        if kind == "timed":
            with lock.timed():
                assert told == [True, False]
        else:
            lock.enter_heavy()
            assert told == [True, False]
            lock.leave_heavy()


def test_a_short_wait_is_not_told(lockers, tmp_path):
    told = []
    with contextlib.closing(MachineLock(tmp_path, on_wait=told.append)) as lock:
        holder = lockers("timed", 0.2)
        holder.stdout.readline()
        lock.enter_heavy()
        lock.leave_heavy()
    assert told == []
