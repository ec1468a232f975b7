"""Anchors: what is copied at a release, and how far a baseline has moved since."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from builders import FP32, INT8, measurement
from gated import accept

from harness import ConfigError
from harness.store import anchors, baselines
from harness.store.anchors import Anchor
from harness.store.baselines import BaselineFile

KIND = "epyc-2c"
NAME = f"made/{INT8.id}"


def file(root: Path, kind: str = KIND) -> BaselineFile:
    """The latency baseline of the int8 cell."""
    return BaselineFile(root, "made", "latency", kind, INT8.id)


def moved_since(baseline: BaselineFile) -> str:
    accepted = baselines.load_baseline(baseline)
    assert accepted
    return anchors.moved_since(baseline, accepted)


def edit(baseline: BaselineFile, shift: float = 0.0, references: dict[str, str] | None = None) -> None:
    """Shift the log ratios of a baseline, as accepted changes would, or replace its references."""
    content: dict[str, Any] = json.loads(baseline.path.read_text())
    for name, values in content["samples"].items():
        if name.startswith("log_ratio"):
            content["samples"][name] = [value + shift for value in values]
    if references:
        content["provenance"]["gated"]["references"] = references
    baseline.path.write_text(json.dumps(content))


def set_anchors(root: Path, release: str = "v1", kind: str = KIND) -> list[str]:
    return list(anchors.set_all(root, kind, release))


def test_an_anchor_is_the_baseline_with_the_name_of_the_release(tmp_path: Path) -> None:
    baseline = accept(file(tmp_path), 2)
    assert set_anchors(tmp_path) == [f"{NAME}: anchored at v1"]
    anchor = anchors.anchor_of(baseline)
    assert anchor.path == tmp_path / "made" / "anchor" / KIND / f"{INT8.id}.json"
    assert json.loads(anchor.path.read_text()) == {**json.loads(baseline.path.read_text()), "release": "v1"}
    assert baselines.load_baseline(anchor) == baselines.load_baseline(baseline)


def test_a_baseline_that_cannot_judge_yet_is_not_anchored(tmp_path: Path) -> None:
    accept(file(tmp_path), 1)
    (line,) = set_anchors(tmp_path)
    assert line.startswith(f"{NAME}: not set, the baseline has 5 processes of 1 occasion and needs 10 of 2")
    assert anchors.listed(tmp_path, KIND) == []


def test_only_gated_latency_of_this_kind_of_machine_is_anchored(tmp_path: Path) -> None:
    accept(file(tmp_path, "another"), 2)
    for shelf, cell in (("accuracy", INT8), ("latency", FP32)):  # an accuracy, and a latency that no gate judges
        other = BaselineFile(tmp_path, "made", shelf, KIND, cell.id)
        baselines.save_baseline(other, measurement(cell, latency_p50_ms=4.0))
    assert set_anchors(tmp_path) == []


def test_a_new_release_replaces_the_anchor(tmp_path: Path) -> None:
    baseline = accept(file(tmp_path), 2)
    set_anchors(tmp_path, "v1")
    edit(baseline, shift=0.5)
    set_anchors(tmp_path, "v2")
    assert anchors.listed(tmp_path, KIND) == [Anchor(NAME, "v2", 10, "+0.0% (network reference)")]


def test_an_anchor_stays_and_tells_how_far_its_baseline_has_moved(tmp_path: Path) -> None:
    baseline = accept(file(tmp_path), 2)
    set_anchors(tmp_path)
    edit(baseline, shift=math.log(1.02))
    assert anchors.listed(tmp_path, KIND) == [Anchor(NAME, "v1", 10, "+2.0% (network reference)")]
    assert moved_since(baseline) == "v1 +2.0% (network reference)"
    assert anchors.listed(tmp_path, "another") == []


@pytest.mark.parametrize(
    ("references", "moved"),
    [
        ({"network": "n on ort 2", "numpy": "p"}, "+0.0% (numpy reference)"),  # the runtime was upgraded
        ({"network": "n on ort 2", "numpy": "q"}, ""),
    ],
)
def test_the_change_is_told_by_a_reference_that_both_have(
    tmp_path: Path, references: dict[str, str], moved: str
) -> None:
    baseline = accept(file(tmp_path), 2)
    set_anchors(tmp_path)
    edit(baseline, references=references)
    assert [one.moved for one in anchors.listed(tmp_path, KIND)] == [moved]


def test_an_anchor_outlives_its_baseline(tmp_path: Path) -> None:
    baseline = accept(file(tmp_path), 2)
    set_anchors(tmp_path)
    baseline.path.unlink()
    assert anchors.listed(tmp_path, KIND) == [Anchor(NAME, "v1", 10, "")]


def test_a_baseline_without_an_anchor_has_not_moved(tmp_path: Path) -> None:
    assert moved_since(accept(file(tmp_path), 1)) == ""


def test_a_damaged_anchor_is_one_line_that_names_it(tmp_path: Path) -> None:
    anchor = anchors.anchor_of(accept(file(tmp_path), 2))
    set_anchors(tmp_path)
    anchor.path.write_text("{")
    with pytest.raises(ConfigError, match=rf"baseline .*/anchor/{KIND}/.* is damaged"):
        anchors.listed(tmp_path, KIND)


def test_a_folder_that_is_not_there_is_one_line_that_names_the_option(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere is no folder of baselines; name it with --baselines"):
        set_anchors(tmp_path / "nowhere")
