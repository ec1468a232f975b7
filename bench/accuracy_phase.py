"""The accuracy phase of a warm cell against one inference pass over the same images by the bare runtime.

    python bench/accuracy_phase.py --weights W/yolo26n.pt --data D/coco256

Artifact and letterboxed images are in the cache. The phase opens the runtime in a fresh process, infers, decodes,
evaluates with pycocotools, resamples and writes the detections. The bare pass is only the calls of the runtime, on one
thread.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bare import BARE

from harness.core.suite import Suite
from harness.inputs.finder import Settings
from harness.inputs.sources import cache_folder
from harness.matrix import matrix
from harness.measure.runner import Runner


def bare_pass(backend: str, path: str, pixels: Path, images: int) -> float:
    """Seconds that the calls of one pass take, from all calls but the first."""
    command = [sys.executable, "-c", BARE, backend, path, str(pixels), "1", str(images)]
    done = subprocess.run(command, input=f"{images - 1}\n", capture_output=True, text=True, check=True)
    return sum(map(int, done.stdout.strip("[]\n ").split(","))) / 1e9 * images / (images - 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", default="yolo26n-digits")
    parser.add_argument("--data", default="digits")
    parser.add_argument("--calibration", type=Path)
    parser.add_argument("--imgsz", type=int, default=640)
    parser.add_argument("--precisions", nargs="+", default=["fp32", "int8"])
    parser.add_argument("--backends", nargs="+", default=["onnxruntime", "openvino", "litert"])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    cells = matrix(options.weights, options.precisions, options.backends, imgsz=options.imgsz)
    suite = Suite("phase", options.data, cells)
    with tempfile.TemporaryDirectory() as folder:
        for cell in cells:
            for number in range(options.rounds + 1):  # the first fills the cache
                settings = Settings(
                    Path(folder, f"{cell}-{number}"), cache_folder(), fresh=True, calibration=options.calibration
                )
                runner = Runner(settings)
                start = time.monotonic()
                measured = runner.accuracy(suite, Path(), cell)
                took = time.monotonic() - start
                assert measured.failure is None, measured.failure
                if number == 0:
                    inputs = runner.inputs(suite, Path(), cell)
                    continue
                bare = bare_pass(cell.backend, inputs.artifact.path, inputs.pixels, len(inputs.data.images))
                phase = measured.timings["accuracy_s"]
                print(
                    f"{cell}: phase {phase:.2f} s (test {took:.2f}), in the runtime {measured.timings['infer_s']:.2f}, "
                    f"bare pass {bare:.2f} s: {phase / bare:.2f} ×",
                    flush=True,
                )


if __name__ == "__main__":
    main()
