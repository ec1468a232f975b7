"""The live line: what it says in which width. How it behaves under pytest: `tests/plugin/test_terminal.py`."""

from __future__ import annotations

import io
import re

import pytest
from rich.progress import Progress, Task
from shown import rendered

from harness.core.processes import Progress as Done
from harness.machine.locks import WAITING
from harness.report.terminal.progress import Live, progress_line

CELL = "score yolo26n-int8-onnxruntime-cpu"


def task(done: float, total: float | None, label: str = CELL, seconds: float = 4.0) -> Task:
    """A job that has counted from 1 to `done` in so many seconds."""
    now = [0.0]
    bars = Progress(auto_refresh=False, get_time=lambda: now[0])
    number = bars.add_task(label, total=total)
    bars.update(number, completed=1)
    now[0] = seconds
    bars.update(number, completed=done)
    return bars.tasks[0]


def drawn(of: Task, width: int) -> str:
    return rendered([progress_line(of, width)], width)


def test_it_tells_phase_cell_count_speed_and_time_left() -> None:
    text = drawn(task(101, 256), 100)
    assert text.startswith(f"{CELL} ━")
    assert text.endswith(" 101/256  25.0 images/s  0:07 left")
    assert len(text) < 100


@pytest.mark.parametrize(
    ("width", "told"),
    [
        (160, "BAR 101/256 25.0 images/s 0:07 left"),
        (77, "BAR 101/256 25.0 images/s 0:07 left"),
        (76, "101/256 25.0 images/s 0:07 left"),
        (60, "101/256 0:07 left"),
        (45, "0:07 left"),
    ],
)
def test_first_the_bar_gives_way_then_the_speed_then_the_count(width: int, told: str) -> None:
    text = drawn(task(101, 256), width)
    assert re.sub(r"━+╸?\s", "BAR ", " ".join(text.split())) == f"{CELL} {told}"
    assert len(text) <= width


def test_the_name_of_the_cell_is_the_last_to_be_cut() -> None:
    assert drawn(task(101, 256), 30) == "score yolo26n-int8-… 0:07 left"


def test_what_cannot_be_counted_tells_how_long_it_takes() -> None:
    assert drawn(task(0, None, "build yolo26n-int8-openvino-cpu", seconds=75), 80) == (
        "build yolo26n-int8-openvino-cpu 1:15"
    )


def test_what_has_counted_everything_and_goes_on_tells_the_same() -> None:
    assert drawn(task(256, 256, seconds=5), 80).endswith("256/256  51.0 images/s  0:05")


class Reporter:
    """As much of pytest's terminal reporter as the live line asks for, writing to a file."""

    isatty = False

    def __init__(self, file) -> None:
        self._tw = self
        self._file = file


def test_an_output_that_is_no_terminal_tells_of_waiting_once(tmp_path) -> None:
    with (tmp_path / "log").open("w") as file:
        live = Live(Reporter(file))
        live.show(CELL, Done(0, 0))
        for _ in range(2):
            live.show(WAITING, Done(0, 0))
            live.show(WAITING, None)
        live.close()
    assert re.fullmatch(
        r"\nwaiting for a timed section of another run, since \d\d:\d\d:\d\d\n", (tmp_path / "log").read_text()
    )


def test_an_output_in_memory_is_left_alone() -> None:
    live = Live(Reporter(io.StringIO()))
    live.show(WAITING, Done(0, 0))
    live.close()


def test_where_nobody_watches_nothing_is_drawn_and_nothing_fails() -> None:
    live = Live(None)
    with live.phase("time"):
        live.show(CELL, Done(0, 0))
        live.show(CELL, None)
    live.close()
