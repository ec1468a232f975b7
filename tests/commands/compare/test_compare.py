"""`quantgate compare A B`: 0 where nothing is worse, 1 on a regression, 2 where it cannot be read, 4 if asked for."""

from __future__ import annotations

import pytest
from builders import FP32, INT8, measurement


def test_a_file_is_as_good_as_the_folder_it_lies_in(results, compared):
    a = results("a", measurement())
    assert compared(a / "results.json", a)[0] == 0


def test_nothing_to_compare_with_is_4_where_asked_for_and_a_regression_is_still_1(results, compared):
    both, worse = [measurement(FP32), measurement(INT8)], [measurement(FP32), measurement(INT8, map=0.3)]
    young = results("young", both[0])
    assert compared(young, results("b", *both))[0] == 0
    assert compared(young, results("b", *both), "--inconclusive", "fail")[0] == 4
    assert compared(results("a", *both), results("b", *both), "--inconclusive", "fail")[0] == 0
    assert compared(results("a", *both), results("b", *worse), "--inconclusive", "fail")[0] == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "holds neither a results.json nor baselines"),
        ('{"schema": 1', "is not a results.json"),
        ('{"schema": 3}', "has schema 3"),
        ('{"schema": 1, "cells": [{}]}', "is not a results.json"),
    ],
)
@pytest.mark.parametrize("swapped", [False, True])
def test_what_cannot_be_read_is_one_line_and_2(results, compared, broken, content, message, swapped):
    pair = [results("fine", measurement()), broken(content)]
    code, text = compared(*(pair[::-1] if swapped else pair))
    assert code == 2
    assert text.startswith("quantgate: ")
    assert message in text
    assert text.count("\n") == 1


def test_the_table_fits_a_narrow_terminal(results, compared, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    code, text = compared(results("a", measurement(FP32)), results("b", measurement(FP32)))
    assert code == 0
    assert max(map(len, text.splitlines())) <= 80
    assert [line for line in text.splitlines() if FP32.id in line and "unchanged" in line and "0.4185" in line]
