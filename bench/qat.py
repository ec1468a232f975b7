"""Whether quantization-aware training beats post-training quantization of a model that was trained as long in float.

    python bench/qat.py [--data TRAIN.yaml --weights MODEL.pt --imgsz 256 --scored DATA] [--epochs 1 --lr 5e-6 …]

The control is the weights fine-tuned in float, with the images, order, epochs and learning rate of QAT. Both drops are
against the control's fp32 mAP. Without --data and --weights it uses the bundled digits, with freshly rendered training
images.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from harness import Suite
from harness.core.cell import Cell, Qat
from harness.inputs.datasets.loading import load_calibration
from harness.inputs.finder import Settings
from harness.inputs.pixels import read_image
from harness.inputs.sources import BUNDLED_DATA, BUNDLED_WEIGHTS
from harness.measure.runner import Runner
from harness.recipes.base import BuildInputs
from harness.recipes.qat import make_checkpoint
from harness.tasks.preprocess import letterbox


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, default=BUNDLED_WEIGHTS["yolo26n-digits"])
    parser.add_argument("--data", type=Path, help="YOLO YAML whose train split is trained on")
    parser.add_argument("--scored", type=Path, default=BUNDLED_DATA["digits"])
    parser.add_argument("--calibration", type=Path, default=BUNDLED_DATA["digits"])
    parser.add_argument("--imgsz", type=int, default=256)
    parser.add_argument("--backends", nargs="+", default=["onnxruntime", "openvino"])
    for name in ("epochs", "lr", "batch", "images", "seed"):
        default = {"epochs": 3, "images": 1920, "lr": 5e-6}.get(name, getattr(Qat(), name))
        parser.add_argument(f"--{name}", type=type(default), default=default)
    parser.add_argument("--work", type=Path, help="keep the checkpoints here, and use those that are here")
    return parser.parse_args()


def fine_tuned(options: argparse.Namespace, work: Path) -> tuple[Path, Path]:
    """The checkpoints of the float control and of QAT."""
    control, quantized = work / "control.pt", work / "control-qat.pt"
    if control.exists() and quantized.exists():
        return control, quantized
    if not options.data:
        sys.path.insert(0, str(Path(__file__).parents[1]))  # the suites lie beside this folder
        from suites.digits.make import training_data

        options.data = training_data(work, options.images, seed=0)
    images = load_calibration(options.calibration).images[:64]
    np.save(work / "pixels.npy", np.stack([letterbox(read_image(image), options.imgsz) for image in images]))
    training = load_calibration(options.data, explicit=False)
    if training is None:
        raise SystemExit(f"{options.data} has no train split")
    qat = Qat(options.epochs, str(options.data), options.lr, options.batch, options.images, options.seed)
    weights = options.weights.resolve()
    inputs = BuildInputs(weights, weights, options.imgsz, 1, False, work / "pixels.npy", qat, training)
    make_checkpoint(inputs, control, quantized=False)
    make_checkpoint(inputs, quantized)
    return control, quantized


def main() -> None:
    options = arguments()
    with tempfile.TemporaryDirectory() as folder:
        work = (options.work or Path(folder)).resolve()
        work.mkdir(parents=True, exist_ok=True)
        control, quantized = fine_tuned(options, work)
        settings = Settings(Path(folder, "run"), work / "cache", (), (), options.scored.resolve(), options.calibration)
        for backend in options.backends:
            fp32 = Cell("control", "fp32", backend, imgsz=options.imgsz, weights=str(control))
            trained = replace(fp32, precision="int8-qat", qat=Qat(checkpoint=str(quantized)))
            cells = (fp32, fp32.sibling("int8"), trained)
            suite = Suite("qat", "unused", cells)
            table = Table("cell", "mAP", "drop", title=f"{options.weights.stem} on {backend}, {options.epochs} epochs")
            reference = None
            for cell in cells:
                found = Runner(settings).accuracy(suite, Path(), cell)
                if found.failure:
                    raise SystemExit(f"{cell}: {found.failure[1]}")
                score = found.metrics["map"] or 0.0
                reference = score if reference is None else reference
                table.add_row(cell.precision, f"{score:.4f}", f"{reference - score:+.4f}")
            Console().print(table)


if __name__ == "__main__":
    main()
