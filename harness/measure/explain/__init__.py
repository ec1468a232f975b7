"""Where accuracy went: stages, kinds of error, layers."""
