"""A suite file under a real pytest: what is collected, what a whole run leaves behind, and how it ends."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest
from demoproject import FP32, INT8, LOOSE, Demo, output, repeat_command, section

from harness import __version__
from harness.machine.fingerprint import cores
from harness.plugin import hooks
from harness.store.results import Plan

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


def test_two_suites_of_one_name_stop_at_collection(demo: Demo) -> None:
    copy = demo.path / "test_copy.py"
    copy.write_bytes((demo.path / "test_demo.py").read_bytes())
    result = demo.run()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert section(result, " ERRORS ") == [
        f"two suites are named 'demo': {copy} and {demo.path / 'test_demo.py'}; rename one"
    ]


def test_a_file_declares_one_suite(demo: Demo) -> None:
    with (demo.path / "test_demo.py").open("a") as suite:
        suite.write('OTHER = Suite("other", "data/val.json", CELLS)\n')
    assert section(demo.run(), " ERRORS ") == [
        f"{demo.path / 'test_demo.py'} declares a second suite, 'other'; one suite a file"
    ]


def test_one_suite_may_have_two_names_in_its_file(demo: Demo) -> None:
    with (demo.path / "test_demo.py").open("a") as suite:
        suite.write("SAME = SUITE\n")
    assert "test_demo.py::test_accuracy[model-fp32-null-cpu]" in demo.run("--collect-only", "-q").outlines


@pytest.mark.parametrize(("cores", "told", "workers"), [(2, "", 2), (4, "", None), (2, "3", None)])
def test_n_auto_means_the_cores_that_a_quota_leaves(monkeypatch, cores: int, told: str, workers: int | None) -> None:
    monkeypatch.setattr(hooks.fingerprint, "processors", lambda: 4)
    monkeypatch.setattr(hooks.fingerprint, "cores", lambda: cores)
    monkeypatch.setenv("PYTEST_XDIST_AUTO_NUM_WORKERS", told)
    assert hooks.pytest_xdist_auto_num_workers() == workers


# What a run leaves behind


def test_the_plan_of_a_run_has_its_selected_tests_and_where_the_suite_is_declared(demo: Demo) -> None:
    demo.run("-m", "accuracy")
    (file,) = demo.path.glob(".quantgate/runs/*/demo.plan.json")
    plan = Plan.read(file)
    assert (plan.file, plan.line, plan.threads, plan.stale) == ("test_demo.py", 3, cores(), ())
    assert [(planned.cell.id, planned.phases) for planned in plan.cells] == [(FP32, ("accuracy",))]


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


# Runs that execute nothing, or not everything


def kept(demo: Demo) -> dict[str, bytes]:
    """The files of all runs, by path; what is published while a test runs among them."""
    files = [file for file in (demo.path / ".quantgate").rglob("*") if file.is_file()]
    return {str(file): file.read_bytes() for file in files}


@pytest.fixture
def worse(demo: Demo) -> Demo:
    """The project with a run of two cells, of which the first, `bad`, misses its gate."""
    demo.model("bad", LOOSE)
    demo.suite(models=["bad.json", "model.json"], gates='Gate("map", min=0.9)')
    demo.run("-m", "accuracy")
    return demo


LISTING = (
    "--fixtures", "--fixtures-per-test", "--setup-plan", "--setup-only", "--collect-only", "--co", "--help",
    "--markers", "--version", "--cache-show", "--setup-plan -n1", "-k nothing_has_this_name",
)  # fmt: skip


def test_a_run_that_executes_nothing_leaves_results_and_history_alone(worse: Demo) -> None:
    before = kept(worse)
    assert before
    for options in LISTING:
        worse.run(*options.split())
        assert kept(worse) == before, options


def test_a_run_that_stops_before_its_first_cell_leaves_the_results_alone(worse: Demo) -> None:
    before = kept(worse)
    worse.pytester.makepyfile(test_aaa="def test_of_another_kind(): assert False")
    worse.run("-x")
    assert kept(worse) == before
    worse.pytester.makepyfile(test_aaa="1 / 0")
    worse.run("test_aaa.py", "test_demo.py")
    assert kept(worse) == before


@pytest.mark.parametrize("options", ["-x", "--maxfail=1", "--sw", "-x --import-mode=importlib"])
def test_what_a_stopped_run_has_left_out_is_not_run_and_what_was_missed_stays_missed(worse: Demo, options: str) -> None:
    result = worse.run(*options.split())
    assert worse.statuses() == {"bad-fp32-null-cpu": "missed", FP32: "not-run"}
    reason = worse.cells()[FP32]["reason"]
    assert reason.startswith("test_accuracy and test_latency were not run to the end")
    assert f"NOT RUN: 1 cell ({FP32}): {reason}" in output(result)
    assert "1 missed, 1 not-run" in output(result)


def test_a_cell_that_the_users_conftest_skips_is_not_run(worse: Demo) -> None:
    worse.pytester.makeconftest(
        "import pytest\ndef pytest_runtest_setup(item):\n    if 'model' in item.name:\n        pytest.skip('not today')"
    )
    worse.run("-m", "accuracy").assert_outcomes(failed=1, skipped=1)
    assert worse.statuses() == {"bad-fp32-null-cpu": "missed", FP32: "not-run"}


def test_a_cell_whose_setup_fails_is_an_error(worse: Demo) -> None:
    worse.pytester.makeconftest("def pytest_runtest_setup(item): assert 'model' not in item.name")
    worse.run("-m", "accuracy").assert_outcomes(failed=1, errors=1)
    assert worse.statuses() == {"bad-fp32-null-cpu": "missed", FP32: "error"}


def test_the_failed_cells_of_the_last_run_can_be_run_alone_or_first(worse: Demo) -> None:
    worse.run("-m", "accuracy", "--lf").assert_outcomes(failed=1)
    assert list(worse.statuses()) == ["bad-fp32-null-cpu"]
    ordered = [line for line in worse.run("--ff", "--co", "-q").outlines if "::" in line]
    assert ordered[0] == "test_demo.py::test_accuracy[bad-fp32-null-cpu]"


def test_stepwise_goes_on_where_it_stopped_in_the_order_of_the_run(demo: Demo) -> None:
    demo.model("model", LOOSE)
    demo.suite(precisions=["fp32", "int8"], gates='Gate("map", min=0.9)')
    demo.run("-m", "accuracy", "--sw")
    assert demo.statuses() == {FP32: "not-run", INT8: "missed"}, "int8 takes longer and comes first"
    demo.run("-m", "accuracy", "--sw", "--sw-skip")
    assert demo.statuses() == {FP32: "missed", INT8: "missed"}


def test_timed_tests_come_last_whatever_other_plugins_do_to_the_order(demo: Demo) -> None:
    demo.pytester.makeconftest("def pytest_collection_modifyitems(items): items.reverse()")
    assert collected(demo) == ["test_baselines[demo]", f"test_accuracy[{FP32}]", f"test_latency[{FP32}]"]


# What goes wrong


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
