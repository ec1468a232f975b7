"""`quantgate history`: runs are imported, listed and drawn."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from runs import CELL, NOW, results

from harness.commands.cli import main
from harness.commands.history import SHOWN


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the results of two runs, `a` and `b`."""
    for number, name in enumerate("ab"):
        content = results(name, started=NOW + timedelta(days=number), latency_p50_ms=5.0 + number)
        (tmp_path / name).mkdir()
        (tmp_path / name / "results.json").write_text(json.dumps(content))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_results_json_and_the_folder_of_one_are_imported_once(here: Path, capsys) -> None:
    assert main(["history", "import", "a", "b/results.json"]) == 0
    assert main(["history", "import", "a"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "a/results.json: imported",
        "b/results.json: imported",
        "a/results.json: is there already",
    ]
    assert (here / ".quantgate" / "history.db").exists()


def test_the_list_has_a_line_for_each_run(here: Path, capsys) -> None:
    main(["history", "import", "a", "b"])
    capsys.readouterr()
    assert main(["history", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[2:]] == ["2026-11-25", "2026-11-26"]


def test_a_cell_is_drawn_metric_by_metric(here: Path, capsys) -> None:
    main(["history", "import", "a", "b"])
    capsys.readouterr()
    assert main(["history", CELL]) == 0
    drawn = [line.partition(":")[0] for line in capsys.readouterr().out.splitlines() if ": " in line]
    assert [name for name in drawn if name in SHOWN] == ["map", "latency_p50_ms"], "the others were not measured"
    assert main(["history", CELL, "--metric", "latency_p50_ms"]) == 0
    assert "map:" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["import"], "history import takes results: quantgate history import artifacts/*/results.json"),
        (["list", "a"], "only `history import` takes files: a"),
        ([CELL, "a", "b"], "only `history import` takes files: a"),
        ([CELL, "--metric", "map_large", "--metric", "map_small"], "has map_large or map_small"),
        ([CELL, "--suite", "other"], "has map or size_bytes or cpu_ratio or latency_p50_ms"),
        ([CELL, "--db", "none.db"], "there is no none.db"),
        (["import", "none.json"], "none.json is not a results.json"),
    ],
)
def test_what_cannot_be_done_is_one_line(here: Path, capsys, refused, arguments: list[str], said: str) -> None:
    main(["history", "import", "a"])
    capsys.readouterr()
    assert said in refused("history", *arguments)
