"""The history in the report: what moved, where its level changed, and nothing else."""

from __future__ import annotations

from datetime import timedelta

import pytest
from reports import regressed, write
from runs import CELL, ENVIRONMENT, NOW, results

from harness.report.html import page
from harness.report.html.history import EDGE, HEIGHT, WIDTH, Past, of_suite
from harness.store import history_db
from harness.store.results import CellResult, load_results

CELLS = [CellResult("made", CELL, None, "unchanged", None, None)]


def history(folder, values, **changes):
    file = folder / history_db.NAME
    for n, value in enumerate(values):
        run = results(f"r{n}", started=NOW + timedelta(days=n), **{"map": value, **changes})
        history_db.append(file, run, NOW)
    return file


def test_a_line_goes_through_its_runs_from_the_oldest(tmp_path):
    file = history(tmp_path, [0.4, 0.5, 0.45])
    (line,) = of_suite(file, CELLS, ENVIRONMENT, first=3).moved
    assert (line.index, line.cell, line.title) == (3, CELL, "mAP")
    assert line.points == [(EDGE, HEIGHT - EDGE), (WIDTH / 2, EDGE), (WIDTH - EDGE, HEIGHT / 2)]
    assert (line.low, line.high, line.now) == ("0.4000", "0.5000", "0.4500")
    assert (line.first, line.last) == ("2026-11-25", "2026-11-27")


def test_a_new_level_is_a_line_of_its_own_and_says_what_changed(tmp_path):
    file = history(tmp_path, [0.5, 0.501, 0.5, 0.501, 0.5, 0.4, 0.401, 0.4, 0.401, 0.4])
    (line,) = of_suite(file, CELLS, ENVIRONMENT).moved
    assert [(start, end) for start, end, _ in line.levels] == [
        (line.points[0][0], line.points[4][0]), (line.points[5][0], line.points[9][0])
    ]  # fmt: skip
    assert line.levels[0][2] < line.levels[1][2]  # lower values lie further down
    (said,) = line.changes
    assert said.startswith("2026-11-30 12:00: 0.5004 → 0.4004, −0.1000")
    assert line.changed == "2026-11-30"


def test_what_never_moved_is_counted_only(tmp_path):
    past = of_suite(history(tmp_path, [0.5, 0.5, 0.5]), CELLS, ENVIRONMENT)
    assert (past.moved, past.still) == ([], 1)


@pytest.mark.parametrize("values", [[], [0.4, 0.5]])
def test_too_few_runs_are_no_history(tmp_path, values):
    past = of_suite(history(tmp_path, values), CELLS, ENVIRONMENT)
    assert (list(past.moved), past.still) == ([], 0)


def test_runs_of_another_kind_of_machine_are_left_out(tmp_path):
    file = history(tmp_path, [0.4, 0.5, 0.45])
    other = {**ENVIRONMENT, "isa": "avx512", "machine_class": "zen-2c"}
    assert list(of_suite(file, CELLS, other).moved) == []


@pytest.mark.parametrize("content", [b"no database", b""])
def test_a_damaged_history_costs_the_history_and_not_the_report(tmp_path, content):
    file = tmp_path / history_db.NAME
    file.write_bytes(content)
    assert of_suite(file, CELLS, ENVIRONMENT) == Past()


def test_the_report_finds_the_history_beside_the_results(tmp_path):
    write(tmp_path, regressed())
    cell = regressed()[2].id
    for n in range(4):
        run = results(f"r{n}", started=NOW + timedelta(days=n), map=0.4 + 0.01 * n)
        run["cells"][0] |= {"id": cell, "suite": "demo"}
        run["environment"] |= {"isa": load_results(tmp_path / "results.json").environment["isa"]}
        history_db.append(tmp_path / history_db.NAME, run, NOW)
    page.write_page(tmp_path, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert f"mAP of {cell} over 4 runs, from 0.4000 to 0.4300" in text
