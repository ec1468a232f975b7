"""An explanation as a reader sees it: the answer first, then what it rests on."""

from __future__ import annotations

import dataclasses
import io

import pytest
from rich.console import Console

from harness.measure.explain.explain import Explanation, Lost, from_json
from harness.measure.explain.layer_noise import Layer
from harness.measure.explain.stage_swap import Stage, blamed
from harness.measure.explain.tide import TYPES, Errors
from harness.report.common.wording import explanation_line
from harness.report.terminal.explanation import render_explanation

ERRORS = Errors(0.9, dict.fromkeys(TYPES, 3), dict.fromkeys(TYPES, 0.01))
STAGES = (
    Stage("reference", "", 0.75, 1.0, 0.0),
    Stage("preprocessing", "reference", 0.60, 0.9, 0.0),  # aside: it never takes the blame
    Stage("export", "reference", 0.75, 1.0, 0.0),
    Stage("quantization", "export", 0.74, 0.98, -0.001),
    Stage("head", "quantization", 0.73, 0.40, -0.4),
    Stage("NMS", "head", skipped="the network ends in its detections"),
)
EXPLAINED = Explanation(
    "cell", 64, "head", STAGES, ERRORS, ERRORS, (Lost("cat", 0.5, 0.25),), (Lost("1.jpg", 8, 3),),
    (Layer("/model.23/cv3.0/Conv", 4.2, 0.38), Layer("/model.0/conv/Conv", None, 0.0)),
)  # fmt: skip


def text(explained: Explanation, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width)
    for part in render_explanation(explained):
        console.print(part, soft_wrap=isinstance(part, str))
    return console.file.getvalue()


def test_the_answer_comes_first_in_one_line():
    assert text(EXPLAINED).splitlines()[0] == explanation_line(EXPLAINED)


def test_a_change_of_nothing_keeps_its_sign_since_it_was_measured():
    reference, letterbox, export = [line.split() for line in text(EXPLAINED).splitlines()[4:7]]
    assert reference[-4:] == ["0.7500", "–", "1.0000", "+0.0000"]
    assert letterbox[-4:] == ["0.6000", "−0.1500", "0.9000", "+0.0000"]
    assert export[-4:] == ["0.7500", "+0.0000", "1.0000", "+0.0000"]


def test_the_blame_goes_to_the_step_that_lost_most_of_map_or_agreement():
    assert blamed(STAGES) == "head"
    assert blamed(STAGES[:4]) == "quantization"
    assert blamed(STAGES[:3]) == ""


def test_map_decides_unless_the_cell_no_longer_agrees():
    far, near = Stage("head", "quantization", 0.745, 0.70, 0.0), Stage("head", "quantization", 0.745, 0.80, 0.0)
    assert blamed([*STAGES[:4], near]) == "quantization"  # it lost 0.01 mAP, the head gained 0.005
    assert blamed([*STAGES[:4], far]) == "head"
    gained = Stage("quantization", "export", 0.76, 0.98, 0.0)
    assert blamed([*STAGES[:3], gained, Stage("head", "quantization", 0.76, 0.90, 0.0)]) == "head"


@pytest.mark.parametrize("width", [80, 160])
def test_no_number_is_cut_short(width):
    shown = text(EXPLAINED, width)
    assert "…" not in shown
    for word in ("−0.0100", "0.4000", "cat", "−0.2500", "1.jpg", "4.2", "38.00%", "localization"):
        assert word in shown
    assert "NMS: the network ends in its detections" in shown


def test_without_layers_the_reason_stands_there():
    assert "no layers: litert keeps" in text(dataclasses.replace(EXPLAINED, layers=(), no_layers="litert keeps"))


def test_it_survives_the_results_file():
    assert from_json(dataclasses.asdict(EXPLAINED)) == EXPLAINED
