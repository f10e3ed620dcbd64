"""Images: the container, and the 2D baselines, one file a paper."""
