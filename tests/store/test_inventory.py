"""All committed baselines: what each file holds, since when and why, and which files no suite asks for."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from builders import FP32, INT8, measurement
from gated import accept
from repositories import committed, run_git

from harness import ConfigError, Suite
from harness.store import anchors, baselines, inventory
from harness.store.baselines import BaselineFile, Shelf
from harness.store.inventory import NOT_COMMITTED


def file(root: Path, shelf: Shelf = "accuracy", suite: str = "made") -> BaselineFile:
    return BaselineFile(root, suite, shelf, "avx2", INT8.id)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Baselines of one cell: an accuracy with a reason, and a latency of two occasions with an anchor."""
    baselines.save_baseline(file(tmp_path), measurement(), "new boxes, #12")
    accept(file(tmp_path, "latency"), 2, timedelta(hours=12))
    assert len(list(anchors.set_all(tmp_path, "avx2", "v1"))) == 1
    return tmp_path


def test_every_baseline_is_an_entry_and_anchors_belong_to_their_latency(root: Path) -> None:
    accuracy, timed = inventory.entries(root)
    assert (accuracy.file, accuracy.reason, accuracy.anchor) == (file(root), "new boxes, #12", "")
    assert accuracy.accepted.metrics["map"] == 0.4185
    assert (timed.file, timed.reason, timed.anchor) == (file(root, "latency"), "", "v1 +0.0% (network reference)")


def test_a_gated_latency_is_of_the_day_of_its_last_occasion(root: Path) -> None:
    assert inventory.entries(root)[1].when == "2026-11-25"


def test_any_other_baseline_is_of_the_day_of_its_commit(root: Path) -> None:
    assert inventory.entries(root)[0].when == NOT_COMMITTED
    committed(root)
    assert inventory.entries(root)[0].when == run_git(root, "log", "-1", "--format=%cs")


def test_a_damaged_file_is_one_line_that_names_it(root: Path) -> None:
    file(root).path.write_text("{")
    with pytest.raises(ConfigError, match=r"baseline .*/accuracy/avx2/.* is damaged"):
        inventory.entries(root)


def test_files_of_cells_that_a_suite_does_not_declare_are_unwanted_anchors_too(root: Path) -> None:
    assert inventory.unwanted(root, [Suite("made", "coco8", (FP32, INT8))]) == []
    unwanted = inventory.unwanted(root, [Suite("made", "coco8", (FP32,))])
    assert [one.shelf for one in unwanted] == ["accuracy", "anchor", "latency"]
    assert inventory.unwanted(root, [Suite("other", "coco8", (FP32,))]) == [], "nothing is said of other suites"


def test_files_of_suites_that_are_not_named_are_undeclared(root: Path) -> None:
    other = file(root, suite="other")
    baselines.save_baseline(other, measurement())
    assert inventory.undeclared(root, {"made"}) == [other]
    assert inventory.undeclared(root, {"made", "other"}) == []


def test_a_folder_that_is_not_there_is_one_line_that_names_the_option(tmp_path: Path) -> None:
    for ask in (lambda root: inventory.entries(root), lambda root: inventory.undeclared(root, set())):
        with pytest.raises(ConfigError, match=r"nowhere is no folder of baselines; name it with --baselines"):
            ask(tmp_path / "nowhere")
