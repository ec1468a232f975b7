"""quantgate: a benchmark and regression gate for quantized object detectors.

A suite file imports its names from here. The import loads no runtime, such as torch or onnxruntime.
"""

from harness.core.cell import Cell, Model, Qat
from harness.core.errors import ConfigError, Unavailable
from harness.core.measurement import Artifact, Measurement
from harness.core.suite import Calibration, Decoding, Gate, Suite
from harness.core.verdict import Verdict
from harness.core.version import __version__ as __version__
from harness.matrix import matrix

__all__ = [
    "Artifact", "Calibration", "Cell", "ConfigError", "Decoding", "Gate", "Measurement", "Model", "Qat", "Suite",
    "Unavailable", "Verdict", "matrix",
]  # fmt: skip
