"""Finds the image files that a COCO JSON names, where tools put them and however they write the names."""

from __future__ import annotations

import os
import re
import unicodedata
import urllib.parse
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.core.errors import ConfigError


def find_images(path: Path, names: Mapping[int | str, str]) -> dict[int | str, Path]:
    """The file of each image: id → path. `names` has the `file_name` of each.

    Images are looked for in the folder of the JSON, then in the folder above it: in `images/SPLIT`, `SPLIT`, `images`,
    `data`, and directly there. SPLIT is the name of the JSON without `instances_` or `person_keypoints_`. A name that
    is found nowhere may be a path of another machine, or differ in case: its last parts are looked for then, as many
    as possible.

    Raises:
        ConfigError: an image is nowhere, or two are one file.
    """
    split = re.sub("^(instances|person_keypoints)_", "", path.stem, flags=re.IGNORECASE)
    places = dict.fromkeys([f"images/{split}", f"images/{split.lower()}", split, split.lower(), "images", "data", "."])
    folders = [root / place for root in (path.parent, path.parent.parent) for place in places]
    found = {number: _as_named(name, folders) for number, name in names.items()}
    missing = [number for number, file in found.items() if file is None]
    if missing:
        by_name = _by_lower_name(folders)
        for number in missing:
            name = names[number]
            found[number] = _by_last_parts(name, folders) or by_name.get(_plain(name).rpartition("/")[2].lower())
        lost = [number for number in missing if found[number] is None]
        if lost:
            seen = ", ".join(dict.fromkeys(str(folder) for folder in folders if folder.is_dir()))
            raise ConfigError(
                f"dataset {path}: image {names[lost[0]][:200]} does not exist in {seen}"
                + (f", nor do {len(lost) - 1} others" if len(lost) > 1 else "")
            )
        file, times = Counter(found.values()).most_common(1)[0]
        if times > 1:
            raise ConfigError(f"dataset {path}: {times} images are the file {file}; keep the folders that it names")
    return {number: file for number, file in found.items() if file is not None}


def _as_named(name: str, folders: Sequence[Path]) -> Path | None:
    """The file of this name in the first folder that has it.

    Windows writes backslashes, macOS separates accents from their letters, and web tools escape blanks.
    """
    spellings = [name, name.replace("\\", "/")]
    spellings += [unicodedata.normalize(form, spellings[1]) for form in ("NFC", "NFD")]
    spellings.append(urllib.parse.unquote(spellings[1]))
    for spelling in dict.fromkeys(spellings):
        for folder in folders:
            if os.path.isfile(folder / spelling):  # which is false for a name that no system allows
                return folder / spelling
    return None


def _by_last_parts(name: str, folders: Sequence[Path]) -> Path | None:
    """The file that ends like a path of another machine or an address, with two parts or more of it."""
    parts = [part for part in _plain(name).split("/") if part not in ("", ".", "..")]
    tails = ("/".join(parts[at:]) for at in range(len(parts) - 1))
    return next((file for tail in tails if (file := _as_named(tail, folders))), None)


def _plain(name: str) -> str:
    """A file name without what web tools put around it: `?d=` of Label Studio before it, `?v=1` behind it."""
    before, found, behind = urllib.parse.unquote(name.strip()).replace("\\", "/").partition("?d=")
    return behind if found else before.partition("?")[0]


def _by_lower_name(folders: Sequence[Path]) -> dict[str, Path]:
    """The files of the first folder that has a file of that name: lower-case name → path, where only one has it."""
    found: dict[str, Path] = {}
    for folder in folders:
        files = [file for file in folder.iterdir() if file.is_file()] if folder.is_dir() else []
        often = Counter(file.name.lower() for file in files)
        for file in files:
            if often[file.name.lower()] == 1:
                found.setdefault(file.name.lower(), file)
    return found
