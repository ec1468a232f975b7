"""Neighbours: as many as asked for, busy while the context is open, and gone with it or with their parent."""

from __future__ import annotations

import subprocess
import sys
import time

import psutil

from harness.commands.selfcheck.noisy_neighbours import Crowd

MODULE = "harness.commands.selfcheck.noisy_neighbours"


def neighbours(parent: int | None = None, count: int = 0) -> list[psutil.Process]:
    """The neighbours that a process has, as soon as there are `count`: a new process has no command line yet."""
    deadline = time.monotonic() + 20
    while True:
        found = [child for child in psutil.Process(parent).children() if MODULE in child.cmdline()]
        if len(found) >= count or time.monotonic() > deadline:
            return found
        time.sleep(0.01)


def test_a_crowd_is_there_as_long_as_its_context():
    with Crowd(2):
        assert len(neighbours(count=2)) == 2
    assert not neighbours()


def test_a_crowd_goes_when_the_context_fails():
    try:
        with Crowd(1):
            assert len(neighbours(count=1)) == 1
            raise KeyError
    except KeyError:
        assert not neighbours()


def test_nobody_is_nobody():
    with Crowd(0):
        assert not neighbours()


def test_neighbours_die_with_a_parent_that_is_killed():
    program = f"import time\nfrom {MODULE} import Crowd\nwith Crowd(1): print('open', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        try:
            assert parent.stdout.readline() == "open\n"
            found = neighbours(parent.pid, count=1)
        finally:
            parent.kill()
    gone, alive = psutil.wait_procs(found, timeout=20)
    assert (len(gone), alive) == (1, [])
