"""What the tests of stored results share."""

from __future__ import annotations

from pathlib import Path

import pytest
from published import publish_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a run that finished everything of fp32, and of int8 only the accuracy test."""
    publish_run(tmp_path)
    return tmp_path
