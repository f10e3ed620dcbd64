"""Configurations: what is accepted, what every complaint says, nothing lost on the way back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

import pytest

from shapegen import config, registry
from shapegen.config import yaml_files
from tests import toy_model


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True)
class Inner:
    rate: float = 0.5
    many: tuple[int, ...] = ()


@dataclass(frozen=True)
class Outer:
    count: int = 1
    share: int | float = 0
    name: str | None = None
    flag: bool = False
    kind: Literal["one", "two"] = "one"
    pair: tuple[float, float] = (0.0, 1.0)
    inner: Inner = Inner()
    maybe: Inner | None = None
    rates: dict[str, float] | None = None
    colour: Colour = Colour.RED
    where: Path = Path()

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"count must be at least 1; got {self.count}")


@pytest.fixture
def run_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(registry.MODELS, "toy", toy_model.ENTRY)
    path = tmp_path / "toy.yaml"
    path.write_text(
        "model: {name: toy, width: 8}\ndata: {path: shapes.npz}\n"
        "train: {epochs: 2, learning_rate: 1e-4}\n"
    )
    return path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("count: 1e3", Outer(count=1000)),
        ("share: 1.0", Outer(share=1.0)),
        ("inner: {rate: 1e-4}", Outer(inner=Inner(rate=1e-4))),
        ("inner: {rate: '1e-4'}", Outer(inner=Inner(rate=1e-4))),
        ("inner: {rate: 1}", Outer(inner=Inner(rate=1.0))),
        ("maybe: {many: [1, 2]}", Outer(maybe=Inner(many=(1, 2)))),
        ("rates: {a: 2}", Outer(rates={"a": 2.0})),
        ("name: yes", Outer(name="yes")),
        ("name: 2020-01-01", Outer(name="2020-01-01")),
        ("name: null", Outer()),
        ("flag: true", Outer(flag=True)),
        ("kind: two", Outer(kind="two")),
        ("where: a/b", Outer(where=Path("a/b"))),
    ],
)
def test_values_become_what_the_field_says(text: str, expected: Outer) -> None:
    built = config.from_dict(Outer, yaml_files.parse(text))
    assert built == expected
    assert repr(built) == repr(expected)  # 1 == 1.0 == True, but their types differ


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cuont: 1", "unknown key `cuont`; did you mean `count`?"),
        ("rate: 1", "unknown key `rate`; did you mean `inner.rate`?"),
        ("inner: {raet: 1}", "unknown key `inner.raet`; did you mean `inner.rate`?"),
        ("inner: {zzz: 1}", "unknown key `inner.zzz`; accepted: rate, many"),
        ("count: 1.5", "`count` must be an integer; got 1.5 (number)"),
        ("count: true", "`count` must be an integer; got True (boolean)"),
        ("count: '1'", "`count` must be an integer; got '1' (text)"),
        ("count: 0", "count must be at least 1; got 0"),
        ("inner: {rate: .nan}", "`inner.rate` must be a number; got nan"),
        ("inner: {rate: a lot}", "`inner.rate` must be a number; got 'a lot' (text)"),
        ("inner: {many: [1, x]}", "`inner.many[1]` must be an integer; got 'x' (text)"),
        ("inner: 3", "`inner` must be a section with the keys rate, many; got 3 (integer)"),
        ("name: 3", "`name` must be text; got 3 (integer)"),
        ("flag: 1", "`flag` must be true or false; got 1 (integer)"),
        ("kind: tow", "`kind` must be one of one, two; got 'tow' (text); did you mean `two`?"),
        ("pair: [1]", "`pair` must have 2 entries; got 1"),
        ("share: x", "`share` must be an integer or a number; got 'x' (text)"),
        ("colour: rde", "`colour` must be one of red; got 'rde' (text); did you mean `red`?"),
    ],
)
def test_complaints_name_the_key_and_what_is_accepted(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        config.from_dict(Outer, yaml_files.parse(text))
    assert str(caught.value) == message


def test_plain_values_build_an_equal_config() -> None:
    value = Outer(5, 0.5, "1e-4", True, "two", (1e-5, float("inf")), Inner(0.1, (1,)), Inner())
    plain = config.to_dict(value)
    assert config.from_dict(Outer, yaml_files.parse(yaml_files.text_of(plain))) == value
    assert config.from_dict(Outer, json.loads(json.dumps(plain))) == value


@pytest.mark.parametrize("text", ["1e-4", "yes", "null", "1:30", "2020-01-01", "${A}/b", "a: b"])
def test_text_stays_text(text: str) -> None:
    assert yaml_files.parse(yaml_files.text_of({"name": text})) == {"name": text}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: 1\na: 2", ":2:1: not valid YAML: the key `a` stands twice"),
        ("a: [1", "not valid YAML"),
        ("- 1", ": a configuration is a section of keys; got [1]"),
        ("", ": a configuration is a section of keys; got an empty file"),
        ("[" * 5000, "not valid YAML"),
        ("a: !!python/object:os.system x", "not valid YAML"),
    ],
)
def test_bad_files_get_one_line(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(content)
    with pytest.raises(ValueError) as caught:
        yaml_files.read(path)
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def _laughs(line: str, depth: int = 12) -> str:
    """A file of some lines, each of which holds the one before it nine times."""
    lines = ["a0: &a0 {x: 1}"]
    for n in range(depth):
        lines.append(line.format(n=n + 1, nine=", ".join([f"*a{n}"] * 9)))
    return "\n".join([*lines, f"model: *a{depth}"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (_laughs("a{n}: &a{n} [{nine}]"), "stand for more than 100000 values"),
        (_laughs("a{n}: &a{n} {{<<: [{nine}]}}"), "stand for more than 100000 values"),
        ("model: &a [1, *a]", "an alias stands inside of what it stands for"),
    ],
    ids=["lists", "merged sections", "endless"],
)
def test_aliases_do_not_fill_the_memory(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "bomb.yaml").write_text(content)
    with pytest.raises(ValueError, match=message):
        yaml_files.read(tmp_path / "bomb.yaml")


def test_aliases() -> None:
    values = yaml_files.parse("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: *a")
    assert values == {"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}, "c": {"x": 1, "y": 2}}


def test_missing_and_binary_files(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"cannot read .*none\.yaml: No such file"):
        yaml_files.read(tmp_path / "none.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="not a text file in UTF-8"):
        yaml_files.read(tmp_path / "binary.yaml")


def test_overrides_are_yaml_and_reach_into_sections() -> None:
    before = {"train": {"epochs": 2}}
    after = yaml_files.override(before, ["train.epochs=3", "train.betas=[0, .9]", "model.name=x"])
    assert after == {"train": {"epochs": 3, "betas": [0, 0.9]}, "model": {"name": "x"}}
    assert before == {"train": {"epochs": 2}}
    for bad in ("train.epochs", "=3", "train..epochs=3", "train.epochs.x=1", "a=[1"):
        with pytest.raises(ValueError):
            yaml_files.override(before, [bad])


def test_a_run_is_read_overridden_and_written_back(run_file: Path, tmp_path: Path) -> None:
    run = config.load_run(run_file, ["train.ema=0.9", "model.labels=[a, '1e-4']"])
    assert run.model.fields == toy_model.ToyConfig(width=8, labels=("a", "1e-4"))
    assert run.train == config.TrainConfig(epochs=2, learning_rate=1e-4, ema=0.9)
    # A file's own paths start at its folder, an override's where the command is given.
    assert run.data.path == str(run_file.parent / "shapes.npz")
    here = config.load_run(run_file, ["data.path=x.npz"])
    assert here.data.path == str(Path.cwd() / "x.npz")
    several = config.load_run(run_file, ["data.path=[x.npz, '${A}/y.npz']"])
    assert several.data.path == (str(Path.cwd() / "x.npz"), "${A}/y.npz")
    for name in ("again.yaml", "again.json"):
        for one in (run, several):
            config.dump(one, tmp_path / "elsewhere" / name)
            assert config.load_run(tmp_path / "elsewhere" / name) == one


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.epoch=3", "unknown key `train.epoch`; did you mean `train.epochs`?"),
        ("train.path=3", "unknown key `train.path`; did you mean `data.path`?"),
        ("epochs=3", "unknown key `epochs`; did you mean `train.epochs`?"),
        ("tarin.epochs=3", "unknown key `tarin`; did you mean `train`?"),
        ("model.widht=3", "unknown key `model.widht`; did you mean `model.width`?"),
        ("model.width=0", "model.width must be at least 1; got 0"),
        ("model.name=tyo", "unknown model `tyo`; did you mean `toy`?"),
        ("model=toy", "missing key `model.name`; accepted: "),
        ("train.epochs=0", "train.epochs must be at least 1; got 0"),
        ("train.learning_rate=0", "train.learning_rate must be positive and finite; got 0"),
        ("train.ema=1", "train.ema must be at least 0 and below 1; got 1"),
        (
            "train.precision=16",
            "`train.precision` must be one of auto, 32-true, bf16-mixed; got 16",
        ),
        ("data.holdout=1.5", "data.holdout must be a number of shapes or a share below 1"),
        ("data.name=furniture", "exactly one of `path` (a file) and `name`"),
        ("data.count=5", "data.count belongs to a procedural set"),
    ],
)
def test_a_bad_run_names_file_and_key(run_file: Path, override: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        config.load_run(run_file, [override])
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{run_file}: ")
    assert "\n" not in str(caught.value)


def test_environment_variables_in_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHAPES_HERE", "/data")
    assert config.expand("${SHAPES_HERE}/a.npz") == Path("/data/a.npz")
    monkeypatch.delenv("SHAPES_HERE")
    with pytest.raises(ValueError, match=r"environment variable SHAPES_HERE in .* is not set"):
        config.expand("${SHAPES_HERE}/a.npz")


def test_a_frozen_dataclass_passes_through() -> None:
    inner: Any = Inner(0.25)
    assert config.from_dict(Outer, {"inner": inner}).inner is inner
