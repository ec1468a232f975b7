"""From network input to detections, and what each task adds; the same for every backend."""
