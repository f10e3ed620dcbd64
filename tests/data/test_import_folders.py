"""Folders as people have them: other kinds of files, odd names, one category."""

from __future__ import annotations

from pathlib import Path

import pytest

from shapegen.data.furniture import furniture
from shapegen.data.import_files import write_import
from shapegen.data.importing import categorised, import_folder
from tests.data.made_meshes import placed, table


def test_files_of_other_programs_are_named(tmp_path: Path) -> None:
    placed((1, 1, 1), 0, 0, 0).export(tmp_path / "one.glb")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "Two.FBX").write_bytes(b"Kaydara")
    found = import_folder(tmp_path)
    assert len(found.trees) == 1
    assert [failure.source for failure in found.failures] == ["sub/Two.FBX"]
    assert "files of this kind are not read; export it as .glb" in found.failures[0].reason
    assert not import_folder(tmp_path / "sub").trees


def test_names_of_files_need_not_be_text(tmp_path: Path) -> None:
    placed((1, 1, 1), 0, 0, 0).export(tmp_path / "a.glb")
    (tmp_path / "a.glb").rename(tmp_path / b"stuhl_\xfc.glb".decode("utf-8", "surrogateescape"))
    found = import_folder(tmp_path)
    assert [tree.name for tree in found.trees] == ["stuhl_?"]
    assert found.sources == ("stuhl_?.glb",)
    write_import(found, tmp_path, tmp_path / "out.jsonl")


def test_a_category_is_the_label_of_every_root(tmp_path: Path) -> None:
    table().export(tmp_path / "Desk.glb")
    furniture(1, category="chair", seed=0).write(tmp_path / "own.glb")
    found = categorised(import_folder(tmp_path), "thing")
    for tree in found.trees:
        assert tree.label[0] == "thing"
        assert all(label.startswith("thing/") for label in tree.label[1:])
    assert "thing/legs/leg" in found.trees[0].label
    assert "thing/chair_base" in found.trees[1].label
    for bad in ("", "big chair", "a/b"):
        with pytest.raises(ValueError, match="a category is one word"):
            categorised(found, bad)
