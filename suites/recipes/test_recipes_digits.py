"""The recipes of `test_recipes.py` on the bundled digits. The suite needs no network and no other file."""

from harness import Gate, Suite, matrix

SUITE = Suite(
    name="recipes-digits",
    dataset="digits",
    cells=matrix(
        "yolo26n-digits",
        ["fp32", "int8", "int8:minmax", "int8:entropy", "int8:percentile", "int8:ultralytics"],
        "onnxruntime",
        imgsz=256,
    )
    + matrix("yolo26n-digits", ["fp32", "int8", "int8:ultralytics"], "openvino", imgsz=256)
    + matrix("yolo26n-digits", ["fp32", "int8", "int8:ultralytics", "w8a16"], "litert", imgsz=256),
    threads=1,
    gates=[
        Gate("map", max_drop=0.15, against="fp32"),  # the int8 of Ultralytics on LiteRT loses 0.10
        Gate("size_bytes", max_ratio=0.5, against="fp32"),
    ],
)
