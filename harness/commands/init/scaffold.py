"""The files that `quantgate init` writes into a user's own repository. A file that is there already stays as it is."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import string
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from harness.core.errors import Unavailable
from harness.core.files import ASSETS, write_text
from harness.core.version import __version__
from harness.inputs.finder import runnable
from harness.matrix import matrix

QUICK = ("onnxruntime", "openvino")
"""Runtimes that build and score the starter suite within a minute on two cores."""

EXTRAS = {"openvino": "openvino"}
"""The extra of quantgate that installs a runtime, by runtime; onnxruntime needs none."""

IGNORED = ".quantgate/"
"""The line of .gitignore: the folder that holds results."""

BASELINES = """Accepted measurements, written by `pytest suites -n auto --qg-baseline-update`. Commit them: later runs
are held against them, and a reviewer sees in the diff which numbers a change moves.
"""
"""The text of baselines/README.md."""

UNFINDABLE = ", and this one is from a folder: put the address of yours (git+https://…) into QUANTGATE of the workflow"
"""What follows the name of a quantgate that CI cannot install."""


def write_starter(root: Path) -> Iterator[str]:
    """Write every file that is not there yet.

    Yields a line for each file that says what happened to it, and at the end a line that says what CI installs.

    Raises:
        ConfigError: a file cannot be written.
    """
    backends = installed()
    extras = ",".join(dict.fromkeys(EXTRAS[name] for name in backends if name in EXTRAS))
    known = {
        "backends": json.dumps(backends),
        "required": ",".join(backends),
        "requirement": requirement(extras),
        "python": ".".join(platform.python_version_tuple()[:2]),
    }
    yield _once(root / "suites" / "starter" / "test_starter.py", _filled("suite.py.txt", known))
    yield _once(root / "baselines" / "README.md", BASELINES)
    yield _once(root / ".github" / "workflows" / "quantgate.yml", _filled("workflow.yml.txt", known))
    yield _ignore(root / ".gitignore")
    yield f"CI installs {known['requirement']}{'' if findable() else UNFINDABLE}"


def installed() -> Sequence[str]:
    """The quick runtimes that can run both precisions of the starter suite on this machine."""
    return [name for name in QUICK if all(_runs(name, precision) for precision in ("fp32", "int8"))]


def _runs(backend: str, precision: str) -> bool:
    (cell,) = matrix("starter", precision, backend)
    try:
        runnable(cell)
    except Unavailable:
        return False
    return True


def requirement(extras: str) -> str:
    """What pip must be told to install the quantgate that runs here; `extras` are separated by commas."""
    named, origin = f"quantgate[{extras}]" if extras else "quantgate", _origin()
    vcs = origin.get("vcs_info")
    if vcs:
        return f"{named} @ {vcs['vcs']}+{origin['url']}@{vcs['commit_id']}"
    return f"{named}=={__version__}"


def findable() -> bool:
    """Whether CI can install the quantgate that runs here; False where it came from a folder of this machine."""
    return not _origin() or "vcs_info" in _origin()


def _origin() -> dict[str, Any]:
    """Where the installed quantgate came from, as PEP 610 records it; empty where it came from an index."""
    try:
        known = importlib.metadata.distribution("quantgate").read_text("direct_url.json")
    except importlib.metadata.PackageNotFoundError:
        known = None
    origin: dict[str, Any] = json.loads(known or "{}")
    return origin


def _filled(name: str, known: dict[str, str]) -> str:
    """A template of the assets with its placeholders replaced."""
    return string.Template((ASSETS / "init" / name).read_text()).substitute(known)


def _once(file: Path, text: str) -> str:
    """Write a file unless it is there, and say which."""
    if file.exists():
        same = file.read_text() == text
        return f"{file}: is there already{'' if same else ', with other content'}; left as it is"
    write_text(file, text, "quantgate init DIR")
    return f"{file}: written"


def _ignore(file: Path) -> str:
    """Add `IGNORED` to a .gitignore that does not have it, and say whether."""
    before = file.read_text() if file.exists() else ""
    if any(line.strip().strip("/") == IGNORED.strip("/") for line in before.splitlines()):
        return f"{file}: ignores {IGNORED} already; left as it is"
    gap = "" if before.endswith("\n") or not before else "\n"
    write_text(file, f"{before}{gap}{IGNORED}\n", "quantgate init DIR")
    return f"{file}: {IGNORED} added"
