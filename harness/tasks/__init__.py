"""From the network's input to detections, and what each task adds. Every backend shares this code."""
