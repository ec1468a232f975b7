"""One file per runtime. `base.py` says what a backend is, `registry.py` finds it by name.

The author of a backend imports from here, and from `harness.recipes`.
"""

from harness.backends.base import Backend, Compiling, DeviceSession, Session, Tensor, require, require_cpu

__all__ = ["Backend", "Compiling", "DeviceSession", "Session", "Tensor", "require", "require_cpu"]
