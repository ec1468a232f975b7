"""quantgate: a gate for quantized object detectors. This is what a suite file imports; it loads no runtime."""

from harness.errors import ConfigError, Unavailable
from harness.matrix import matrix
from harness.types import Cell, Decoding, Gate, Measurement, Suite, Verdict

__all__ = ["Cell", "ConfigError", "Decoding", "Gate", "Measurement", "Suite", "Unavailable", "Verdict", "matrix"]
__version__ = "0.1.0"
