"""What the machine is called, and what a report says about it."""

from __future__ import annotations

import dataclasses
import getpass
import json
import re
import socket

import pytest

from harness.machine import fingerprint


@pytest.fixture
def cpu(monkeypatch):
    """Pretend another processor."""

    def pretend(flags, model="Some(R) Core(TM) i9-1 CPU @ 3.00GHz"):
        fingerprint.cpu_flags.cache_clear()
        monkeypatch.setattr(
            fingerprint, "_cpuinfo", lambda: f"processor\t: 0\nmodel name\t: {model}\nflags\t\t: {flags}\n"
        )

    yield pretend
    fingerprint.cpu_flags.cache_clear()


@pytest.mark.parametrize(
    ("flags", "tier"),
    [
        ("sse2 avx2", "avx2"),
        ("avx2 avx512f", "avx512"),
        ("avx2 avx_vnni", "avx-vnni"),
        ("avx2 avx512f avx512_vnni", "avx512-vnni"),
        ("avx2 avx512f avx512_vnni avx_vnni amx_int8", "amx"),
        ("fp asimd asimddp", "neon-dotprod"),
        ("fp asimd", "neon"),
    ],
)
def test_the_instruction_set_is_the_best_one_that_int8_kernels_use(cpu, flags, tier):
    cpu(flags)
    assert fingerprint.isa() == tier


def test_a_processor_without_known_flags_goes_by_its_architecture(cpu):
    cpu("")
    assert fingerprint.isa() == fingerprint.platform.machine().lower()


def test_a_machine_class_is_processor_instruction_set_and_cores(cpu):
    cpu("avx2")
    assert fingerprint.machine_class() == f"some-core-i9-1-avx2-{fingerprint.cores()}c"


def test_a_machine_class_is_a_folder_name():
    assert re.fullmatch(r"[a-z0-9_-]+", fingerprint.machine_class())


def test_an_affinity_mask_makes_the_machine_smaller(monkeypatch):
    monkeypatch.setattr(fingerprint.os, "sched_getaffinity", lambda pid: {3})
    assert fingerprint.cores() == 1


@pytest.mark.parametrize(("limit", "cores"), [(None, 4), (8.0, 4), (3.9, 3), (1.5, 1), (0.25, 1)])
def test_a_quota_makes_the_machine_smaller_by_whole_cores(monkeypatch, limit, cores):
    monkeypatch.setattr(fingerprint.os, "sched_getaffinity", lambda pid: {0, 1, 2, 3})
    monkeypatch.setattr(fingerprint.cgroup, "cpu_limit", lambda: limit)
    assert (fingerprint.processors(), fingerprint.cores()) == (4, cores)
    assert fingerprint.threads(0) == fingerprint.this_machine().cores == cores
    assert fingerprint.machine_class().endswith(f"-{cores}c")


def test_threads_are_as_declared_and_every_core_for_none(monkeypatch):
    monkeypatch.setattr(fingerprint, "cores", lambda: 6)
    assert fingerprint.threads(2) == 2
    assert fingerprint.threads(0) == 6


def test_a_machine_without_cpuinfo_goes_by_its_architecture(monkeypatch):
    monkeypatch.setattr(fingerprint, "_cpuinfo", lambda: "")
    fingerprint.cpu_flags.cache_clear()
    assert fingerprint.cpu_flags() == frozenset()
    assert fingerprint.cpu_model() == (fingerprint.platform.processor() or fingerprint.platform.machine())
    fingerprint.cpu_flags.cache_clear()


def test_the_version_of_what_is_not_installed_is_none():
    assert fingerprint.version("pytest") == pytest.__version__
    assert fingerprint.version("nobody-has-this") is None


def test_the_environment_names_neither_host_nor_user():
    text = json.dumps(dataclasses.asdict(fingerprint.this_machine()))
    assert dataclasses.asdict(fingerprint.this_machine())["cores"] >= 1
    assert socket.gethostname() not in text
    if getpass.getuser() != "root":
        assert getpass.getuser() not in text
