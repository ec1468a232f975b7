"""The history file: a run is in it once and whole, whoever writes at the same time and whenever it is killed."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from runs import NOW, results

from harness import ConfigError
from harness.store import history_db, trends
from harness.store.history_db import append


def counts(file: Path) -> dict[str, int]:
    with sqlite3.connect(file) as store:
        tables = ("run", "cell", "metric", "verdict")
        found = {name: store.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables}
    store.close()
    return found


def test_a_run_is_added_once(tmp_path: Path) -> None:
    file = tmp_path / "new folder" / "history.db"
    assert append(file, results(cells=3, map_large=None), NOW) is True
    assert append(file, results(cells=3), NOW) is False
    assert counts(file) == {"run": 1, "cell": 3, "metric": 3, "verdict": 3}


def test_results_of_an_older_quantgate_are_known_by_their_content(tmp_path: Path) -> None:
    file, old = tmp_path / "history.db", results()
    del old["run"]
    assert [append(file, old, NOW), append(file, old, NOW), append(file, {**old, "cells": []}, NOW)] == [
        True,
        False,
        True,
    ]
    assert {run.started for run in trends.known_runs(file)} == {NOW}


def test_a_results_json_is_imported_with_the_time_of_its_file(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    file.write_text(json.dumps({key: value for key, value in results().items() if key != "run"}))
    os.utime(file, (NOW.timestamp(), NOW.timestamp()))
    assert history_db.add_file(tmp_path / "history.db", file) is True
    assert history_db.add_file(tmp_path / "history.db", file) is False
    assert trends.known_runs(tmp_path / "history.db")[0].started == NOW


def write(file: Path, worker: int) -> None:
    for number in range(10):
        append(file, results(f"{worker}-{number}", cells=5), NOW)


def test_concurrent_runs_are_all_there(tmp_path: Path) -> None:
    file = tmp_path / "history.db"
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=write, args=(file, worker)) for worker in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0] * 4
    assert counts(file) == {"run": 40, "cell": 200, "metric": 200, "verdict": 200}


def test_a_killed_writer_leaves_every_run_whole_or_absent_and_the_next_one_writes(tmp_path: Path) -> None:
    file = tmp_path / "history.db"
    program = f"""
import itertools, sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from runs import NOW, results
from harness.store.history_db import append
for number in itertools.count():
    append(Path({str(file)!r}), results(str(number), cells=50), NOW)
    print(number, flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for line in writer.stdout:
            if line == "5\n":
                break
        time.sleep(0.003)
        writer.send_signal(signal.SIGKILL)
    found = counts(file)
    assert found["run"] >= 6
    assert found["cell"] == found["verdict"] == 50 * found["run"]
    assert append(file, results("next"), NOW) is True
    assert sqlite3.connect(file).execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_reader_does_not_wait_for_a_writer(tmp_path: Path) -> None:
    file = tmp_path / "history.db"
    append(file, results(), NOW)
    writer = sqlite3.connect(file, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("DELETE FROM verdict")
    assert len(trends.known_runs(file)) == 1
    writer.close()


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"not a database, but long enough" * 99, "file is not a database"), (None, "cannot be written")],
)
def test_what_is_no_history_is_one_line_that_names_the_option(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    file = tmp_path / "history.db"
    file.mkdir() if content is None else file.write_bytes(content)
    with pytest.raises(ConfigError, match=rf"history .*{message}.*--qg-history"):
        append(file, results(), NOW)


def test_a_newer_schema_is_neither_read_nor_written(tmp_path: Path) -> None:
    file = tmp_path / "history.db"
    append(file, results(), NOW)
    store = sqlite3.connect(file)
    store.execute("PRAGMA user_version = 99")
    store.close()
    for use in (lambda: trends.known_runs(file), lambda: append(file, results("r2"), NOW)):
        with pytest.raises(ConfigError, match=r"has schema 99, this quantgate reads 1; upgrade quantgate"):
            use()
