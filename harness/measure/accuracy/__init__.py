"""From images to detections, and from detections to COCO's numbers."""
