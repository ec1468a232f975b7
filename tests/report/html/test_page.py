"""The report as a document: whole, escaped, small, and made from a results file alone."""

from __future__ import annotations

import hashlib
import json
import re
import time

import pytest
from demoproject import LOOSE, output
from reports import FP32, INT8, many, read, regressed, result, scored, write

from harness.commands.cli import main
from harness.measure.accuracy.detections_file import stored_class_names
from harness.measure.accuracy.score_cache import detections_file
from harness.report.html.page import TEMPLATES, flat, render_page
from harness.report.html.pictures import gallery
from harness.store.results import load_results

VENDOR = TEMPLATES / "vendor"
MEGABYTES = 8
SECONDS = 3


def data(text):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S).group(1))


def body(text):
    """Without scripts, styles and data."""
    return re.sub(r"<(script|style)\b.*?</\1>", "", text, flags=re.S)


def test_the_verdict_is_the_first_thing_said(tmp_path):
    text = body(render_page(read(tmp_path, regressed()), tmp_path))
    said = re.sub(r"<[^>]+>|\s+", " ", text)
    assert said.index("1 of 3 cells fails its gates") < said.index("What failed, and how sure")
    assert said.index("−0.02, 99% interval") < said.index("Latency against accuracy") < said.index("A name opens")


def test_everything_is_in_the_file(tmp_path):
    text = render_page(read(tmp_path, regressed()), tmp_path)
    links = re.findall(r'(?:src|href)="([^"]*)"', body(text))
    assert links
    assert all(link.startswith(("#", "data:")) for link in links)
    assert "default-src 'none'" in text


def test_what_comes_from_results_is_escaped(tmp_path):
    evil = "</script><img src=x onerror=alert(1)>"
    worse = scored(INT8, per_class={evil: 0.1}, instances={evil: 9}, notes=(evil,))
    before = scored(FP32, per_class={evil: 0.9})
    cells = [result(FP32, measured=before), result(INT8, measured=worse)]
    text = render_page(read(tmp_path, cells, command=evil, cpu=evil), tmp_path)
    assert evil not in text
    assert "<img" not in text
    assert evil in data(text)["cells"][1]["notes"]


def test_the_scripts_get_every_metric_in_its_order(tmp_path):
    shown = data(render_page(read(tmp_path, regressed()), tmp_path))
    int8 = shown["cells"][2]
    assert list(int8["metrics"])[:2] == ["map", "map_50"]
    assert int8["verdicts"][0]["limit"] == "≥ 0.3950"
    assert ["weights", "aa11"] in int8["provenance"]
    assert shown["metrics"]["size_bytes"]["unit"] == "B"


def test_what_the_run_was_is_told(tmp_path):
    text = body(render_page(read(tmp_path, regressed(), command="pytest suites --qg-x"), tmp_path))
    assert "pytest suites --qg-x" in text
    assert "Gate(&#39;map&#39;, max_drop=0.02, against=&#39;fp32&#39;)" in text
    assert "cc33 (64 images)" in text
    assert "1.30.0" in text


def test_without_latency_size_stands_for_cost(tmp_path):
    untimed = [result(cell, measured=scored(cell, metrics={"map": 0.4, "size_bytes": 1000})) for cell in (FP32, INT8)]
    text = body(render_page(read(tmp_path, untimed), tmp_path))
    assert "Size against accuracy" in text
    assert "no latency was measured in this run" in text
    assert "p50 ms" not in text


def test_a_run_that_has_nothing_is_a_report_that_says_so(tmp_path):
    assert "No cells" in render_page(read(tmp_path, []), tmp_path)


def test_200_cells_are_rendered_quickly_into_a_small_file(tmp_path):
    file = write(tmp_path / "results", many())
    target = tmp_path / "report.html"
    seconds = []
    for _ in range(2):
        start = time.process_time()
        assert main(["report", str(file), "-o", str(target)]) == 0
        seconds.append(time.process_time() - start)
    text = target.read_text()
    cells = data(text)["cells"]
    assert len(cells) == 200
    assert sum(len(cell["calls"]) for cell in cells) == 20_000
    assert target.stat().st_size <= MEGABYTES * 1e6
    assert min(seconds) <= SECONDS


def test_several_suites_have_sections_of_their_own(tmp_path):
    other = [type(one)(**{**one.__dict__, "suite": "other"}) for one in regressed()]
    text = body(render_page(read(tmp_path, [*regressed(), *other]), tmp_path))
    assert 'id="suite-1"' in text
    assert 'data-first="3"' in text
    assert len(set(re.findall(r' id="([^"]+)"', text))) == len(re.findall(r' id="([^"]+)"', text))


@pytest.mark.parametrize("name", ["missing.json", "folder"])
def test_no_results_is_one_line(tmp_path, capsys, name):
    (tmp_path / "folder").mkdir()
    assert main(["report", str(tmp_path / name), "-o", str(tmp_path / "r.html")]) == 2
    assert "is not a results.json" in capsys.readouterr().err
    assert not (tmp_path / "r.html").exists()


def test_a_target_that_cannot_be_written_is_one_line(tmp_path, capsys):
    write(tmp_path, regressed())
    (tmp_path / "file").write_text("")
    assert main(["report", str(tmp_path), "-o", str(tmp_path / "file" / "r.html")]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_a_run_writes_its_report_and_so_does_the_command(demo):
    demo.model("model", LOOSE)
    demo.suite(precisions=["fp32", "int8"], gates='Gate("agreement", min=1.1)')
    ran = demo.run("--qg-html=report.html")
    assert ran.ret == 1, output(ran)
    text = (demo.path / "report.html").read_text()
    assert "agreement</b> 1.0000, limit ≥ 1.1000" in text
    assert main(["report", str(demo.path / ".quantgate"), "-o", str(demo.path / "again.html")]) == 0
    assert body((demo.path / "again.html").read_text()) == body(text)


def test_a_run_keeps_what_pictures_are_made_of(demo):
    demo.suite(precisions=["fp32", "int8"])
    demo.run()
    found = load_results(demo.path / ".quantgate" / "results.json")
    run = demo.path / ".quantgate" / "runs" / found.run["id"]
    made = gallery(found.cells[1], found.cells[0], run)
    assert (made.missing, made.images, made.changed) == ("", 4, 0)
    traced = found.cells[1].measured.provenance
    assert stored_class_names(detections_file(run, traced["detections"])) == ["box"]


def test_a_report_that_cannot_be_written_fails_the_run(demo):
    (demo.path / "file").write_text("")
    ran = demo.run("--qg-html=file/report.html")
    assert ran.ret == 1
    assert "--qg-html" in output(ran)


def test_the_vendored_scripts_are_those_that_their_table_names():
    told = re.findall(r"^\| `([^`]+)` .* `([0-9a-f]{64})` \|$", (VENDOR / "README.md").read_text(), re.M)
    assert {name: hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() for name, _ in told} == dict(told)
    assert sorted(file.name for file in VENDOR.glob("*.js")) == sorted(name for name, _ in told)


def test_provenance_is_told_in_words_and_what_is_empty_is_left_out():
    assert flat({"a": {"b": 1, "c": None}, "d": ["x", "y"], "e": ""}) == [("a.b", "1"), ("d", "x, y")]
