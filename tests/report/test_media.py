"""What a real run writes for a pull request: Markdown in files, annotations on its lines."""

from __future__ import annotations

from pathlib import Path

import pytest
from demoproject import FP32, LOOSE, Demo, output


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
