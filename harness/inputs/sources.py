"""Where weights and data come from: a path, the package's assets, a folder of the user's, or Ultralytics by name."""

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
BUNDLED_DATA = {"digits": ASSETS / "digits"}
ULTRALYTICS_DATA = ("coco8", "coco128", "coco")
ULTRALYTICS_WEIGHTS = [
    f"yolo{version}{size}{task}" for task in ("", "-seg", "-pose") for version in ("v8", "11", "26") for size in "nsmlx"
]


def find_weights(declared: str, suite_dir: Path, folders: Sequence[Path]) -> Path | None:
    """The checkpoint that `declared` names, or None where only a download can bring it.

    Raises:
        ConfigError: a path that does not exist, or a name that nobody knows (with the nearest one).
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
            return found.resolve()
    if os.sep in declared or Path(declared).suffix not in ("", ".pt"):
        raise ConfigError(
            f"weights {declared} do not exist (looked beside the suite in {suite_dir} and in {_said(folders)})"
        )
    if name not in ULTRALYTICS_WEIGHTS:
        known = [*BUNDLED_WEIGHTS, *ULTRALYTICS_WEIGHTS, *(p.stem for folder in folders for p in folder.glob("*.pt"))]
        raise ConfigError(f"unknown model {name!r}; {nearest(name, known)} (looked in {_said(folders)} too)")
    return None


def _model_file(candidate: Path) -> Path | None:
    """The file itself, or the one IR in an OpenVINO folder."""
    if candidate.is_file():
        return candidate
    graphs = list(candidate.glob("*.xml")) if candidate.is_dir() else []
    return graphs[0] if len(graphs) == 1 else None


def find_data(names: Sequence[str], suite_dir: Path, folders: Sequence[Path]) -> Path | None:
    """The first data set of `names` that is here, or None where only a download can bring one."""
    for name in names:
        if name in BUNDLED_DATA:
            return BUNDLED_DATA[name]
        stem = name.removesuffix(".yaml")
        places = [suite_dir / name, Path(name)] if Path(name).suffix or os.sep in name else []
        for folder in folders:
            places += [folder / name, folder / stem, folder / f"{stem}.yaml", folder / f"{stem}.json"]
        for place in places:
            if place.exists():
                return place.resolve()
    if not downloadable(names):
        raise ConfigError(
            f"dataset {', '.join(names)} not found beside the suite in {suite_dir} nor in {_said(folders)}"
        )
    return None


def cache_folder() -> Path:
    """Where artifacts are kept where no option says otherwise."""
    return Path(os.environ.get("QUANTGATE_CACHE") or platformdirs.user_cache_dir("quantgate"))


def folders_in(variable: str) -> list[Path]:
    """The folders that an environment variable names."""
    return [Path(part) for part in os.environ.get(variable, "").split(os.pathsep) if part]


def downloadable(names: Sequence[str]) -> list[str]:
    """Those of `names` that Ultralytics downloads."""
    return [stem for stem in (name.removesuffix(".yaml") for name in names) if stem in ULTRALYTICS_DATA]


def _said(folders: Sequence[Path]) -> str:
    return ", ".join(map(str, folders)) or "no other folder: none was named"


@dataclass(frozen=True)
class DownloadWeights:
    """Ultralytics' download of a checkpoint by name, into `folder`."""

    name: str
    folder: str

    def run(self, channel: Channel) -> str:
        from ultralytics.utils.downloads import attempt_download_asset

        target = Path(self.folder, f"{self.name}.pt")
        scratch = target.with_name(f".{os.getpid()}") / target.name
        scratch.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(Exception):  # offline it fails in many ways, after as many retries
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
    """Ultralytics' download of a named data set; the reply is its YAML with absolute paths."""

    names: Sequence[str]
    folder: str

    def run(self, channel: Channel) -> str:
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
