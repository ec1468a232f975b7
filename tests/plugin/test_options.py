"""Options: which folders and files they mean, what they make of a run, and which of them make no sense."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from demoproject import FP32, LOOSE, Demo, output, repeat_command, write_coco

from harness.plugin.hooks import STATE
from harness.plugin.session import RunState
from harness.report.common.view import View
from harness.store.base_revision import Base


@pytest.fixture
def given(demo: Demo) -> Callable[..., RunState]:
    """A function that makes the state of `pytest ARGS` in the project."""
    return lambda *arguments: demo.pytester.parseconfigure(*arguments).stash[STATE]


@pytest.fixture
def base(demo: Demo) -> Path:
    """The file in which `quantgate gate` tells of the base."""
    made = Base("HEAD~1", ("quantgate", "gate", "--base", "HEAD~1"), "python", "", "")
    made.write(demo.path / "base.json")
    return demo.path / "base.json"


# Folders and files


def test_without_options_everything_lies_beside_pytest_s_configuration(
    given, demo: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    (demo.path / "sub").mkdir()
    monkeypatch.chdir(demo.path / "sub")
    state = given()
    assert state.settings.run.parent == demo.path / ".quantgate" / "runs"
    assert state.baselines == demo.path / "baselines"
    assert state.history == demo.path / ".quantgate" / "history.db"


def test_without_a_configuration_everything_lies_where_pytest_was_started(given, demo: Demo) -> None:
    (demo.path / "tox.ini").unlink()
    (demo.path / "elsewhere").mkdir()
    state = given("--qg-data-dir=elsewhere")  # pytest's rootdir would be the folder of all that are named
    assert state.baselines == demo.path / "baselines"


def test_a_named_path_is_seen_from_where_pytest_was_started(given, demo: Demo) -> None:
    state = given(
        "--qg-results-dir=out", "--qg-baseline-dir=kept", "--qg-cache-dir=~/cache", "--qg-dataset=data/val.json",
        "--qg-calibration=images", "--qg-html=report.html",
    )  # fmt: skip
    assert state.settings.run.parent == demo.path / "out" / "runs"
    assert state.baselines == demo.path / "kept"
    assert state.settings.cache == Path.home() / "cache"
    assert state.settings.dataset == demo.path / "data" / "val.json"
    assert state.settings.calibration == demo.path / "images"
    assert state.outputs == {"--qg-html": demo.path / "report.html"}
    assert state.history == demo.path / "out" / "history.db"


def test_folders_are_searched_in_order_the_environment_s_last(
    given, demo: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUANTGATE_WEIGHTS", os.pathsep.join(["/shared", "", "own"]))
    state = given("--qg-weights-dir=one", "--qg-weights-dir=/two")
    assert state.settings.weights == (demo.path / "one", Path("/two"), Path("/shared"), demo.path / "own")
    assert state.settings.data == ()


@pytest.mark.parametrize(("value", "expected"), [("off", None), ("all.db", "all.db")])
def test_a_run_is_appended_to_the_named_history_or_to_none(given, demo: Demo, value: str, expected: str | None) -> None:
    assert given(f"--qg-history={value}").history == (expected and demo.path / expected)


def test_qg_dataset_replaces_the_scored_images(demo: Demo) -> None:
    other = write_coco(demo.path / "other" / "val.json", box=(40, 40, 20, 20), images=3)
    result = demo.run("-m", "accuracy", f"--qg-dataset={other}")
    assert "demo: 3 images" in output(result)
    assert demo.cells()[FP32]["metrics"]["map"] == 0


# What a run does


def test_a_run_by_default_measures_judges_and_accepts_nothing(given) -> None:
    state = given()
    assert (state.update, state.require_baseline, state.explain, state.inconclusive_fails) == (False,) * 4
    assert (state.require_backends, state.base, state.view) == ((), None, View())
    assert (state.settings.timeout_s, state.settings.fresh) == (600.0, False)


def test_options_say_what_a_run_does(given) -> None:
    state = given(
        "--qg-baseline-update", "--qg-require-baseline", "--qg-explain", "--qg-inconclusive=fail", "--qg-fresh",
        "--qg-timeout=3.5", "--qg-require-backends= torch, ,null", "--qg-sort=map", "--qg-show=int8", "-v",
    )  # fmt: skip
    assert (state.update, state.require_baseline, state.explain, state.inconclusive_fails) == (True,) * 4
    assert (state.settings.timeout_s, state.settings.fresh) == (3.5, True)
    assert state.require_backends == ("torch", "null")
    assert state.view == View("map", "int8", 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--qg-require-backends=null,tensorflow"],
            "--qg-require-backends: unknown backend 'tensorflow'; did you mean",
        ),
        (["--qg-timeout=0"], "--qg-timeout: 0 is not a number of seconds above 0"),
        (["--qg-baseline-update", "--qg-dataset=x"], "would replace the suite's baselines by those of other data"),
        (["--qg-baseline-update", "--qg-base=base.json"], "--qg-base holds the run against a commit"),
        (["--qg-base=nowhere.json"], "nowhere.json: FileNotFoundError .*; `quantgate gate` writes it"),
        (["--qg-sort=latencyp50"], "--qg-sort: 'latencyp50' is neither status, cell nor a metric"),
    ],
)
def test_options_that_make_no_sense_are_one_line(given, base: Path, arguments: list[str], message: str) -> None:
    with pytest.raises(pytest.UsageError, match=message) as raised:
        given(*arguments)
    assert "\n" not in str(raised.value)


def test_other_data_may_be_accepted_into_a_folder_of_their_own(given) -> None:
    assert given("--qg-baseline-update", "--qg-dataset=x", "--qg-baseline-dir=others").update


def test_an_unknown_order_ends_the_run_before_it_begins(demo: Demo) -> None:
    result = demo.run("--qg-sort=latencyp50")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    errors = [line for line in output(result).splitlines() if line.startswith("ERROR")]
    assert errors == [
        "ERROR: --qg-sort: 'latencyp50' is neither status, cell nor a metric; did you mean 'latency_p50_ms'?"
    ]


# How a cell of the run is repeated


def test_a_cell_is_repeated_with_every_option_that_shapes_its_verdict(given, demo: Demo) -> None:
    state = given(
        "--qg-weights-dir=one", "--qg-weights-dir=two", "--qg-dataset=data", "--qg-require-baseline",
        "--qg-inconclusive=fail", "--qg-require-backends=null", "--qg-baseline-update", "--qg-sort=map", "-n2",
        "--qg-baseline-dir=kept",
    )  # fmt: skip
    assert state.again == (
        "pytest", f"--qg-weights-dir={demo.path}/one", f"--qg-weights-dir={demo.path}/two",
        f"--qg-dataset={demo.path}/data", f"--qg-baseline-dir={demo.path}/kept", "--qg-require-baseline",
        "--qg-inconclusive=fail", "--qg-require-backends=null",
    )  # fmt: skip


def test_a_cell_of_a_gate_is_repeated_by_the_gate(given, base: Path) -> None:
    state = given(f"--qg-base={base}", "--qg-require-baseline")
    assert state.again == ("quantgate", "gate", "--base", "HEAD~1")
    assert state.base.title == "HEAD~1"


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
