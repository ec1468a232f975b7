"""The files beside a model file that belong to it: weights in files of their own, and class names.

They are part of the artifact's key, so the process that computes keys finds them, without `onnx`: it looks for the
places that an ONNX file names in its bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from harness.core.errors import ConfigError
from harness.core.files import LFS

NAMES = "metadata.yaml"
"""File in the folder of an OpenVINO IR in which Ultralytics keeps the class names."""

PLACE = re.compile(rb"\x0a\x08location\x12(?:([\x01-\x7f])|([\x80-\xff])([\x01-\x7f]))")
"""How an ONNX file begins the entry that names the file of a tensor: key, and length of the value in 7-bit groups."""


def companions(path: Path, content: bytes) -> list[Path]:
    """The files that belong to the model file at `path`, whether they exist or not, each once and in a fixed order.

    `content` is what the model file holds. Names that are no place inside the folder of the file are left out.
    """
    suffix = path.suffix.lower()
    if suffix == ".xml":
        return [weights_of_ir(path), path.parent / NAMES]
    if suffix == ".onnx":
        named = [path.parent / name for name in dict.fromkeys(_places(content)) if inside(name)]
        renamed = _renamed(path) if len(named) == 1 and not named[0].exists() else None
        return [renamed] if renamed else named
    return []


def weights_of_ir(path: Path) -> Path:
    """The .bin of an OpenVINO IR, in the case of letters that it is written in."""
    found = path.with_suffix(".bin")
    if not found.exists() and path.with_suffix(".BIN").exists():
        found = path.with_suffix(".BIN")
    return found


def stand_in(path: Path) -> str:
    """What a file is that stands for another one, as the end of a message; empty for any other file."""
    with path.open("rb") as file:
        start = file.read(200)
    if start.startswith(LFS):
        return "; it is a pointer of Git LFS: run 'git lfs pull'"
    if start.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return "; it is a web page, as a download gives that needs a login: get the file itself"
    if not start:
        return "; it is empty: get it again"
    if len(start) < 200 and path.stat().st_size == len(start) and _names_a_file(start):
        return f"; it is a symbolic link that was copied as text: put the file {start.decode().strip()!r} in its place"
    return ""


def _names_a_file(content: bytes) -> bool:
    """Whether the whole content of a file is the path of another one."""
    path = content.strip()
    return path.isascii() and b"/" in path and not any(sign in path for sign in b"<>\n\0")


def inside(name: str) -> bool:
    """Whether a place that a model file names lies in the folder of the file, or below it."""
    both = PurePosixPath(name), PureWindowsPath(name)
    return bool(name) and not any(path.is_absolute() or path.drive or ".." in path.parts for path in both)


def load_onnx(path: Path) -> Any:
    """Load an ONNX model with the weights that lie in files beside it, in whatever part of the graph they are read.

    The files may be symbolic links, as in a snapshot of Hugging Face; `onnx` itself refuses these.

    Raises:
        ConfigError: weights are missing or cut short, or lie outside the folder.
        Exception: whatever `onnx` raises where the file is damaged.
    """
    import onnx

    model = onnx.load(str(path), load_external_data=False)
    covered = set(companions(path, path.read_bytes()))
    for tensor in _tensors(model):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            said = {entry.key: entry.value for entry in tensor.external_data}
            name = said.get("location", "")
            if not inside(name):
                raise ConfigError(
                    f"{path} keeps weights in {name!r}, outside its folder; save it with its weights beside it"
                )
            place = path.parent / name
            if place not in covered and len(covered) == 1:
                (place,) = covered  # model and weights were renamed together
            assert place in covered, f"the key of {path} would not cover {name}"
            tensor.raw_data = _bytes(path, place, int(said.get("offset") or 0), said.get("length"))
            tensor.data_location = onnx.TensorProto.DEFAULT
            del tensor.external_data[:]
    return model


def _renamed(path: Path) -> Path | None:
    """The weights that were renamed together with the model at `path`: `best.onnx.data` beside `best.onnx`."""
    return next((place for end in (".data", "_data") if (place := path.with_name(path.name + end)).exists()), None)


def _bytes(path: Path, place: Path, offset: int, length: str | None) -> bytes:
    """A part of the file `place`, which belongs to the model at `path`; without `length`, up to its end."""
    try:
        with place.open("rb") as file:
            file.seek(offset)
            found = file.read(int(length)) if length else file.read()
    except FileNotFoundError:
        raise ConfigError(
            f"{path} keeps weights in {place.name!r}, which is not beside it; put that file there, under that name"
        ) from None
    except OSError as error:
        raise ConfigError(f"{place}, the weights of {path.name}, cannot be read: {error.strerror}") from None
    if length and len(found) < int(length):
        raise ConfigError(f"{place}, the weights of {path.name}, is cut short: copy it again")
    return found


def _places(content: bytes) -> Iterator[str]:
    """Yield the names of the files in which an ONNX file keeps tensors, as often as it names them."""
    for match in PLACE.finditer(content):
        short, low, high = match.groups()
        length = short[0] if short else (low[0] & 0x7F) | high[0] << 7
        yield content[match.end() : match.end() + length].decode(errors="replace")


def _tensors(model: Any) -> Iterator[Any]:
    """Yield every tensor that is stored in an ONNX model: initializers, attributes, subgraphs and functions."""
    yield from _tensors_of(model.graph)
    for function in model.functions:
        yield from _attributes(function.node)


def _tensors_of(graph: Any) -> Iterator[Any]:
    """Yield every tensor that is stored in an ONNX graph."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _attributes(graph.node)


def _attributes(nodes: Any) -> Iterator[Any]:
    """Yield every tensor in the attributes of ONNX nodes."""
    for node in nodes:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            for sparse in (
                *attribute.sparse_tensors,
                *([attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else []),
            ):
                yield from (sparse.values, sparse.indices)
            for graph in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
                yield from _tensors_of(graph)
