"""Read shapes from any supported file."""

from __future__ import annotations

from pathlib import Path

from shapegen.data.id_lists import read_listed
from shapegen.data.importing import MESH_EXTENSIONS, import_file
from shapegen.fields.files import holds_voxels, read_voxels
from shapegen.fields.voxels import Voxels
from shapegen.formats.compressed import existing
from shapegen.graphs.files import graph_files, read_graphs
from shapegen.graphs.graphs import Graphs
from shapegen.images.files import READ_EXTENSIONS as IMAGE_EXTENSIONS
from shapegen.images.files import holds_images, read_images
from shapegen.images.images import Images
from shapegen.images.pair_files import holds_pairs, read_pairs
from shapegen.images.pairs import ImageDomains, ImagePairs
from shapegen.images.render_files import holds_renders, read_renders
from shapegen.images.renders import Renders
from shapegen.points.files import OWN_EXTENSIONS, point_cloud_files, read_point_clouds
from shapegen.points.point_clouds import PointClouds
from shapegen.points.shapenet import pc15k_folder
from shapegen.structures.files import (
    JSON_EXTENSIONS,
    READ_EXTENSIONS,
    extension_of,
    is_shapes_name,
    part_tree_files,
    read_part_trees,
)
from shapegen.structures.part_tree import PartTrees
from shapegen.structures.repair import RepairReport

Read = PartTrees | PointClouds | Voxels | Images | Renders | ImagePairs | ImageDomains | Graphs


def read(path: str | Path) -> Read:
    """Read shapes from a file or a folder of files; what it holds says of which kind they are.

    Bad boxes are mended by the rules of :mod:`shapegen.structures.repair` and warned of; for the
    counts, other rules, or to go on past unreadable shapes, call
    :func:`shapegen.structures.files.read_part_trees`.

    Args:
        path: Part trees (``.json``, ``.jsonl``, plain or ``.gz``, ``.npz``, ``.mat``), a mesh
            (``.glb``, ``.obj``, ``.ply``, ``.stl``), each of whose nodes becomes a box, or a
            folder of files of one kind. A ``.glb`` of ours gives its part trees back. A ``.txt``
            lists ids: the shapes on it are read (:mod:`shapegen.data.id_lists`). Point clouds
            (``.npz`` with ``points``, ``.npy`` but of pictures, ``.xyz``, ``.h5``, ``.ply`` or
            ``.glb`` without triangles, ``.txt`` with a point a line) as in
            :func:`shapegen.points.files.read_point_clouds`. Voxels (``.npz`` with ``occupancy``)
            as in :func:`shapegen.fields.files.read_voxels`. Graphs (node-link ``.json`` and
            ``.jsonl``, ``.npz``, ``.graphml``, ``.edgelist``) as in
            :func:`shapegen.graphs.files.read_graphs`. Images (MNIST's idx,
            ``.npz`` with ``images``, ``.png``, ``.jpg``, ``.npy`` of bytes) as in
            :func:`shapegen.images.files.read_images`; with ``poses`` and ``fov`` they are
            renders. Pairs of images, or two sets of them (folders with ``A`` and ``B``, ``.npz``
            with ``source`` and ``target``) as in :func:`shapegen.images.pair_files.read_pairs`.

    Raises:
        FileNotFoundError: There is nothing at ``path``; the message names the nearest file.
        ValueError: The kind is not read, or the content is malformed; in one line.
    """
    if pc15k_folder(path) is not None or _holds_clouds(existing(path)):
        return read_point_clouds(path)
    if holds_voxels(Path(path)):
        return read_voxels(path)
    if graph_files(path):
        return read_graphs(path)
    path = Path(path)
    if holds_pairs(path):
        return read_pairs(path)
    if holds_renders(path):
        return read_renders(path)
    if path.is_file() and holds_images(path):
        return read_images(path)
    if path.is_dir():
        meshes = sorted(
            p
            for p in path.iterdir()
            if extension_of(p) in MESH_EXTENSIONS and is_shapes_name(p.name)
        )
        try:
            part_tree_files(path)
        except ValueError:
            if not meshes and holds_images(path):
                return read_images(path)
            if not meshes:
                raise
            return PartTrees([tree for mesh in meshes for tree in import_file(mesh)])
        return _read_part_trees(path)
    extension = extension_of(path)
    if extension in MESH_EXTENSIONS:
        return import_file(path)
    if extension == ".txt":
        report = RepairReport()
        listed = read_listed(path, report=report)
        report.warn(path, stacklevel=2)
        return listed
    if extension not in READ_EXTENSIONS:
        kinds = (*READ_EXTENSIONS, *MESH_EXTENSIONS, *OWN_EXTENSIONS, *IMAGE_EXTENSIONS)
        accepted = ", ".join(dict.fromkeys(kinds))
        raise ValueError(
            f"{path}: shapes are read from {accepted}; got {extension or 'no extension'}"
        )
    return _read_part_trees(path)


def _holds_clouds(path: Path) -> bool:
    """Whether point clouds are to be read; a folder with part trees in JSON holds those."""
    if path.is_dir() and any(
        extension_of(file) in JSON_EXTENSIONS and is_shapes_name(file.name)
        for file in path.iterdir()
    ):
        return False
    return bool(point_cloud_files(path))


def _read_part_trees(path: Path) -> PartTrees:
    report = RepairReport()
    trees = read_part_trees(path, report=report)
    # The caller of read is to see the line, not read itself.
    report.warn(path, stacklevel=3)
    return trees
