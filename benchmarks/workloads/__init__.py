"""One file a workload: a docstring of one line, and ``prepare(device) -> Workload``."""
