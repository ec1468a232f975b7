"""The CPU quota of the own cgroup, at any depth, from recorded trees of /proc and /sys."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.machine.cgroup import cpu_limit

V1 = "4:cpu,cpuacct:{}\n3:memory:/elsewhere\n"
V2 = "0::{}\n"
MOUNT1 = "32 31 0:29 {} /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct"
MOUNT2 = "25 24 0:22 {} /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate"
OTHER = "33 31 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n22 1 0:21 / /proc rw - proc proc rw"


def tree(root: Path, own: str, mount: str, quotas: dict[str, str]) -> Path:
    """A system with the files that tell the own cgroup, what is mounted, and the quotas (v1: "quota period")."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(own)
    (root / "proc/self/mountinfo").write_text(f"{OTHER}\n{mount}\n" if mount else "")
    for folder, quota in quotas.items():
        place = root / "sys/fs/cgroup" / folder
        place.mkdir(parents=True, exist_ok=True)
        if "cpu,cpuacct" in folder or folder.split("/")[0] == "cpu":
            for name, value in zip(("quota", "period"), quota.split(), strict=True):
                (place / f"cpu.cfs_{name}_us").write_text(f"{value}\n")
        else:
            (place / "cpu.max").write_text(f"{quota}\n")
    return root


@pytest.mark.parametrize(
    ("own", "mount", "quotas", "limit"),
    [
        (V2.format("/a/b/c"), MOUNT2.format("/"), {"a/b/c": "150000 100000"}, 1.5),
        (V2.format("/a/b/c"), MOUNT2.format("/"), {"a/b/c": "max 100000", "a": "50000 100000"}, 0.5),
        (V2.format("/a/b/c"), MOUNT2.format("/"), {"a/b/c": "100000 100000", "a": "300000 100000"}, 1.0),
        (V2.format("/a/b"), MOUNT2.format("/"), {"a/b": "max 100000", "other": "50000 100000"}, None),
        (V2.format("/"), MOUNT2.format("/"), {".": "200000 100000"}, 2.0),
        (V2.format("/"), "", {".": "200000 100000"}, 2.0),  # no mountinfo: where systems have it
        (V2.format("/pod/me/x"), MOUNT2.format("/pod/me"), {"x": "50000 100000"}, 0.5),  # a part is mounted
        (V2.format("/pod/other"), MOUNT2.format("/pod/me"), {".": "50000 100000"}, 0.5),
        (V2.format("/../../x"), MOUNT2.format("/"), {".": "50000 100000"}, 0.5),  # outside its namespace
        (V1.format("/a/b"), MOUNT1.format("/"), {"cpu,cpuacct/a": "150000 100000"}, 1.5),
        (V1.format("/a/b"), MOUNT1.format("/"), {"cpu,cpuacct/a": "-1 100000", "cpu,cpuacct/a/b": "25000 50000"}, 0.5),
        (V1.format("/docker/1a"), MOUNT1.format("/docker/1a"), {"cpu,cpuacct": "50000 100000"}, 0.5),
        (V1.format("/a"), "", {"cpu/a": "50000 100000"}, 0.5),
        (V1.format("/a") + V2.format("/"), f"{MOUNT1.format('/')}\n{MOUNT2.format('/')}",
         {"cpu,cpuacct/a": "70000 100000", ".": "max 100000"}, 0.7),
        (V2.format("/a b"), MOUNT2.format("/").replace("/sys/fs/cgroup ", "/sys/fs/cgroup/my\\040mount "),
         {"my mount/a b": "50000 100000"}, 0.5),
        (V2.format("/a"), MOUNT2.format("/"), {"a": "rubbish"}, None),
        (V2.format("/a"), MOUNT2.format("/"), {"a": "1000 0"}, None),
        ("", "", {}, None),
    ],
)  # fmt: skip
def test_the_lowest_quota_of_the_own_cgroup_and_those_above_counts(
    tmp_path: Path, own: str, mount: str, quotas: dict[str, str], limit: float | None
) -> None:
    assert cpu_limit(tree(tmp_path, own, mount, quotas)) == limit


def test_a_system_that_tells_nothing_limits_nothing(tmp_path: Path) -> None:
    assert cpu_limit(tmp_path) is None
