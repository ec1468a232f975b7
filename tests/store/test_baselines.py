"""Baselines are canonical text: the same measurement is the same bytes, and a damaged file is one line."""

from __future__ import annotations

import dataclasses
import json
import re
import socket
from pathlib import Path

import pytest
from builders import FP32, INT8, measurement

from harness import ConfigError
from harness.core.measurement import Incomparable, Observation
from harness.store import baselines
from harness.store.baselines import BaselineFile


@pytest.fixture
def saved(tmp_path):
    """A baseline file of the int8 cell."""
    baselines.save_baseline(file(tmp_path), measurement())
    return file(tmp_path).path


def file(root, cell=INT8, shelf="accuracy"):
    return BaselineFile(root, "made", shelf, "avx2", cell.id)


def load(path, cell=INT8):
    return baselines.load_baseline(file(path.parents[3], cell))


def text_of(accepted, shelf="accuracy"):
    return baselines.to_text(file(Path(), shelf=shelf), accepted)


def observed(measured):
    """The part of a measurement that a baseline of accuracy keeps."""
    return Observation(
        metrics=measured.metrics, per_class=measured.per_class, samples=measured.samples, provenance=measured.provenance
    )


def test_the_path_tells_suite_phase_kind_of_machine_and_cell(saved, tmp_path):
    assert saved.relative_to(tmp_path).parts == ("made", "accuracy", "avx2", f"{INT8}.json")
    assert file(tmp_path, shelf="latency").path.parts[-3:] == ("latency", "avx2", f"{INT8}.json")
    assert baselines.baseline_files(tmp_path) == [file(tmp_path)]


def test_saving_the_same_again_changes_no_byte(saved, tmp_path):
    before, changed = saved.read_bytes(), saved.stat().st_mtime_ns
    assert baselines.save_baseline(file(tmp_path), measurement()) is False
    assert (saved.read_bytes(), saved.stat().st_mtime_ns) == (before, changed)
    assert baselines.save_baseline(file(tmp_path), measurement(map=0.41)) is True


def test_what_is_saved_is_loaded(saved, tmp_path):
    assert load(saved) == observed(measurement())
    drawn = dataclasses.replace(measurement(), samples={"map_resampled": [0.41, 0.42]})
    baselines.save_baseline(file(tmp_path), drawn)
    assert load(saved) == observed(drawn)
    assert load(saved, FP32) is None


def test_a_baseline_of_an_older_quantgate_is_read_with_its_size_as_height_and_width(saved):
    content = json.loads(saved.read_text())
    content["schema"], content["provenance"]["imgsz"] = 1, 640
    saved.write_text(json.dumps(content))
    assert load(saved).provenance["imgsz"] == [640, 640]


def test_keys_are_sorted_and_every_metric_has_a_line_of_its_own(saved):
    def keys(pairs):
        assert [key for key, _ in pairs] == sorted(key for key, _ in pairs)
        return dict(pairs)

    text = saved.read_text()
    json.loads(text, object_pairs_hook=keys)
    assert re.search(r'^  "map": 0\.4185,$', text, re.MULTILINE)
    assert re.search(r'^  "map_50": 0\.6,$', text, re.MULTILINE)
    assert text.endswith("}\n")


def test_digits_beyond_the_ninth_do_not_matter():
    def text(value):
        return text_of(measurement(map=value))

    assert text(0.4185) == text(0.4185000000001)
    assert text(0.4185) != text(0.41850001)


def test_values_that_do_not_exist_are_null(saved):
    assert json.loads(saved.read_text())["per_class"] == {"cat": 0.5, "dog": None}


def test_neither_host_nor_date_nor_wall_clock_are_stored(saved):
    text = saved.read_text()
    assert socket.gethostname() not in text
    assert not re.search(r"20\d\d-\d\d", text)
    timed = dataclasses.replace(measurement(), timings={"accuracy_s": 1.23}, samples={"latency_ms": [4.56]})
    assert text_of(timed) == text


def test_each_phase_stores_its_own_metrics():
    both = measurement(latency_p50_ms=9.5, throughput_ips=100.0)
    accuracy, latency = (json.loads(text_of(both, phase)) for phase in ("accuracy", "latency"))
    assert set(accuracy["metrics"]) == {"map", "map_50", "size_bytes"}
    assert set(latency["metrics"]) == {"latency_p50_ms"}
    assert "per_class" not in latency


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text[: len(text) // 2], "is damaged .*restore it from git"),
        (lambda text: "", "is damaged"),
        (lambda text: "[]", "is damaged"),
        (lambda text: text.replace('"metrics"', '"numbers"'), "is damaged .*KeyError: 'metrics'"),
        (
            lambda text: text.replace('"schema": 2', '"schema": 3'),
            "has schema 3, this quantgate reads up to 2",
        ),
        (lambda text: '{"schema": 3, "numbers": {}}', "has schema 3, this quantgate reads up to 2"),
        (lambda text: text.replace(INT8.id, FP32.id), "is of cell yolo26n-fp32-onnxruntime-cpu, not of yolo26n-int8"),
    ],
)
def test_a_damaged_baseline_is_one_line_and_stays_as_it_is(saved, damage, message):
    saved.write_text(damage(saved.read_text()))
    before = saved.read_bytes()
    with pytest.raises(ConfigError, match=message) as raised:
        load(saved)
    assert "\n" not in str(raised.value)
    assert str(saved) in str(raised.value)
    assert saved.read_bytes() == before


def test_a_baseline_that_is_not_text_is_one_line(saved):
    saved.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="is damaged"):
        load(saved)


@pytest.mark.parametrize("component", ["dataset", "decoding", "imgsz"])
def test_a_baseline_of_other_data_is_incomparable_and_says_why(component):
    measured = measurement()
    other = dataclasses.replace(measured, provenance={**measured.provenance, component: "other"})
    answer = baselines.comparable(other, measured, "accuracy")
    assert isinstance(answer, Incomparable)
    assert answer.why.startswith(f"{component} differs: the baseline has other, this run ")


def test_other_weights_and_versions_are_compared():
    measured = measurement()
    older = dataclasses.replace(
        measured, provenance={**measured.provenance, "weights": "w0", "versions": {"torch": "1"}}
    )
    assert baselines.comparable(older, measured, "accuracy") is older
    assert baselines.comparable(None, measured, "accuracy") is None


def test_files_of_cells_that_left_the_suite_are_stale_on_every_kind_of_machine(saved, tmp_path):
    foreign = BaselineFile(tmp_path, "made", "latency", "other-machine", FP32.id)
    foreign.path.parent.mkdir(parents=True)
    foreign.path.write_text("{}")
    assert baselines.stale(tmp_path, "made", {INT8.id}) == [foreign]
    assert baselines.stale(tmp_path, "made", {INT8.id, FP32.id}) == []
    assert baselines.stale(tmp_path, "other", set()) == []


def test_baselines_of_other_kinds_of_machine_are_named(saved, tmp_path):
    foreign = tmp_path / "made" / "accuracy" / "neon" / saved.name
    foreign.parent.mkdir(parents=True)
    foreign.write_text("{}")
    assert set(baselines.elsewhere(file(tmp_path))) == {"neon", "avx2"}


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"cannot be written: .*--qg-baseline-dir"):
        baselines.save_baseline(file(tmp_path / "file"), measurement())
