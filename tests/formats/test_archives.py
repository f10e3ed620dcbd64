"""Bytes, .npz and .mat: reproducible, bounded in memory, and clear about damage."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

from shapegen.formats.compressed import existing, read_bytes, read_lines, write_bytes
from shapegen.formats.mat import read_mat, write_mat
from shapegen.formats.npz import array_shapes, read_arrays, write_arrays


def test_bytes_are_packed_by_name_and_unpacked_by_content(tmp_path: Path) -> None:
    for name in ("a", "a.gz"):
        write_bytes(tmp_path / name, b"text" * 100)
        assert read_bytes(tmp_path / name) == b"text" * 100
    assert gzip.decompress((tmp_path / "a.gz").read_bytes()) == b"text" * 100
    (tmp_path / "a.gz").rename(tmp_path / "b.txt")
    assert read_bytes(tmp_path / "b.txt") == b"text" * 100


def test_equal_content_gives_equal_bytes(tmp_path: Path) -> None:
    for name in ("a.gz", "b.gz"):
        write_bytes(tmp_path / name, b"text")
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()


def test_a_missing_file_names_its_nearest_neighbour(tmp_path: Path) -> None:
    (tmp_path / "chairs.json").touch()
    with pytest.raises(FileNotFoundError, match=r"did you mean .*chairs\.json\?") as caught:
        existing(tmp_path / "chair.json")
    assert str(caught.value).startswith("no such file or folder: ")
    with pytest.raises(FileNotFoundError, match="no such file or folder"):
        existing(tmp_path / "no" / "where")
    with pytest.raises(ValueError, match="is a folder; a file is needed"):
        read_bytes(tmp_path)
    with pytest.raises(FileNotFoundError):
        existing("a\0b")


def test_what_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a.gz", b"\0" * 100_000)
    assert len(read_bytes(tmp_path / "a.gz", limit=100_000)) == 100_000
    with pytest.raises(ValueError, match="more than 99999 bytes"):
        read_bytes(tmp_path / "a.gz", limit=99_999)
    write_arrays(tmp_path / "a.npz", {"x": np.zeros(100_000)})
    with pytest.raises(ValueError, match="declares 800128 bytes; at most 1000 are read"):
        read_arrays(tmp_path / "a.npz", limit=1000)
    write_mat(tmp_path / "a.mat", {"x": np.zeros((100, 1000))})
    with pytest.raises(ValueError, match="unpacks to more than 10000 bytes"):
        read_mat(tmp_path / "a.mat", limit=10_000)


def test_a_damaged_gzip_is_refused(tmp_path: Path) -> None:
    data = gzip.compress(bytes(range(256)) * 10)
    for cut in (5, 20, len(data) - 3):
        (tmp_path / "a").write_bytes(data[:cut])
        with pytest.raises(ValueError, match="gzip data is damaged or cut off"):
            read_bytes(tmp_path / "a")


def test_lines_are_given_up_to_the_damage(tmp_path: Path) -> None:
    rows = [f"{number} {number**3}\n".encode() for number in range(9000)]
    write_bytes(tmp_path / "a.gz", b"".join(rows))
    assert list(read_lines(tmp_path / "a.gz", longest=100)) == rows
    data = (tmp_path / "a.gz").read_bytes()
    (tmp_path / "a.gz").write_bytes(data[: len(data) // 2])
    lines = read_lines(tmp_path / "a.gz", longest=100)
    assert next(lines) == rows[0]
    with pytest.raises(ValueError, match="damaged or cut off"):
        list(lines)
    (tmp_path / "b").write_bytes(b"1\n" + b"2" * 101 + b"\n")
    with pytest.raises(ValueError, match="line 2: longer than 100 bytes"):
        list(read_lines(tmp_path / "b", longest=100))
    with pytest.raises(ValueError, match="more than 3 bytes"):
        list(read_lines(tmp_path / "b", longest=200, limit=3))


def test_arrays_come_back(tmp_path: Path) -> None:
    values = {
        "a": np.arange(6).reshape(2, 3),
        "b": np.array(1.5, dtype=np.float32),
        "c": np.zeros((0, 3)),
        "d": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    }
    for name in ("a.npz", "b.npz"):
        write_arrays(tmp_path / name, values)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    read = read_arrays(tmp_path / "a.npz")
    assert list(read) == list(values)
    for name, array in values.items():
        assert read[name].dtype == array.dtype
        np.testing.assert_array_equal(read[name], array)
    assert array_shapes(tmp_path / "a.npz") == {k: v.shape for k, v in values.items()}
    assert list(read_arrays(tmp_path / "a.npz", names=["b", "z"])) == ["b"]


def test_python_objects_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="holds Python objects"):
        write_arrays(tmp_path / "a.npz", {"a": np.array([{}])})
    np.savez(tmp_path / "b.npz", a=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="holds Python objects"):
        read_arrays(tmp_path / "b.npz")


def test_an_array_that_declares_more_than_is_there_is_refused(tmp_path: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": (10**12,)}
    )
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("a.npy", header.getvalue() + b"\0" * 64)
    with pytest.raises(ValueError, match="needs 8000000000000 bytes"):
        read_arrays(tmp_path / "a.npz")


def test_mat_arrays_come_back(tmp_path: Path) -> None:
    values = {"a": np.arange(6.0).reshape(2, 3), "b": np.arange(4, dtype=np.int16)[None]}
    for name in ("a.mat", "b.mat"):
        write_mat(tmp_path / name, values)
    assert (tmp_path / "a.mat").read_bytes() == (tmp_path / "b.mat").read_bytes()
    read = read_mat(tmp_path / "a.mat")
    for name, array in values.items():
        np.testing.assert_array_equal(read[name], array)
    assert list(read_mat(tmp_path / "a.mat", names=["b", "z"])) == ["b"]


def test_a_mat_of_text_is_refused(tmp_path: Path) -> None:
    write_mat(tmp_path / "a.mat", {"a": np.array(["word"])})
    with pytest.raises(ValueError, match="array 'a' must be numeric"):
        read_mat(tmp_path / "a.mat")


def test_a_mat_that_unpacks_to_gigabytes_is_refused_before_it_does(tmp_path: Path) -> None:
    write_mat(tmp_path / "a.mat", {"a": np.zeros((1, 1))})
    head = (tmp_path / "a.mat").read_bytes()[:128]
    bomb = zlib.compress(b"\0" * 50_000_000)
    size = len(bomb).to_bytes(4, "little")
    (tmp_path / "a.mat").write_bytes(head + (15).to_bytes(4, "little") + size + bomb)
    with pytest.raises(ValueError, match="unpacks to more than 1000000 bytes"):
        read_mat(tmp_path / "a.mat", limit=1_000_000)


@pytest.mark.parametrize("suffix", ["npz", "mat"])
def test_any_damage_ends_in_one_line(tmp_path: Path, suffix: str) -> None:
    whole = tmp_path / f"a.{suffix}"
    values = {"boxes": np.random.default_rng(0).normal(size=(4, 12)), "ops": np.eye(3)}
    read = read_arrays if suffix == "npz" else read_mat
    (write_arrays if suffix == "npz" else write_mat)(whole, values)
    data = whole.read_bytes()
    path = tmp_path / f"b.{suffix}"
    rng = np.random.default_rng(1)
    for trial in range(300):
        broken = bytearray(data)
        if trial % 3 == 0:
            broken = broken[: rng.integers(len(data))]
        else:
            for place in rng.integers(len(data), size=1 + trial % 4):
                broken[place] = rng.integers(256)
        path.write_bytes(broken)
        try:
            read(path)
        except ValueError as error:
            assert str(error).startswith(str(path))  # noqa: PT017
            assert "\n" not in str(error)  # noqa: PT017
