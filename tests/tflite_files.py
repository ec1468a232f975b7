"""Writes `.tflite` files for the tests of LiteRT, in a process of its own: `python tflite_files.py tiny|digits FOLDER`.

`tiny`: one convolution whose output has the shape of a raw YOLO's, as people have such files from elsewhere.
`digits`: the bundled model by quantgate's recipes, and what PyTorch says about the same images (`truth.npz`).
"""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

SIDE = 32  # image of the tiny models, pixels
CLASSES = 2
ANCHORS = 16
SIZE = 256  # image of the digits, pixels
MACS = (4 + CLASSES) * 8 * 8 * 3 * ANCHORS  # of the tiny models' convolution
IMAGE = np.random.default_rng(0).random((1, 3, SIDE, SIDE), np.float32)


def tiny(folder: Path) -> None:
    import litert_torch
    import torch
    from ai_edge_quantizer import qtyping, quantizer, recipe

    class Raw(torch.nn.Module):
        """[1, 4 + C, anchors]: a box and class scores per patch of 8 × 8 pixels, all in (0, 1) times `unit`."""

        def __init__(self, unit: float) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.convolution = torch.nn.Conv2d(3, 4 + CLASSES, 8, stride=8)
            self.scale = torch.tensor([unit] * 4 + [1.0] * CLASSES)[None, :, None]

        def forward(self, images: Any) -> Any:
            return torch.sigmoid(self.convolution(images).flatten(2)) * self.scale

    image = torch.from_numpy(IMAGE)
    in_pixels, in_units = Raw(SIDE).eval(), Raw(1).eval()
    np.save(folder / "truth.npy", in_pixels(image).detach().numpy())
    litert_torch.convert(in_pixels, (image,)).export(str(folder / "pixels.tflite"))
    litert_torch.convert(in_units, (image,)).export(str(folder / "fp32.tflite"))
    last = litert_torch.to_channel_last_io(in_units, args=[0])
    litert_torch.convert(last, (image.permute(0, 2, 3, 1).contiguous(),)).export(str(folder / "nhwc.tflite"))

    def quantized(name: str, rules: Any, source: str = "fp32", unsigned: bool = False, half: bool = False) -> None:
        ops = qtyping.TFLOperationName
        making = quantizer.Quantizer(str(folder / f"{source}.tflite"), rules)
        if unsigned:
            byte = qtyping.TensorQuantizationConfig(8, symmetric=False, dtype=qtyping.TensorDataType.UINT)
            config = qtyping.OpQuantizationConfig(
                byte, qtyping.TensorQuantizationConfig(8), qtyping.ComputePrecision.INTEGER
            )
            for op in (ops.INPUT, ops.OUTPUT):
                making.update_quantization_recipe(".*", op, config)
        if half:
            making.add_weight_only_config(
                ".*", ops.ALL_SUPPORTED, 16, algorithm_key=quantizer.AlgorithmName.FLOAT_CASTING
            )
        given = IMAGE.transpose(0, 2, 3, 1) if source == "nhwc" else IMAGE
        ranges = making.calibrate({"serving_default": [{"args_0": given}]}, num_threads=1)
        making.quantize(ranges).export_model(str(folder / f"{name}.tflite"))

    quantized("int8", recipe.static_wi8_ai8())  # full integer: bytes in, bytes out
    quantized("int8-nhwc", recipe.static_wi8_ai8(), source="nhwc")
    quantized("uint8", recipe.static_wi8_ai8(), unsigned=True)
    quantized("w8a16", recipe.static_wi8_ai16())
    quantized("int8-dynamic", recipe.dynamic_wi8_afp32())
    quantized("w8", recipe.weight_only_wi8_afp32())
    quantized("fp16", None, half=True)
    (folder / "named.tflite").write_bytes((folder / "fp32.tflite").read_bytes())
    with zipfile.ZipFile(folder / "named.tflite", "a") as archive:
        archive.writestr("metadata.json", json.dumps({"names": {"10": "k", "2": "c"}}))


def digits(folder: Path) -> None:
    import cv2
    import torch

    from harness.inputs.sources import BUNDLED_DATA, BUNDLED_WEIGHTS
    from harness.recipes import export
    from harness.recipes.base import BuildInputs
    from harness.recipes.registry import RECIPES, SOURCES
    from harness.tasks.preprocess import letterbox, normalize

    torch.set_num_threads(1)
    pictures = sorted((BUNDLED_DATA["digits"] / "images" / "calibration").iterdir())[:12]
    pixels = np.stack([letterbox(cv2.imread(str(path)), (SIZE, SIZE)) for path in pictures])
    np.save(folder / "calibration.npy", pixels[:8])
    weights = BUNDLED_WEIGHTS["yolo26n-digits"]
    given = BuildInputs(weights, weights, (SIZE, SIZE), 1, False, folder / "calibration.npy")
    images = normalize(pixels[8:])
    with torch.inference_mode():
        module = export.fused(given)[0]
        truth = np.concatenate([module(torch.from_numpy(image[None])).numpy() for image in images])
    np.savez(folder / "truth.npz", images=images, outputs=truth)
    made = {"source": SOURCES["tflite"]} | {p: RECIPES["litert", p] for p in ("fp16", "int8", "int8-dynamic", "w8a16")}
    for name, made_by in made.items():
        source = weights if name == "source" else folder / "source" / "model.tflite"
        (folder / name).mkdir()
        meta = made_by.run(BuildInputs(weights, source, (SIZE, SIZE), 1, False, given.calibration), folder / name)
        (folder / name / "meta.json").write_text(json.dumps(meta))


if __name__ == "__main__":
    {"tiny": tiny, "digits": digits}[sys.argv[1]](Path(sys.argv[2]))
