"""Where weights and data come from: a path, the assets of quantgate, a folder of the user, or a download by name."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from harness.core.errors import ConfigError, Unavailable, nearest
from harness.core.files import ASSETS
from harness.machine.worker import Channel

BUNDLED_WEIGHTS = {
    name: ASSETS / "digits" / f"{name}.pt"
    for name in ("yolo26n-digits", "yolo26n-digits-qat", "yolo26-seg-digits", "yolo26-pose-digits")
}
"""Name of a checkpoint that ships with quantgate → its file."""

BUNDLED_DATA = {"digits": ASSETS / "digits"}
"""Name of a data set that ships with quantgate → its folder."""

ULTRALYTICS_DATA = ("coco8", "coco128", "coco")
"""Data sets that Ultralytics downloads by name."""

ULTRALYTICS_WEIGHTS = [
    f"yolo{version}{size}{task}" for task in ("", "-seg", "-pose") for version in ("v8", "11", "26") for size in "nsmlx"
]
"""Checkpoints that Ultralytics downloads by name."""


def find_weights(declared: str, suite_dir: Path, folders: Sequence[Path]) -> Path | None:
    """The checkpoint or model file that `declared` names, or None where only a download can bring it.

    Looks among the bundled checkpoints, beside the suite, in `folders` in their order, and in the working directory.

    Raises:
        ConfigError: the path does not exist, or nobody knows the name; the message has the nearest known name.
    """
    name = declared.removesuffix(".pt")
    if name in BUNDLED_WEIGHTS:
        return BUNDLED_WEIGHTS[name]
    for candidate in (
        suite_dir / declared,
        *(folder / f"{name}.pt" for folder in folders),
        *(folder / declared for folder in folders),
        Path(declared),
    ):
        if found := _model_file(candidate):
            return Path(os.path.abspath(found))  # not resolved: the suffix and the neighbours of a link are its own
    if os.sep in declared or Path(declared).suffix not in ("", ".pt"):
        raise ConfigError(
            f"weights {declared} do not exist (looked beside the suite in {suite_dir} and in {_said(folders)})"
        )
    if name not in ULTRALYTICS_WEIGHTS:
        known = [*BUNDLED_WEIGHTS, *ULTRALYTICS_WEIGHTS, *(p.stem for folder in folders for p in folder.glob("*.pt"))]
        raise ConfigError(f"unknown model {name!r}; {nearest(name, known)} (looked in {_said(folders)} too)")
    return None


def _model_file(candidate: Path) -> Path | None:
    """The candidate itself if it is a file, or the .xml in it if it is a folder with one; else None.

    Raises:
        ConfigError: it is a folder with several .xml, and nothing says which is meant.
    """
    if candidate.is_file():
        return candidate
    files = sorted(candidate.iterdir()) if candidate.is_dir() else []
    graphs = [file for file in files if file.suffix.lower() == ".xml" and not file.name.startswith(".")]
    if len(graphs) > 1:
        names = ", ".join(file.name for file in graphs)
        raise ConfigError(
            f"folder {candidate} holds {len(graphs)} networks: {names}; declare one, such as "
            f"'{candidate.name}/{graphs[0].name}'"
        )
    return graphs[0] if graphs else None


def find_data(names: Sequence[str], suite_dir: Path, folders: Sequence[Path]) -> Path | None:
    """The first data set of `names` that is on this machine, or None where only a download can bring one.

    Looks among the bundled data sets, beside the suite and in the working directory for a path, and in `folders`.

    Raises:
        ConfigError: none is on this machine, and Ultralytics downloads none of them.
    """
    for name in names:
        if name in BUNDLED_DATA:
            return BUNDLED_DATA[name]
        stem = name.removesuffix(".yaml")
        is_path = Path(name).suffix or os.sep in name or name in (".", "..")
        places = [suite_dir / name, Path(name)] if is_path else []
        for folder in folders:
            places += [folder / name, folder / stem, folder / f"{stem}.yaml", folder / f"{stem}.json"]
        for place in places:
            if place.exists():
                return Path(os.path.abspath(place))
    if not downloadable(names):
        raise ConfigError(
            f"dataset {', '.join(names)} not found beside the suite in {suite_dir} nor in {_said(folders)}"
        )
    return None


def cache_folder() -> Path:
    """The cache folder where no option names one: QUANTGATE_CACHE, or the user's cache folder of the system."""
    return Path(os.environ.get("QUANTGATE_CACHE") or platformdirs.user_cache_dir("quantgate"))


def folders_in(variable: str) -> list[Path]:
    """The folders that an environment variable lists, separated as in PATH."""
    return [Path(part) for part in os.environ.get(variable, "").split(os.pathsep) if part]


def downloadable(names: Sequence[str]) -> list[str]:
    """The names, without `.yaml`, of the data sets in `names` that Ultralytics downloads."""
    return [stem for stem in (name.removesuffix(".yaml") for name in names) if stem in ULTRALYTICS_DATA]


def _said(folders: Sequence[Path]) -> str:
    """Folders in words, for the end of "looked in"."""
    return ", ".join(map(str, folders)) or "no other folder: none was named"


@dataclass(frozen=True)
class DownloadWeights:
    """Download a checkpoint with Ultralytics, by name, into `folder`."""

    name: str  # without .pt
    folder: str

    def run(self, channel: Channel) -> str:
        """Return the path of the checkpoint. Raises Unavailable where the download fails."""
        from ultralytics.utils.downloads import attempt_download_asset

        target = Path(self.folder, f"{self.name}.pt")
        scratch = target.with_name(f".{os.getpid()}") / target.name
        scratch.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(Exception):  # without a network it retries, then raises one of many errors
            attempt_download_asset(str(scratch))
        if not scratch.exists():
            shutil.rmtree(scratch.parent)
            raise Unavailable(
                f"weights {self.name}.pt are not here and Ultralytics' download failed (offline?); "
                f"put the file into a folder and name it with --qg-weights-dir or QUANTGATE_WEIGHTS"
            )
        scratch.replace(target)
        shutil.rmtree(scratch.parent)
        return str(target)


@dataclass(frozen=True)
class DownloadData:
    """Download a data set with Ultralytics: the first of `names` that succeeds."""

    names: Sequence[str]  # without .yaml
    folder: str  # for the YAML; Ultralytics puts the images into its own folder

    def run(self, channel: Channel) -> str:
        """Return the path of a YOLO YAML with absolute paths. Raises Unavailable where no download succeeds."""
        import yaml
        from ultralytics.data.utils import check_det_dataset

        for name in self.names:
            found: dict[str, Any] = {}
            with contextlib.suppress(Exception):
                found = check_det_dataset(f"{name}.yaml")
            if found:
                target = Path(self.folder, f"{re.sub('[^a-z0-9]', '', name)}.yaml")
                target.write_text(yaml.safe_dump({k: found[k] for k in ("train", "val", "names")}))
                return str(target)
        raise Unavailable(
            f"dataset {' or '.join(self.names)} is not here and Ultralytics' download failed (offline?); "
            f"name the folder that holds it with --qg-data-dir or QUANTGATE_DATA, or give --qg-dataset PATH"
        )
