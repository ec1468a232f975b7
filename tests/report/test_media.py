"""The media of a run besides the terminal: which files are written, and what a GitHub job shows."""

from __future__ import annotations

from pathlib import Path

import pytest
from demoproject import FP32, LOOSE, Demo, output
from reports import INT8, read, regressed

from harness.core.errors import ConfigError
from harness.core.status import FAILING
from harness.report.media import MEDIA, Finished, Medium, annotated, summarize_step, write_media


@pytest.fixture
def finished(tmp_path: Path) -> Finished:
    """A run that has regressed."""
    return Finished(read(tmp_path, regressed()), FAILING, tmp_path, None)


def test_every_medium_has_an_option_of_its_own_that_says_what_it_writes() -> None:
    assert len({medium.option for medium in MEDIA}) == len(MEDIA)
    assert all(medium.option.startswith("--qg-") and medium.help for medium in MEDIA)


@pytest.mark.parametrize("medium", MEDIA, ids=lambda medium: medium.option)
def test_a_medium_is_written_where_its_option_asks_for_it_and_no_other(
    finished: Finished, tmp_path: Path, medium: Medium
) -> None:
    file = tmp_path / "out" / "made"
    write_media(finished, {medium.option: file})
    assert INT8.id in file.read_text()
    assert list(file.parent.iterdir()) == [file]


def test_a_medium_that_cannot_be_written_names_its_option(finished: Finished, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="--qg-markdown"):
        write_media(finished, {"--qg-markdown": tmp_path / "file" / "results.md"})


def test_outside_a_github_job_nothing_is_summarized_and_nothing_annotated(finished: Finished, tmp_path: Path) -> None:
    summarize_step(finished, {})
    assert list(annotated(finished, tmp_path, {})) == []


@pytest.mark.parametrize(
    ("started", "top", "named"), [(".", ".", ""), ("detector", ".", "detector/"), ("a/b", "a", "b/"), ("a", "", "")]
)
def test_annotations_name_files_from_the_top_of_the_repository(
    finished: Finished, tmp_path: Path, started: str, top: str, named: str
) -> None:
    variables = {"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(tmp_path / top) if top else ""}
    (line,) = annotated(finished, tmp_path / started, variables)
    assert line.startswith(f"::error file={named}suites/test_demo.py,line=1,title={INT8.id}%3A regressed::")


# What a real run writes


@pytest.fixture
def worse(demo: Demo) -> Demo:
    """The project after its accuracy was accepted and its model got worse."""
    demo.run("-m", "accuracy", "--qg-baseline-update")
    demo.model("model", LOOSE)
    return demo


def test_markdown_goes_where_it_is_asked_for(worse: Demo) -> None:
    worse.run("-m", "accuracy", "--qg-markdown=out/results.md")
    text = (worse.path / "out" / "results.md").read_text()
    assert text.startswith("### ❌ quantgate: 1 of 1 cell regressed")
    assert f"<code>{FP32}</code>: map regressed: observed 0.7, expected ≥ 0.99 (baseline 1)" in text
    assert "pytest -m accuracy --qg-markdown=out/results.md" in text


def test_the_options_of_the_run_say_what_fails(demo: Demo) -> None:
    demo.run("-m", "accuracy", "--qg-markdown=pass.md")
    demo.run("-m", "accuracy", "--qg-markdown=fail.md", "--qg-require-baseline")
    passing, failing = ((demo.path / name).read_text().splitlines()[0] for name in ("pass.md", "fail.md"))
    assert passing == "### ⚠️ quantgate: nothing failed, 1 of 1 cell undecided"
    assert failing == "### ❌ quantgate: 1 of 1 cell no-baseline"


def test_a_github_job_gets_a_summary_after_what_is_there_and_annotations(
    worse: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = worse.path / "summary.md"
    summary.write_text("of another step\n")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    monkeypatch.setenv("GITHUB_WORKSPACE", str(worse.path.parent))
    result = worse.run("-m", "accuracy", "-n", "1")
    text = summary.read_text()
    assert text.startswith("of another step\n### ❌ quantgate: 1 of 1 cell regressed")
    (line,) = [line for line in result.outlines if line.startswith("::")]
    assert line.startswith(
        f"::error file={worse.path.name}/test_demo.py,line=3,title={FP32}%3A regressed::map regressed"
    )


def test_without_a_github_job_there_is_no_annotation(worse: Demo) -> None:
    assert not [line for line in worse.run("-m", "accuracy").outlines if line.startswith("::")]


@pytest.mark.parametrize("option", ["--qg-markdown=file/results.md", "GITHUB_STEP_SUMMARY"])
def test_a_place_that_cannot_be_written_is_one_line_and_fails(
    demo: Demo, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    Path(demo.path / "file").write_text("")
    if option.startswith("GITHUB"):
        monkeypatch.setenv(option, str(demo.path / "file" / "summary.md"))
    result = demo.run("-m", "accuracy", *([option] if option.startswith("--") else []))
    assert result.ret == 1
    assert " cannot be written: " in output(result)
    assert "Traceback" not in output(result)
