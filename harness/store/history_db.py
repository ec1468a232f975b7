"""The history file: every run with what its cells measured and how they were judged, on which commit and machine.

SQLite of the standard library: one file that any tool reads, a write-ahead log, and one transaction per run, so that a
killed process leaves a run whole or absent. (DuckDB shuts out every reader while one process has the file open for
writing, and an object mapper would be larger than these four tables.) Writers take turns by a lock beside the file;
`trends.py` reads it. The file lies in the results folder: it belongs to one project and stays with the project's
results, while a file in the user's folder would mix projects whose suites have equal names. `--qg-history FILE` names
another file, and `--qg-history off` writes none.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import sqlite3
import statistics
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from harness.core.errors import ConfigError
from harness.core.files import file_lock
from harness.store import results

NAME = "history.db"
"""The history file's name in the results folder."""

CPU_RATIO = "cpu_ratio"
"""A metric that only the history has: CPU time per call as a ratio to the CPU time of the reference network, the
geometric mean of the processes that judge latency. It is steadier than the median wall clock."""

MIGRATIONS = (
    """
    CREATE TABLE run (
        id TEXT PRIMARY KEY, started TEXT NOT NULL, revision TEXT, dirty INTEGER,
        machine_class TEXT NOT NULL, isa TEXT NOT NULL, environment TEXT NOT NULL
    );
    CREATE TABLE cell (
        key INTEGER PRIMARY KEY, run TEXT NOT NULL REFERENCES run(id), suite TEXT NOT NULL, id TEXT NOT NULL,
        status TEXT NOT NULL, reason TEXT, versions TEXT NOT NULL, provenance TEXT NOT NULL, UNIQUE (id, suite, run)
    );
    CREATE TABLE metric (
        cell INTEGER NOT NULL REFERENCES cell(key), name TEXT NOT NULL, value REAL NOT NULL, PRIMARY KEY (cell, name)
    ) WITHOUT ROWID;
    CREATE TABLE verdict (
        cell INTEGER NOT NULL REFERENCES cell(key), metric TEXT NOT NULL, against TEXT NOT NULL, status TEXT NOT NULL,
        observed REAL, reference REAL, expected TEXT NOT NULL, detail TEXT NOT NULL
    );
    """,
)
"""SQL from each version of the schema to the next. The file's `user_version` is the number of scripts it has seen."""


def append(path: Path, content: Mapping[str, Any], when: datetime) -> bool:
    """Add a run to the history. Returns False where the history has the run already.

    Args:
        path: the history file; made where it does not exist.
        content: the content of the run's results.json.
        when: when the run began, for results of an older quantgate that do not say so.

    Raises:
        ConfigError: the history cannot be written, is not a file of quantgate's, or has a newer schema.
    """
    run, environment = content.get("run") or {}, content["environment"]
    name = run.get("id") or _digest(content)
    started = run.get("started") or when.astimezone(timezone.utc).isoformat(timespec="seconds")
    with _writing(path) as store:
        if store.execute("SELECT 1 FROM run WHERE id = ?", (name,)).fetchone():
            return False
        store.execute(
            "INSERT INTO run VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                name, started, run.get("commit"), run.get("dirty"), environment["machine_class"],
                environment["isa"], json.dumps(environment, sort_keys=True),
            ),
        )  # fmt: skip
        for entry in content["cells"]:
            _add_cell(store, name, entry)
    return True


def _digest(content: Mapping[str, Any]) -> str:
    """The id of a run whose results.json has none, as an older quantgate wrote it: equal contents are one run."""
    text = json.dumps({key: content[key] for key in ("environment", "cells")}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _add_cell(store: sqlite3.Connection, run: str, entry: Mapping[str, Any]) -> None:
    provenance = entry["provenance"]
    key = store.execute(
        "INSERT INTO cell (run, suite, id, status, reason, versions, provenance) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            run, entry["suite"], entry["id"], entry["status"], entry["reason"],
            json.dumps(provenance.get("versions", {}), sort_keys=True), json.dumps(provenance, sort_keys=True),
        ),
    ).lastrowid  # fmt: skip
    metrics = {**entry["metrics"], CPU_RATIO: cpu_ratio(entry["samples"])}
    known = [(key, name, value) for name, value in metrics.items() if value is not None]
    store.executemany("INSERT INTO metric VALUES (?, ?, ?)", known)
    store.executemany(
        "INSERT INTO verdict VALUES (:cell, :metric, :against, :status, :observed, :reference, :expected, :detail)",
        [{"cell": key, **verdict} for verdict in entry["verdicts"]],
    )


def cpu_ratio(samples: Mapping[str, Sequence[float]]) -> float | None:
    """`CPU_RATIO` of a cell, from its samples; None where no processes judged its latency."""
    logs = samples.get("log_ratio_network")
    return math.exp(statistics.fmean(logs)) if logs else None


def add_file(path: Path, file: Path) -> bool:
    """Add the run of a `results.json` from any machine. Returns False where the history has the run already.

    Args:
        path: the history file.
        file: the results.json; where it does not say when the run began, the date of the file counts.

    Raises:
        ConfigError: `file` is not a results.json, or as for `append`.
    """
    results.read_cells(file)  # raises where it is not a results.json
    content = json.loads(file.read_text())
    return append(path, content, datetime.fromtimestamp(file.stat().st_mtime, timezone.utc))


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[sqlite3.Connection]:
    """One transaction, while all other writers wait. Makes the file, and brings an older schema up to date."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with file_lock(path.with_name(f"{path.name}.lock")), contextlib.closing(sqlite3.connect(path)) as store:
            version = _version(store, path)
            store.execute("PRAGMA journal_mode = WAL")  # meanwhile readers see the last whole run
            store.execute("PRAGMA foreign_keys = ON")
            for number, script in enumerate(MIGRATIONS[version:], version + 1):
                store.executescript(f"BEGIN; {script}; PRAGMA user_version = {number}; COMMIT;")
            with store:
                yield store
    except (OSError, sqlite3.Error) as error:
        raise ConfigError(f"history {path} cannot be written: {error}; name another with --qg-history") from None


@contextlib.contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """The history as it is after the last whole run, open for reading.

    Raises:
        ConfigError: the file does not exist, cannot be read, has no runs, or has a newer schema.
    """
    if not path.is_file():
        raise ConfigError(f"there is no {path}: run a suite, `quantgate history import RESULTS`, or name it with --db")
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as store:
            if not _version(store, path):
                raise sqlite3.DatabaseError("it has no runs")
            yield store
    except sqlite3.Error as error:
        raise ConfigError(f"history {path} cannot be read: {error}") from None


def _version(store: sqlite3.Connection, path: Path) -> int:
    """The version of the file's schema, 0 for a new file. Raises ConfigError where it is newer than this quantgate."""
    version: int = store.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise ConfigError(f"{path} has schema {version}, this quantgate reads {len(MIGRATIONS)}; upgrade quantgate")
    return version
