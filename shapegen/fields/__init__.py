"""Fields over space and their models."""
