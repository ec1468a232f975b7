"""One file per runtime. `base.py` says what a backend is, and `registry.py` finds a backend by its name.

The author of a backend imports everything from here and from `harness.recipes`; see docs/backends.md.
"""

from harness.backends.base import Backend, Compiling, DeviceMemory, DeviceSession, Session, Tensor, require, require_cpu

__all__ = ["Backend", "Compiling", "DeviceMemory", "DeviceSession", "Session", "Tensor", "require", "require_cpu"]
