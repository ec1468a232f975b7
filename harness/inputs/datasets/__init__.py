"""YOLO YAML or COCO JSON become images and ground truth."""
