"""What pytest prints with the plugin: on a terminal, into a pipe, with workers; wide and narrow, loud and quiet."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from dataclasses import dataclass

import pyte
import pytest
from demoproject import FP32, INT8, LOOSE, Demo, output, section

ROWS = 200  # of the terminal; nothing scrolls away
SGR = re.compile(r"\x1b\[[0-9;]*m")  # colours and other attributes
DECIDED = ("COLUMNS", "NO_COLOR", "FORCE_COLOR", "PY_COLORS")  # by a test; pytester sets the last
SLOW = "slow-fp32-null-cpu"


@dataclass
class Watched:
    """A run in a terminal: everything that was written to it, and what is left on its screen."""

    written: str
    screen: list[str]
    code: int


def watch(*args: str, columns: int = 100, **environment: str) -> Watched:
    """`pytest ARGS` under a pseudo-terminal of so many columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))
    inherited = {name: value for name, value in os.environ.items() if name not in DECIDED}
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", *args], stdin=theirs, stdout=theirs, stderr=theirs,
        env={**inherited, "TERM": "xterm", **environment},
    )  # fmt: skip
    os.close(theirs)
    written = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # the other side is closed: how Linux says the end of a pseudo-terminal
            break
        written += part
    os.close(ours)
    screen = pyte.Screen(columns, ROWS)
    pyte.ByteStream(screen).feed(written)
    return Watched(written.decode(), [line.rstrip() for line in screen.display], process.wait())


@pytest.fixture
def slow(demo: Demo) -> Demo:
    """The project with a model whose accuracy takes two seconds."""
    demo.model("slow", delay_ms=400)
    demo.suite(models=["slow.json"])
    return demo


# Live progress


def test_a_terminal_shows_phase_cell_speed_and_time_left_and_is_clean_afterwards(slow: Demo) -> None:
    run = watch("-m", "accuracy", "--qg-fresh")
    assert run.code == 0
    assert re.search(rf"score {SLOW} .*\d/4 .*images/s .*0:0\d left", run.written)
    assert not any(line.startswith(("score", "build", "read")) for line in run.screen)
    assert any(re.fullmatch(r"test_demo\.py \. +\[100%\]", line) for line in run.screen)


@pytest.mark.parametrize("columns", [60, 110, 200])
def test_pytest_s_own_line_stays_as_it_is_however_long(slow: Demo, columns: int) -> None:
    long = "a-model-whose-file-has-a-name-that-takes-more-than-eighty-columns-of-a-terminal"
    slow.model(long, delay_ms=400)
    slow.suite(models=[f"{long}.json"])
    run = watch("-m", "accuracy", "--qg-fresh", "-v", columns=columns)
    shown = "".join(line.ljust(columns) for line in run.screen)
    assert re.search(rf"test_demo\.py::test_accuracy\[{long}-fp32-null-cpu\] PASSED +\[100%\]", shown)
    assert "\x1b[2K" in run.written
    assert not any(line.startswith(("score", "build", "read", "decode")) for line in run.screen)


def test_a_cell_that_fails_leaves_no_line_behind(demo: Demo) -> None:
    demo.model("hang", fault="hang")
    demo.suite(models=["hang.json"])
    run = watch("-m", "accuracy", "--qg-fresh", "--qg-timeout=2")
    assert run.code == pytest.ExitCode.TESTS_FAILED
    assert "score hang-fp32-null-cpu" in run.written
    assert not any(line.startswith(("score", "build", "read", "decode")) for line in run.screen)


def test_without_pytest_s_reporter_nothing_is_reported_and_nothing_fails(demo: Demo) -> None:
    result = demo.pytester.runpytest_subprocess("-p", "no:terminal", "-m", "accuracy")
    assert result.ret == 0
    assert output(result) == ""


def test_a_timed_section_is_announced_before_it_begins(demo: Demo) -> None:
    run = watch("-m", "latency")
    assert re.search(rf"time {FP32} and its siblings, since \d\d:\d\d:\d\d", run.written)
    assert not any(line.startswith("time ") for line in run.screen)


@pytest.mark.parametrize("columns", [80, 100, 160])
def test_the_table_fits_the_terminal(demo: Demo, columns: int) -> None:
    demo.suite(precisions=["fp32", "int8"])
    run = watch(columns=columns)
    start = next(n for n, line in enumerate(run.screen) if line.startswith("demo: 4 images"))
    heads, rule, group, *rows = run.screen[start + 1 : start + 6]
    assert heads.split()[:2] == ["MB", "×fp32"]
    assert set(rule) == {"─"}
    assert group.startswith("model · null")
    assert [row[2:].split()[0] for row in rows] == ["fp32", "int8"]
    assert all("no-baseline" in row for row in rows)
    assert ("RSS MB" in heads) == (columns == 160)


@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_a_terminal_without_colours_gets_none(slow: Demo, variable: str, value: str) -> None:
    run = watch("-m", "accuracy", "--qg-fresh", **{variable: value})
    assert not SGR.search(run.written)
    assert (f"score {SLOW}" in run.written) == (variable == "NO_COLOR")  # a dumb terminal moves no cursor


def test_a_terminal_has_colours(demo: Demo) -> None:
    demo.suite(precisions=["fp32"], gates='Gate("map", min=1.1)')
    assert "\x1b[1;31mmissed" in watch("-m", "accuracy").written


def test_a_pipe_gets_neither_colours_nor_progress(slow: Demo) -> None:
    text = output(slow.pytester.runpytest_subprocess("-m", "accuracy", "--qg-fresh"))
    assert "\x1b" not in text
    assert "images/s" not in text
    assert f"score {SLOW}" not in text


def test_force_color_colours_a_pipe(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PY_COLORS")
    monkeypatch.setenv("FORCE_COLOR", "1")
    demo.suite(precisions=["fp32"], gates='Gate("map", min=1.1)')
    text = output(demo.run("-m", "accuracy"))
    assert "\x1b[1;31mmissed" in text
    assert "\x1b[2K" not in text


def test_workers_are_quiet(slow: Demo) -> None:
    run = watch("-m", "accuracy", "--qg-fresh", "-n2")
    assert run.code == 0
    assert f"score {SLOW}" not in run.written
    assert any(line.startswith("demo: 4 images") for line in run.screen)


# How much, of what, in which order


@pytest.fixture
def pair(demo: Demo) -> Demo:
    """fp32 that is fine and int8 that misses a limit."""
    demo.suite(precisions=["fp32", "int8"], gates='Gate("map", min=1.1, precisions=["int8"])')
    return demo


def test_q_prints_verdicts_alone_the_worst_first(pair: Demo) -> None:
    lines = section(pair.run("-m", "accuracy", "-q"), " quantgate ")
    assert lines[:2] == [f"missed       {INT8}", f"met          {FP32}"]
    assert lines[2].startswith("quantgate demo on ")
    assert not lines[3:]


def test_v_prints_every_metric_class_and_gate(pair: Demo) -> None:
    text = "\n".join(section(pair.run("-v"), " quantgate "))
    for title in (
        "average precision",
        "average recall",
        "a call",
        "stages of an image",
        "memory, loading",
        "AP by class",
    ):
        assert f"\n{title}" in text
    assert "  map missed: observed 1, expected ≥ 1.1" in text
    assert "no energy: " in text
    assert "AP by class" not in output(pair.run())


def test_the_last_line_can_be_pasted_into_a_chat(pair: Demo) -> None:
    last = section(pair.run("-m", "accuracy"), " quantgate ")[-1]
    assert re.match(r"quantgate demo on \S+: 1 missed, 1 met; worst: ", last)
    assert f"worst: {INT8} map missed: 1, allowed ≥ 1.1; smallest that passes: {FP32}: mAP 1.0000" in last


def test_qg_show_and_qg_sort_choose_and_order_the_rows(pair: Demo) -> None:
    lines = section(pair.run("-m", "accuracy", "--qg-show=missed", "--qg-sort=size_bytes"), " quantgate ")
    assert lines[0].endswith("1 of 2 cells shown")
    assert lines[3].split()[1] == INT8
    assert not any(line.lstrip().startswith(FP32) for line in lines)
    assert any(line.startswith(f"demo: {INT8}: map missed") for line in lines)


def test_qg_show_that_finds_nothing_says_so_and_fails_nothing(demo: Demo) -> None:
    result = demo.run("-m", "accuracy", "--qg-show=nul1")
    assert result.ret == 0
    assert "--qg-show: no cell matches 'nul1'; did you mean 'null'?" in output(result)


def test_a_repeat_command_stands_on_a_line_of_its_own(demo: Demo) -> None:
    demo.model("model", LOOSE)
    demo.suite(precisions=["fp32"], gates='Gate("map", min=0.9)')
    lines = section(demo.run("-m", "accuracy"), " quantgate ")
    told = next(n for n, line in enumerate(lines) if line.startswith(f"demo: {FP32}: map missed"))
    assert lines[told + 1] == f"  repeat: pytest 'test_demo.py::test_accuracy[{FP32}]'"
