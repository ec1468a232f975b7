"""Where accuracy was lost: pipeline stages, kinds of error, layers."""
