"""yolo26n and yolo11n on real COCO images: the suite to copy for a detector of your own.

Weights and images are found by name (`--qg-weights-dir`, `--qg-data-dir`, or Ultralytics' download).
"""

from harness import Gate, Suite, matrix

SUITE = Suite(
    name="coco",
    dataset=["coco256", "coco128"],
    cells=matrix(
        models=["yolo26n.pt", "yolo11n.pt"],
        precisions=["fp32", "bf16", "fp16", "int8", "int8-dynamic"],
        backends=["torch", "onnxruntime", "openvino", "litert", "tensorrt"],
        imgsz=640,
    ),
    gates=[
        Gate("map", max_drop=0.002),
        # 128 images cannot tell a drop below about 0.01 from chance (docs/accuracy.md): these limits lie well above.
        Gate("map", max_drop=0.03, against="fp32", precisions=["int8", "fp16", "bf16"]),
        Gate("map", max_drop=0.06, against="fp32", precisions=["int8-dynamic"]),
        Gate("size_bytes", max_rise=0.01),
        # Without PyTorch, whose file also holds generated code.
        Gate("size_bytes", max_ratio=0.5, against="fp32", precisions=["int8"], backends=["openvino", "litert"]),
        Gate("attested_share", min=0.65, precisions=["int8"], backends=["torch", "openvino", "litert", "tensorrt"]),
        # ONNX Runtime's recipe leaves the head in float: up to half of a small model (docs/recipes.md has a table).
        Gate("size_bytes", max_ratio=0.65, against="fp32", precisions=["int8"], backends=["onnxruntime"]),
        Gate("attested_share", min=0.4, precisions=["int8"], backends=["onnxruntime"]),
        Gate("latency", max_ratio=0.95, against="fp32", precisions=["int8"]),
    ],
)
