"""Files of graphs: which are, and how they are read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from shapegen.formats.compressed import existing, read_bytes, read_lines
from shapegen.formats.npz import array_shapes, read_arrays
from shapegen.graphs.conversion import checked_edges, named
from shapegen.graphs.graphs import Graphs

LINK_EXTENSIONS = (".json", ".jsonl")
"""Node-link JSON, one graph or a graph a line; part trees have the same extensions."""
NETWORKX_EXTENSIONS = (".graphml", ".edgelist")
READ_EXTENSIONS = (*LINK_EXTENSIONS, ".npz", *NETWORKX_EXTENSIONS)
ARRAYS = ("sizes", "edges", "edge_counts")
"""Arrays of an archive of graphs."""

_MAX_LINE = 2**28
_HEAD = 2**20
"""Bytes of a JSON file in which the nodes of its first graph begin."""


def read_graphs(path: str | Path) -> Graphs:
    """Read graphs from any file that holds them.

    Args:
        path: Node-link JSON of networkx (``.json`` one graph, ``.jsonl`` one a line), ``.npz``
            (``sizes`` and ``edge_counts (graphs,)``, ``edges (edges of all, 2)`` and, if there,
            ``ids``), ``.graphml``, ``.edgelist`` (two names a line), or a folder of files of one
            kind, in the order of names. Nodes are numbered in the file's order.

    Raises:
        FileNotFoundError: There is nothing at ``path``.
        ValueError: No file of graphs, damaged, or a graph that is directed, empty, has loops or
            multiple edges.
    """
    path = existing(path)
    files = graph_files(path)
    if not files:
        raise ValueError(
            f"{path} holds no graphs; accepted are {', '.join(READ_EXTENSIONS)} and folders of "
            "them"
        )
    return Graphs.join([_read_file(file) for file in files])


def graph_files(path: str | Path) -> list[Path]:
    """The files that :func:`read_graphs` reads for ``path``; none if it holds no graphs.

    In a folder these are the files of the first kind whose first file holds graphs.
    """
    path = existing(path)
    if not path.is_dir():
        return [path] if holds_graphs(path) else []
    files = sorted(each for each in path.iterdir() if each.is_file())
    for extension in READ_EXTENSIONS:
        kind = [file for file in files if file.suffix.lower() == extension]
        kind = [file for file in kind if file.name != "manifest.json"]
        if kind and holds_graphs(kind[0]):
            return kind
    return []


def holds_graphs(path: Path) -> bool:
    """Whether a file holds graphs, by its kind or, where that does not say, by its content."""
    extension = path.suffix.lower()
    if extension == ".npz":
        return set(ARRAYS) <= array_shapes(path).keys()
    if extension in LINK_EXTENSIONS:
        return _begins_with_graph(path)
    return extension in NETWORKX_EXTENSIONS


def _read_file(path: Path) -> Graphs:
    extension = path.suffix.lower()
    if extension == ".npz":
        return _archive(path)
    if extension in LINK_EXTENSIONS:
        found = [_linked(entry, where) for entry, where in _entries(path)]
        if not found:
            raise ValueError(f"{path} holds no graphs")
        return Graphs.join(found)
    return _by_networkx(path, extension)


def _archive(path: Path) -> Graphs:
    arrays = read_arrays(path, names=(*ARRAYS, "ids"))
    sizes, pairs, counts = (arrays[name] for name in ARRAYS)
    whole = all(array.dtype.kind in "iu" for array in (sizes, pairs, counts))
    if (
        not (whole and sizes.ndim == counts.ndim == 1 and pairs.ndim == 2)
        or pairs.shape[1] != 2
        or len(sizes) != len(counts)
        or (len(counts) and counts.min() < 0)
        or counts.sum() != len(pairs)
    ):
        raise ValueError(
            f"{path}: sizes and edge_counts must be (graphs,), edges (sum of edge_counts, 2), of "
            f"whole numbers; got {sizes.shape}, {counts.shape}, {pairs.shape}"
        )
    try:
        names = named(arrays["ids"].reshape(-1).tolist(), len(sizes)) if "ids" in arrays else []
        return Graphs(sizes.tolist(), np.split(pairs, np.cumsum(counts)[:-1]), names)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _begins_with_graph(path: Path) -> bool:
    with path.open("rb") as file:
        # Other files in JSON, which may be large, are told without being parsed.
        if b'"nodes"' not in file.read(_HEAD):
            return False
    try:
        entry, _ = next(_entries(path))
    except (StopIteration, ValueError):
        return False
    return isinstance(entry, dict) and "nodes" in entry and ("edges" in entry or "links" in entry)


def _entries(path: Path) -> Iterator[tuple[Any, str]]:
    """JSON values of a file with the place of each, for messages."""
    if path.suffix.lower() == ".json":
        yield _parsed(read_bytes(path, limit=_MAX_LINE), str(path)), str(path)
        return
    for number, line in enumerate(read_lines(path, longest=_MAX_LINE), start=1):
        if line.strip():
            yield _parsed(line, f"{path}, line {number}"), f"{path}, line {number}"


def _parsed(text: bytes, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{where}: not JSON ({error})") from None


def _linked(entry: Any, where: str) -> Graphs:
    """A graph of networkx's node-link data; older versions call the edges links."""
    if not isinstance(entry, dict) or "nodes" not in entry:
        raise ValueError(f"{where}: node-link data has nodes and edges")
    for key in ("directed", "multigraph"):
        if entry.get(key):
            raise ValueError(f"{where}: the graph is {key}; a simple undirected one is due")
    try:
        number = {node["id"]: place for place, node in enumerate(entry["nodes"])}
        links = entry["edges"] if "edges" in entry else entry["links"]
        pairs = [(number[link["source"]], number[link["target"]]) for link in links]
        name = str((entry.get("graph") or {}).get("name", ""))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{where}: nodes need an id, edges the source and target of two nodes "
            f"({type(error).__name__}: {error})"
        ) from None
    if len(number) != len(entry["nodes"]):
        raise ValueError(f"{where}: two nodes have the same id")
    return Graphs([len(number)], [checked_edges(len(number), pairs, where)], [name])


def _by_networkx(path: Path, extension: str) -> Graphs:
    import networkx

    text = read_bytes(path, limit=_MAX_LINE).decode("utf-8", errors="replace")
    try:
        if extension == ".graphml":
            graph = networkx.parse_graphml(text)
        else:
            graph = networkx.parse_edgelist(text.splitlines(), data=False)
    # On damaged text the parsers raise a dozen types (XML's, Key, Type, ...).
    except Exception as error:
        raise ValueError(
            f"{path}: damaged or cut off ({type(error).__name__}: {' '.join(str(error).split())})"
        ) from None
    if not graph.name:
        graph.name = path.stem
    try:
        return Graphs.of(graph)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
