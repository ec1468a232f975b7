"""The line below pytest's own line while a test runs: phase, cell, images per second, time left.

It is drawn on terminals only.
"""

from __future__ import annotations

import io
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.progress import Progress, Task
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from harness.core.processes import Progress as Done
from harness.machine.locks import WAITING

TICK_S = 0.25  # seconds from one drawing to the next; a job that is done sooner is never drawn
BAR = (8, 24)  # columns of the bar, at least and at most
FALLBACK = 80  # columns of a terminal that does not tell its width
IMAGES = ("score", "decode", "explain")  # jobs that count images


class Live:
    """The live line, drawn below the line on which pytest writes its dots; nothing of it stays behind.

    `terminal` is pytest's terminal reporter. Nothing is drawn where it is None. Where it writes elsewhere than to a
    terminal, one line tells the first time that another run keeps this one waiting: silence would look like a hang.
    """

    def __init__(self, terminal: Any) -> None:
        self._writer: Any = None
        self._file: int | None = None  # descriptor of an output that is no terminal
        if terminal is not None and terminal.isatty and os.environ.get("TERM") != "dumb":
            self._writer = terminal._tw
            # While a test runs, pytest's capturing points the descriptor of stdout elsewhere.
            self._screen = os.dup(terminal._tw._file.fileno())
        elif terminal is not None:
            with suppress(AttributeError, OSError, ValueError):  # an output in memory has no descriptor
                self._file = os.dup(terminal._tw._file.fileno())
        self._bars = Progress(auto_refresh=False)
        self._waiting = ""  # what the line goes back to when a job within a phase ends
        self._ticker: tuple[threading.Event, threading.Thread] | None = None

    def close(self) -> None:
        """Close the descriptor of the terminal; nothing is drawn afterwards."""
        if self._writer is not None:
            os.close(self._screen)
            self._writer = None
        if self._file is not None:
            os.close(self._file)
            self._file = None

    @contextmanager
    def phase(self, label: str) -> Iterator[None]:
        """Show what goes on, and since when, until the block ends.

        The line is drawn once and not ticked: a timed section needs the machine for itself.
        """
        self._waiting = f"{label}, since {time.strftime('%H:%M:%S')}"
        self._draw(self._waiting)
        try:
            yield
        finally:
            self._waiting = ""
            self._draw("")

    def show(self, label: str, done: Done | None) -> None:
        """Show how far a job is; `done` is None at its end, and its total is 0 for a job that cannot be counted."""
        if self._writer is None:
            self._tell_once(label)
            return
        if done is None:
            self._end()
        elif not self._bars.tasks or self._bars.tasks[0].description != label:
            self._end()
            self._begin(label)
        for task in self._bars.tasks:
            if done:
                self._bars.update(task.id, completed=done.done, total=done.total or None)

    def _tell_once(self, label: str) -> None:
        """Write a line about waiting to an output that is no terminal, the first time in a run."""
        if label == WAITING and self._file is not None:
            os.write(self._file, f"\n{label}, since {time.strftime('%H:%M:%S')}\n".encode())
            os.close(self._file)
            self._file = None

    def _begin(self, label: str) -> None:
        self._bars.add_task(label, total=None)
        task, over = self._bars.tasks[0], threading.Event()

        def tick() -> None:
            while not over.wait(TICK_S):
                self._draw(task)

        thread = threading.Thread(target=tick, daemon=True)
        thread.start()
        self._ticker = over, thread

    def _end(self) -> None:
        """Stop the ticking, and draw what remains of the line.

        Pytest may write as soon as this returns.
        """
        if self._ticker is None:
            return
        over, thread = self._ticker
        over.set()
        thread.join()
        self._ticker = None
        self._bars.remove_task(self._bars.task_ids[0])
        self._draw(self._waiting)

    def _draw(self, content: Task | str) -> None:
        """Replace the line below pytest's line, and put the cursor back where pytest has it."""
        if self._writer is None:
            return
        width = os.get_terminal_size(self._screen).columns or FALLBACK  # pytest's own would ask the captured stdout
        rows, column = divmod(self._writer.width_of_current_line, width)
        if rows and not column:  # the cursor hangs behind the last column, and no move would bring it back there
            return
        stream = io.StringIO()
        colour = self._writer.hasmarkup
        console = Console(file=stream, width=width - 1, force_terminal=colour, no_color=not colour, highlight=False)
        console.print(
            progress_line(content, width - 1) if isinstance(content, Task) else Text(content, "dim"), no_wrap=True
        )
        text = stream.getvalue().partition("\n")[0]
        back = f"\x1b[{column}C" if column else ""
        os.write(self._screen, f"\n\r\x1b[2K{text}\x1b[A\r{back}".encode())


def progress_line(task: Task, width: int) -> RenderableType:
    """The line of a job: `score CELL ━━━━╸━━━ 96/256  41.2 images/s  0:04 left`.

    Where `width` columns are not enough, first the bar gives way, then the speed, then the count, and at last the name
    of the cell is cut.
    """
    told = _told(task)
    sayings = ["  ".join(told), "  ".join(dict.fromkeys((told[0], told[-1]))), told[-1]]
    named = cell_len(task.description)
    said = next((one for one in sayings if named + 1 + cell_len(one) <= width), sayings[-1])
    free = width - cell_len(said) - 1
    drawn = Table.grid(padding=(0, 1, 0, 0), pad_edge=False)
    drawn.add_column(no_wrap=True, overflow="ellipsis", width=min(named, free))
    parts: list[RenderableType] = [Text(task.description)]
    bar = min(BAR[1], free - named - 1)
    if task.total and bar >= BAR[0]:
        drawn.add_column(width=bar)
        parts.append(ProgressBar(task.total, task.completed))
    drawn.add_column(no_wrap=True, width=cell_len(said))
    drawn.add_row(*parts, Text(said, "cyan"))
    return drawn


def _told(task: Task) -> list[str]:
    """Count, speed and time left. For a job that cannot be counted, or has counted everything, the time spent."""
    spent = _clock(task.elapsed or 0)
    if not task.total:
        return [spent]
    parts = [f"{task.completed:.0f}/{task.total:.0f}"]
    if task.speed:
        parts.append(f"{task.speed:.1f}{' images' if task.description.startswith(IMAGES) else ''}/s")
    left = task.time_remaining
    return [*parts, spent if task.finished or left is None else f"{_clock(left)} left"]


def _clock(seconds: float) -> str:
    """Minutes and seconds: `1:05`."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"
