"""quantgate: a gate for quantized object detectors. This is what a suite file imports; it loads no runtime."""

from harness.declarations import Calibration, Decoding, Model, Qat
from harness.errors import ConfigError, Unavailable
from harness.matrix import matrix
from harness.types import Cell, Gate, Measurement, Suite, Verdict

__all__ = [
    "Calibration", "Cell", "ConfigError", "Decoding", "Gate", "Measurement", "Model", "Qat", "Suite", "Unavailable",
    "Verdict", "matrix",
]  # fmt: skip
__version__ = "0.1.0"
