"""Instance segmentation and pose on the bundled digits. quantgate reads the task from the model.

`map` is mask mAP for a segmentation model and OKS mAP for a pose model; `box_map` is mAP of the boxes. The models are
narrow and briefly trained (`suites/digits/make.py tasks`): they are here to be quantized, not to be good.
"""

from harness import Gate, Suite, matrix

SUITE = Suite(
    name="tasks",
    dataset="digits",
    cells=matrix(
        models=["yolo26-seg-digits", "yolo26-pose-digits"],
        precisions=["fp32", "int8"],
        backends=["torch", "onnxruntime", "openvino", "litert", "tensorrt"],
        imgsz=256,
    ),
    threads=1,
    gates=[
        Gate("map", max_drop=0.01),
        Gate("map", max_drop=0.03, against="fp32"),
        Gate("box_map", max_drop=0.03, against="fp32"),
    ],
)
