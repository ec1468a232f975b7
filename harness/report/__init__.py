"""What a person sees of a run: a medium is one file or folder, and knows no other medium."""
