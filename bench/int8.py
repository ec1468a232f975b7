"""The costs and gains of the int8 recipes: the drop of mAP on several data sets together, size and time against fp32.

    python bench/int8.py --weights DIR --data coco256 coco-val64 [--rounds 8] [--threads 1]

Drop: fp32 mAP − int8 mAP of each model on all scored images together. Time: each round opens a fresh process for
either cell and interleaves their calls; a round's ratio is int8 p50 / fp32 p50, and the median of the rounds is
printed. Calibration images come from the first data set's train split. Writes only to the cache and a temporary folder.
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

from harness import Cell, Suite, matrix
from harness.inputs.datasets.loading import load_scored
from harness.inputs.finder import Settings
from harness.measure.runner import Runner


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


REFERENCE = {"torch": "fp32:compiled"}
"""The reference of a backend, where it is not plain fp32: PyTorch's int8 is compiled, so its reference is too."""


def row(cell: Cell, reference: Cell, options: argparse.Namespace, scored: Path, folder: Path) -> list[str]:
    """Measure one cell against its reference."""
    suite = Suite("int8", "unused", (reference, cell), threads=options.threads)

    def runner(name: str) -> Runner:
        cache = Path(platformdirs.user_cache_dir("quantgate"))
        run = folder / f"{cell.id}-{name}"
        return Runner(Settings(run, cache, (options.weights,), (), scored, options.data[0].resolve()))

    found = [runner("accuracy").accuracy(suite, Path(), one) for one in (reference, cell)]
    for measured in found:
        if measured.failure:
            raise SystemExit(f"{measured.cell}: {measured.failure[1]}")
    float_map, int8_map = (measured.metrics["map"] or 0.0 for measured in found)
    sizes = [measured.metrics["size_bytes"] or 0.0 for measured in found]
    ratios = []
    for number in range(options.rounds):
        timed = runner(f"round-{number}")
        pair = [timed.latency(suite, Path(), one, [cell, reference]).metrics for one in (cell, reference)]
        ratios.append(pair[0]["latency_p50_ms"] / pair[1]["latency_p50_ms"])  # type: ignore[operator]
    return [
        str(cell),
        f"{float_map:.4f}",
        f"{int8_map:.4f}",
        f"{float_map - int8_map:.4f}",
        f"{sizes[1] / sizes[0]:.2f}",
        f"{found[1].metrics['attested_share']:.2f}",
        f"{statistics.median(ratios):.3f}" if ratios else "–",
        " ".join(f"{ratio:.3f}" for ratio in sorted(ratios)),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--data", type=Path, nargs="+", required=True)
    parser.add_argument("--models", nargs="+", default=["yolo26n", "yolo11n"])
    parser.add_argument("--backends", nargs="+", default=["onnxruntime", "openvino", "litert", "torch"])
    parser.add_argument("--precision", default="int8")
    parser.add_argument("--rounds", type=int, default=8, help="0 for accuracy alone")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()

    table = Table("cell", "mAP float", "mAP", "drop", "size", "attested", "time", "rounds")
    with tempfile.TemporaryDirectory() as folder:
        scored = Path(folder, "scored.json")
        merge(options.data, scored)
        for backend in options.backends:
            for cell in matrix(options.models, options.precision, backend):
                reference = cell.sibling(REFERENCE.get(backend, "fp32"))
                table.add_row(*row(cell, reference, options, scored, Path(folder)))
    Console(width=180).print(table)


if __name__ == "__main__":
    main()
