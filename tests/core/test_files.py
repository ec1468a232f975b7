"""A file appears whole or not at all, and a file lock is held by one process at a time."""

from __future__ import annotations

import errno
import itertools
import os
import subprocess
import sys
import time

import pytest
from lockers import overlap

from harness import ConfigError
from harness.core.files import ASSETS, file_lock, write_bytes, write_text

# Whole or absent


def test_folders_are_made_and_old_text_is_replaced(tmp_path):
    target = tmp_path / "a" / "b.json"
    write_text(target, "one", "--option")
    write_text(target, "two", "--option")
    assert target.read_text() == "two"
    assert os.listdir(target.parent) == ["b.json"]


def test_text_is_utf_8_and_bytes_stay_as_they_are(tmp_path):
    write_text(tmp_path / "text", "−0.5 ±", "--option")
    write_bytes(tmp_path / "bytes", b"\x00\xff\r\n", "--option")
    assert (tmp_path / "text").read_bytes() == "−0.5 ±".encode()
    assert (tmp_path / "bytes").read_bytes() == b"\x00\xff\r\n"


@pytest.mark.parametrize("step", ["replace", "write"])
def test_a_full_disk_is_one_line_and_leaves_the_old_file(tmp_path, monkeypatch, step):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    target = tmp_path / "b.json"
    write_text(target, "old", "--qg-results-dir")
    monkeypatch.setattr(*((os, "replace") if step == "replace" else (type(target), "write_bytes")), full)
    with pytest.raises(ConfigError, match=r"b\.json cannot be written: No space left.*with --qg-results-dir"):
        write_text(target, "new", "--qg-results-dir")
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["b.json"]


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("kept")
    with pytest.raises(ConfigError, match=r"cannot be written: .*name another folder with --option"):
        write_text(tmp_path / "file" / "below.json", "new", "--option")
    assert (tmp_path / "file").read_text() == "kept"


def test_the_assets_lie_in_the_package():
    assert (ASSETS.parent / "__init__.py").exists()
    assert ASSETS.is_dir()


# Locks


def test_a_file_lock_is_held_by_one_process_at_a_time(lockers, tmp_path):
    assert [process.wait(20) for process in [lockers("file", 0.05) for _ in range(4)]] == [0] * 4
    held = [tuple(map(float, line.split())) for line in (tmp_path / "file.txt").read_text().splitlines()]
    assert len(held) == 4
    assert not [pair for pair in itertools.combinations(held, 2) if overlap(*pair)]


def test_a_killed_process_frees_its_file_lock(lockers, tmp_path):
    holder = lockers("file", 60)
    holder.stdout.readline()
    holder.kill()
    with file_lock(tmp_path / "key.lock"):
        assert not (tmp_path / "file.txt").exists()


def test_who_does_not_wait_is_told_whether_the_lock_is_held(tmp_path):
    path = tmp_path / "a" / "key.lock"
    with file_lock(path) as first, file_lock(path, wait=False) as second:
        assert (first, second) == (True, False)
    with file_lock(path, wait=False) as third:
        assert third


def test_a_section_that_raises_frees_its_lock_and_leaves_the_file(tmp_path):
    path = tmp_path / "key.lock"
    with pytest.raises(ZeroDivisionError), file_lock(path):
        raise ZeroDivisionError
    assert path.exists()
    with file_lock(path, wait=False) as held:
        assert held


def test_a_program_that_a_holder_started_does_not_keep_the_lock(tmp_path):
    path = tmp_path / "key.lock"
    with file_lock(path):
        sleeper = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, close_fds=False)
    try:
        for _ in range(100):  # until the program has replaced what was forked
            with file_lock(path, wait=False) as held:
                if held:
                    break
            time.sleep(0.05)
        assert held and sleeper.poll() is None, "the program runs, and does not hold the lock"
    finally:
        sleeper.communicate(b"\n", timeout=20)


def test_a_lock_that_cannot_be_opened_is_one_line(tmp_path):
    (tmp_path / "file").write_text("kept")
    with (
        pytest.raises(ConfigError, match=r"lock file .*key\.lock cannot be written: ") as raised,
        file_lock(tmp_path / "file" / "key.lock"),
    ):
        pass
    assert "\n" not in str(raised.value)
