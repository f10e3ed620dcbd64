"""Files of graphs: what every extension holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from shapegen.formats.atomic import replacing
from shapegen.formats.compressed import write_bytes
from shapegen.formats.folders import write_batch

if TYPE_CHECKING:
    from shapegen.graphs.graphs import Graphs

MANY_EXTENSIONS = (".jsonl", ".npz")
"""Kinds of files that hold any number of graphs."""
ONE_EXTENSIONS = (".json", ".graphml", ".edgelist")
"""Kinds of files that hold one."""
SCENE_EXTENSIONS = (".glb", ".obj", ".ply", ".stl", ".usda", ".png")
WRITE_EXTENSIONS = (*MANY_EXTENSIONS, *ONE_EXTENSIONS, *SCENE_EXTENSIONS)


def write_graphs(graphs: Graphs, path: str | Path, *, extension: str = ".json") -> None:
    """Write graphs; the extension says the format.

    ``.jsonl`` holds networkx's node-link data, a graph a line, ``.json`` that of one graph;
    ``.npz`` ``sizes``, ``edge_counts``, ``edges`` and, where graphs have names, ``ids``;
    ``.graphml`` and ``.edgelist`` one graph, as networkx writes them. ``.glb``, ``.obj``,
    ``.ply``, ``.stl``, ``.usda`` and ``.png`` show the graphs, laid out side by side.

    Args:
        graphs: At least one.
        path: A file, or a folder (no extension, or an existing one): it gets a file a graph,
            ``0000.json``, ``0001.json``, ...
        extension: Kind of the files in a folder.

    Raises:
        ValueError: There are no graphs, the extension is none of these, it holds one graph and
            there are several, or a list of edges is asked of a graph with nodes that have none.
    """
    write_batch(
        graphs, path, _write_file, kinds=WRITE_EXTENSIONS, extension=extension, what="graph"
    )


def _write_file(graphs: Graphs, path: Path, kind: str) -> None:
    if kind in ONE_EXTENSIONS and len(graphs) != 1:
        raise ValueError(
            f"{path}: {kind} holds one graph; got {len(graphs)}: write into a folder, or .jsonl"
        )
    if kind == ".npz":
        from shapegen.formats.npz import write_arrays

        arrays: dict[str, NDArray[Any]] = {
            "sizes": np.array(graphs.sizes),
            "edge_counts": np.array([len(edges) for edges in graphs.edges]),
            "edges": np.concatenate(graphs.edges),
        }
        if any(graphs.names):
            arrays["ids"] = np.array(graphs.names)
        write_arrays(path, arrays)
    elif kind in (".jsonl", ".json"):
        lines = (_node_link(graphs, number) for number in range(len(graphs)))
        write_bytes(path, "".join(f"{line}\n" for line in lines).encode())
    elif kind in ONE_EXTENSIONS:
        _write_by_networkx(graphs, path, kind)
    else:
        from shapegen.formats import write_scene

        write_scene(graphs.to_scene(), path)


def _node_link(graphs: Graphs, number: int) -> str:
    """One graph as networkx's ``node_link_data`` has it."""
    value = {
        "directed": False,
        "multigraph": False,
        "graph": {"name": graphs.names[number]} if graphs.names[number] else {},
        "nodes": [{"id": node} for node in range(graphs.sizes[number])],
        "edges": [{"source": a, "target": b} for a, b in graphs.edges[number].tolist()],
    }
    return json.dumps(value, separators=(",", ":"))


def _write_by_networkx(graphs: Graphs, path: Path, kind: str) -> None:
    import networkx

    if kind == ".edgelist" and not graphs.degrees(0).all():
        raise ValueError(
            f"{path}: node {int(graphs.degrees(0).argmin())} has no edges, and a list of edges "
            "cannot hold it: write .graphml or .jsonl"
        )
    with replacing(path) as aside:
        if kind == ".graphml":
            networkx.write_graphml_xml(graphs[0], aside)
        else:
            networkx.write_edgelist(graphs[0], aside, data=False)
