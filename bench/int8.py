"""What the default int8 recipes cost and bring: mAP drop on several data sets together, and time against fp32.

    python bench/int8.py --weights DIR --data coco256 coco-val64 [--rounds 8] [--threads 1]

Drop: fp32 mAP − int8 mAP of each model on all scored images together. Time: each round opens fresh processes of both
cells and interleaves them; a round's ratio is int8 p50 / fp32 p50, and the median of the rounds is printed. Calibration
comes from the first data set's train split. Writes nothing but a cache and a temporary folder.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path

import platformdirs
from rich.console import Console
from rich.table import Table

from harness import Suite, matrix
from harness.datasets import load_scored
from harness.inputs import Settings
from harness.runner import Runner


def merge(sources: list[Path], target: Path) -> None:
    """Several data sets as one COCO JSON; categories by name, images and annotations renumbered."""
    parts = [load_scored(source) for source in sources]
    names = sorted({name for part in parts for name in part.categories.values()})
    images: list[dict[str, object]] = []
    annotations: list[dict[str, object]] = []
    for part in parts:
        moved = {image.id: len(images) + row for row, image in enumerate(part.images, 1)}
        images += [{"id": moved[i.id], "file_name": i.path, "width": i.width, "height": i.height} for i in part.images]
        for row in part.annotations:
            category = names.index(part.categories[row["category_id"]]) + 1
            number = len(annotations) + 1
            annotations.append({**row, "id": number, "image_id": moved[row["image_id"]], "category_id": category})
    categories = [{"id": number, "name": name} for number, name in enumerate(names, 1)]
    target.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--data", type=Path, nargs="+", required=True)
    parser.add_argument("--models", nargs="+", default=["yolo26n", "yolo11n"])
    parser.add_argument("--backends", nargs="+", default=["onnxruntime", "openvino"])
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()

    cells = matrix(options.models, ["fp32", "int8"], options.backends)
    suite = Suite("int8", "unused", cells, threads=options.threads)
    table = Table("cell", "mAP fp32", "mAP int8", "drop", "time / fp32", "rounds")
    with tempfile.TemporaryDirectory() as folder:
        scored = Path(folder, "scored.json")
        merge(options.data, scored)

        def runner(name: str) -> Runner:
            cache = Path(platformdirs.user_cache_dir("quantgate"))
            calibration = options.data[0].resolve()
            return Runner(Settings(Path(folder, name), cache, (options.weights,), (), scored, calibration))

        for cell in (cell for cell in cells if cell.precision == "int8"):
            maps = {}
            for one in (cell.sibling("fp32"), cell):
                measured = runner("accuracy").accuracy(suite, Path(), one)
                if measured.failure:
                    raise SystemExit(f"{one}: {measured.failure[1]}")
                maps[one.precision] = measured.metrics["map"] or 0.0
            ratios = []
            for number in range(options.rounds):
                timed = runner(f"round-{number}")
                pair = [timed.latency(suite, Path(), one, [cell]).metrics for one in (cell, cell.sibling("fp32"))]
                ratios.append(pair[0]["latency_p50_ms"] / pair[1]["latency_p50_ms"])  # type: ignore[operator]
            drop = maps["fp32"] - maps["int8"]
            spread = " ".join(f"{ratio:.3f}" for ratio in sorted(ratios))
            scores = [f"{maps['fp32']:.4f}", f"{maps['int8']:.4f}", f"{drop:.4f}"]
            table.add_row(str(cell), *scores, f"{statistics.median(ratios):.3f}", spread)
    Console(width=160).print(table)


if __name__ == "__main__":
    main()
