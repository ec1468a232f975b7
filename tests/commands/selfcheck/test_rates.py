"""The command that measures the gate's own error rates, and the rules it is compared with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.commands.cli import main
from harness.commands.selfcheck import other_rules, parallel_runs
from harness.commands.selfcheck import rates as selfcheck
from harness.commands.selfcheck.rates import SelfcheckOptions, rates
from harness.commands.selfcheck.trials import Trial
from harness.core.processes import Interference, Replicate

QUIET = Interference(0.0, 0.0, 0.0)
SAME, SLOWER = [1.0, 1.1, 0.9, 1.05] * 10, [1.5, 1.6, 1.4, 1.55] * 10


@pytest.mark.parametrize("rule", other_rules.RULES.values(), ids=other_rules.RULES)
def test_every_peer_s_rule_sees_half_as_much_again_and_nothing_in_the_same_samples(rule):
    assert rule(SAME, SLOWER, 0.05)
    assert not rule(SAME, SAME, 0.05)


def trial(decision: str, new: list[float]) -> Trial:
    def one(samples: list[float]) -> Replicate:
        return Replicate({"network": 0.0}, {"network": 0.0}, {"network": 15.0}, {"network": 3}, QUIET, samples)

    return Trial("cell", (one(SAME),), (one(new),), decision)


def test_rates_count_what_the_rule_and_its_peers_said():
    done = [trial("regressed", SLOWER), trial("unchanged", SAME), trial("inconclusive", SAME)]
    found = {what: hits for what, hits, _ in rates(done, SelfcheckOptions("aa", 3, 0.05))}
    assert found["quantgate: false alarms"] == 1
    assert found["quantgate: inconclusive"] == 1
    assert found["threshold on means: false alarms"] == 1


def test_recording_costs_less_than_two_microseconds_a_call():
    best = min(max(selfcheck.overhead(5000).values()) for _ in range(5))
    assert best < 4  # 1.9 on the machine of docs/latency.md; slower ones run these tests too


def test_overlaps_are_counted_where_a_timed_section_takes_part():
    spans = [("heavy", 0, 5), ("heavy", 1, 4), ("timed", 5, 6), ("timed", 5.5, 7)]
    assert parallel_runs.overlaps([{"kind": k, "start": s, "end": e} for k, s, e in spans]) == 1


def test_a_quick_check_runs_real_processes_and_keeps_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "aa.json"
    assert main(["selfcheck", "aa", "--quick", "--backends", "litert", "--jobs", "2", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "quantgate: false alarms" in printed and "of 6" in printed
    content = json.loads(out.read_text())
    assert [len(one["baseline"]) for one in content["trials"]] == [10] * 6
    assert all(len(one["candidate"]) in (3, 5, 7) for one in content["trials"])
    assert [len(old) for _, old in selfcheck.read_baselines(out)] == [10] * 6


def test_baselines_of_something_else_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "no.json").write_text("[]")
    assert main(["selfcheck", "power", "--quick", "--baselines", str(tmp_path / "no.json")]) == 2
    assert "is not the JSON of a selfcheck" in capsys.readouterr().err
