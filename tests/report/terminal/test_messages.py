"""The lines under the table."""

from __future__ import annotations

from shown import FP32, result

from harness.core.cell import Cell
from harness.report.common.wording import counts, repeat


def test_the_command_that_repeats_a_cell_names_its_test_and_the_options():
    cell = Cell("yolo26n:e2e", "int8:entropy", "onnxruntime")
    command = repeat(result(cell), ["accuracy"], ["pytest", "--qg-cache-dir=/a b"])
    wanted = "'test_demo.py::test_accuracy[yolo26n~e2e-int8~entropy-onnxruntime-cpu]'"
    assert command == f"pytest '--qg-cache-dir=/a b' {wanted}"


def test_statuses_are_counted_worst_first_and_what_cannot_run_last():
    found = [result(FP32, status) for status in ("unavailable", "unchanged", "error", "unchanged")]
    assert counts(found) == "1 error, 2 unchanged, 1 unavailable"
