"""What a run and the commands print, drawn with rich."""
