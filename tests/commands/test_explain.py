"""`quantgate explain`: what is asked for reaches the measurement, and what it finds is printed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import reports
from demoproject import FP32, Demo

from harness.commands.cli import main
from harness.measure.explain import explain as measured
from harness.measure.explain.explain import from_json


@pytest.fixture
def asked(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the measurement is asked for, which here takes no time."""
    found: list[Any] = []

    def explain(place, suite, home, cell, images):
        found.append((suite.name, home, cell.id, images))
        return from_json(reports.explained())

    monkeypatch.setattr(measured, "explain", explain)
    monkeypatch.chdir(demo.path)
    return found


def test_the_cell_is_found_by_its_id_and_explained(asked, capsys) -> None:
    assert main(["explain", FP32, "--suite", "."]) == 0
    assert asked == [("demo", Path(), FP32, 64)]
    printed = capsys.readouterr().out
    assert "/model.23/cv3.0/Conv" in printed and "export" in printed


def test_the_number_of_images_is_the_user_s(asked) -> None:
    assert main(["explain", FP32, "--suite", "test_demo.py", "--images", "1"]) == 0
    assert asked[0][-1] == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([FP32, "--suite", ".", "--images", "0"], "--images 0: look at one image or more"),
        ([FP32, "--suite", "data"], "data declares no suite"),
        (["model-fp32-null-cup", "--suite", "."], f"did you mean '{FP32}'?"),
    ],
)
def test_what_cannot_be_explained_is_one_line(asked, refused, arguments: list[str], said: str) -> None:
    assert said in refused("explain", *arguments)
    assert not asked
