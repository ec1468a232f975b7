"""What a cell needs before it runs: weights, images, calibration and the built artifact."""
