"""What machine this is: instruction sets, a machine class for latency, and the environment of a run."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import platform
import re
from pathlib import Path

import psutil

from harness.core.measurement import Machine

ISA_TIERS = (
    ("amx_int8", "amx"),
    ("avx512_vnni", "avx512-vnni"),
    ("avx_vnni", "avx-vnni"),
    ("avx512f", "avx512"),
    ("avx2", "avx2"),
    ("i8mm", "neon-i8mm"),
    ("asimddp", "neon-dotprod"),
    ("asimd", "neon"),
)
"""CPU flag → name, best first. int8 kernels, and so int8 mAP, differ between these (FACTS.md)."""


@functools.cache
def _cpuinfo() -> str:
    try:
        return Path("/proc/cpuinfo").read_text()
    except OSError:
        return ""


@functools.cache
def cpu_flags() -> frozenset[str]:
    """Instruction set flags as Linux names them; empty where the system does not tell."""
    match = re.search(r"^(?:flags|Features)\s*:\s*(.*)$", _cpuinfo(), re.MULTILINE)
    return frozenset(match.group(1).split()) if match else frozenset()


def cpu_model() -> str:
    """Marketing name of the processor, or its architecture."""
    match = re.search(r"^(?:model name|Model)\s*:\s*(.*)$", _cpuinfo(), re.MULTILINE)
    return match.group(1).strip() if match else platform.processor() or platform.machine()


def isa() -> str:
    """The instruction set that decides which int8 kernels run; key of accuracy baselines."""
    return next((name for flag, name in ISA_TIERS if flag in cpu_flags()), platform.machine().lower())


def cores() -> int:
    """CPUs this process may run on; a container quota is not a smaller machine, an affinity mask is."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads(declared: int) -> int:
    """Intra-op threads of a timed section: as declared, 0 for every core."""
    return declared or cores()


def machine_class() -> str:
    """Key of latency baselines: machines of one class are expected to be equally fast."""
    model = re.sub(r"\((r|tm)\)|\bcpu\b|\bprocessor\b|@.*", "", cpu_model().lower())
    slug = re.sub(r"[^a-z0-9]+", "-", model).strip("-")
    return f"{slug}-{isa()}-{cores()}c"


def this_machine() -> Machine:
    """The machine that this process runs on."""
    return Machine(
        machine_class(),
        cpu_model(),
        isa(),
        cores(),
        psutil.virtual_memory().total,
        f"{platform.system()} {platform.release()}",
        platform.python_version(),
    )


def version(tool: str) -> str | None:
    """Version of an installed distribution."""
    try:
        return importlib.metadata.version(tool)
    except importlib.metadata.PackageNotFoundError:
        return None
