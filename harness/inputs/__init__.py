"""What a cell needs before it runs: weights, scored images, calibration images and the built artifact."""
