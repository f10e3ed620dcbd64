"""Measured work: ``python -m benchmarks WORKLOAD`` prints a JSON line."""
