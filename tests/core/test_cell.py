"""What a suite says about calibration and training is checked when it is said."""

from __future__ import annotations

import pytest

from harness import Calibration, ConfigError, Qat


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"images": 0}, "calibrate on one image or more"),
        ({"order": "shuffled"}, "order is 'id' or 'random'"),
    ],
)
def test_a_calibration_that_cannot_be_is_one_line(wrong, message):
    with pytest.raises(ConfigError, match=message):
        Calibration(**wrong)


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"lr": 0.0}, {"lr": 1.5}, {"batch": 0}, {"images": -1}])
def test_a_training_that_cannot_be_is_one_line(wrong):
    with pytest.raises(ConfigError, match="epochs and batch must be ≥ 1, images ≥ 0, lr between 0 and 1"):
        Qat(**wrong)
