"""The card of an exported artifact as a README for people, with code that loads the file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from harness.core.cell import Cell
from harness.core.metrics import METRICS
from harness.report.common.numbers import quantity

LOADING = {
    "onnxruntime": """import onnxruntime

session = onnxruntime.InferenceSession("{entry}", providers=["CPUExecutionProvider"])
outputs = session.run(None, {{session.get_inputs()[0].name: batch}})""",
    "openvino": """import openvino

model = openvino.Core().compile_model("{entry}", "CPU", {{"INFERENCE_PRECISION_HINT": "{hint}"}})
outputs = list(model(batch).values())""",
    "litert": """from ai_edge_litert.interpreter import Interpreter

interpreter = Interpreter("{entry}")
interpreter.allocate_tensors()
(given,) = interpreter.get_input_details()
if given["shape"][-1] == 3:
    batch = np.ascontiguousarray(batch.transpose(0, 2, 3, 1))
interpreter.set_tensor(given["index"], batch.astype(given["dtype"]))  # an int8 input wants given["quantization"] too
interpreter.invoke()
outputs = [interpreter.get_tensor(one["index"]) for one in interpreter.get_output_details()]""",
    "torch": """import torch
import ultralytics  # the classes of the module

module = torch.load("{entry}", weights_only=False).eval()
with torch.inference_mode():
    outputs = module(torch.from_numpy(batch))""",
    ".pt2": """import torch
from torch._inductor import aoti_load_package

outputs = aoti_load_package("{entry}")(torch.from_numpy(batch))""",
    "tensorrt": """import tensorrt  # an engine runs on the GPU and the version that it was built with

runtime = tensorrt.Runtime(tensorrt.Logger())
engine = runtime.deserialize_cuda_engine(open("{entry}", "rb").read())""",
    "null": """import json

script = json.load(open("{entry}"))""",
}
"""The code that loads a file and calls it: by backend, or by the ending of a file that is loaded in its own way."""

OTHER = "# {entry} is loaded by {backend}, whose backend comes from another package than quantgate"
"""What stands in the place of `LOADING` for a backend that does not ship with quantgate."""


def readme(known: Mapping[str, Any], cell: Cell) -> str:
    """The Markdown of a card that `model_card.card` has made."""
    return "\n".join(_lines(known, cell))


def _lines(known: Mapping[str, Any], cell: Cell) -> Iterator[str]:
    yield f"# {known['cell']}\n"
    yield f"Exported by quantgate {known['quantgate']} from suite `{known['suite']}`. For programs: `card.json`.\n"
    yield from _table("", "", _facts(known))
    yield from ("", "## Load\n", "```python", "import numpy as np\n")
    yield f"batch = np.zeros({tuple(known['input']['shape'])}, np.float32)  # your images"
    loading = LOADING.get(PurePath(known["entry"]).suffix) or LOADING.get(cell.backend, OTHER)
    yield loading.format(entry=known["entry"], backend=cell.backend, hint="bf16" if cell.family == "bf16" else "f32")
    yield from ("```", "")
    yield from _input(known["input"])
    output, decoding = known["output"], known["decoding"]
    yield f"Output {output['index']}: {output['meaning']}\n"
    yield f"Scored with conf {decoding['conf']:g}, iou {decoding['iou']:g}, max_det {decoding['max_det']}."
    yield f"A deployed detector reports scores above {decoding['operating_conf']:g}.\n"
    yield f"Classes, by number: {', '.join(known['names'])}\n"
    yield "## Measured\n"
    if known["metrics"]:
        yield from _table("metric", "value", {name: _value(name, value) for name, value in known["metrics"].items()})
        yield ""
    yield f"{known['metrics_note']}\n"


def _facts(known: Mapping[str, Any]) -> dict[str, str]:
    recipe, calibration = known["recipe"], known["calibration"]
    params = f" with {_json(recipe['params'])}" if recipe["params"] else ""
    facts = {
        "key": f"`{known['key']}`",
        "files": ", ".join(f"`{name}`" for name in known["files"]),
        "size": quantity("size_bytes", known["size_bytes"]),
        "weights": f"sha256 `{known['weights']}…`",
        "recipe": f"`{recipe['build']}`{params}, stored {recipe['stored']}, executes {recipe['executes']}",
        "versions": ", ".join(f"{name} {version}" for name, version in known["versions"].items()),
    }
    if calibration:
        facts["calibration"] = f"{calibration['images']} images of {calibration['dataset']}, `{calibration['digest']}`"
    if known["training"]:
        facts["training"] = _json(known["training"])
    return facts


def _input(given: Mapping[str, Any]) -> Iterator[str]:
    count, channels, height, width = given["shape"]
    low, high = given["range"]
    pad = given["letterbox"]["pad"]
    yield f"Input: {given['type']} [{count}, {channels}, {height}, {width}], {given['colour']}, values {low} to {high}."
    yield f"Letterbox: scale the longer side to {width} px (bilinear), centre it, pad with {pad}.\n"


def _table(left: str, right: str, rows: Mapping[str, str]) -> Iterator[str]:
    yield from (f"| {left} | {right} |", "|---|---|")
    yield from (f"| {name} | {value} |" for name, value in rows.items() if value)


def _value(name: str, value: float | None) -> str:
    """A metric with its unit; empty where the value is None."""
    if value is None:
        return ""
    shown = f"{value:,}" if isinstance(value, int) else f"{value:.5g}"
    return f"{shown} {METRICS[name].unit}".strip()


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
