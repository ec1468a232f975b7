"""The verdict comes first: what failed, how sure that is, and what could not be judged."""

from __future__ import annotations

import pytest
from reports import FP32, GATES, INT8, regressed, result

from harness import Verdict
from harness.core.measurement import Measurement
from harness.report.html.findings import findings, note_groups, page_headline, unavailable, undecided
from harness.store.results import CellResult

UNSURE = Verdict("map", "baseline", "inconclusive", 0.39, 0.4, "≥ 0.395", "128 images prove drops above 0.02")
BIGGER = Verdict("size_bytes", "baseline", "regressed", 3_000_000, 2_000_000, "≤ 2.02e+06")

DOUBTFUL = result(INT8, "inconclusive", UNSURE)


def absent(cell=INT8):
    return result(cell, "unavailable", measured=Measurement(cell, failure=("unavailable", "no runtime")))


@pytest.mark.parametrize(
    ("cells", "text", "tone"),
    [
        (regressed(), "1 of 3 cells fails its gates", "bad"),
        ([result(FP32, "error"), result(INT8, "missed")], "2 of 2 cells fail their gates", "bad"),
        ([result(FP32), result(INT8)], "All 2 cells pass", "good"),
        ([result(FP32), absent()], "The cell passes", "good"),
        ([result(FP32), DOUBTFUL], "Nothing failed; 1 of 2 cells could not be judged", "warn"),
        ([absent()], "Nothing could run here", "warn"),
        ([], "No cells", "warn"),
    ],
)  # fmt: skip
def test_the_run_in_one_line(cells, text, tone):
    told = page_headline(cells)
    assert (told.text, told.tone) == (text, tone)


def test_a_failed_gate_says_observed_limit_and_how_sure():
    drop, slower = findings(regressed(), GATES, first=7)
    assert (drop.index, drop.cell, drop.status, drop.metric) == (9, INT8.id, "regressed", "map")
    assert (drop.observed, drop.limit, drop.reference) == ("0.3800", "≥ 0.3950", "baseline 0.4000")
    assert drop.why == "−0.02, 99% interval …"
    assert drop.repeat == f"pytest 'suites/test_demo.py::test_accuracy[{INT8.id}]'"
    assert (slower.observed, slower.against, slower.limit) == ("1.200 ×", "baseline", "≤ 1.050 ×")
    assert slower.reference == ""


def test_the_gauge_lies_between_its_ends_in_the_order_of_the_numbers():
    gauge = findings(regressed(), GATES)[0].gauge
    assert gauge.low < gauge.value < gauge.high < gauge.limit < gauge.reference
    assert (gauge.low, gauge.reference) == (4, 96)


def test_bytes_have_a_unit_and_need_no_interval():
    (finding,) = findings([result(INT8, "regressed", BIGGER)], GATES)
    assert (finding.observed, finding.limit, finding.reference) == ("3.00 MB", "≤ 2.02 MB", "baseline 2.00 MB")
    assert finding.why.startswith("exact")


def test_errors_come_before_regressions_and_say_why():
    broken = CellResult("demo", "x", None, "missing", "the suite has it not", None)
    crashed = result(FP32, "error")
    crashed = CellResult(**{**crashed.__dict__, "reason": "killed by signal 9"})
    found = findings([*regressed(), broken, crashed], GATES)
    assert [finding.status for finding in found] == ["error", "regressed", "regressed", "missing"]
    assert found[0].why == "killed by signal 9"
    assert found[-1].repeat == ""


def test_a_cause_is_told_once_for_all_its_cells():
    cells = [result(FP32, "inconclusive", UNSURE), DOUBTFUL]
    (group,) = undecided(cells)
    assert (group.status, group.text, group.cells) == ("inconclusive", UNSURE.detail, [FP32.id, INT8.id])
    (group,) = unavailable([absent(), absent(FP32)])
    assert len(group.cells) == 2
    noted = result(FP32, measured=Measurement(FP32, notes=("reused", "reused")))
    assert [(g.text, g.cells) for g in note_groups([noted])] == [("reused", [FP32.id])]
