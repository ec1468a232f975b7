"""Make the bundled digits suite: render the data, train YOLO26n from scratch, score it.

    python suites/digits/make.py            # data, train, qat, tasks, score
    python suites/digits/make.py score      # one step; needs no work folder

Needs the ``make`` extra (scikit-learn, ultralytics) and no network. The handwriting samples are
split into train, calibration and val before anything is rendered, and each photograph is cut in
halves, so nothing that is scored was seen in training or in calibration. Every image has its own
random generator, seeded with (seed, split, index): asking for more images changes no other one.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("YOLO_AUTOINSTALL", "false")

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits, load_sample_images

from harness.core.cell import Qat

ASSETS = Path(__file__).parents[2] / "harness" / "assets" / "digits"
CHECKPOINT = "yolo26n-digits.pt"
QAT_CHECKPOINT = "yolo26n-digits-qat.pt"
QAT = Qat(epochs=3, lr=5e-6, images=1920)
TASKS = {"segment": "yolo26-seg-digits.pt", "pose": "yolo26-pose-digits.pt"}
TASK_WIDTH = 0.125  # channels, as a share of the design's; half of the detector's
IMGSZ = 256
THREADS = int(os.environ.get("QUANTGATE_TRAIN_THREADS", "2"))
SHAPES = ((256, 256), (256, 256), (192, 256), (256, 192))  # height, width; letterboxing gets work
SPLITS = {  # name: (id for the generator, first and last sample of the permuted digits)
    "train": (0, 0, 1250),
    "calibration": (1, 1250, 1397),
    "val": (2, 1397, 1797),
}
COUNTS = {"calibration": 64, "val": 256}
CORNERS = ["top left", "top right", "bottom right", "bottom left"]


@dataclass(frozen=True)
class Digit:
    """What is known of one digit on an image; pixels."""

    label: int
    box: tuple[float, float, float, float]  # x, y, width, height
    outline: list[tuple[int, int]]  # polygon around the ink, holes filled
    corners: list[tuple[float, float]]  # of the upright ink, turned and sheared with it; in the order of CORNERS


def background(rng: np.random.Generator, photos: list[NDArray], h: int, w: int) -> NDArray:
    """Cut a random window from a photograph; mirror, tint and blur it at random."""
    photo = photos[rng.integers(len(photos))]
    zoom = rng.uniform(0.45, min(photo.shape[0] / h, photo.shape[1] / w))
    ch, cw = int(h * zoom), int(w * zoom)
    y, x = rng.integers(photo.shape[0] - ch + 1), rng.integers(photo.shape[1] - cw + 1)
    image = cv2.resize(photo[y : y + ch, x : x + cw], (w, h), interpolation=cv2.INTER_AREA)
    image = image[:, :: rng.choice((-1, 1))].astype(np.float32)
    image = (image - 128) * rng.uniform(0.5, 1.0) + 128 + rng.uniform(-40, 40, 3)
    return cv2.GaussianBlur(image, (0, 0), rng.uniform(0.1, 2.0))


def stamp(rng: np.random.Generator, digit: NDArray, h: int, w: int) -> tuple[NDArray, NDArray]:
    """Place one digit at random (scale, rotation, shear); return its opacity on the image and the warp [2, 3].

    The 8x8 samples are enlarged by the same cubic warp that places them, then steepened, which
    gives strokes an edge: without one there is no tight box.
    """
    scale = np.exp(rng.uniform(np.log(18), np.log(90))) / 8
    angle, shear = np.deg2rad(rng.normal(0, 12)), rng.normal(0, 0.12)
    stretch = rng.uniform(0.85, 1.2)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = turn @ np.array([[scale * stretch, scale * shear], [0, scale / stretch]])
    margin = 3.2 * scale  # at most a sliver of the 8 wide digit leaves the image
    centre = np.array([rng.uniform(margin, w - margin), rng.uniform(margin, h - margin)])
    matrix = np.column_stack([linear, centre - linear @ np.array([5.5, 5.5])])  # padded: 12x12
    soft = cv2.warpAffine(np.pad(digit, 2), matrix, (w, h), flags=cv2.INTER_CUBIC)
    return np.clip((soft - 0.25) / rng.uniform(0.25, 0.6), 0, 1), matrix


def outline(ink: NDArray) -> list[tuple[int, int]]:
    """The largest outer contour of a mask [H, W], simplified to half a pixel."""
    contours, _ = cv2.findContours(ink.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    largest = max(contours, key=cv2.contourArea)
    points = cv2.approxPolyDP(largest, 0.5, True).reshape(-1, 2)
    if len(points) < 3:  # a line of single pixels
        x, y, width, height = cv2.boundingRect(largest)
        points = np.array([(x, y), (x + width, y), (x + width, y + height), (x, y + height)])
    return [(int(x), int(y)) for x, y in points]


def corners(digit: NDArray, matrix: NDArray) -> list[tuple[float, float]]:
    """Where the corners of the ink of an 8x8 sample come to lie on the image."""
    rows, columns = np.flatnonzero((digit > 0.25).any(1)) + 2, np.flatnonzero((digit > 0.25).any(0)) + 2  # padded
    left, right, top, bottom = columns[0] - 0.5, columns[-1] + 0.5, rows[0] - 0.5, rows[-1] + 0.5
    square = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
    return [(round(float(x), 2), round(float(y), 2)) for x, y in square @ matrix[:, :2].T + matrix[:, 2]]


def render(
    rng: np.random.Generator, digits: NDArray, labels: NDArray, photos: list[NDArray]
) -> tuple[NDArray, list[Digit]]:
    """Render one image; return it with the digits on it."""
    h, w = SHAPES[rng.integers(len(SHAPES))]
    image = background(rng, photos, h, w)
    placed: list[Digit] = []
    taken = np.zeros((h, w), bool)
    wanted = 0 if rng.random() < 0.05 else int(rng.integers(1, 10))
    for _ in range(wanted):
        pick = rng.integers(len(digits))
        alpha, matrix = stamp(rng, digits[pick], h, w)
        rows, columns = np.flatnonzero((alpha > 0.4).any(1)), np.flatnonzero((alpha > 0.4).any(0))
        if not len(rows):
            continue
        y0, y1, x0, x1 = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
        if min(y1 - y0, x1 - x0) < 5 or taken[y0:y1, x0:x1].mean() > 0.15:
            continue  # a speck, or it would cover another one; this also thins out crowded images
        taken[y0:y1, x0:x1] = True
        under = image[y0:y1, x0:x1].mean((0, 1))
        sign = 1 if rng.random() < (255 - under.mean()) / 255 else -1  # where there is more room
        ink = under + sign * rng.uniform(35, 150) + rng.uniform(-25, 25, 3)
        shape = outline(alpha > 0.4)
        alpha = alpha[..., None] * rng.uniform(0.65, 1.0)
        image = image * (1 - alpha) + np.clip(ink, 0, 255) * alpha
        box = (float(x0), float(y0), float(x1 - x0), float(y1 - y0))
        placed.append(Digit(int(labels[pick]), box, shape, corners(digits[pick], matrix)))
        if rng.random() < 0.2:  # a stroke of background colour across it: the box stays whole
            ends = rng.uniform((x0, y0), (x1, y1), (2, 2)).astype(int)
            width = max(1, int((y1 - y0) * rng.uniform(0.06, 0.18)))
            image = np.ascontiguousarray(image, np.float32)
            cv2.line(image, ends[0].tolist(), ends[1].tolist(), under.tolist(), width, cv2.LINE_AA)
    if rng.random() < 0.5:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.4))
    image = image + rng.normal(0, rng.uniform(0, 14), image.shape)
    return np.clip(image, 0, 255).astype(np.uint8), placed


def sources(split: str, seed: int) -> tuple[NDArray, NDArray, list[NDArray]]:
    """Return the handwriting and the halves of the photographs that this split may use."""
    data = load_digits()
    _, first, last = SPLITS[split]
    mine = np.random.default_rng(seed).permutation(len(data.target))[first:last]
    photos = [photo[..., ::-1] for photo in load_sample_images().images]  # RGB to OpenCV's BGR
    middle = photos[0].shape[1] // 2
    halves = [p[:, middle:] if split == "val" else p[:, :middle] for p in photos]
    return data.images[mine].astype(np.float32) / 16, data.target[mine], halves


def row(digit: Digit, task: str, h: int, w: int) -> str:
    """A line of a YOLO label file."""
    x, y, bw, bh = digit.box
    values = [(x + bw / 2) / w, (y + bh / 2) / h, bw / w, bh / h]
    if task == "segment":
        values = [value for px, py in digit.outline for value in (px / w, py / h)]
    elif task == "pose":
        for px, py in digit.corners:
            seen = 0 <= px < w and 0 <= py < h
            values += [px / w, py / h, 2] if seen else [0, 0, 0]
    return " ".join([str(digit.label), *(f"{value:.6g}" for value in values)]) + "\n"


def annotation(digit: Digit, h: int, w: int) -> dict[str, Any]:
    """What COCO says of an object, for boxes, masks and key points."""
    x, y, bw, bh = digit.box
    points = [[px, py, 2] if 0 <= px < w and 0 <= py < h else [0, 0, 0] for px, py in digit.corners]
    return {
        "category_id": digit.label, "bbox": [x, y, bw, bh], "iscrowd": 0,  # no area: each task has its own
        "segmentation": [[value for point in digit.outline for value in point]],
        "keypoints": [value for point in points for value in point],
        "num_keypoints": sum(point[2] > 0 for point in points),
    }  # fmt: skip


def make_split(split: str, count: int, seed: int, folder: Path, coco: Path | None, task: str = "detect") -> None:
    """Render one split: images, and COCO JSON (assets) or YOLO labels (training)."""
    digits, labels, photos = sources(split, seed)
    folder.mkdir(parents=True, exist_ok=True)
    quality = [cv2.IMWRITE_JPEG_QUALITY, 85 if coco else 90]  # all that ships stays under 20 MB
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for index in range(count):
        rng = np.random.default_rng([seed, SPLITS[split][0], index])
        image, placed = render(rng, digits, labels, photos)
        h, w = image.shape[:2]
        name = f"{index + 1:06d}.jpg"
        cv2.imwrite(str(folder / name), image, quality)
        images.append({"id": index + 1, "file_name": name, "width": w, "height": h})
        for digit in placed:
            known = {"id": len(annotations) + 1, "image_id": index + 1}
            annotations.append(known | annotation(digit, h, w))
        if coco is None:
            target = folder.parents[1] / "labels" / folder.name / f"{index + 1:06d}.txt"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text("".join(row(digit, task, h, w) for digit in placed))
    if coco is not None:
        coco.parent.mkdir(parents=True, exist_ok=True)
        categories = [{"id": c, "name": str(c), "keypoints": CORNERS} for c in range(10)]
        content = {"images": images, "annotations": annotations, "categories": categories}
        coco.write_text(json.dumps(content, separators=(",", ":")) + "\n")


def data(args: argparse.Namespace) -> None:
    """Render the shipped splits into the assets, the training split into the work folder."""
    for split, count in COUNTS.items():
        coco = args.assets / "annotations" / f"instances_{split}.json"
        make_split(split, count, args.seed, args.assets / "images" / split, coco)
    training_data(args.work, args.images, args.seed)


def training_data(work: Path, images: int, seed: int, task: str = "detect") -> Path:
    """Render the training split as a YOLO data set; returns its YAML."""
    make_split("train", images, seed, work / "images" / "train", None, task)
    names = "".join(f"  {c}: '{c}'\n" for c in range(10))
    # ultralytics wants a val folder and visits it once; nothing is chosen by it
    make_split("calibration", 64, seed, work / "images" / "calibration", None, task)
    yaml = f"path: {work}\ntrain: images/train\nval: images/calibration\nnames:\n{names}"
    if task == "pose":
        yaml += f"kpt_shape: [{len(CORNERS)}, 3]\n"
    (work / "data.yaml").write_text(yaml)
    return work / "data.yaml"


def qat(args: argparse.Namespace) -> None:
    """Fine-tune the float checkpoint with fake quantization, as the suite's int8-qat cells would."""
    from harness.inputs.datasets.loading import load_calibration
    from harness.inputs.pixels import read_image
    from harness.recipes.base import BuildInputs
    from harness.recipes.qat import make_checkpoint
    from harness.tasks.preprocess import letterbox

    work = args.work / "qat"  # the first images of the same training split
    training = load_calibration(training_data(work, QAT.images, args.seed), explicit=False)
    shown = load_calibration(args.assets / "annotations" / "instances_calibration.json")
    pixels = np.stack([letterbox(read_image(image), IMGSZ) for image in shown.images])
    np.save(work / "pixels.npy", pixels)
    weights = args.assets / CHECKPOINT
    inputs = BuildInputs(weights, weights, IMGSZ, 1, False, work / "pixels.npy", QAT, training)
    make_checkpoint(inputs, args.assets / QAT_CHECKPOINT)


def widen(value: Any) -> Any:
    """Return a nest of tensors in fp32."""
    if isinstance(value, dict):
        return {key: widen(item) for key, item in value.items()}
    return type(value)(map(widen, value)) if isinstance(value, list | tuple) else value.float()


def compute_in_bf16(trainer: Any) -> None:
    """Run the training forward pass in bf16, weights and loss in fp32: 1.5 times as fast.

    Ultralytics allows bf16 on CUDA only. Boxes must be decoded in fp32: bf16 keeps 8 bits, which
    is a pixel at 256 px. The averaged copy that gets saved was made before and is untouched.
    """
    import torch

    torch.set_num_threads(THREADS)  # ultralytics leaves one core idle; the count decides the rounding
    model = trainer.model.to(memory_format=torch.channels_last)

    def loss(batch: dict[str, Any], preds: Any = None) -> Any:
        with torch.autocast("cpu", torch.bfloat16):
            preds = model.predict(batch["img"].contiguous(memory_format=torch.channels_last))
        return type(model).loss(model, batch, widen(preds))

    model.loss = loss


def train(args: argparse.Namespace) -> None:
    """Train from random weights and write the last epoch's averaged weights as fp16."""
    fit("yolo26n.yaml", args.work, args)
    export(args.work / "run" / "weights" / "last.pt", args.assets / CHECKPOINT)


def tasks(args: argparse.Namespace) -> None:
    """Train a narrow YOLO26 for masks and one for key points, on fewer images."""
    import yaml
    from ultralytics.utils import ROOT

    for task, checkpoint in TASKS.items():
        if args.only and task != args.only:
            continue
        design = f"yolo26-{'seg' if task == 'segment' else task}.yaml"
        content = yaml.safe_load((ROOT / "cfg" / "models" / "26" / design).read_text())
        content["scales"]["n"][1] = TASK_WIDTH
        if task == "pose":
            content["kpt_shape"] = [len(CORNERS), 3]
        work = args.work / task
        training_data(work, args.images // 2, args.seed, task)
        architecture = work / design.replace("yolo26", "yolo26n")  # the letter chooses the scale
        architecture.write_text(yaml.safe_dump(content))
        fit(str(architecture), work, args)
        export(work / "run" / "weights" / "last.pt", args.assets / checkpoint)


def fit(architecture: str, work: Path, args: argparse.Namespace) -> None:
    """Train `architecture` on the data of `work`."""
    import torch
    from ultralytics import YOLO

    torch.utils.deterministic.fill_uninitialized_memory = False  # a fifth of the time, no use here
    model = YOLO(architecture)
    model.add_callback("on_train_start", compute_in_bf16)
    model.train(
        data=str(work / "data.yaml"),
        project=str(work),
        name="run",
        exist_ok=True,
        pretrained=False,
        epochs=args.epochs,
        imgsz=IMGSZ,
        batch=args.batch,
        nbs=args.batch,  # a step per batch: the default accumulates gradients up to 64 images
        optimizer="AdamW",
        lr0=0.002,
        cos_lr=True,
        warmup_epochs=0.5,
        warmup_bias_lr=0.0,  # the default 0.1 is meant for SGD
        seed=args.seed,
        device="cpu",
        workers=0,
        cache="ram",
        amp=False,
        val=False,
        plots=False,
        # the renderer varies everything already, and a mirrored digit is another sign
        **dict.fromkeys(("mosaic", "fliplr", "flipud", "hsv_h", "hsv_s", "hsv_v"), 0.0),
        translate=0.1,
        scale=0.2,
    )


def export(source: Path, target: Path) -> None:
    """Keep weights and settings; drop optimizer, dates and every path of the machine."""
    import torch
    import ultralytics

    checkpoint = torch.load(source, map_location="cpu", weights_only=False)
    model = (checkpoint.get("ema") or checkpoint["model"]).half()
    local = ("data", "project", "save_dir", "name", "model", "device", "resume")
    settings = {k: v for k, v in checkpoint["train_args"].items() if k not in local}
    model.args = settings
    model.criterion = None
    vars(model).pop("pt_path", None)  # where it was loaded from, if the run was resumed
    model.yaml["yaml_file"] = Path(model.yaml["yaml_file"]).name  # a design of our own lay in the work folder
    for parameter in model.parameters():
        parameter.requires_grad = False
    content = {
        "epoch": -1,
        "model": model,
        "train_args": settings,
        "version": ultralytics.__version__,
        "license": "AGPL-3.0 License (https://ultralytics.com/license)",
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, target)


def score(args: argparse.Namespace) -> None:
    """Print COCO's figures for the checkpoint in fp32 on the scored images."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval
    from ultralytics import YOLO

    truth = COCO(str(args.assets / "annotations" / "instances_val.json"))
    model = YOLO(args.weights or args.assets / CHECKPOINT)
    rows: list[dict[str, Any]] = []
    for image in truth.dataset["images"]:
        source = args.assets / "images" / "val" / image["file_name"]
        options: dict[str, Any] = {"conf": 0.001, "iou": 0.7, "max_det": 300, "rect": False}
        boxes = model.predict(source, imgsz=IMGSZ, device="cpu", verbose=False, **options)[0].boxes
        for (x0, y0, x1, y1), s, c in zip(boxes.xyxy.tolist(), boxes.conf, boxes.cls, strict=True):
            row = {"image_id": image["id"], "category_id": int(c), "score": float(s)}
            rows.append(row | {"bbox": [x0, y0, x1 - x0, y1 - y0]})
    evaluation = COCOeval(truth, truth.loadRes(rows), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    print(f"map {evaluation.stats[0]:.4f}")


def main() -> None:
    """Run one step, or all of them in order."""
    steps = {"data": data, "train": train, "qat": qat, "tasks": tasks, "score": score}
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("step", nargs="?", choices=["all", *steps], default="all")
    parser.add_argument("--work", type=Path, help="training images and runs (default: in temp)")
    parser.add_argument("--assets", type=Path, default=ASSETS, help="what the package ships")
    parser.add_argument("--weights", type=Path, help="score this checkpoint instead")
    parser.add_argument("--images", type=int, default=6000, help="training images")
    parser.add_argument("--epochs", type=int, default=14)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--only", choices=list(TASKS), help="of the step `tasks`")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    args.work = (args.work or Path(tempfile.gettempdir()) / "quantgate-digits").resolve()
    for name, step in steps.items():
        if args.step in ("all", name):
            step(args)


if __name__ == "__main__":
    main()
