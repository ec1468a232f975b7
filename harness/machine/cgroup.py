"""The CPU quota of the container: of this process's own cgroup and of every cgroup above it, versions 1 and 2."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple


class _Mount(NamedTuple):
    """Where a hierarchy of cgroups is mounted."""

    root: PurePosixPath  # the cgroup that is mounted
    point: Path  # the folder that it is mounted on
    cpu: bool  # version 1: whether the hierarchy limits CPU time; version 2 always may
    version: int


def cpu_limit(root: Path = Path("/")) -> float | None:
    """The CPUs' worth of time that this process may use, such as 1.5; None where nothing limits it.

    The lowest quota counts, of the process's own cgroup and of all that hold it. Version 2 has it in cpu.max:
    "150000 100000", or "max 100000" for none. Version 1 has it in cpu.cfs_quota_us: -1 for none.

    Args:
        root: the folder in which `proc` and `sys` lie.
    """
    return min((limit for folder in _folders(root) if (limit := _quota(folder)) is not None), default=None)


def _folders(root: Path) -> Iterator[Path]:
    """The folders of the process's cgroups that may limit CPU time: its own, and those above it up to the mount."""
    own = _own(root)
    for mount in _mounts(root):
        path = own.get("" if mount.version == 2 else "cpu", PurePosixPath("/"))
        inside = path.is_relative_to(mount.root) and ".." not in path.parts
        folder = mount.point / path.relative_to(mount.root) if inside else mount.point
        yield from (one for one in (folder, *folder.parents) if one.is_relative_to(mount.point))


def _own(root: Path) -> dict[str, PurePosixPath]:
    """The process's cgroup by controller, from lines such as "4:cpu,cpuacct:/docker/1a2b"; "" is version 2's."""
    found: dict[str, PurePosixPath] = {}
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        found |= {name: PurePosixPath(path or "/") for name in controllers.split(",")}
    return found


def _mounts(root: Path) -> list[_Mount]:
    """The mounted hierarchies that may limit CPU time, from mountinfo, or else where systems have them.

    A line of mountinfo (proc(5)) is "36 35 0:31 ROOT POINT OPTIONS … - TYPE SOURCE OPTIONS"; "\\040" is a space.
    """
    found = []
    for line in _read(root / "proc/self/mountinfo").splitlines():
        place, _, kind = line.partition(" - ")
        fields, (system, *rest) = place.split(), (*kind.split(), "")
        if len(fields) > 4 and system in ("cgroup", "cgroup2"):
            mounted, point = (re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), text) for text in fields[3:5])
            cpu = system == "cgroup2" or "cpu" in ",".join(rest).split(",")
            version = 2 if system == "cgroup2" else 1
            found.append(_Mount(PurePosixPath(mounted), root / point.lstrip("/"), cpu, version))
    usual = root / "sys/fs/cgroup"
    guessed = [_Mount(PurePosixPath("/"), usual, True, 2), _Mount(PurePosixPath("/"), usual / "cpu", True, 1)]
    return [mount for mount in found if mount.cpu] or guessed


def _quota(folder: Path) -> float | None:
    """The CPUs' worth of time that one cgroup may use; None where it has no limit."""
    quota, _, period = _read(folder / "cpu.max").partition(" ")
    if not quota:
        quota, period = _read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us")
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() and int(period) else None


def _read(file: Path) -> str:
    """The text of a file of the system; empty where there is no such file."""
    try:
        return file.read_text(errors="surrogateescape").strip()
    except OSError:
        return ""
