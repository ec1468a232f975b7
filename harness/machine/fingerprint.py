"""What machine this is: its processor, instruction set and cores, and the classes of machines that compare."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import platform
import re
from pathlib import Path

import psutil

from harness.core.measurement import Machine
from harness.machine import cgroup

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
"""CPU flag → name of the instruction set, the best first.

Runtimes have int8 kernels of their own for each. The kernels' outputs differ, and so does the mAP of an int8 artifact.
"""


@functools.cache
def _cpuinfo() -> str:
    """The text of /proc/cpuinfo; empty where there is none."""
    try:
        return Path("/proc/cpuinfo").read_text()
    except OSError:
        return ""


@functools.cache
def cpu_flags() -> frozenset[str]:
    """Return the instruction set flags as Linux names them; empty where the system does not tell."""
    match = re.search(r"^(?:flags|Features)\s*:\s*(.*)$", _cpuinfo(), re.MULTILINE)
    return frozenset(match.group(1).split()) if match else frozenset()


def cpu_model() -> str:
    """Return the marketing name of the processor, or its architecture where the system does not tell."""
    match = re.search(r"^(?:model name|Model)\s*:\s*(.*)$", _cpuinfo(), re.MULTILINE)
    return match.group(1).strip() if match else platform.processor() or platform.machine()


def isa() -> str:
    """Return the instruction set that decides which int8 kernels run. It is the key of accuracy baselines."""
    return next((name for flag, name in ISA_TIERS if flag in cpu_flags()), platform.machine().lower())


def processors() -> int:
    """Return the number of CPUs that this process may run on: an affinity mask or a cpuset makes a machine smaller."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cores() -> int:
    """Return the number of CPUs that this process can keep busy: its `processors`, or as many as its quota pays for.

    The quota is that of the container (`machine.cgroup`), in whole CPUs and at least one: a process that keeps more of
    them busy is paused when its time is used up.
    """
    limit = cgroup.cpu_limit()
    return processors() if limit is None else max(1, min(processors(), int(limit)))


def threads(declared: int) -> int:
    """Return the intra-op threads of a timed section: the declared number, or the number of cores for 0."""
    return declared or cores()


def machine_class() -> str:
    """Return the key of latency baselines, such as `amd-epyc-9354-32-core-avx512-vnni-2c`.

    Machines of one class are expected to be equally fast.
    """
    model = re.sub(r"\((r|tm)\)|\bcpu\b|\bprocessor\b|@.*", "", cpu_model().lower())
    slug = re.sub(r"[^a-z0-9]+", "-", model).strip("-")
    return f"{slug}-{isa()}-{cores()}c"


def this_machine() -> Machine:
    """Return what is known of the machine that this process runs on."""
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
    """Return the version of an installed distribution, None where it is not installed."""
    try:
        return importlib.metadata.version(tool)
    except importlib.metadata.PackageNotFoundError:
        return None
