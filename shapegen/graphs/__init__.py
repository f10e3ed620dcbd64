"""Graphs: the container, and the models that grow them node by node."""
