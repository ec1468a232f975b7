"""What every backend shares: the parts of its module, the words for what is missing, and what a file says of itself."""

from __future__ import annotations

import importlib.metadata

import pytest

from harness import Cell, Unavailable
from harness.backends import base
from harness.backends.base import DeviceMemory, DeviceSession, class_names, described
from harness.backends.registry import backend, own_backends
from harness.backends.tensorrt import TensorRtSession
from harness.backends.torch import CudaSession
from harness.core.files import ASSETS


@pytest.mark.parametrize("name", own_backends())
def test_every_backend_of_quantgate_has_the_parts_of_one(name: str) -> None:
    module = backend(name)
    assert all(callable(getattr(module, part)) for part in ("probe", "load", "open"))
    assert (ASSETS / "reference" / module.REFERENCE).is_file()


def test_a_clock_and_a_memory_of_the_device_are_asked_for_one_by_one() -> None:
    class OnTheHost:
        def infer(self, batch): ...
        def executed(self): ...
        def close(self): ...

    class Clocked(OnTheHost):
        def device_ms(self): ...

    class Remembering(OnTheHost):
        def device_memory_bytes(self): ...

    kinds = (DeviceSession, DeviceMemory)
    assert [isinstance(OnTheHost(), kind) for kind in kinds] == [False, False]
    assert [isinstance(Clocked(), kind) for kind in kinds] == [True, False]
    assert [isinstance(Remembering(), kind) for kind in kinds] == [False, True]
    assert [issubclass(CudaSession, kind) for kind in kinds] == [True, False], "PyTorch has events and no memory here"
    assert [issubclass(TensorRtSession, kind) for kind in kinds] == [True, True]


@pytest.mark.parametrize(
    ("extra", "command"), [("", "pip install nobody-has-this"), ("fast", r"pip install 'quantgate\[fast\]'")]
)
def test_a_missing_distribution_is_said_with_the_command_that_installs_it(extra: str, command: str) -> None:
    with pytest.raises(Unavailable, match=f"^nobody-has-this is not installed: {command}$"):
        base.require("nobody-has-this", extra)


def test_an_installed_distribution_is_its_version() -> None:
    assert base.require("numpy") == importlib.metadata.version("numpy")


@pytest.mark.parametrize("device", ["cuda", "cuda:1", "npu"])
def test_a_device_that_is_not_the_cpu_is_refused_by_name(device: str) -> None:
    base.require_cpu(Cell("m", "fp32", "onnxruntime"))
    with pytest.raises(Unavailable, match=f"onnxruntime runs on device 'cpu' only in this version, not on '{device}'"):
        base.require_cpu(Cell("m", "fp32", "onnxruntime", device))


@pytest.mark.parametrize(
    "declared", [["a", "b", "c"], {0: "a", 1: "b", 2: "c"}, {"2": "c", "0": "a", "1": "b"}, ("a", "b", "c")]
)
def test_class_names_come_in_the_order_of_their_numbers(declared: object) -> None:
    assert class_names(declared) == ["a", "b", "c"]


def test_class_numbers_are_ordered_as_numbers_and_not_as_texts() -> None:
    assert class_names({"10": "k", "2": "c"}) == ["c", "k"]


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({}, {"names": None}),
        ({"names": "{1: 'b', 0: 'a'}"}, {"names": ["a", "b"]}),
        ({"names": ["a"], "task": "detect"}, {"names": ["a"]}),
        ({"names": ["a"], "task": "pose", "kpt_shape": "[17, 3]"}, {"names": ["a"], "task": "pose", "points": [17, 3]}),
        ({"names": ["a"], "task": "pose", "kpt_shape": (17, 3)}, {"names": ["a"], "task": "pose", "points": [17, 3]}),
    ],
)
def test_metadata_is_read_as_an_object_or_as_its_text(metadata: dict[str, object], said: dict[str, object]) -> None:
    assert described(metadata) == said


@pytest.mark.parametrize("names", ["{0: ", "open('/etc/passwd')", 7, {"first": "a"}])
def test_an_entry_that_cannot_be_read_counts_as_absent_and_hides_no_other(names: object) -> None:
    assert described({"names": names, "task": "segment"}) == {"names": None, "task": "segment"}
