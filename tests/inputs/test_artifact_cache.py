"""An artifact is built once per key, whoever asks, and is never half there."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import errno
import functools
import json
import multiprocessing
import os
from pathlib import Path

import numpy as np
import pytest
from builders import null_weights, picture, sha
from jobs import Silent, build_slowly

from harness import Cell, ConfigError, Unavailable
from harness.core.cell import Qat
from harness.core.dataset import Dataset, Image
from harness.inputs import artifact_cache
from harness.inputs.artifact_cache import Cache, Training, file_digest
from harness.machine.child import Child
from harness.machine.fingerprint import version
from harness.machine.locks import MachineLock
from harness.recipes.registry import RECIPES

CELL = Cell("m", "fp32", "null", imgsz=32)


@pytest.fixture
def weights(tmp_path):
    return null_weights(tmp_path / "weights.json")


@pytest.fixture
def jobs_run():
    """Labels of the jobs that a cache has run."""
    return []


@pytest.fixture
def cache(tmp_path, jobs_run):
    """A cache that runs its jobs in this process."""

    def run(job, label):
        jobs_run.append(label)
        return job.run(Silent())

    return Cache(tmp_path / "cache", run)


@pytest.fixture
def images(tmp_path):
    files = [picture(tmp_path / f"{number}.png", number) for number in range(3)]
    return [Image(number, str(file), 64, 48, sha(file)) for number, file in enumerate(files)]


def left_over(cache):
    """What lies in the cache besides complete artifacts and locks."""
    return [
        path.name for part in ("artifacts", "pixels") for path in (cache.root / part).iterdir() if path.name[0] == "."
    ]


def test_the_first_call_builds_and_the_second_does_not(cache, weights, jobs_run):
    first, second = cache.artifact(CELL, weights, None), cache.artifact(CELL, weights, None)
    assert (first.built, second.built) == (True, False)
    assert dataclasses.replace(first, built=False) == second
    assert jobs_run == ["build m-fp32-null-cpu"]


def test_an_artifact_knows_its_size_its_classes_and_what_shaped_it(cache, weights):
    built = cache.artifact(CELL, weights, None)
    assert built.size_bytes == weights.stat().st_size
    assert Path(built.path).read_bytes() == weights.read_bytes()
    assert built.meta["names"] == ["cat", "dog"]
    assert built.meta["shaped_by"]["source"] == file_digest(weights)
    assert built.meta["build_s"] >= 0


def test_a_build_runs_in_a_real_worker_too(tmp_path, weights):
    lock = MachineLock(tmp_path)

    def run(job, label):
        with Child(job, tmp_path / "log", 20) as child:
            return child.heavy_answer(lock)

    assert Cache(tmp_path / "cache", run).artifact(CELL, weights, None).meta["names"] == ["cat", "dog"]
    lock.close()


@pytest.mark.parametrize(
    "pool",
    [
        concurrent.futures.ThreadPoolExecutor,
        functools.partial(concurrent.futures.ProcessPoolExecutor, mp_context=multiprocessing.get_context("spawn")),
    ],
    ids=["threads", "processes"],
)
def test_a_key_is_built_once_however_many_ask_at_the_same_time(tmp_path, weights, pool):
    with pool(3) as workers:
        asked = [
            workers.submit(build_slowly, str(tmp_path / "cache"), str(weights), str(tmp_path / "log")) for _ in range(3)
        ]
        answers = [one.result(20) for one in asked]
    assert (tmp_path / "log").read_text() == "build m-fp32-null-cpu\n"
    assert sorted(built for _, built in answers) == [False, False, True]
    assert len({path for path, _ in answers}) == 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "model.json").write_text("other"),
        lambda folder: (folder / "model.json").write_text(""),
        lambda folder: (folder / "model.json").unlink(),
        lambda folder: (folder / "artifact.json").unlink(),
        lambda folder: (folder / "artifact.json").write_text('{"files": {'),
        lambda folder: (folder / "artifact.json").write_text('{"files": {}}'),
        lambda folder: (folder / "artifact.json").write_text("[]"),
    ],
)
def test_a_damaged_entry_is_built_anew(cache, weights, damage):
    first = cache.artifact(CELL, weights, None)
    damage(Path(first.path).parent)
    again = cache.artifact(CELL, weights, None)
    assert (again.built, again.key, file_digest(Path(again.path))) == (True, first.key, file_digest(weights))
    assert not cache.artifact(CELL, weights, None).built


def test_the_key_depends_on_whatever_shapes_the_artifact(cache, weights, images, monkeypatch, tmp_path):
    monkeypatch.setattr(
        "harness.recipes.null.copy", lambda inputs, folder, **params: (folder / "model.json").touch() or {}
    )

    def key(cell=CELL, weights=weights, calibration=None, **recipe):
        changed = dataclasses.replace(RECIPES["null", cell.precision], **recipe)
        with monkeypatch.context() as patched:
            patched.setitem(RECIPES, ("null", cell.precision), changed)
            return cache.artifact(cell, weights, calibration).key

    same = null_weights(tmp_path / "elsewhere" / "same.json")
    assert key() == key(weights=same)
    keys = [
        key(),
        key(weights=null_weights(tmp_path / "other.json", detections=[])),
        key(cell=CELL.sibling("int8")),
        key(cell=dataclasses.replace(CELL, imgsz=64)),
        key(cell=dataclasses.replace(CELL, batch=2)),
        key(cell=dataclasses.replace(CELL, model="m:e2e")),
        key(version=2),
        key(params={"method": "entropy"}),
        key(params={"method": "minmax"}),
        key(tools=("numpy",)),
        key(calibrated=True, calibration=Dataset("d", tuple(images))),
        key(calibrated=True, calibration=Dataset("d", tuple(images[:2]))),
    ]
    assert len(set(keys)) == len(keys)


def test_the_key_depends_on_the_versions_of_the_tools(cache, weights, monkeypatch):
    monkeypatch.setitem(RECIPES, ("null", "fp32"), dataclasses.replace(RECIPES["null", "fp32"], tools=("numpy",)))
    now = cache.artifact(CELL, weights, None)
    monkeypatch.setattr(artifact_cache, "version", lambda tool: "99")
    assert cache.artifact(CELL, weights, None).key != now.key


def test_a_failed_build_leaves_nothing_behind_and_can_be_repeated(cache, weights, tmp_path):
    broken = tmp_path / "broken.json"
    broken.write_text('{"detections": []}')
    with pytest.raises(ConfigError, match=r"broken\.json are not a null script: KeyError 'names'"):
        cache.artifact(CELL, broken, None)
    assert list((cache.root / "artifacts").iterdir()) == []
    assert cache.artifact(CELL, weights, None).built


def test_a_recipe_that_writes_nothing_is_an_error(cache, weights, monkeypatch):
    monkeypatch.setattr("harness.recipes.null.copy", lambda inputs, folder: {})
    with pytest.raises(ConfigError, match=r"m-fp32-null-cpu: null:copy wrote no model\.json"):
        cache.artifact(CELL, weights, None)


def test_weights_that_cannot_be_read_are_one_line(cache, tmp_path):
    with pytest.raises(ConfigError, match=r"gone\.json cannot be read: No such file"):
        cache.artifact(CELL, tmp_path / "gone.json", None)


def test_static_int8_without_calibration_images_is_one_line(cache, weights):
    with pytest.raises(ConfigError, match="m-int8-onnxruntime-cpu: static int8 needs calibration images"):
        cache.artifact(Cell("m", "int8", "onnxruntime"), weights, None)


def test_a_cell_that_no_recipe_makes_is_unavailable(cache, weights):
    with pytest.raises(Unavailable, match="no bf16 recipe for null"):
        cache.artifact(Cell("m", "bf16", "null"), weights, None)


def test_a_cache_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"cache folder .* cannot be written: .*--qg-cache-dir"):
        Cache(tmp_path / "file" / "cache", lambda job, label: None)


@pytest.mark.parametrize("wanted", ["artifact", "pixels"])
def test_a_full_disk_is_one_line_and_leaves_nothing_behind(cache, weights, images, monkeypatch, wanted):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(ConfigError, match=r"cannot be written: No space left.*--qg-cache-dir"):
        cache.artifact(CELL, weights, None) if wanted == "artifact" else cache.pixels(images, (32, 32))
    assert left_over(cache) == []


def test_images_are_letterboxed_once(cache, images, jobs_run):
    path = cache.pixels(images, (32, 32))
    assert cache.pixels(images, (32, 32)) == path
    assert jobs_run == ["decode 3 images at 32 px"]
    assert np.load(path).shape == (3, 3, 32, 32)


def test_letterboxed_images_are_found_again_when_the_images_have_moved(cache, images, jobs_run):
    path = cache.pixels(images, (32, 32))
    assert cache.pixels([dataclasses.replace(images[0], path="elsewhere"), *images[1:]], (32, 32)) == path
    assert len(jobs_run) == 1
    assert len({path, cache.pixels(images, (64, 64)), cache.pixels(images[:2], (32, 32))}) == 3


def test_truncated_pixels_are_made_anew(cache, images):
    path = cache.pixels(images, (32, 32))
    whole = path.read_bytes()
    path.write_bytes(whole[:1000])
    assert cache.pixels(images, (32, 32)).read_bytes() == whole


def test_an_image_that_cannot_be_decoded_is_one_line_and_leaves_nothing_behind(cache, images):
    Path(images[1].path).write_bytes(b"no picture")
    with pytest.raises(ConfigError, match=r"image .*1\.png cannot be decoded"):
        cache.pixels(images, (32, 32))
    assert list((cache.root / "pixels").iterdir()) == []


def test_the_version_of_a_tool_is_none_where_it_is_not_installed():
    assert version("numpy") == np.__version__
    assert version("no-such-tool") is None


def test_the_card_beside_an_artifact_is_readable(cache, weights):
    card = json.loads((Path(cache.artifact(CELL, weights, None).path).parent / "artifact.json").read_text())
    assert card["files"] == {"model.json": file_digest(weights)}


def test_a_ready_qat_checkpoint_is_known_by_its_bytes_and_training_by_its_settings(tmp_path):
    ready = Training(Qat(checkpoint=str(tmp_path / "a.pt")), None, "d1")
    assert ready.key == {"checkpoint": "d1"}
    trained = Training(Qat(epochs=3, lr=1e-5, data="somewhere/data.yaml"), Dataset("data", ()), "d2")
    assert trained.key == {"epochs": 3, "lr": 1e-5, "batch": 16, "images": 0, "seed": 0, "data": "d2"}
