"""Neighbours: as many as asked for, busy while the context is open, and gone with it or with their parent."""

from __future__ import annotations

import subprocess
import sys
import time

import psutil

from harness.commands.selfcheck.noisy_neighbours import Crowd

MODULE = "harness.commands.selfcheck.noisy_neighbours"


def neighbours(parent: int | None = None) -> list[psutil.Process]:
    return [child for child in psutil.Process(parent).children() if MODULE in child.cmdline()]


def test_a_crowd_is_there_as_long_as_its_context():
    with Crowd(2):
        assert len(neighbours()) == 2
    assert not neighbours()


def test_a_crowd_goes_when_the_context_fails():
    try:
        with Crowd(1):
            raise KeyError
    except KeyError:
        assert not neighbours()


def test_nobody_is_nobody():
    with Crowd(0):
        assert not neighbours()


def test_neighbours_die_with_a_parent_that_is_killed():
    program = f"import time\nfrom {MODULE} import Crowd\nwith Crowd(1): print('open', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout.readline() == "open\n"
        (child,) = neighbours(parent.pid)
        busy = time.monotonic() + 20
        while not child.cpu_times().user > 0 and time.monotonic() < busy:
            time.sleep(0.05)
        parent.kill()
    gone, alive = psutil.wait_procs([child], timeout=10)
    assert (len(gone), alive) == (1, [])
