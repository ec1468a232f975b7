"""How a fine-tuning reads labels, sets its learning rate, repeats itself by its seed, and gives up.

The network is a stand-in of one weight: its loss is scripted, and it keeps the batches that it was shown.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from builders import dataset, yolo

from harness import ConfigError, Qat
from harness.core.dataset import Dataset
from harness.inputs.datasets.loading import load_calibration
from harness.recipes.finetune import _labels, _share_of_peak, finetune

NAMES = {0: "dog", 1: "cat"}  # the model's numbers differ from those of the data
QUICK = Qat(epochs=2, batch=2, lr=0.01)


# Labels


def labels(*annotations: tuple[int, int, Sequence[float]], images: int = 2, first: int = 0) -> list[dict[str, Any]]:
    """Labels of images of 200 × 100 pixels; `annotations` as in `builders.dataset`: category 10 is cat, 11 is dog."""
    return list(_labels(dataset(images, annotations), NAMES, first))


def test_boxes_become_centres_and_sides_in_fractions_of_the_image() -> None:
    (label, _) = labels((1, 10, (20, 10, 40, 60)))
    assert label["bboxes"].tolist() == pytest.approx(np.array([[0.2, 0.4, 0.2, 0.6]]))
    assert (label["bbox_format"], label["normalized"], label["shape"]) == ("xywh", True, (100, 200))
    assert label["im_file"] == "1.png"


def test_classes_are_matched_by_name_whatever_their_numbers_and_their_case() -> None:
    rows = [(1, 10, (0, 0, 9, 9)), (1, 11, (0, 0, 9, 9))]
    assert [label["cls"].tolist() for label in labels(*rows, images=1)] == [[[1], [0]]]
    shouted = dataset(1, rows, names=(" Cat", "DOG "))
    assert [label["cls"].tolist() for label in _labels(shouted, NAMES, 0)] == [[[1], [0]]]


def test_an_image_without_objects_has_an_empty_table() -> None:
    assert [label["bboxes"].shape for label in labels((1, 10, (0, 0, 9, 9)))] == [(1, 4), (0, 4)]


def test_crowd_regions_are_left_out() -> None:
    made = dataset(1, [(1, 10, (0, 0, 9, 9)), (1, 10, (0, 0, 99, 99))])
    crowd = dataclasses.replace(made, annotations=[made.annotations[0], {**made.annotations[1], "iscrowd": 1}])
    (label,) = _labels(crowd, NAMES, 0)
    assert len(label["cls"]) == 1


@pytest.mark.parametrize(("first", "files"), [(0, ["1.png", "2.png", "3.png"]), (2, ["1.png", "2.png"])])
def test_the_first_images_are_trained_on_or_all_of_them(first: int, files: list[str]) -> None:
    assert [label["im_file"] for label in labels(images=3, first=first)] == files


def test_a_class_that_the_model_does_not_know_is_named_with_the_data() -> None:
    giraffes = dataset(1, [(1, 11, (0, 0, 9, 9))], names=("cat", "giraffe"))
    with pytest.raises(ConfigError, match="training data made has boxes of 'giraffe', a class that the model does not"):
        list(_labels(giraffes, NAMES, 0))


def test_a_class_without_boxes_need_not_be_known() -> None:
    assert len(list(_labels(dataset(1, names=("cat", "giraffe")), NAMES, 0))) == 1


# Learning rate


def test_the_learning_rate_rises_over_a_tenth_of_the_steps_and_falls_to_nothing() -> None:
    shares = [_share_of_peak(step, 200) for step in range(200)]
    assert shares.index(max(shares)) == pytest.approx(20, abs=1)
    assert np.diff(shares[:20]).min() > 0
    assert np.diff(shares[20:]).max() < 0
    assert 0.95 < max(shares) <= 1
    assert 0 < shares[-1] < 1e-3


# The loop


class OneWeight(torch.nn.Module):
    """A stand-in for a detector: its loss per image is scripted, step by step, and pulls the weight down."""

    def __init__(self, losses: Sequence[float] = ()) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.args: Any = {"mosaic": 1.0, "fliplr": 0.5}
        self.criterion: Any = None
        self.losses: Iterator[float] = iter((*losses, *[1.0] * 99))
        self.shown: list[torch.Tensor] = []
        self.mosaic: set[float] = set()

    def loss(self, batch: dict[str, Any]) -> tuple[torch.Tensor, None]:
        self.shown.append(batch["img"])
        self.mosaic.add(self.args.mosaic)
        pull = self.weight - self.weight.detach()  # zero, with a gradient
        return (next(self.losses) + pull) * len(batch["img"]), None


@pytest.fixture
def torch_as_before() -> Iterator[None]:
    """Set back the switches of this process that a training changes; in the product it has a process of its own."""
    threads, fill = torch.get_num_threads(), torch.utils.deterministic.fill_uninitialized_memory
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)
    torch.utils.deterministic.fill_uninitialized_memory = fill


@pytest.fixture
def data(torch_as_before: None, tmp_path: Path) -> Dataset:
    rows = "0 0.5 0.5 0.25 0.5\n1 0.25 0.25 0.25 0.25\n"
    read = load_calibration(yolo(tmp_path, {f"train/{n}": rows for n in range(5)}), explicit=False)
    assert read is not None
    return read


def train(data: Dataset, qat: Qat = QUICK, losses: Sequence[float] = (), advance: Any = lambda *_: None) -> OneWeight:
    module = OneWeight(losses)
    with torch.random.fork_rng():
        finetune(SimpleNamespace(model=module, names=NAMES), data, qat, (32, 32), "QAT of mine.pt", advance)
    return module


def test_the_weights_move_and_the_module_is_left_ready_for_inference(data: Dataset) -> None:
    module = train(data)
    assert module.weight.item() < 1
    assert not module.training
    assert not module.weight.requires_grad
    assert module.criterion is None


def test_images_are_not_mixed_in_training_and_the_settings_are_those_of_before(data: Dataset) -> None:
    module = train(data)
    assert module.mosaic == {0.0}
    assert module.args == {"mosaic": 1.0, "fliplr": 0.5}


def test_every_step_of_whole_batches_is_progress_and_every_epoch_a_line(
    data: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[tuple[int, int]] = []
    module = train(data, advance=lambda done, total: told.append((done, total)))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)], "two batches of two in each of two epochs; the fifth image waits"
    assert {tuple(images.shape) for images in module.shown} == {(2, 3, 32, 32)}
    lines = [
        line.rpartition(",")[0] for line in capsys.readouterr().out.splitlines() if line.startswith("QAT of mine.pt")
    ]
    assert lines[0] == "QAT of mine.pt: epoch 1/2, loss 1.0000"
    assert len(lines) == 2


def test_a_batch_is_no_larger_than_the_data(data: Dataset) -> None:
    module = train(data, dataclasses.replace(QUICK, batch=64, images=3))
    assert {tuple(images.shape) for images in module.shown} == {(3, 3, 32, 32)}


def test_the_seed_decides_order_and_augmentation(data: Dataset) -> None:
    one, same, other = (train(data, dataclasses.replace(QUICK, seed=seed)).shown for seed in (1, 1, 2))
    assert all(torch.equal(first, second) for first, second in zip(one, same, strict=True))
    assert not all(torch.equal(first, second) for first, second in zip(one, other, strict=True))


@pytest.mark.parametrize(
    ("losses", "where"),
    [
        ([float("nan")], r"epoch 1, step 1 of 2 \(loss nan\)"),
        ([5.0, 101.0], r"epoch 1, step 2 of 2 \(loss 101\)"),
        ([0.1, 1.0, 0.1, 30.0], r"epoch 2, step 2 of 2 \(loss 30\)"),
    ],
)
def test_a_loss_far_above_the_lowest_has_diverged(data: Dataset, losses: list[float], where: str) -> None:
    with pytest.raises(ConfigError, match=rf"QAT of mine\.pt diverged at {where}.*lower Qat\.lr, now 0\.01"):
        train(data, losses=losses)


def test_a_loss_may_jump_while_it_stays_below_twenty_times_the_lowest(data: Dataset) -> None:
    assert len(train(data, losses=[5.0, 90.0, 1.0, 15.0]).shown) == 4
    assert len(train(data, losses=[0.1, 15.0, 0.1, 15.0]).shown) == 4, "a lowest loss below 1 counts as 1"
