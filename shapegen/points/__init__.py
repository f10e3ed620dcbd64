"""Point clouds and their models."""
