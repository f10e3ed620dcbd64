"""One file writer and reader per format."""
