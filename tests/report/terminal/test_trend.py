"""The plot of a metric over runs, and the list of runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
from runs import CELL, NOW
from shown import rendered, row

from harness.report.terminal.trend import HEIGHT, render_trend, runs_table
from harness.store.history_db import CPU_RATIO
from harness.store.trends import LevelChange, Point, Run, Trend


def trend(values: Sequence[float], metric: str = "map", new_level: int = 0, failed: Sequence[int] = ()) -> Trend:
    """A run a day; `new_level`: where the second level begins, 0 for one level."""
    points = tuple(
        Point(f"r{n}", NOW + timedelta(days=n), "c0ffee", False, value, "regressed" if n in failed else "unchanged", {})
        for n, value in enumerate(values)
    )
    means = [sum(part) / len(part) if part else 0.0 for part in (values[:new_level], values[new_level:])]
    changes = (LevelChange(new_level, *means),) if new_level else ()
    return Trend("demo", CELL, metric, "avx2", points, changes)


def drawn(shown: Trend, width: int = 60, colour: bool = False) -> list[str]:
    return rendered(render_trend(shown, width), width, colour).splitlines()


STEP = trend([0.5, 0.5, 0.5, 0.4, 0.4, 0.4], new_level=3)


def test_a_plot_has_its_extremes_as_labels_a_line_for_each_level_and_the_days_below():
    lines = drawn(STEP)
    assert lines[0].startswith("map: average precision")
    start = lines.index("demo on avx2, 6 runs")
    assert lines[start + 1 : start + 3 + HEIGHT] == [
        "0.5000 ┤▀──▀──▀──",
        "       │",
        "       │",
        "       │",
        "       │",
        "0.4000 ┤         ▄──▄──▄──",
        "       └         ▲",
        "        2026-11-25 … 2026-11-30",
    ]


def test_each_new_level_has_a_sentence():
    text = " ".join(drawn(STEP, width=120))
    assert "▲ 2026-11-28 12:00: 0.5000 → 0.4000, −0.1000: same commit, same versions" in text


@pytest.mark.parametrize(("metric", "colour"), [("map", "31"), ("size_bytes", "32")])
def test_a_change_has_the_colour_of_better_or_worse(metric, colour):
    text = "\n".join(drawn(trend([2.0, 2.0, 1.0, 1.0], metric, new_level=2), width=120, colour=True))
    by = "−1.0000" if metric == "map" else "−50.0%"
    assert f"\x1b[{colour}m{by}" in text


def test_a_run_in_which_the_cell_failed_is_red():
    text = "\n".join(drawn(trend([0.5, 0.4, 0.5], failed=[1]), colour=True))
    assert text.count("\x1b[31m▄") == 1
    assert text.count("\x1b[36m▀") == 2


def test_runs_of_one_value_are_told_in_a_sentence_instead_of_a_plot():
    assert drawn(trend([0.5, 0.5, 0.5]))[-1] == "demo on avx2, 3 runs: 0.5000 in all of them"
    assert drawn(trend([0.5]))[-1] == "demo on avx2, 1 run: 0.5000"


@pytest.mark.parametrize("width", [40, 80, 160])
def test_more_runs_than_columns_leave_the_oldest_out_and_nothing_is_wider(width):
    many = trend([0.3] + [0.4 + 0.001 * (n % 5) for n in range(300)], new_level=1)
    lines = drawn(many, width)
    assert max(map(len, lines)) <= width
    plot = [line for line in lines if "┤" in line or "│" in line]
    assert len(plot) == HEIGHT
    assert "▄" not in plot[-1], "the oldest run, which is the lowest, is not drawn"
    axis = next(line for line in lines if "└" in line)
    assert "▲" not in axis, "and neither is the level that began right after it"


def test_the_cpu_ratio_is_no_metric_and_has_a_title_of_its_own():
    lines = drawn(trend([1.0, 1.1, 1.0], CPU_RATIO))
    assert lines[0] == "cpu_ratio: CPU time of a call, against the reference network"
    assert any(line.startswith("1.1000 ┤") for line in lines)


# The list of runs


def run(name: str, revision: str = "c0ffee1234", dirty: bool = False, **statuses: int) -> Run:
    return Run(name, NOW, revision, dirty, "epyc-2c", ("demo", "other"), statuses)


def test_a_run_is_a_row_with_commit_machine_suites_and_statuses():
    text = rendered([runs_table([run("r1", regressed=1, unchanged=3), run("r2", "", unchanged=4)])], 120)
    first, second = text.splitlines()[2:]
    assert first.split(maxsplit=4) == [
        "2026-11-25",
        "12:00",
        "c0ffee12",
        "epyc-2c",
        "demo, other   1 regressed, 3 unchanged",
    ]
    assert second.split()[2] == "–"


def test_tracked_files_that_differed_from_the_commit_are_marked():
    assert "c0ffee12+" in rendered([runs_table([run("r1", dirty=True, met=1)])], 120)


def test_only_runs_with_a_failing_cell_are_red():
    text = rendered([runs_table([run("r1", regressed=1, met=1), run("r2", inconclusive=2)])], 120, colour=True)
    assert "\x1b[1;31m1 regressed" in text
    assert "\x1b[1;31m" not in row(text, "inconclusive")
