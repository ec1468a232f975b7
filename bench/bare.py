"""Reported p50 of digits cells against a bare loop over the runtime's own API, block by block in one run.

    python bench/bare.py

Each round opens a fresh process for quantgate and a fresh one for the bare loop, whose blocks of calls alternate. The
ratio of their medians is what quantgate's session and clock add to a call of the runtime; printed are the median, the
lowest and the highest ratio of all rounds.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from harness.commands.selfcheck import trials
from harness.core.suite import Decoding, Suite
from harness.inputs.finder import Finder, Settings
from harness.inputs.sources import cache_folder
from harness.machine.child import Child
from harness.machine.locks import MachineLock
from harness.matrix import matrix
from harness.measure.latency.wall_clock import IMAGES, TimeJob, take_turns

BARE = """
import json, sys, time
import numpy as np
backend, path, pixels, threads, images = sys.argv[1], sys.argv[2], np.load(sys.argv[3]), *map(int, sys.argv[4:6])
batches = [np.ascontiguousarray(one[None], np.float32) / 255 for one in pixels[:images]]
if backend == "onnxruntime":
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    call = lambda batch: session.run(None, {name: batch})
elif backend == "openvino":
    import openvino
    config = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads,
              "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1}
    compiled = openvino.Core().compile_model(path, "CPU", config)
    request = compiled.create_infer_request()
    call = lambda batch: request.infer({0: batch}, share_inputs=True, share_outputs=True)
else:
    from ai_edge_litert.interpreter import Interpreter
    interpreter = Interpreter(model_path=path, num_threads=threads)
    interpreter.allocate_tensors()
    (given,), outputs = interpreter.get_input_details(), interpreter.get_output_details()
    if given["shape"][3] == 3:
        batches = [np.ascontiguousarray(batch.transpose(0, 2, 3, 1)) for batch in batches]
    if given["dtype"] == np.int8:
        scale, zero = given["quantization"]
        batches = [np.clip(np.rint(batch / scale) + zero, -128, 127).astype(np.int8) for batch in batches]
    def call(batch):
        interpreter.set_tensor(given["index"], batch)
        interpreter.invoke()
        return [interpreter.get_tensor(one["index"]) for one in outputs]
turn = 0
for line in sys.stdin:
    took = []
    for number in range(int(line) + 1):
        batch = batches[turn % len(batches)]
        turn += 1
        start = time.perf_counter_ns()
        call(batch)
        took.append(time.perf_counter_ns() - start)
    print(json.dumps(took[1:]), flush=True)
"""


def measured(job: TimeJob, folder: Path, calls: int) -> tuple[float, float]:
    """Median milliseconds per call of quantgate and of the bare loop, each in a fresh process."""
    command = [job.cell.backend, job.artifact.path, job.pixels, str(job.threads), str(len(job.images))]
    bare = subprocess.Popen([sys.executable, "-c", BARE, *command], text=True, stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE)  # fmt: skip
    with bare, Child(job, folder / "log", 120.0) as child:
        child.answer()
        child.send("open")
        child.answer()

        def ours(count: int) -> list[int]:
            child.send(count)
            return list(child.answer())

        def theirs(count: int) -> list[int]:
            assert bare.stdin and bare.stdout
            print(count, file=bare.stdin, flush=True)
            return list(map(int, bare.stdout.readline().strip("[]\n").split(",")))

        theirs(job.warmup)
        asks: dict[Any, Any] = {"ours": ours, "bare": theirs}
        blocks = take_turns(asks, calls)
        child.send(None)
        child.answer()
        bare.terminate()
    medians = {who: statistics.median(itertools.chain(*rounds)) / 1e6 for who, rounds in blocks.items()}
    return medians["ours"], medians["bare"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def run_job(job: Any, label: str) -> Any:
            with Child(job, folder / "log", 600.0) as child:
                return child.answer()

        finder = Finder(Settings(folder, cache_folder()), run_job)
        for precision, backend in trials.CELLS:
            (cell,) = matrix("yolo26n-digits", precision, backend, imgsz=256)
            inputs = finder.inputs(Suite("bare", "digits", [cell]), Path(), cell)
            images = inputs.data.images[:IMAGES]
            job = TimeJob(cell, inputs.artifact, images, str(inputs.pixels), Decoding(), options.threads, 10)
            with MachineLock().timed():
                rounds = [measured(job, folder, options.calls) for _ in range(options.rounds)]
            ratios = sorted(ours / bare for ours, bare in rounds)
            print(f"{cell}: bare {statistics.median(bare for _, bare in rounds):.2f} ms, quantgate / bare "
                  f"{statistics.median(ratios):.3f} ({ratios[0]:.3f} – {ratios[-1]:.3f})", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
