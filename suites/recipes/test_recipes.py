"""int8 recipes side by side: ours, other calibration methods, and what Ultralytics' exporter makes.

How ours were chosen is in `harness/recipes/RECIPES.md`. Weights and images are found by name, as in `suites/coco`.
"""

from harness import Gate, Suite, matrix

MODELS = ["yolo26n.pt", "yolo11n.pt"]

SUITE = Suite(
    name="recipes",
    dataset=["coco256", "coco128"],
    cells=matrix(
        MODELS, ["fp32", "int8", "int8:minmax", "int8:entropy", "int8:percentile", "int8:ultralytics"], "onnxruntime"
    )
    + matrix(MODELS, ["fp32", "int8", "int8:ultralytics"], ["openvino", "litert"]),
    gates=[
        # A comparison and no promise: what is gated is that every recipe still makes a detector and a small file.
        Gate("map", max_drop=0.1, against="fp32"),
        Gate("size_bytes", max_ratio=0.5, against="fp32"),
    ],
)
