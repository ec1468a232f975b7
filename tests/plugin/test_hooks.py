"""A suite file under a real pytest: what is collected, what is written, and what a verdict does to the exit code."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest
from demoproject import EXACT, FP32, INT8, LOOSE, Demo, output, repeat_command, section, write_coco

from harness import Cell, Unavailable, __version__
from harness.machine.fingerprint import cores

# Collection and selection


def collected(demo: Demo, *args: str) -> list[str]:
    """Ids of the selected tests, in running order."""
    result = demo.run("--collect-only", "-q", *args)
    return [line.removeprefix("test_demo.py::") for line in result.outlines if line.startswith("test_demo.py::")]


def test_a_suite_becomes_a_test_per_cell_and_phase_with_the_timed_ones_last(demo: Demo) -> None:
    demo.suite(precisions=["int8", "fp32"])
    demo.pytester.makepyfile(test_zzz="def test_of_another_kind(): pass")
    result = demo.run("--collect-only", "-q")
    assert result.outlines[:6] == [
        "test_demo.py::test_baselines[demo]",
        "test_zzz.py::test_of_another_kind",
        f"test_demo.py::test_accuracy[{INT8}]",  # takes longest to build
        f"test_demo.py::test_accuracy[{FP32}]",
        f"test_demo.py::test_latency[{FP32}]",
        f"test_demo.py::test_latency[{INT8}]",
    ]


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ("-k int8", [f"test_accuracy[{INT8}]", f"test_latency[{INT8}]"]),
        ("-m accuracy", [f"test_accuracy[{INT8}]", f"test_accuracy[{FP32}]"]),
        ("-m latency", [f"test_latency[{FP32}]", f"test_latency[{INT8}]"]),
        (f"test_demo.py::test_latency[{INT8}]", [f"test_latency[{INT8}]"]),
    ],
)
def test_pytest_selects_cells_as_it_selects_any_test(demo: Demo, selection: str, expected: list[str]) -> None:
    demo.suite(precisions=["fp32", "int8"])
    assert collected(demo, *selection.split()) == expected


def test_collecting_measures_nothing_and_writes_nothing(demo: Demo) -> None:
    demo.run("--collect-only")
    assert not (demo.path / ".quantgate").exists()


def test_a_project_without_a_suite_notices_nothing(demo: Demo) -> None:
    demo.pytester.makepyfile(test_demo="def test_of_another_kind(): pass")
    result = demo.run()
    result.assert_outcomes(passed=1)
    assert not any(" quantgate " in line for line in result.outlines)
    assert not (demo.path / ".quantgate").exists()


# What a run leaves behind


def test_a_run_measures_accuracy_and_latency_of_every_cell(demo: Demo) -> None:
    demo.suite(precisions=["fp32", "int8"])
    demo.run("--junitxml=junit.xml").assert_outcomes(passed=5)
    cells = demo.cells()
    assert list(cells) == [FP32, INT8]
    for cell in cells.values():
        metrics = cell["metrics"]
        assert metrics["map"] == pytest.approx(1.0)
        assert metrics["map_large"] is None
        assert metrics["size_bytes"] == (demo.path / "model.json").stat().st_size
        assert metrics["latency_calls"] == len(cell["samples"]["latency_ms"]) == 100
        assert metrics["latency_p50_ms"] <= metrics["latency_p90_ms"]
        assert cell["timings"].keys() >= {"build_s", "accuracy_s", "latency_s"}
    assert cells[FP32]["metrics"]["latency_ratio"] is None
    assert cells[INT8]["metrics"]["latency_ratio"] > 0

    cases = {case.get("name"): case for case in ElementTree.parse(demo.path / "junit.xml").iter("testcase")}
    accuracy = {p.get("name"): p.get("value") for p in cases[f"test_accuracy[{INT8}]"].iter("property")}
    latency = {p.get("name"): p.get("value") for p in cases[f"test_latency[{INT8}]"].iter("property")}
    assert float(accuracy["map"]) == pytest.approx(1.0)
    assert float(latency["latency_p50_ms"]) == cells[INT8]["metrics"]["latency_p50_ms"]


def test_the_table_fits_100_columns_and_has_a_row_per_cell(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    demo.suite(precisions=["fp32", "int8"])
    shown = section(demo.run(), " quantgate ")
    assert shown[0] == f"demo: 4 images, p50 on {cores()} thread{'s' * (cores() > 1)}"
    assert shown[3] == f"model · null {__version__} · cpu"
    assert [row[2:].split()[0] for row in shown[4:6]] == ["fp32", "int8"]
    assert max(map(len, shown[:6])) <= 100


def test_a_second_run_takes_the_artifact_from_the_cache_and_says_so(demo: Demo) -> None:
    first = demo.run("--qg-cache-dir=own")
    second = demo.run("--qg-cache-dir=own")
    assert "artifacts: 1 built, 0 from the cache" in output(first)
    assert "artifacts: 0 built, 1 from the cache" in output(second)


def test_qg_dataset_replaces_the_scored_images(demo: Demo) -> None:
    other = write_coco(demo.path / "other" / "val.json", box=(40, 40, 20, 20), images=3)
    result = demo.run("-m", "accuracy", f"--qg-dataset={other}")
    assert "demo: 3 images" in output(result)
    assert demo.cells()[FP32]["metrics"]["map"] == 0


# Baselines


def test_without_a_baseline_a_run_passes_with_a_loud_line(demo: Demo) -> None:
    result = demo.run("-m", "accuracy")
    assert result.ret == 0
    assert f"NO-BASELINE: 1 cell ({FP32}): accept this one with --qg-baseline-update" in output(result)
    assert demo.statuses() == {FP32: "no-baseline"}


def test_without_a_baseline_a_run_fails_where_one_is_required(demo: Demo) -> None:
    result = demo.run("-m", "accuracy", "--qg-require-baseline")
    result.assert_outcomes(failed=1)
    assert section(result, " FAILURES ")[0].startswith(f"{FP32}: map no-baseline: observed 1, expected")
    assert repeat_command(result) == ["--qg-require-baseline", f"test_demo.py::test_accuracy[{FP32}]"]


@pytest.fixture
def accepted(demo: Demo) -> Demo:
    """The project after a run whose accuracy became the baseline."""
    demo.run("-m", "accuracy", "--qg-baseline-update")
    return demo


def test_an_accepted_run_is_unchanged_the_next_time(accepted: Demo) -> None:
    result = accepted.run("-m", "accuracy", "--qg-require-baseline")
    assert result.ret == 0
    assert accepted.statuses() == {FP32: "unchanged"}


def test_accepting_the_same_accuracy_again_leaves_its_file_alone(demo: Demo) -> None:
    first = demo.run("--qg-baseline-update")
    assert "baselines: 2 written, 0 unchanged" in output(first)
    before = demo.baselines("accuracy")
    assert [file.name for file in before] == [f"{FP32}.json"]
    again = demo.run("-m", "accuracy", "--qg-baseline-update")
    assert "baselines: 0 written, 1 unchanged" in output(again)
    assert demo.baselines("accuracy") == before


def test_a_lower_map_is_regressed_fails_and_is_repeated_by_the_printed_command(accepted: Demo) -> None:
    accepted.model("model", LOOSE)
    failed = accepted.run()
    failed.assert_outcomes(failed=1, passed=2)
    assert accepted.statuses() == {FP32: "regressed"}
    line = (
        f"{FP32}: map regressed: observed 0.7, expected ≥ 0.99 (baseline 1): −0.3000, 99% interval −0.3000…−0.3000; "
        f"4 images prove drops above 0.0000"
    )
    assert section(failed, " FAILURES ") == [line]
    assert f"demo: {line}\n  repeat: pytest" in output(failed)

    command = repeat_command(failed)
    repeated = accepted.pytester.runpytest_subprocess(*command)
    repeated.assert_outcomes(failed=1)
    assert section(repeated, " FAILURES ") == section(failed, " FAILURES ")
    assert repeat_command(repeated) == command


def test_the_printed_command_keeps_the_options_of_the_run(accepted: Demo) -> None:
    accepted.model("model", LOOSE)
    result = accepted.run(
        "-m", "accuracy", "--qg-results-dir=a folder", "--qg-baseline-dir=baselines", "--qg-require-baseline"
    )
    assert repeat_command(result) == [
        f"--qg-results-dir={accepted.path / 'a folder'}",
        f"--qg-baseline-dir={accepted.path / 'baselines'}",
        "--qg-require-baseline",
        f"test_demo.py::test_accuracy[{FP32}]",
    ]


def test_a_higher_map_is_improved_and_passes(demo: Demo) -> None:
    demo.model("model", LOOSE)
    demo.run("-m", "accuracy", "--qg-baseline-update")
    demo.model("model", EXACT)
    result = demo.run("-m", "accuracy")
    assert result.ret == 0
    assert demo.statuses() == {FP32: "improved"}


def test_other_scored_images_make_the_baseline_incomparable(accepted: Demo) -> None:
    other = write_coco(accepted.path / "other" / "val.json", images=3)
    args = ["-m", "accuracy", f"--qg-dataset={other}"]
    assert accepted.run(*args).ret == 0
    assert accepted.statuses() == {FP32: "incomparable"}
    strict = accepted.run(*args, "--qg-require-baseline")
    assert "incomparable: observed 1, expected ≥ baseline − 0.01: dataset differs" in output(strict)
    assert strict.ret == 1


def test_a_metric_that_only_the_baseline_has_fails(accepted: Demo) -> None:
    (file,) = accepted.baselines("accuracy")
    file.write_text(file.read_text().replace('"map_large": null', '"map_large": 0.5'))
    result = accepted.run("-m", "accuracy")
    result.assert_outcomes(failed=1)
    assert "map_large missing: observed nothing, expected present (baseline 0.5)" in output(result)
    assert accepted.statuses() == {FP32: "missing"}


@pytest.fixture
def shrunk(demo: Demo) -> Demo:
    """The project after its int8 cell was accepted and then taken out of the suite."""
    demo.suite(precisions=["fp32", "int8"])
    demo.run("-m", "accuracy", "--qg-baseline-update")
    demo.suite(precisions=["fp32"])
    return demo


def test_a_cell_that_left_the_suite_fails_a_full_run(shrunk: Demo) -> None:
    result = shrunk.run()
    result.assert_outcomes(failed=1, passed=2)
    assert f"demo: missing: {INT8}: in" in section(result, " FAILURES ")[0]
    assert shrunk.statuses() == {FP32: "unchanged", INT8: "missing"}


def test_a_cell_that_left_the_suite_is_not_missed_by_a_partial_run(shrunk: Demo) -> None:
    assert shrunk.run("-k", "fp32 and accuracy").ret == 0
    assert shrunk.statuses() == {FP32: "unchanged"}


def test_a_full_update_drops_the_baseline_of_a_cell_that_left_the_suite(shrunk: Demo) -> None:
    assert shrunk.run("--qg-baseline-update").ret == 0
    assert {file.stem for file in shrunk.baselines()} == {FP32}


# Gates against the fp32 sibling


def test_gates_hold_a_cell_against_its_fp32_sibling(demo: Demo) -> None:
    demo.suite(
        precisions=["fp32", "int8"],
        gates='Gate("map", max_drop=0, against="fp32"), Gate("size_bytes", max_ratio=0.5, against="fp32")',
    )
    size = (demo.path / "model.json").stat().st_size
    result = demo.run("-m", "accuracy")
    result.assert_outcomes(passed=1, failed=1)
    assert section(result, " FAILURES ") == [
        f"{INT8}: size_bytes missed: observed {size}, expected ≤ {size / 2:g} (fp32 {size})"
    ]
    assert demo.statuses() == {FP32: "met", INT8: "missed"}
    judged = {(v["metric"], v["against"]): v["status"] for v in demo.cells()[INT8]["verdicts"]}
    assert judged == {
        ("map", "fp32"): "met",
        ("size_bytes", "fp32"): "missed",
        ("agreement", "limit"): "met",  # of every cell with an fp32 sibling, though the suite does not ask
        ("collapsed_classes", "limit"): "met",
    }


def test_a_failing_cell_is_explained_where_asked_for(demo: Demo) -> None:
    demo.suite(precisions=["fp32"], gates='Gate("map", min=1.1)')
    result = demo.run("-m", "accuracy", "--qg-explain")
    result.assert_outcomes(failed=1)
    explained = demo.cells()[FP32]["explanation"]
    assert explained["cell"] == FP32
    assert explained["stages"][0]["name"] == "reference"
    assert "kinds of error of the boxes, in the manner of TIDE" in output(result)
    assert "no stage lost anything on 4 images" in output(result)
    demo.run("-m", "accuracy")
    assert demo.cells()[FP32]["explanation"] is None


def test_int8_that_ran_in_float_is_noted_and_caught_by_a_gate(demo: Demo) -> None:
    demo.model("model", executed={"f32": 900, "i8": 100})
    demo.suite(precisions=["fp32", "int8"], gates='Gate("attested_share", min=0.65, precisions=["int8"])')
    result = demo.run("-m", "accuracy")
    result.assert_outcomes(passed=1, failed=1)
    assert section(result, " FAILURES ") == [f"{INT8}: attested_share missed: observed 0.1, expected ≥ 0.65"]
    assert demo.cells()[INT8]["executed"] == {"f32": 900, "i8": 100}
    assert "note: model-int8-null-cpu: int8 should run in i8; its multiply-accumulates ran 90% in f32, 10% in i8" in (
        output(result)
    )


def test_a_latency_gate_measures_the_sibling_though_it_is_not_selected(demo: Demo) -> None:
    demo.suite(precisions=["fp32", "int8"], gates='Gate("latency", max_ratio=0.001, against="fp32")')
    result = demo.run(f"test_demo.py::test_latency[{INT8}]")
    result.assert_outcomes(failed=1)
    assert f"{INT8}: latency missed: observed " in output(result)
    assert "expected ≤ 0.001 (fp32 1)" in output(result)
    assert list(demo.cells()) == [INT8]


# What cannot run, and what goes wrong


def test_an_unavailable_cell_is_skipped_with_the_reason(demo: Demo) -> None:
    demo.suite(precisions=["fp32", "w8a16"])
    result = demo.run("-m", "accuracy", "-rs")
    result.assert_outcomes(passed=1, skipped=1)
    reason = "this version of quantgate has no w8a16 recipe for null"
    assert any(line.startswith("SKIPPED") and reason in line for line in result.outlines)
    assert f"unavailable: null w8a16: {reason}" in output(result)
    assert demo.statuses() == {FP32: "no-baseline", "model-w8a16-null-cpu": "unavailable"}


def test_a_required_backend_that_is_not_installed_fails(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorRT is what cannot be installed where these tests run; with a GPU at hand there is nothing to see."""
    monkeypatch.setattr("harness.backends.tensorrt.probe", missing)
    demo.suite(backends=["null", "tensorrt"])
    result = demo.run("-m", "accuracy", "--qg-require-backends=tensorrt,null")
    result.assert_outcomes(passed=1, failed=1)
    assert section(result, " FAILURES ")[0].startswith("model-fp32-tensorrt-cuda: unavailable but required: ")


def missing(cell: Cell) -> str:
    raise Unavailable("tensorrt is not installed")


def test_what_no_machine_can_run_is_not_required(demo: Demo) -> None:
    demo.suite(precisions=["fp32", "w8a16"])
    result = demo.run("-m", "accuracy", "--qg-require-backends=onnxruntime,null")
    result.assert_outcomes(passed=1, skipped=1)


def test_a_crash_an_exception_and_exhausted_memory_cost_their_cells_only(demo: Demo) -> None:
    faults = {"crash": "crash", "raise": "raise", "memory": "memory"}
    for name, fault in faults.items():
        demo.model(name, fault=fault)
    demo.suite(models=["model.json", *(f"{name}.json" for name in faults)])
    result = demo.run()
    result.assert_outcomes(passed=3, failed=6)
    assert demo.statuses() == {
        "crash-fp32-null-cpu": "error",
        "memory-fp32-null-cpu": "error",
        FP32: "no-baseline",
        "raise-fp32-null-cpu": "error",
    }
    crash = demo.cells()["crash-fp32-null-cpu"]["reason"]
    assert "its process was killed by SIGABRT; its last output: null: crashing as scripted" in crash
    assert demo.cells()["raise-fp32-null-cpu"]["reason"] == "RuntimeError: null: raising as scripted"
    assert demo.cells()["memory-fp32-null-cpu"]["reason"] == "MemoryError: null: out of memory as scripted"
    assert "Traceback" not in output(result)


def test_a_hang_costs_its_cell_only_and_is_ended_by_the_time_limit(demo: Demo) -> None:
    demo.model("hang", fault="hang")
    demo.suite(models=["model.json", "hang.json"])
    result = demo.run("-m", "accuracy", "--qg-timeout=3")
    result.assert_outcomes(passed=1, failed=1)
    assert "hang-fp32-null-cpu: error: no sign of life for 3 s (--qg-timeout)" in output(result)
    assert demo.statuses() == {"hang-fp32-null-cpu": "error", FP32: "no-baseline"}


def test_an_error_is_repeated_by_the_printed_command(demo: Demo) -> None:
    demo.model("model", fault="raise")
    failed = demo.run("-m", "accuracy")
    repeated = demo.run(*repeat_command(failed))
    assert repeated.ret == 1
    assert f"{FP32}: error: RuntimeError: null: raising as scripted" in output(repeated)
