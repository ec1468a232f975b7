"""Trends: comparable runs in order, with their change points, and how `quantgate history` shows them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from runs import CELL, NOW, results

from harness import ConfigError
from harness.commands.cli import main
from harness.store import trends
from harness.store.history_db import CPU_RATIO, append


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Twelve days of one cell; from the ninth on it is slower and runs on another version."""
    path = tmp_path / "history.db"
    for day in reversed(range(12)):
        slow = day >= 8
        content = results(f"r{day}", started=NOW + timedelta(days=day), latency_p50_ms=4 + slow + 0.01 * (day % 3))
        content["cells"][0]["samples"] = {"log_ratio_network": [0.1 * slow, 0.1 * slow]}
        content["cells"][0]["provenance"] = {"versions": {"onnxruntime": "2.0" if slow else "1.2"}}
        append(path, content, NOW)
    return path


def test_a_trend_is_in_order_of_time_and_knows_where_its_level_changed(file: Path) -> None:
    (found,) = trends.trend(file, CELL, "latency_p50_ms")
    assert [point.run for point in found.points] == [f"r{day}" for day in range(12)]
    assert (found.suite, found.kind) == ("made", "epyc-2c")
    (change,) = found.changes
    assert change.index == 8
    assert (change.before, change.after) == (pytest.approx(4.01, abs=0.005), pytest.approx(5.01, abs=0.01))
    assert found.points[8].versions == {"onnxruntime": "2.0"}
    assert found.points[8].revision == "c0ffee"


def test_cpu_time_against_the_reference_is_a_metric_of_its_own(file: Path) -> None:
    (found,) = trends.trend(file, CELL, CPU_RATIO)
    assert [round(point.value, 3) for point in found.points] == [1.0] * 8 + [1.105] * 4
    assert [change.index for change in found.changes] == [8]


def test_machines_and_suites_are_never_mixed(file: Path) -> None:
    append(file, results("other", isa="neon"), NOW)
    assert [found.kind for found in trends.trend(file, CELL, "map")] == ["avx2", "neon"]
    assert trends.trend(file, CELL, "map", suite="another") == ()


@pytest.mark.parametrize(
    ("cell", "metric", "message"),
    [
        ("yolo26n-int8-onnxruntime-cqu", "map", f"has no cell .*did you mean '{CELL}'"),
        (CELL, "mapp", "unknown metric 'mapp'; did you mean 'map'"),
    ],
)
def test_what_is_not_known_is_one_line_with_the_nearest(file: Path, cell: str, metric: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        trends.trend(file, cell, metric)


def test_a_run_is_listed_with_its_suites_and_how_many_cells_ended_in_each_status(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    append(path, results("later", cells=3, started=NOW + timedelta(days=1)), NOW)
    mixed = results("earlier", cells=3)
    mixed["run"] |= {"commit": None, "dirty": None}
    for cell, status in zip(mixed["cells"], ("met", "error", "met"), strict=True):
        cell["status"] = status
    mixed["cells"][0]["suite"] = "another"
    append(path, mixed, NOW)
    earlier, later = trends.known_runs(path)
    assert (earlier.id, earlier.started, earlier.revision, earlier.dirty) == ("earlier", NOW, "", False)
    assert (earlier.suites, earlier.statuses) == (("another", "made"), {"met": 2, "error": 1})
    assert (later.id, later.revision, later.suites, later.statuses) == ("later", "c0ffee", ("made",), {"unchanged": 3})
    assert (earlier.machine_class, later.machine_class) == ("epyc-2c", "epyc-2c")


def test_the_cells_of_a_history_are_known_by_their_ids(tmp_path: Path) -> None:
    append(tmp_path / "history.db", results("one", cells=2), NOW)
    append(tmp_path / "history.db", results("two"), NOW)
    assert trends.known_cells(tmp_path / "history.db") == (CELL, f"{CELL}1")


def test_without_a_file_it_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no .*run a suite.*--db"):
        trends.known_runs(tmp_path / "history.db")


# Commands


@pytest.mark.parametrize("columns", [80, 100, 160])
def test_the_plot_fits_and_says_what_changed_with_the_level(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main(["history", CELL, "--db", str(file)]) == 0
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= columns
    assert "\x1b" not in printed
    assert "▲ 2026-12-03 12:00: 1.0000 → 1.1052, +10.5%: onnxruntime 1.2 → 2.0" in printed
    assert "made on avx2, 12 runs: 0.5000 in all of them" in printed


def test_more_runs_than_columns_leave_the_oldest_out(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for number in range(100):
        append(file, results(f"x{number}", started=NOW + timedelta(days=20, hours=number), map=0.4), NOW)
    assert main(["history", CELL, "--db", str(file), "--metric", "map"]) == 0
    plot = [line for line in capsys.readouterr().out.splitlines() if "┤" in line]
    assert {len(line) for line in plot} == {80}


def test_a_cell_without_the_metric_is_one_line(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["history", CELL, "--db", str(file), "--metric", "map_small"]) == 2
    assert f"no run of {CELL} in {file} has map_small" in capsys.readouterr().err
