"""Trends: comparable runs in order, with their change points; and the file that every run is appended to."""

from __future__ import annotations

import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from demoproject import FP32, Demo, output
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


def test_without_a_file_it_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no .*run a suite.*--db"):
        trends.known_runs(tmp_path / "history.db")


def committed(folder: Path) -> str:
    """A repository around the folder, with everything in it in one commit."""
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    for arguments in (["init", "-q"], ["add", "-A"], [*identity, "commit", "-qm", "all"]):
        subprocess.run(["git", *arguments], cwd=folder, check=True)
    return subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


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


def test_every_run_is_appended_and_its_results_are_imported_elsewhere_once(
    demo: Demo, capsys: pytest.CaptureFixture[str]
) -> None:
    demo.run("-m", "accuracy")
    commit = committed(demo.path)
    demo.run("-m", "accuracy", "-n2")
    assert [run.revision for run in trends.known_runs(demo.path / ".quantgate" / "history.db")] == ["", commit]
    run = demo.results()["run"]
    assert run["id"] == trends.known_runs(demo.path / ".quantgate" / "history.db")[-1].id
    other = demo.path / "elsewhere.db"
    for said in ("imported", "is there already"):
        assert main(["history", "import", str(demo.path / ".quantgate"), "--db", str(other)]) == 0
        assert said in capsys.readouterr().out
    assert trends.known_cells(other) == (FP32,)
    assert main(["history", "list", "--db", str(other)]) == 0
    assert "demo" in capsys.readouterr().out


def test_the_history_is_switched_off_or_put_elsewhere(demo: Demo) -> None:
    demo.run("-m", "accuracy", "--qg-history=off")
    assert not list(demo.path.rglob("history.db"))
    demo.run("-m", "accuracy", "--qg-history=kept/all.db")
    assert len(trends.known_runs(demo.path / "kept" / "all.db")) == 1


def test_a_history_that_cannot_be_written_is_a_loud_line_and_the_verdicts_stand(demo: Demo) -> None:
    (demo.path / "broken.db").write_text("no database " * 99)
    result = demo.run("-m", "accuracy", "--qg-history=broken.db")
    assert result.ret == 0
    assert "this run is not in the history: history" in output(result)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["list", "a.json"], "only `history import` takes files"), (["import"], "history import takes results")],
)
def test_arguments_that_make_no_sense_are_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["history", *arguments]) == 2
    assert message in capsys.readouterr().err
