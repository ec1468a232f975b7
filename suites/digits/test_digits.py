"""The bundled suite: a small YOLO26n on handwritten digits. It needs no network and no other file.

`pytest suites/digits -n auto` quantizes the model for every runtime that is installed, scores each cell and compares it
with the committed baselines. `README.md` beside this file says how the task and the model were made.
"""

from harness import Gate, Model, Qat, Suite, matrix

CPU = ["onnxruntime", "openvino", "litert"]

SUITE = Suite(
    name="digits",
    dataset="digits",
    cells=matrix(
        models=Model("yolo26n-digits", qat=Qat(checkpoint="yolo26n-digits-qat")),
        precisions=["fp32", "bf16", "fp16", "int8", "int8-dynamic", "int8-qat"],
        backends=["torch", *CPU, "tensorrt"],
        imgsz=256,
    ),
    threads=1,
    gates=[
        Gate("map", max_drop=0.005),
        Gate("map", max_drop=0.02, against="fp32"),
        Gate("size_bytes", max_rise=0.01),
        # Without PyTorch, whose file also holds generated code.
        Gate("size_bytes", max_ratio=0.5, against="fp32", precisions=["int8", "int8-qat"], backends=CPU),
        Gate("latency", max_ratio=0.95, against="fp32", precisions=["int8"]),
        # Against the baseline, by CPU time of fresh processes. On three runtimes only, since every cell takes seconds.
        Gate("latency", max_rise=0.05, precisions=["fp32", "int8"], backends=CPU),
        Gate("attested_share", min=0.65, precisions=["int8", "int8-qat"]),
        Gate("attested_share", min=0.99, precisions=["fp32", "bf16", "fp16"]),
    ],
)
