"""Weights and data by path, by name, bundled, or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness import ConfigError
from harness.inputs.sources import (
    BUNDLED_DATA,
    BUNDLED_WEIGHTS,
    cache_folder,
    downloadable,
    find_data,
    find_weights,
    folders_in,
)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A suite's folder, while the working directory is another one."""
    monkeypatch.chdir(tmp_path)
    made = tmp_path / "suite"
    made.mkdir()
    return made


@pytest.fixture
def folder(tmp_path):
    """A user's folder with one checkpoint and two data sets."""
    made = tmp_path / "mine"
    (made / "set").mkdir(parents=True)
    for name in ("special.pt", "yolo26n.pt", "listed.yaml", "listed.json"):
        (made / name).write_text("")
    return made


def test_weights_are_found_beside_the_suite_in_a_folder_or_by_path(home, folder):
    (home / "beside.pt").write_text("")
    assert find_weights("beside.pt", home, []) == home / "beside.pt"
    assert find_weights("special.pt", home, [folder]) == folder / "special.pt"
    assert find_weights("special", home, [folder]) == folder / "special.pt"
    assert find_weights(str(folder / "special.pt"), home, []) == folder / "special.pt"
    assert find_weights("mine/special.pt", home, []) == folder / "special.pt"


def test_the_first_folder_wins(home, folder, tmp_path):
    (tmp_path / "special.pt").write_text("")
    assert find_weights("special", home, [folder, tmp_path.parent]) == folder / "special.pt"


def test_bundled_names_come_with_the_package(home):
    for name, path in BUNDLED_WEIGHTS.items():
        assert find_weights(f"{name}.pt", home, []) == find_weights(name, home, []) == path
    for name, path in BUNDLED_DATA.items():
        assert find_data([name], home, []) == path
        assert path.is_dir()


def test_only_a_name_that_ultralytics_knows_is_left_to_a_download(home, folder):
    assert find_weights("yolo11n.pt", home, [folder]) is None
    assert find_weights("yolo26n.pt", home, [folder]) == folder / "yolo26n.pt"
    assert find_data(["coco256", "coco128"], home, [folder]) is None


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ("yolo62n.pt", "unknown model 'yolo62n'; did you mean 'yolo26n'"),
        ("specal", r"unknown model 'specal'; did you mean 'special'.*looked in .*mine"),
        ("gone/special.pt", "weights gone/special.pt do not exist"),
        ("model.onnx", "weights model.onnx do not exist"),
    ],
)
def test_weights_that_nobody_knows_are_one_line(home, folder, declared, message):
    with pytest.raises(ConfigError, match=message) as raised:
        find_weights(declared, home, [folder])
    assert "\n" not in str(raised.value)


def test_a_folder_with_one_openvino_ir_stands_for_its_graph(home, folder):
    for name in ("one/a.xml", "two/a.xml", "two/b.xml", "none/a.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("")
    assert find_weights(str(folder / "one"), home, []) == folder / "one" / "a.xml"
    for name, said in (
        ("two", "two holds 2 networks: a.xml, b.xml; declare one, such as 'two/a.xml'"),
        ("none", "do not exist"),
    ):
        with pytest.raises(ConfigError, match=said):
            find_weights(str(folder / name), home, [])


def test_the_first_data_set_that_is_here_is_taken(home, folder):
    assert find_data(["none", "set", "listed"], home, [folder]) == folder / "set"
    assert find_data(["listed"], home, [folder]) == folder / "listed.yaml"
    assert find_data(["none.yaml", "listed.json"], home, [folder]) == folder / "listed.json"
    (home / "own.yaml").write_text("")
    assert find_data(["own.yaml"], home, [folder]) == home / "own.yaml"


def test_data_that_nobody_knows_is_one_line_with_the_places(home):
    with pytest.raises(ConfigError, match=r"dataset a, b not found beside the suite in .*suite nor in no other folder"):
        find_data(["a", "b"], home, [])


def test_names_of_downloads_are_told_without_their_suffix():
    assert downloadable(["mine", "coco128.yaml", "coco8"]) == ["coco128", "coco8"]


def test_the_cache_is_where_the_environment_says_or_the_system_keeps_caches(monkeypatch, tmp_path):
    monkeypatch.setenv("QUANTGATE_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.setenv("QUANTGATE_CACHE", "")
    assert cache_folder().name == "quantgate"


def test_folders_in_a_variable_are_separated_as_in_path(monkeypatch):
    monkeypatch.setenv("MINE", os.pathsep.join(["a", "", "b"]))
    assert folders_in("MINE") == [Path("a"), Path("b")]
    monkeypatch.delenv("MINE")
    assert folders_in("MINE") == []


def test_a_link_is_found_as_a_file_of_its_own_name(home, tmp_path):
    (tmp_path / "blob").write_text("")
    for name in ("best.pt", "data.yaml"):
        (home / name).symlink_to(tmp_path / "blob")
    assert find_weights("best.pt", home, []) == home / "best.pt"
    assert find_data(["data.yaml"], home, []) == home / "data.yaml"


def test_the_folder_of_the_suite_may_be_the_data_set(home):
    assert find_data(["."], home, []) == home
