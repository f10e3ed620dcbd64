"""OBJ files as other programs write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from shapegen.formats import read_mesh
from shapegen.formats.obj_reading import read_obj

POINTS = [(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (0.5, 2, 0)]


def vertices(x: float = 0.0, *, end: str = "\n") -> str:
    return "".join(f"v {a + x} {b} {c}{end}" for a, b, c in POINTS)


def read(path: Path, text: str | bytes) -> list[tuple[str, str, list[list[int]]]]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    _, parts = read_obj(path)
    return [(part.object, part.group, part.faces.tolist()) for part in parts]


def test_faces_count_from_one_or_back(tmp_path: Path) -> None:
    text = f"{vertices()}f 1 2 3\nf -3 -2 -1\n{vertices(2)}f 1/1/1 2//2 3/3\nf -5 -4 -3\n"
    ((_, _, faces),) = read(tmp_path / "a.obj", text)
    assert faces == [[0, 1, 2], [2, 3, 4], [0, 1, 2], [5, 6, 7]]
    # The reader of whole meshes is the same one.
    mesh = read_mesh(tmp_path / "a.obj")
    assert len(mesh.faces) == 4
    np.testing.assert_allclose(mesh.vertices[mesh.faces[3]], np.add(POINTS[:3], [2, 0, 0]))


def test_faces_of_many_corners_are_fans(tmp_path: Path) -> None:
    ((_, _, faces),) = read(tmp_path / "a.obj", vertices() + "f 1 2 3 4\nf 5 4 3 2 1\nf 1 2\n")
    assert faces == [[0, 1, 2], [0, 2, 3], [4, 3, 2], [4, 2, 1], [4, 1, 0]]


def test_objects_and_groups_are_told_apart(tmp_path: Path) -> None:
    text = (
        f"mtllib none.mtl\n{vertices()}g default\no Leg\ng\nf 1 2 3\nusemtl b\nf 2 3 4\n"
        "o Leg\nf 1 2 4\ng top front\nf 1 2 5\ng side\nf 3 4 5\ng top front\nf 2 4 5\n"
        "o Nothing\nl 1 2\np 3\ns off\nvt 0 0\n"
    )
    assert read(tmp_path / "a.obj", text) == [
        ("Leg", "", [[0, 1, 2], [1, 2, 3]]),
        ("Leg", "", [[0, 1, 3]]),
        ("Leg", "top front", [[0, 1, 4], [1, 3, 4]]),
        ("Leg", "side", [[2, 3, 4]]),
    ]
    # Vertices of lines are no part of a mesh.
    assert len(read_mesh(tmp_path / "a.obj").vertices) == 5


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_as_they_like(end: str, tmp_path: Path) -> None:
    text = f"\ufeffo A{end}  {vertices(end=end)}f 1\t2 3{end}\to B {end}f  2 3 4 # face"
    text = text.replace(" # face", "")
    assert read(tmp_path / "a.obj", text) == [("A", "", [[0, 1, 2]]), ("B", "", [[1, 2, 3]])]


def test_lines_may_be_continued(tmp_path: Path) -> None:
    for end in ("\n", "\r\n"):
        text = f"{vertices(end=end)}f 1 2 \\{end} 3{end}"
        assert read(tmp_path / "a.obj", text) == [("", "", [[0, 1, 2]])]


def test_names_are_read_in_any_encoding(tmp_path: Path) -> None:
    for encoding in ("utf-8", "latin-1"):
        text = f"{vertices()}o Fuß a\x85b\nf 1 2 3\n".encode(encoding)
        assert [part[0] for part in read(tmp_path / "a.obj", text)] == ["Fuß a\x85b"]


def test_vertices_may_have_weights_and_colours(tmp_path: Path) -> None:
    (tmp_path / "a.obj").write_text("v 1 2 3 1.0\nv 4 5e0 6 1 0 0\nv 7 8 -9\nf 1 2 3\n")
    np.testing.assert_array_equal(
        read_obj(tmp_path / "a.obj")[0], [[1, 2, 3], [4, 5, 6], [7, 8, -9]]
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("f 1 2 9", r"a face has the vertex 9; there are 5 vertices"),
        ("f 0 1 2", r"line 6: vertices count from 1, or back from -1 to -5 here; got 0"),
        ("f -6 1 2", r"back from -1 to -5 here; got -6"),
        ("f 1 2 x", r"line 6: b'x' is not a number"),
        ("v 1 2", r"line 6: a vertex has 3 coordinates; got 2"),
        ("v 1 2 three", r"line 6: b'three' is not a number"),
    ],
)
def test_a_damaged_line_is_named(line: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        read(tmp_path / "a.obj", f"{vertices()}{line}\n")
    assert str(caught.value).startswith(str(tmp_path / "a.obj"))
