"""Graphs as scenes: nodes as points, edges as thin boxes, laid out by springs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from shapegen.core.grid import grid_offsets
from shapegen.graphs.conversion import Edges
from shapegen.scene import Boxes, Colour, Node, Scene

if TYPE_CHECKING:
    from shapegen.graphs.graphs import Graphs

NODE_COLOR: Colour = (0.85, 0.37, 0.28)
EDGE_COLOR: Colour = (0.42, 0.46, 0.52)
ITERATIONS = 60
"""Of the springs."""
_JITTER = 1e-2

Float = NDArray[np.float64]


def graphs_scene(graphs: Graphs, *, columns: int | None = None) -> Scene:
    """Lower graphs to cubes for nodes and thin boxes for edges, in the plane z = 0.

    Every graph fills a square of side 2 about its middle; several stand side by side.

    Args:
        graphs: At least one.
        columns: Graphs in a row; default about 1.6 times as many as rows.

    Raises:
        ValueError: There are no graphs.
    """
    if not len(graphs):
        raise ValueError("a scene needs at least one graph; got none")
    places = [layout(graph) for graph in graphs]
    if len(places) > 1:
        bounds = np.tile(np.array([[-1.0, -1.0, -0.8], [1.0, 1.0, 0.8]]), (len(places), 1, 1))
        moves = grid_offsets(bounds, columns=columns)
        places = [place + move for place, move in zip(places, moves, strict=True)]
    nodes: list[Node] = []
    for number, (place, edges) in enumerate(zip(places, graphs.edges, strict=True), start=1):
        name = "graph" if len(graphs) == 1 else f"graph_{number}"
        own = graphs.names[number - 1]
        group = len(nodes)
        nodes.append(Node(name, extras={"name": own} if own else {}))
        size = _node_size(len(place))
        if len(edges):
            bars = Boxes(_bars(place, edges, 0.3 * size))
            nodes.append(Node(f"{name}_edges", group, bars, EDGE_COLOR))
        nodes.append(Node(f"{name}_nodes", group, Boxes(_cubes(place, size)), NODE_COLOR))
    return Scene(tuple(nodes))


def layout(graph: Any, *, seed: int = 0) -> Float:
    """Places ``(n, 3)`` of a graph's nodes in the square -1 .. 1 of the plane z = 0.

    Springs (Fruchterman and Reingold, 1991) that start from the eigenvectors of the Laplacian:
    from a random start grids and trees stay tangled.

    Args:
        graph: Of networkx.
        seed: Of the small noise that parts nodes with equal entries.
    """
    import networkx

    count = graph.number_of_nodes()
    places = np.zeros((count, 3))
    if count == 1:
        return places
    stream = np.random.default_rng(seed)
    noise = stream.uniform(-_JITTER, _JITTER, (count, 2))
    laplacian = np.diag([float(degree) for _, degree in graph.degree()])
    laplacian -= networkx.to_numpy_array(graph)
    vectors = np.linalg.eigh(laplacian)[1][:, 1:3]
    flat = np.zeros((count, 2))
    flat[:, : vectors.shape[1]] = vectors
    start = _fitted(flat) + noise
    if count > 2:
        found = networkx.spring_layout(
            graph,
            pos=dict(zip(graph, start, strict=True)),
            iterations=ITERATIONS,
            seed=seed,
            method="force",
        )
        start = np.array([found[node] for node in graph])
    places[:, :2] = _fitted(start)
    return places


def _fitted(places: Float) -> Float:
    """Points in the plane, moved and scaled into the square -1 .. 1."""
    low, high = places.min(0), places.max(0)
    return (places - 0.5 * (low + high)) * (2.0 / max(float((high - low).max()), 1e-9))


def _node_size(count: int) -> float:
    """Side of a node's cube: about a fifth of the distance of nodes that fill the square."""
    return float(np.clip(0.4 / np.sqrt(count), 0.02, 0.12))


def _cubes(places: Float, size: float) -> Float:
    boxes = np.zeros((len(places), 12))
    boxes[:, :3], boxes[:, 3:6] = places, size
    boxes[:, 6] = boxes[:, 10] = 1.0
    return boxes


def _bars(places: Float, edges: Edges, width: float) -> Float:
    """Boxes ``(edges, 12)`` along edges, x from one end to the other."""
    start, end = places[edges[:, 0]], places[edges[:, 1]]
    along = end - start
    length = np.linalg.norm(along, axis=1, keepdims=True)
    along = np.where(length > 1e-9, along / np.maximum(length, 1e-9), [1.0, 0.0, 0.0])
    boxes = np.empty((len(edges), 12))
    boxes[:, :3] = 0.5 * (start + end)
    boxes[:, 3:4], boxes[:, 4:6] = np.maximum(length, width), width
    boxes[:, 6:9] = along
    boxes[:, 9:12] = np.stack([-along[:, 1], along[:, 0], along[:, 2]], axis=1)
    return boxes
