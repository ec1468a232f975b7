"""How long quantgate and Ultralytics' own `benchmark` take for the same six cells, one after the other.

    python bench/versus_ultralytics.py --weights yolo26n.pt --data coco256/coco256.yaml

Both start cold: exports, calibration and builds are part of the time. Ultralytics runs torch fp32, ONNX Runtime fp32
and int8, and OpenVINO fp32, fp16 and int8 in one process. quantgate runs these cells by `pytest -n auto`, latency
included.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SUITE = """
from harness import Suite, matrix
CELLS = [
    *matrix({model!r}, "fp32", "torch"),
    *matrix({model!r}, ["fp32", "int8"], "onnxruntime"),
    *matrix({model!r}, ["fp32", "fp16", "int8"], "openvino"),
]
SUITE = Suite("six", {data!r}, CELLS)
"""

PEER = """
from ultralytics.utils.benchmarks import benchmark
CELLS = [("-", None), ("onnx", None), ("onnx", 8), ("openvino", None), ("openvino", 16), ("openvino", 8)]
for format, quantize in CELLS:
    table = benchmark(model={model!r}, data={data!r}, imgsz=640, format=format, quantize=quantize, device="cpu")
    print(table, flush=True)
"""


def seconds(command: list[str], folder: Path, log: Path) -> float:
    """The wall clock of a command in seconds; its output goes to `log`."""
    start = time.monotonic()
    with log.open("w") as output:
        environment = {**os.environ, "YOLO_AUTOINSTALL": "false"}
        code = subprocess.run(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT, env=environment).returncode
    if code:
        sys.exit(f"{' '.join(command[:4])} … exited with {code}:\n{log.read_text()[-3000:]}")
    return time.monotonic() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=1, help="repeat both, alternated, and compare the medians")
    options = parser.parse_args()
    data = str(options.data.resolve())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = str(shutil.copy(options.weights, folder / options.weights.name))  # exports are written beside it
        (folder / "test_six.py").write_text(SUITE.format(model=model, data=data))
        (folder / "peer.py").write_text(PEER.format(model=model, data=data))
        cache = folder / "cache"
        ours = [sys.executable, "-m", "pytest", "test_six.py", "-n", "auto", "-p", "no:cacheprovider"]
        took: list[float] = []
        theirs: list[float] = []
        for _ in range(options.rounds):
            shutil.rmtree(cache, ignore_errors=True)
            took.append(seconds([*ours, f"--qg-cache-dir={cache}"], folder, folder / "ours.log"))
            theirs.append(seconds([sys.executable, "peer.py"], folder, folder / "peer.log"))
            print(f"quantgate {took[-1]:.1f} s, ultralytics benchmark {theirs[-1]:.1f} s", flush=True)
        print((folder / "ours.log").read_text())
        print(
            "\n".join(line for line in (folder / "peer.log").read_text().splitlines() if "│" in line or "ms/im" in line)
        )
    print(f"ratio of the medians {statistics.median(took) / statistics.median(theirs):.2f}")


if __name__ == "__main__":
    main()
