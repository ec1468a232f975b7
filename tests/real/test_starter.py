"""A new user's first commands on the real runtimes: init, accept, gate; then the artifact outside quantgate."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from harness.commands.cli import main
from harness.commands.init import scaffold


@pytest.fixture
def started(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:cacheprovider")
    assert main(["init"]) == 0
    return pytester


def test_accepting_and_gating_the_starter_suite_and_loading_what_it_exports(started: pytest.Pytester) -> None:
    accepted = started.runpytest_subprocess("suites", "-n", "2", "-m", "accuracy", "--qg-baseline-update")
    assert accepted.ret == 0, accepted.stdout.str()
    gated = started.runpytest_subprocess("suites", "-n", "2", "-m", "accuracy", "--qg-require-baseline")
    assert gated.ret == 0
    count = 2 * len(scaffold.installed())
    assert f"cells: {count} unchanged; artifacts: 0 built, {count} from the cache" in gated.stdout.str()

    for backend in scaffold.installed():
        folder = started.path / backend
        assert main(["export", f"yolo26n-digits-int8-{backend}-cpu", "-o", str(folder)]) == 0
        (code,) = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
        program = f"{code}\nprint(outputs[0].shape)"
        shown = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=True)
        assert shown.stdout == "(1, 14, 1344)\n"
