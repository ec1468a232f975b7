"""A cell whose work ran in another type than its name promises is told, one that says so beforehand is not."""

from __future__ import annotations

import pytest
from builders import FP32, INT8

from harness.judge.attestation import contradiction, share


@pytest.mark.parametrize(
    ("executed", "promised", "expected"),
    [
        ({"i8": 3, "f32": 1}, "i8", 0.75),
        ({"f32": 4}, "i8", 0.0),
        ({"bf16": 4}, "f32", 0.0),
        ({"f32": 4}, "f32", 1.0),
        ({}, "i8", None),
    ],
)
def test_the_share_is_of_multiply_accumulates(executed, promised, expected):
    assert share(executed, promised) == expected


def test_int8_that_fell_back_to_float_is_told_with_what_ran():
    (note,) = contradiction(INT8, {"f32": 90, "i8": 10}, "i8")
    assert note == "int8 should run in i8; its multiply-accumulates ran 90% in f32, 10% in i8"


def test_fp32_that_ran_in_bf16_is_told():
    (note,) = contradiction(FP32, {"bf16": 99, "f32": 1}, "f32")
    assert "99% in bf16" in note


@pytest.mark.parametrize(
    ("cell", "executed", "promised"),
    [(FP32.sibling("fp16"), {"f32": 9}, "f32"), (INT8, {"i8": 6, "f32": 4}, "i8"), (INT8, {}, "i8")],
)
def test_what_the_recipe_declares_is_no_contradiction(cell, executed, promised):
    assert contradiction(cell, executed, promised) == ()
