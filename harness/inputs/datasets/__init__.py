"""Reads data sets, as YOLO YAML or COCO JSON, into images and ground truth."""
