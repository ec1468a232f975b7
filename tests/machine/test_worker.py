"""The child's side: one job in, its answers or one line of error out, and no outliving the parent."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import jobs
import pytest
from builders import TESTS

from harness.core.processes import Progress
from harness.machine import worker
from harness.machine.child import Child
from harness.machine.worker import Channel, Failure, Reply


class Leave:
    """A job that ends the process."""

    def run(self, channel: Channel) -> None:
        sys.exit(3)


@pytest.fixture
def pipe():
    """The parent's end and the child's end of a pipe."""
    parent, child = multiprocessing.Pipe()
    yield parent, child
    parent.close()
    child.close()


@pytest.fixture
def main(pipe, monkeypatch) -> Callable[[], None]:
    """The worker on the child's end, in this process."""
    monkeypatch.setattr(worker, "die_with_parent", lambda parent: None)
    monkeypatch.setattr(sys, "argv", ["worker", str(os.dup(pipe[1].fileno())), "0"])
    return worker.main


@pytest.fixture
def work(pipe, main) -> Callable[..., list[Any]]:
    """Send a job and commands, run the worker, and return every message that the parent gets."""

    def run(*sent: Any) -> list[Any]:
        for message in sent:
            pipe[0].send(message)
        main()
        messages = []
        while pipe[0].poll():
            messages.append(pipe[0].recv())
        return messages

    return run


def test_what_a_job_returns_is_its_last_reply(work) -> None:
    assert work(jobs.Echo({"map": 0.5})) == [Reply({"map": 0.5})]


def test_progress_comes_before_the_reply_and_in_order(work) -> None:
    assert work(jobs.Count(2)) == [Progress(1, 2), Progress(2, 2), Reply("counted")]


def test_a_job_may_answer_commands_before_its_last_reply(work) -> None:
    assert work(jobs.Answer(), 4, 5, None) == [Reply("ready"), Reply(8), Reply(10), Reply("bye")]


@pytest.mark.parametrize("kind", ["ConfigError", "Unavailable"])
def test_an_error_of_quantgate_is_told_by_its_kind_and_message(work, kind: str) -> None:
    assert work(jobs.Raise(kind, "no such thing")) == [Failure(kind, "no such thing")]


@pytest.mark.parametrize("name", ["RuntimeError", "EOFError"])
def test_any_other_error_is_a_cell_s_and_its_trace_is_in_the_log(work, capfd, name: str) -> None:
    assert work(jobs.Raise(name, "first line\nsecond line")) == [Failure("CellError", f"{name}: first line")]
    assert "second line" in capfd.readouterr().err


def test_a_job_that_ends_the_process_is_told_too(work) -> None:
    assert work(Leave()) == [Failure("CellError", "SystemExit: 3")]


def test_a_job_that_cannot_be_imported_is_told(pipe, main) -> None:
    parent, _ = pipe
    parent.send_bytes(b"cno_such_module\nJob\n.")  # the pickle of a class of that module
    main()
    assert parent.recv() == Failure("CellError", "ModuleNotFoundError: No module named 'no_such_module'")


def test_a_worker_whose_parent_is_gone_before_it_sends_a_job_ends_in_silence(pipe, main, capfd) -> None:
    pipe[0].close()
    main()
    assert capfd.readouterr() == ("", "")


def test_a_job_that_waits_for_a_command_learns_that_its_parent_is_gone(pipe) -> None:
    parent, child = pipe
    parent.close()
    with pytest.raises(EOFError):
        Channel(child).receive()


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG")
def test_a_process_whose_parent_died_before_it_asked_kills_itself() -> None:
    program = "import os; from harness.machine.worker import die_with_parent; die_with_parent({}); print('alive')"
    orphan = subprocess.run([sys.executable, "-c", program.format(-1)], capture_output=True, text=True)
    child = subprocess.run([sys.executable, "-c", program.format("os.getppid()")], capture_output=True, text=True)
    assert (orphan.returncode, orphan.stdout) == (-9, "")
    assert (child.returncode, child.stdout) == (0, "alive\n")


def test_it_imports_no_runtime_of_its_own(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(TESTS))
    heavy = {"torch", "onnxruntime", "openvino", "ultralytics", "cv2", "pycocotools", "pytest", "rich"}
    with Child(jobs.Modules(), tmp_path / "log", 20) as child:
        assert child.answer() & heavy == set()
