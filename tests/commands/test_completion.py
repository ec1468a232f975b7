"""Shell completion: what each shell is given, and what it answers at a TAB."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.commands.cli import main
from harness.commands.completion import SHELLS

CELL = "yolo26n-int8-onnxruntime-cpu"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with results of one cell and the baseline of another."""
    (tmp_path / ".quantgate").mkdir()
    (tmp_path / ".quantgate" / "results.json").write_text(json.dumps({"cells": [{"id": CELL}]}))
    folder = tmp_path / "baselines" / "made" / "accuracy" / "avx2"
    folder.mkdir(parents=True)
    (folder / "yolo26n-fp32-torch-cpu.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def answered(line: str, folder: Path) -> list[str]:
    """What a bash that has evaluated the code is told at a TAB."""
    program = folder / "quantgate"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m harness.commands.cli "$@"\n')
    program.chmod(0o755)
    script = f"""
PATH={folder}:$PATH
eval "$(quantgate completion bash)"
COMP_LINE="$1" COMP_POINT=${{#1}} COMP_TYPE=9
_python_argcomplete quantgate 2>/dev/null
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        ["bash", "-c", script, "bash", line], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("quantgate exp", ["explain", "export"]),
        ("quantgate baseline p", ["prune"]),
        ("quantgate export yolo26n-", ["yolo26n-fp32-torch-cpu", CELL]),
        ("quantgate history --me", ["--metric"]),
    ],
)
def test_bash_completes_commands_options_and_cells(project: Path, line: str, expected: list[str]) -> None:
    assert answered(line, project) == expected


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_gets_code_that_it_can_read(capsys: pytest.CaptureFixture[str], tmp_path: Path, shell: str) -> None:
    assert main(["completion", shell]) == 0
    code = capsys.readouterr().out
    assert "quantgate" in code
    if shutil.which(shell):
        (tmp_path / "code").write_text(code)
        subprocess.run([shell, "-n", str(tmp_path / "code")], check=True)
