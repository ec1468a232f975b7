"""int8 recipes side by side: quantgate's own, other calibration methods, and the int8 of Ultralytics' exporter.

`harness/recipes/RECIPES.md` says how quantgate's recipes were chosen. Weights and images are found by name, as in
`suites/coco`.
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
        # The suite compares recipes and promises nothing: its gates check that each makes a detector and a small file.
        Gate("map", max_drop=0.1, against="fp32"),
        Gate("size_bytes", max_ratio=0.5, against="fp32"),
    ],
)
