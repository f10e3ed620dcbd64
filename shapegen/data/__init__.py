"""Data sets: readers of real ones, and procedural ones that need no download."""
