"""Baselines in the terminal: lists, one file whole, what accepting changes, and the anchors."""

from __future__ import annotations

import dataclasses
import math
import re
from pathlib import Path
from typing import Any

import pytest
from shown import rendered, row

from harness.core.measurement import Observation
from harness.report.terminal import baselines
from harness.store.accept import BaselineChange
from harness.store.anchors import Anchor
from harness.store.baselines import BaselineFile, Shelf
from harness.store.inventory import NOT_COMMITTED, Entry

CELL = "yolo26n-int8-onnxruntime-cpu"
ROOT = Path("baselines")
ACCURACY = Observation(
    metrics={"map": 0.41, "size_bytes": 2_000_000},
    per_class={"cat": 0.5, "dog": None},
    samples={"map_resampled": [0.1, 0.4, 0.2]},
    provenance={"versions": {"onnx": "1.2"}, "images": 128, "note": "é"},
)


def file(shelf: Shelf = "accuracy", cell: str = CELL, suite: str = "demo", kind: str = "avx2") -> BaselineFile:
    return BaselineFile(ROOT, suite, shelf, kind, cell)


def entry(of: BaselineFile | None = None, accepted: Observation = ACCURACY, **changes: str) -> Entry:
    said = {"reason": "", "when": "2026-11-25", "anchor": "", **changes}
    return Entry(of or file(), accepted, **said)


def gated(*processes: int) -> Observation:
    """A latency at a level of 1.1, recorded on a day for each of these numbers of processes."""
    occasions = [
        {"processes": count, "recorded": f"2026-11-{25 + day}T12:00:00"} for day, count in enumerate(processes)
    ]
    return Observation(
        metrics={"latency_p50_ms": 3.456},
        samples={"log_ratio_network": [math.log(1.0), math.log(1.21)]},
        provenance={"gated": {"occasions": occasions, "references": {"network": "a"}}},
    )


def listed(*entries: Entry, width: int = 140) -> str:
    return rendered(baselines.listings(entries), width)


def changed(*changes: BaselineChange, colour: bool = False) -> str:
    return rendered(baselines.change_tables(changes), 140, colour)


# Lists


def test_every_suite_phase_and_kind_of_machine_has_a_table_sorted_by_title():
    text = listed(
        entry(file(suite="other")), entry(file("latency", kind="epyc-2c"), gated(8, 8)), entry(), entry(file(cell="x"))
    )
    titles = [line for line in text.splitlines() if " on " in line and ": " in line]
    assert titles == ["demo: accuracy on avx2", "demo: latency on epyc-2c", "other: accuracy on avx2"]


def test_a_row_has_the_numbers_that_a_reader_looks_for():
    assert listed(entry(reason="new data")).splitlines()[1:] == [
        "cell                          when        mAP     MB    reason",
        "────────────────────────────────────────────────────────────────",
        f"{CELL}  2026-11-25  0.4100  2.00  new data",
    ]


def test_a_number_that_only_one_baseline_has_leaves_the_others_empty():
    text = listed(entry(), entry(file(cell="unscored"), Observation(metrics={"size_bytes": 1_500_000})))
    assert row(text, "unscored").split() == ["unscored", "2026-11-25", "1.50"]


def test_a_gated_latency_has_its_level_and_the_processes_behind_it():
    text = listed(entry(file("latency"), gated(50, 50), anchor="v1 +1.2% (network reference)"))
    told = re.split(r"\s{2,}", row(text, CELL))
    assert told == [CELL, "2026-11-25", "3.46", "1.100", "100 on 2", "v1 +1.2% (network reference)"]


def test_too_few_processes_to_judge_are_said_to_be_too_few():
    assert "3 on 1, too few" in listed(entry(file("latency"), gated(3)))


def test_a_file_that_is_in_no_commit_stands_out():
    text = rendered(baselines.listings([entry(when=NOT_COMMITTED)]), 140, colour=True)
    assert f"\x1b[33m{NOT_COMMITTED}" in text


def test_a_long_reason_wraps_before_the_id_of_a_cell_does():
    text = listed(entry(reason="a reason that is longer than its column " * 3), width=80)
    assert row(text, CELL).startswith(f"{CELL} ")
    assert max(map(len, text.splitlines())) <= 80


# One file whole


def test_a_whole_file_tells_everything_in_it():
    text = rendered(baselines.whole(entry(reason="new data")), 140)
    assert text.splitlines()[0] == str(file().path)
    told = dict(line.split(maxsplit=1) for line in text.splitlines()[1:] if not line.startswith("AP of"))
    assert told == {
        "accepted": "2026-11-25", "because": "new data", "anchor": "–", "map": "0.41", "size_bytes": "2,000,000",
        "map_resampled": "3 values, 0.1 … 0.2 … 0.4", "versions.onnx": "1.2", "images": "128", "note": "é",
    }  # fmt: skip
    assert row(text, "AP of cat").split()[-1] == "0.5"
    assert row(text, "AP of dog").split()[-1] == "–"


def test_what_is_no_text_is_written_as_json_and_no_sample_is_a_dash():
    odd = Observation(samples={"none": []}, provenance={"list": [1, "é"], "null": None})
    text = rendered(baselines.whole(entry(accepted=odd)), 140)
    assert [row(text, name).split(maxsplit=1)[1] for name in ("none", "list", "null")] == ["–", '[1, "é"]', "null"]


# What accepting changes


def change(old: Observation | None, new: Observation = ACCURACY, happened: str = "", **of: Any) -> BaselineChange:
    return BaselineChange(file(**of), old, new, "", happened)


@pytest.fixture
def stored(tmp_path: Path) -> BaselineChange:
    """A change to the numbers that the file holds already."""
    same = dataclasses.replace(change(ACCURACY), file=dataclasses.replace(file(), root=tmp_path))
    same.write()
    return same


def test_a_number_that_moves_shows_both_values_and_another_one():
    before = dataclasses.replace(ACCURACY, metrics={"map": 0.4, "size_bytes": 2_000_000})
    assert row(changed(change(before)), CELL).split() == [CELL, "0.4000", "→", "0.4100", "2.00", "changed"]


def test_a_number_that_comes_or_goes_has_a_dash_on_the_other_side():
    unscored = dataclasses.replace(ACCURACY, metrics={"size_bytes": 2_000_000})
    assert "– → 0.4100" in changed(change(unscored))
    assert "0.4100 → –" in changed(change(ACCURACY, unscored))


def test_a_new_file_has_no_value_before():
    assert row(changed(change(None)), CELL).split() == [CELL, "0.4100", "2.00", "new"]


def test_a_file_that_holds_these_bytes_already_is_unchanged_and_dim(stored: BaselineChange):
    assert row(changed(stored), CELL).endswith("unchanged")
    assert "\x1b[2munchanged" in changed(stored, colour=True)


def test_what_happened_to_a_gated_latency_is_told_instead():
    text = changed(change(gated(8), gated(8, 2), "occasion 2, 10 processes", shelf="latency"))
    assert row(text, CELL).endswith("3.46    occasion 2, 10 processes")


# Anchors


def test_an_anchor_tells_its_release_and_how_far_the_baseline_has_moved():
    known = [Anchor("demo/a", "v1", 12, "+1.2% (network reference)"), Anchor("demo/b", "v2", 11, "")]
    lines = rendered([baselines.anchors(known)], 100).splitlines()
    assert lines[0].split("  ")[0] == "cell"
    assert [line.split(maxsplit=3) for line in lines[2:]] == [
        ["demo/a", "v1", "12", "+1.2% (network reference)"], ["demo/b", "v2", "11", "–"],
    ]  # fmt: skip
