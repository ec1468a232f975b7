"""The sensitivity command on the bundled model, end to end."""

from __future__ import annotations

from harness.commands.cli import main


def test_every_group_of_the_bundled_model_is_measured_and_ranked(capsys, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("QUANTGATE_CACHE", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "120")
    arguments = ["sensitivity", "yolo26n-digits", "--data", "digits", "--imgsz", "256", "--limit", "4"]
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    assert "calibrated on 32 images, judged on 4 others" in shown
    rows = [line for line in shown.splitlines() if "%" in line]
    found = {
        line[:17].strip(): [float(word.strip("%").replace("−", "-")) for word in line[17:].split()] for line in rows
    }
    assert found.keys() >= {"0", "1", "2", "10", "22", "23 cv2.0", "23 cv3.2", "the int8 recipe"}
    shares = {name: values[0] for name, values in found.items()}
    assert shares["the int8 recipe"] > 70 > 15 > max(share for name, share in shares.items() if "recipe" not in name)
    assert min(shares.values()) > 0
    errors = [values[1] for values in found.values()]
    assert errors == sorted(errors, reverse=True)
    assert 0 < errors[0] < 0.3
