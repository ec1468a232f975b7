"""A short fine-tuning of an Ultralytics detector: Ultralytics' loss and augmentation in a loop that can be read.

The network is trained as it is deployed: BatchNorm is folded before (`modelopt.fused_module`), so there are no
statistics to freeze. The learning rate anneals to zero, which makes averaging the weights needless. Augmentation is set
as the checkpoint says but mixes no images, as in the last epochs of any Ultralytics training.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from harness.core.cell import Qat, Size
from harness.core.dataset import Dataset
from harness.core.errors import ConfigError
from harness.machine.fingerprint import cores
from harness.recipes.base import Advance
from harness.tasks.classes import match_classes

MIXING = dict.fromkeys(("mosaic", "mixup", "cutmix", "copy_paste"), 0.0)
"""Settings of Ultralytics' augmentation that mix several images, all switched off."""

CLIP = 10.0  # largest norm of the gradient of all weights, as in Ultralytics' trainer
WARMUP = 0.1  # share of the steps in which the learning rate rises

DIVERGED = 20.0
"""A training has diverged when its loss exceeds the lowest loss so far, or 1 if that is larger, by this factor.

NaN alone would not tell: fake quantization bounds what would become NaN in float.
"""


def finetune(model: Any, data: Dataset, qat: Qat, imgsz: Size, what: str, advance: Advance) -> None:
    """Train the module of an Ultralytics `model` in place, on square images with the longer side of `imgsz`.

    Equal seeds give equal weights on the same machine with the same number of threads. `what` names the run in the log
    and in errors.

    Raises:
        ConfigError: the training has diverged, or the data has a class that the model does not know.
    """
    import torch
    from ultralytics.cfg import get_cfg

    torch.set_num_threads(cores())  # importing ultralytics leaves one core idle; the number decides the rounding
    _seed(qat.seed)
    module = model.model.train()
    declared, module.args = module.args, get_cfg(overrides={**module.args, **MIXING, "epochs": qat.epochs})
    _train(module, _batches(data, model.names, module, qat, imgsz), qat, what, advance)
    module.criterion, module.args = None, declared
    module.eval().requires_grad_(False)


def _train(module: Any, batches: Any, qat: Qat, what: str, advance: Advance) -> None:
    """Run all epochs over `batches` with AdamW, and print a line after each. Raises as `finetune` does."""
    import torch

    parameters = list(module.requires_grad_(True).parameters())
    optimizer = torch.optim.AdamW(parameters, qat.lr, weight_decay=0.0)
    steps = qat.epochs * len(batches)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _share_of_peak(step, steps))
    limit = math.inf
    for epoch in range(qat.epochs):
        start, total = time.monotonic(), 0.0
        for step, batch in enumerate(batches):
            loss = module.loss({**batch, "img": batch["img"].float() / 255})[0].sum() / len(batch["img"])
            value = loss.item()
            if not value < limit:
                where = f"epoch {epoch + 1}, step {step + 1} of {len(batches)}"
                raise ConfigError(f"{what} diverged at {where} (loss {value:.3g}): lower Qat.lr, now {qat.lr:g}")
            limit = min(limit, DIVERGED * max(value, 1.0))
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, CLIP)
            optimizer.step()
            schedule.step()
            total += value
            advance(epoch * len(batches) + step + 1, steps)
        if hasattr(module.criterion, "update"):
            module.criterion.update()  # shifts the balance between YOLO26's two branches, once per epoch
        mean, took = total / len(batches), time.monotonic() - start
        print(f"{what}: epoch {epoch + 1}/{qat.epochs}, loss {mean:.4f}, {took:.0f} s", flush=True)


def _share_of_peak(step: int, steps: int) -> float:
    """Learning rate of a step as a share of its peak: a short linear rise, then a cosine down to zero."""
    return min(1.0, (step + 1) / (WARMUP * steps)) * (1 + math.cos(math.pi * step / steps)) / 2


def _seed(seed: int) -> None:
    """Seed every generator that the training draws from, and ask PyTorch for deterministic kernels."""
    import torch

    random.seed(seed)  # Ultralytics' augmentation draws from `random` and from NumPy
    np.random.seed(seed)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # filling takes a fifth of the training time


def _batches(data: Dataset, names: Any, module: Any, qat: Qat, imgsz: Size) -> Any:
    """A torch DataLoader of shuffled, augmented batches, in the form that Ultralytics' loss reads."""
    import torch
    from ultralytics.data import YOLODataset

    labels = list(_labels(data, names, qat.images))

    class Split(YOLODataset):  # type: ignore[misc]
        """Ultralytics' data set without its own reading of labels, so that no labels.cache appears beside user data.

        It also makes COCO JSON usable, which Ultralytics does not read.
        """

        def get_img_files(self, img_path: str) -> list[str]:
            return [label["im_file"] for label in labels]

        def get_labels(self) -> list[dict[str, Any]]:
            return labels

    split = Split(img_path="", imgsz=max(imgsz), augment=True, hyp=module.args, data={"names": names, "channels": 3})
    return torch.utils.data.DataLoader(
        split, min(qat.batch, len(labels)), shuffle=True, drop_last=True, collate_fn=split.collate_fn,
        generator=torch.Generator().manual_seed(qat.seed),
    )  # fmt: skip


def _labels(data: Dataset, names: Any, images: int) -> Iterator[dict[str, Any]]:
    """Yield a label in Ultralytics' form for each of the first `images` images (0: for all).

    Boxes are centre x, centre y, width, height as fractions of the image; crowd regions are left out. `names` maps the
    model's class numbers to names; classes are matched as for scoring.

    Raises:
        ConfigError: a box has a class that the model does not know.
    """
    numbers = sorted(names)
    matched = match_classes(data.categories, [str(names[number]) for number in numbers]).categories
    classes = {category: numbers[at] for at, category in matched.items()}
    boxes: dict[int | str, list[list[float]]] = {}  # image id → rows of class, x, y, width, height in pixels
    for row in data.annotations:
        label = classes.get(row["category_id"])
        if label is None:
            name = data.categories[row["category_id"]]
            raise ConfigError(f"training data {data.name} has boxes of {name!r}, a class that the model does not know")
        if not row["iscrowd"]:
            boxes.setdefault(row["image_id"], []).append([label, *row["bbox"]])
    for image in data.images[: images or None]:
        rows = np.array(boxes.get(image.id, []), np.float32).reshape(-1, 5)
        corner, extent, side = rows[:, 1:3], rows[:, 3:], np.array([image.width, image.height], np.float32)
        centred = np.concatenate([(corner + extent / 2) / side, extent / side], axis=1)
        yield {
            "im_file": image.path, "shape": (image.height, image.width), "cls": rows[:, :1], "bboxes": centred,
            "segments": [], "normalized": True, "bbox_format": "xywh",
        }  # fmt: skip
