"""A model in one file: everything comes back, and nothing else is taken for one."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import torch

from shapegen import checkpoint, model_files, registry
from shapegen.config import to_dict
from shapegen.formats.tensors import read_tensors, write_tensors
from tests import toy_model
from tests.toy_model import Toy, ToyConfig


@pytest.fixture(autouse=True)
def _toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.MODELS, "toy", toy_model.ENTRY)


@pytest.fixture
def model() -> Toy:
    model = registry.build_seeded("toy", ToyConfig(width=6, labels=("leg", "süd")), 3)
    model.calibrate(toy_model.vectors(20).values, rng=torch.Generator().manual_seed(0))
    return model


@pytest.fixture
def path(model: Toy, tmp_path: Path) -> Path:
    path = tmp_path / "run" / "last.safetensors"
    checkpoint.save(model, path, info={"step": 3})
    return path


def test_a_loaded_model_is_the_saved_one(model: Toy, path: Path) -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    loaded = checkpoint.load(path)
    assert torch.equal(torch.get_rng_state(), before)
    assert type(loaded) is Toy
    assert not loaded.training
    assert loaded.config == model.config
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name
    draws = [
        each.sample(4, rng=torch.Generator().manual_seed(2)).values for each in (model, loaded)
    ]
    assert torch.equal(draws[0], draws[1])
    assert checkpoint.header(path)["info"] == {"step": 3}


def test_options_can_be_changed_where_the_weights_fit(model: Toy, path: Path) -> None:
    loaded = checkpoint.load(path, noise=0.5)
    assert loaded.config == replace(model.config, noise=0.5)
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name
    for changes, message in (
        ({"width": 3}, "not the weights of this `toy` model"),
        ({"noisy": 1}, "unknown key `toy.noisy`; did you mean `toy.noise`"),
        ({"noise": "much"}, "`toy.noise` must be a number"),
    ):
        with pytest.raises(ValueError, match=message):
            checkpoint.load(path, **changes)


def test_the_same_model_gives_the_same_bytes(model: Toy, path: Path, tmp_path: Path) -> None:
    checkpoint.save(checkpoint.load(path), tmp_path / "again.safetensors", info={"step": 3})
    assert checkpoint.sha256(tmp_path / "again.safetensors") == checkpoint.sha256(path)


def test_half_precision_halves_the_file_and_is_read_as_float32(
    model: Toy, path: Path, tmp_path: Path
) -> None:
    checkpoint.save(model, tmp_path / "half.safetensors", half=True)
    again = checkpoint.load(tmp_path / "half.safetensors")
    for (name, value), rounded in zip(
        model.state_dict().items(), again.state_dict().values(), strict=True
    ):
        assert rounded.dtype == value.dtype, name
        torch.testing.assert_close(rounded, value, rtol=1e-3, atol=1e-4)
    assert not torch.equal(next(model.parameters()), next(again.parameters()))
    with torch.no_grad():
        next(model.parameters()).fill_(1e6)
    with pytest.raises(ValueError, match="beyond float16"):
        checkpoint.save(model, tmp_path / "huge.safetensors", half=True)


def test_shared_tensors_are_stored_once(tmp_path: Path) -> None:
    model = registry.build_seeded("toy", ToyConfig(tied=True), 0)
    path = tmp_path / "tied.safetensors"
    checkpoint.save(model, path)
    assert "also.weight" not in safetensors.torch.load_file(path)
    loaded = checkpoint.load(path)
    assert torch.equal(loaded.state_dict()["also.weight"], model.state_dict()["also.weight"])
    assert loaded.also is loaded.decoder[2]


def test_views_and_odd_tensors_survive(tmp_path: Path) -> None:
    base = torch.arange(6.0).reshape(2, 3)
    tensors = {
        "row": base[0],
        "turned": base.T,
        "base": base,
        "empty": torch.empty(0, 3),
        "none": torch.empty(0, 3),
        "number": torch.tensor(3),
        "flag": torch.tensor([True, False]),
        "half": torch.ones(2, dtype=torch.bfloat16),
    }
    write_tensors(tmp_path / "a.safetensors", tensors, {"x": [1, None]})
    back, header = read_tensors(tmp_path / "a.safetensors")
    assert header == {"x": [1, None]}
    assert back.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert back[name].dtype == tensor.dtype
        assert torch.equal(back[name], tensor), name


def test_a_folder_gives_best_before_last(model: Toy, path: Path) -> None:
    assert checkpoint.locate(path.parent) == path
    checkpoint.save(model, path.parent / "best.safetensors")
    assert checkpoint.locate(path.parent).name == "best.safetensors"


def test_a_shipped_name_is_found_and_a_folder_of_that_name_comes_first(
    model: Toy, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "package"
    checkpoint.save(model, package / "weights" / "chairs.safetensors")
    monkeypatch.setattr(model_files.resources, "files", lambda name: package)
    monkeypatch.chdir(tmp_path)
    assert checkpoint.shipped() == ["chairs"]
    assert checkpoint.locate("chairs").parent == package / "weights"
    path.parent.rename(tmp_path / "chairs")
    assert checkpoint.locate("chairs") == Path("chairs/last.safetensors")
    with pytest.raises(ValueError, match=r"no checkpoint `chiars`.* did you mean `chairs`"):
        checkpoint.load("chiars")


def _rewrite(path: Path, change: Callable[[dict, dict], None]) -> None:
    tensors, header = read_tensors(path)
    change(tensors, header)
    write_tensors(path, tensors, header)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t, h: h.update(model="zzz"), "unknown model `zzz`; accepted: "),
        (lambda t, h: h.update(model="tyo"), "unknown model `tyo`; did you mean `toy`?"),
        (lambda t, h: h.update(format_version=99), "has format version 99, written by shapegen "),
        (
            lambda t, h: h.update(kind="trainer state"),
            "is not a model's checkpoint but a 'trainer",
        ),
        (lambda t, h: h["config"].update(widht=1), "unknown key `widht`; did you mean `width`?"),
        (lambda t, h: h["config"].update(width="x"), "`width` must be an integer; got 'x'"),
        (
            lambda t, h: h["config"].update(width=7),
            "has `encoder.0.weight` of shape (6, 4), not (7",
        ),
        (lambda t, h: t.pop("latent_mean"), "it lacks `latent_mean`"),
        (lambda t, h: t.update(other=torch.ones(1)), "it has `other`, which the model has not"),
    ],
)
def test_wrong_content_gets_one_line(path: Path, change: Callable, message: str) -> None:
    _rewrite(path, change)
    with pytest.raises(ValueError) as caught:
        checkpoint.load(path)
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def _truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def _flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)


def _foreign(path: Path) -> None:
    safetensors.torch.save_file({"a": torch.ones(1)}, path)


def _foreign_header(path: Path) -> None:
    safetensors.torch.save_file({"a": torch.ones(1)}, path, {"shapegen": json.dumps([1])})


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_truncated, "is no safetensors file, or is truncated or damaged"),
        (_flipped, "is damaged: its digest is not that of its tensors"),
        (_foreign, "is a safetensors file, but none that shapegen wrote"),
        (_foreign_header, "is damaged: its header is not what shapegen writes"),
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: path.write_bytes(b"\xff" * 100), "is no safetensors file"),
        (lambda path: path.write_text("hello"), "is no safetensors file"),
        (lambda path: torch.save({"a": 1}, path), "is a torch or pickle file"),
        (Path.unlink, "holds neither best.safetensors nor last.safetensors"),
    ],
)
def test_damaged_files_get_one_line(path: Path, damage: Callable, message: str) -> None:
    damage(path)
    with pytest.raises(ValueError) as caught:
        checkpoint.load(path.parent)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_truncation_is_refused(path: Path) -> None:
    data = path.read_bytes()
    for size in range(0, len(data), 37):
        path.write_bytes(data[:size])
        with pytest.raises(ValueError):
            checkpoint.load(path)


def test_another_model_than_asked(path: Path) -> None:
    assert checkpoint.load(path, expect="toy").name == "toy"
    with pytest.raises(ValueError, match="holds the model `toy`; `grass` is due"):
        checkpoint.load(path, expect="grass")
    with pytest.raises(ValueError, match="unknown model `gras`"):
        checkpoint.load(path, expect="gras")


@pytest.mark.parametrize("device", ["cdua", "meta", "cuda:99"])
def test_devices_are_checked(path: Path, device: str) -> None:
    with pytest.raises(ValueError, match="device"):
        checkpoint.load(path, device)


def test_a_full_disk_leaves_the_old_file(
    model: Toy, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = path.read_bytes()

    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        checkpoint.save(model, path)
    assert path.read_bytes() == old
    assert list(path.parent.iterdir()) == [path]


def test_bad_names_are_refused_before_anything_is_written(model: Toy, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"name ends in \.safetensors"):
        checkpoint.save(model, tmp_path / "model.pt")
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        checkpoint.save(model, tmp_path / "file" / "model.safetensors")


def test_the_header_holds_the_config(model: Toy, path: Path) -> None:
    header = checkpoint.header(path.parent)
    assert header["config"] == to_dict(model.config)
    assert header["path"] == str(path)
