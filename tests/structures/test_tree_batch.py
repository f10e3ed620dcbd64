"""A batch must say of every node what its own tree says."""

import itertools

import numpy as np
import pytest
import torch

from shapegen.structures.part_tree import PartTree, Relation, RelationKind
from shapegen.structures.tree_batch import KIND_NUMBER, TreeBatch
from shapegen.structures.vocabulary import Vocabulary


def random_tree(seed: int, nodes: int) -> PartTree:
    rng = np.random.default_rng(seed)
    parent = [-1]
    path = [0]  # the nodes from the root to the newest one: depth-first order
    for node in range(1, nodes):
        path = path[: int(rng.integers(1, len(path) + 1))]
        parent.append(path[-1])
        path.append(node)
    box = np.concatenate(
        [rng.normal(size=(nodes, 6)), np.tile(np.eye(3)[:2].ravel(), (nodes, 1))], 1
    )
    siblings = [(a, b) for a in range(1, nodes) for b in range(1, a) if parent[a] == parent[b]]
    edges = [
        Relation(RelationKind.TRANS_SYM, a, b, tuple(rng.normal(size=3).tolist()))
        for a, b in siblings
    ]
    label = ["root"] + ["root/" + "ab"[int(rng.integers(2))] for _ in range(nodes - 1)]
    return PartTree(box, np.array(parent), tuple(label), tuple(edges))


@pytest.fixture
def trees() -> list[PartTree]:
    return [random_tree(seed, nodes) for seed, nodes in enumerate([1, 7, 12, 3, 20])]


def test_every_node_keeps_its_box_parent_label_and_slot(trees: list[PartTree]) -> None:
    vocabulary = Vocabulary(("root", "root/a", "root/b"))
    batch = TreeBatch.from_trees(trees, vocabulary=vocabulary)
    assert sorted(zip(batch.shape.tolist(), batch.node.tolist(), strict=True)) == [
        (shape, node) for shape, tree in enumerate(trees) for node in range(len(tree))
    ]
    for row in range(len(batch.box)):
        tree, node = trees[batch.shape[row]], int(batch.node[row])
        np.testing.assert_allclose(batch.box[row], tree.box[node], rtol=1e-6)
        assert batch.label[row] == vocabulary.index(tree.label[node])
        assert batch.num_children[row] == len(tree.children[node])
        parent = int(batch.parent[row])
        if node == 0:
            assert (parent, int(batch.slot[row])) == (-1, 0)
            continue
        assert batch.node[parent] == tree.parent[node]
        assert batch.shape[parent] == batch.shape[row]
        assert tree.children[tree.parent[node]][batch.slot[row]] == node


def test_levels_put_children_right_before_their_parents(trees: list[PartTree]) -> None:
    batch = TreeBatch.from_trees(trees)
    levels = batch.levels()
    assert levels[-1].stop == len(batch.box)
    assert (batch.parent[levels[-1]] == -1).all()
    for below, above in itertools.pairwise(levels):
        parents = batch.parent[below]
        assert ((parents >= above.start) & (parents < above.stop)).all()


def test_relations_link_the_same_parts(trees: list[PartTree]) -> None:
    batch = TreeBatch.from_trees(trees)
    listed = [(shape, edge) for shape, tree in enumerate(trees) for edge in tree.edges]
    assert len(listed) == batch.edge_index.shape[1] > 10
    for column, (shape, edge) in enumerate(listed):
        a, b = batch.edge_index[:, column]
        assert (batch.node[a], batch.node[b]) == (edge.a, edge.b)
        assert batch.shape[a] == batch.shape[b] == shape
        assert batch.edge_kind[column] == KIND_NUMBER[edge.kind]
        torch.testing.assert_close(batch.edge_params[column, :3], torch.tensor(edge.params))


def test_unknown_label_and_empty_batch_are_refused(trees: list[PartTree]) -> None:
    with pytest.raises(ValueError, match="label"):
        TreeBatch.from_trees(trees, vocabulary=Vocabulary(("root", "root/a")))
    with pytest.raises(ValueError, match="at least one"):
        TreeBatch.from_trees([])
