"""The container of graphs: what it takes, gives, shows, writes and refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import networkx
import numpy as np
import pytest
import torch

import shapegen
from shapegen.graphs.files import read_graphs
from shapegen.graphs.graphs import Graphs
from shapegen.graphs.lowering import layout
from shapegen.scene import Boxes
from tests.graphs.graph_cases import counts, eight


def three() -> Graphs:
    """A path with a node by itself, a cycle, and a single node."""
    return Graphs([4, 5, 1], [[[1, 0], [2, 1]], networkx.cycle_graph(5).edges, []], list("abc"))


def test_edges_are_sorted_whatever_they_were() -> None:
    assert three().edges[0].tolist() == [[0, 1], [1, 2]]
    assert three().edges[1].tolist() == [[0, 1], [0, 4], [1, 2], [2, 3], [3, 4]]
    assert three().edges[2].shape == (0, 2)
    assert shapegen.Graphs is Graphs
    assert repr(three()) == "Graphs(3 of 1 to 5 nodes)"
    assert three().degrees(0).tolist() == [1, 2, 1, 0]
    assert three().adjacency(0).sum() == 4


def test_a_number_gives_a_graph_of_networkx_and_anything_else_a_batch() -> None:
    batch = three()
    one = batch[-2]
    assert type(one) is networkx.Graph
    assert networkx.utils.graphs_equal(one, networkx.Graph(networkx.cycle_graph(5), name="b"))
    assert list(batch[0]) == [0, 1, 2, 3]
    picks: list[Any] = [[2, 1, 0], torch.tensor([2, 1, 0]), np.arange(3)[::-1]]
    for pick in picks:
        assert isinstance(batch[pick], Graphs)
        assert batch[pick].names == ("c", "b", "a")
        assert batch[pick].sizes == (1, 5, 4)
    assert len(batch[:0]) == len(batch[[]]) == 0
    assert [len(graph) for graph in batch] == [4, 5, 1]
    with pytest.raises(IndexError):
        batch[3]


@pytest.mark.parametrize(
    "form",
    [
        lambda batch: batch,
        list,
        lambda batch: batch.to_data(),
        lambda batch: [batch.adjacency(number) for number in range(3)],
        lambda batch: [torch.from_numpy(batch.adjacency(number)).float() for number in range(3)],
        lambda batch: [batch[:1], batch[1], *batch[2:].to_data()],
    ],
)
def test_graphs_are_taken_in_any_form(form: Callable[[Graphs], Any]) -> None:
    taken = Graphs.of(form(three()))
    assert taken.sizes == three().sizes
    assert counts(taken) == counts(three())


def test_data_of_torch_geometric_goes_in_and_out() -> None:
    from torch_geometric.data import Batch

    data = three().to_data()
    assert data[1].num_nodes == 5
    assert data[1].is_undirected()
    assert data[0].edge_index.tolist() == [[0, 1, 1, 2], [1, 2, 0, 1]]
    assert counts(Graphs.of(Batch.from_data_list(data))) == counts(three())
    assert Graphs.of(data[0]).sizes == (4,)
    stacked = Graphs.of(torch.ones(2, 3, 3) - torch.eye(3))
    assert [len(edges) for edges in stacked.edges] == [3, 3]


def test_renumbered_graphs_are_the_same_graphs() -> None:
    orders = [[3, 2, 1, 0], [2, 0, 4, 1, 3], [0]]
    other = three().renumbered(orders)
    assert other.edges[0].tolist() == [[1, 2], [2, 3]]
    for a, b in zip(three(), other, strict=True):
        assert networkx.is_isomorphic(a, b)


def data(edges: list[list[int]], nodes: int = 3) -> Any:
    from torch_geometric.data import Data

    return Data(edge_index=torch.tensor(edges).long().reshape(-1, 2).T, num_nodes=nodes)


@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        (lambda: networkx.DiGraph([(0, 1)]), ValueError, r"graph 0 is directed \(DiGraph\)"),
        (lambda: networkx.MultiGraph([(0, 1)]), ValueError, "graph 0 allows multiple edges"),
        (lambda: networkx.Graph([(0, 1), (1, 1)]), ValueError, "graph 0 has a loop at node 1"),
        (networkx.Graph, ValueError, "graph 0 has no nodes"),
        (lambda: data([[0, 1]]), ValueError, "graph 0 is directed: every edge is due in both"),
        (lambda: data([[0, 1], [1, 0]] * 2), ValueError, "several edges between nodes 0 and 1"),
        (lambda: data([[2, 2]]), ValueError, "graph 0 has a loop at node 2"),
        (lambda: data([[0, 7], [7, 0]]), ValueError, r"must join nodes 0..2; got 0..7"),
        (lambda: data([], 0), ValueError, "graph 0 has no nodes"),
        (lambda: np.ones((2, 3)), ValueError, r"must be \(n, n\); got \(2, 3\)"),
        (lambda: np.full((2, 2), 0.5), ValueError, "must be 0 or 1"),
        (lambda: np.triu(np.ones((3, 3)), 1), ValueError, "graph 0 is directed"),
        (lambda: np.eye(2), ValueError, "has a loop at node 0"),
        (lambda: [networkx.path_graph(2), 3], TypeError, "graph 1 is int"),
        (list, ValueError, "at least one graph is needed; got none"),
        (lambda: "graphs", TypeError, "graphs are needed; got str"),
    ],
)
def test_what_is_no_graph_is_refused(bad: Callable[[], Any], error: type, message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        Graphs.of(bad())
    assert "\n" not in str(caught.value)


def test_bad_parts_are_refused() -> None:
    with pytest.raises(ValueError, match="edges must be one list a graph"):
        Graphs([3, 2], [[]])
    with pytest.raises(ValueError, match="names must be one a graph"):
        Graphs([3], [[]], ["a", "b"])
    with pytest.raises(ValueError, match="several edges between nodes 0 and 1"):
        Graphs([3], [[[0, 1], [1, 0]]])
    with pytest.raises(ValueError, match="order 0 must have each of the nodes"):
        three().renumbered([[0, 0, 1, 2], range(5), [0]])


# Files -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["all.jsonl", "all.npz", "folder", "one"])
def test_graphs_come_back_from_files(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    three().write(path)
    for found in (read_graphs(path), shapegen.read(path)):
        assert isinstance(found, Graphs)
        assert found.sizes == three().sizes
        assert found.names == three().names
        assert all(map(np.array_equal, found.edges, three().edges))


@pytest.mark.parametrize("extension", ["json", "graphml", "edgelist"])
def test_files_of_one_graph_are_networkx_own(extension: str, tmp_path: Path) -> None:
    path = tmp_path / f"cycle.{extension}"
    three()[1:2].write(path)
    if extension == "json":
        import json

        there = networkx.node_link_graph(json.loads(path.read_text()), edges="edges")
    elif extension == "graphml":
        there = networkx.read_graphml(path)
    else:
        there = networkx.read_edgelist(path)
    assert networkx.is_isomorphic(there, three()[1])
    found = shapegen.read(path)
    assert found.sizes == (5,)
    assert found.names == ("b" if extension != "edgelist" else "cycle",)


def test_node_link_files_of_others_are_read(tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text('{"nodes": [{"id": "x"}, {"id": 7}], "links": [{"source": 7, "target": "x"}]}')
    assert read_graphs(path).edges[0].tolist() == [[0, 1]]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.json", '{"nodes": [{"id": 0}], "edges": [{"source": 0, "target": 5}]}', "KeyError: 5"),
        ("a.json", '{"nodes": [{"id": 0}, {"id": 0}], "edges": []}', "two nodes have the same id"),
        ("a.json", '{"nodes": [], "edges": []}', "has no nodes"),
        ("a.json", '{"nodes": [{"id": 0}], "edges": [], "directed": true}', "graph is directed"),
        ("a.jsonl", '{"nodes": [{"id": 0}], "edges": []}\n{"nodes"', "line 2: not JSON"),
        ("a.graphml", "<graphml", "damaged or cut off"),
        ("a.edgelist", "0 0\n", "has a loop at node 0"),
        ("a.edgelist", "", "has no nodes"),
        ("a.npz", "PK", "damaged or cut off"),
        ("a.txt", "0 1", "holds no graphs; accepted are .json"),
    ],
)
def test_bad_files_get_one_line(name: str, text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        read_graphs(tmp_path / name)
    assert str(caught.value).startswith(str(tmp_path / name))
    assert "\n" not in str(caught.value)


def test_an_archive_must_fit_together(tmp_path: Path) -> None:
    arrays = {"sizes": [3, 2], "edges": [[0, 1]], "edge_counts": [1, 1]}
    np.savez(tmp_path / "a.npz", **{name: np.array(value) for name, value in arrays.items()})
    with pytest.raises(ValueError, match=r"a.npz: sizes and edge_counts must be \(graphs,\)"):
        read_graphs(tmp_path / "a.npz")


def test_what_a_file_cannot_hold_is_not_written(tmp_path: Path) -> None:
    for extension in ("json", "graphml", "edgelist"):
        with pytest.raises(ValueError, match="holds one graph; got 3"):
            three().write(tmp_path / f"a.{extension}")
    with pytest.raises(ValueError, match="node 3 has no edges"):
        three()[:1].write(tmp_path / "a.edgelist")
    with pytest.raises(ValueError, match=r"graphs are written as .*; got .txt"):
        three().write(tmp_path / "a.txt")
    with pytest.raises(ValueError, match="at least one graph is needed"):
        three()[:0].write(tmp_path / "a.npz")
    assert list(tmp_path.iterdir()) == []


# Scenes ------------------------------------------------------------------------------------


def test_a_scene_has_a_cube_a_node_and_a_bar_an_edge(tmp_path: Path) -> None:
    scene = three().to_scene()
    names = [node.name for node in scene.nodes]
    assert names[:3] == ["graph_1", "graph_1_edges", "graph_1_nodes"]
    assert names[-2:] == ["graph_3", "graph_3_nodes"]  # no edges, no bars
    assert scene.nodes[0].extras["name"] == "a"
    bars, cubes = (scene.nodes[number].primitive for number in (1, 2))
    assert isinstance(bars, Boxes)
    assert isinstance(cubes, Boxes)
    assert (len(bars.boxes), len(cubes.boxes)) == (2, 4)
    # A bar reaches from one node to the other.
    ends = cubes.boxes[[0, 1], :3]
    np.testing.assert_allclose(bars.boxes[0, :3], ends.mean(0), atol=1e-12)
    np.testing.assert_allclose(bars.boxes[0, 3], np.linalg.norm(ends[1] - ends[0]))
    three()[:1].write(tmp_path / "a.glb")
    three()[1:2].write(tmp_path / "a.png")
    with pytest.raises(ValueError, match="at least one graph"):
        three()[:0].to_scene()


def test_a_layout_is_seeded_and_unfolds_a_grid() -> None:
    grid = Graphs.of(networkx.grid_2d_graph(4, 4))[0]
    places = layout(grid)
    np.testing.assert_array_equal(places, layout(grid))
    assert np.abs(places).max() == pytest.approx(1)
    assert not places[:, 2].any()
    lengths = [np.linalg.norm(places[a] - places[b]) for a, b in grid.edges]
    # Edges of like length: nothing is folded or torn.
    assert max(lengths) < 2.5 * min(lengths)
    assert layout(Graphs([1], [[]])[0]).tolist() == [[0, 0, 0]]
    assert np.ptp(layout(networkx.path_graph(2))[:, :2], axis=0).max() == pytest.approx(2)
    assert len(eight().to_scene().nodes) == 24
