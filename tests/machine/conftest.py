"""A machine lock that a test has for itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.machine.locks import MachineLock


@pytest.fixture
def lock(tmp_path: Path) -> Iterator[MachineLock]:
    """A machine lock of this test alone."""
    made = MachineLock(tmp_path)
    yield made
    made.close()
