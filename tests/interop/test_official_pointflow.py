"""The authors' checkpoints from dicts and files; what is not one is refused in one line."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

import shapegen
from shapegen.interop import load_official
from shapegen.interop.pointflow import split_official
from shapegen.points.pointflow import PointFlow, PointFlowConfig

SIZES: dict[str, Any] = {"latent_dim": 5, "hidden": (6, 7), "latent_hidden": (4,)}


def original(**changes: Any) -> tuple[PointFlow, dict[str, Tensor]]:
    """A model, and its weights under the authors' names and in their shapes."""
    torch.manual_seed(0)
    model = PointFlow(PointFlowConfig.official(**(SIZES | changes))).eval()
    state = {}
    for name, value in split_official(model.state_dict(), model).items():
        value = value.clone()
        if ".conv" in name and name.endswith("weight"):
            value = value[..., None]
        state[name] = value[None] if name.endswith(".step") else value
        if name.endswith("_layer.weight"):
            state[f"{name.partition('.odefunc')[0]}.odefunc._num_evals"] = torch.tensor(3.0)
    state["encoder.bn1.num_batches_tracked"] = torch.tensor(7)
    return model, state


def same(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    others = b.state_dict()
    return all(torch.equal(value, others[name]) for name, value in a.state_dict().items())


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"blocks": 2, "latent_blocks": 3},
        {"batch_norm": False},
        {"learn_end_time": False},
        {"deterministic": True, "latent_flow": False, "latent_hidden": (256, 256)},
    ],
    ids=str,
)
def test_sizes_are_read_off_the_weights(changes: dict[str, Any]) -> None:
    model, state = original(**changes)
    loaded = load_official("pointflow", state)
    assert loaded.config == model.config
    assert same(model, loaded)
    assert not loaded.training


def test_prefixes_and_wrappers_are_taken_off(tmp_path: Path) -> None:
    model, state = original()
    prefixed = {
        f"{name.partition('.')[0]}.module.{name.partition('.')[2]}": value
        for name, value in state.items()
    }
    outer = {f"module.{name}": value for name, value in state.items()}
    wrapped = {"model": prefixed, "epoch": 3, "optimizer": {"state": {}, "param_groups": []}}
    for content in (prefixed, outer, wrapped):
        assert same(model, load_official("pointflow", content))
    torch.save(wrapped, tmp_path / "a.pt")
    save_file(outer, tmp_path / "b.safetensors")
    for name in ("a.pt", "b.safetensors"):
        assert same(model, load_official("pointflow", tmp_path / name))


def test_the_training_sets_scale_comes_from_the_authors_files(tmp_path: Path) -> None:
    _, state = original()
    np.save(tmp_path / "mean.npy", np.array([[1.0, 2.0, 3.0]]))
    np.save(tmp_path / "std.npy", np.array([[0.5]]))
    model = load_official("pointflow", state, mean=tmp_path / "mean.npy", std=tmp_path / "std.npy")
    plain = load_official("pointflow", state)
    assert isinstance(model, PointFlow)
    assert isinstance(plain, PointFlow)
    a, b = (each.sample(2, rng=torch.Generator().manual_seed(0)).points for each in (model, plain))
    torch.testing.assert_close(a, 0.5 * b + torch.tensor([1.0, 2.0, 3.0]))
    an_axis = load_official("pointflow", state, std=[1.0, 2.0, 4.0], spread="axis")
    assert an_axis.scale.flatten().tolist() == [1, 2, 4]
    with pytest.raises(ValueError, match="mean must be 3 numbers and std 1"):
        load_official("pointflow", state, std=[1.0, 2.0, 4.0])
    (tmp_path / "bad.npy").write_bytes(b"no array")
    with pytest.raises(ValueError, match=r"bad.npy is not a readable .npy file"):
        load_official("pointflow", state, mean=tmp_path / "bad.npy")


def test_what_does_not_fit_is_refused() -> None:
    _, state = original()
    lacking = {name: value for name, value in state.items() if "chain.2.bias" not in name}
    with pytest.raises(ValueError, match=r"the checkpoint lacks point_cnf.chain.2.bias"):
        load_official("pointflow", lacking)
    with pytest.raises(ValueError, match=r"unknown tensors: \['extra'\]"):
        load_official("pointflow", state | {"extra": torch.zeros(1)})
    with pytest.raises(ValueError, match=r"encoder.fc1_m.weight|encoder.mean.0.weight"):
        load_official("pointflow", state | {"encoder.fc1_m.weight": torch.zeros(3, 3)})
    with pytest.raises(ValueError, match=r"encoder.bn1.bias must be finite"):
        load_official("pointflow", state | {"encoder.bn1.bias": torch.full((128,), torch.inf)})
    with pytest.raises(ValueError, match="has no tensors point_cnf"):
        load_official(
            "pointflow", {name: v for name, v in state.items() if not name.startswith("point")}
        )
    with pytest.raises(ValueError, match=r"the checkpoint lacks encoder.fc3_m.weight"):
        load_official("pointflow", {"weights": torch.zeros(3)})


def test_checkpoints_of_other_models_are_refused(tmp_path: Path) -> None:
    grass = shapegen.build("grass", feature_dim=8, hidden_dim=12, prior="normal")
    shapegen.save(grass, tmp_path / "grass.safetensors")
    torch.save(grass.state_dict(), tmp_path / "grass.pth")
    shapegen.save(original()[0], tmp_path / "ours.safetensors")
    (tmp_path / "cut.pth").write_bytes((tmp_path / "grass.pth").read_bytes()[:200])
    for name, message in (
        ("grass.safetensors", r"lacks encoder.fc3_m.weight; it has \["),
        ("grass.pth", r"lacks encoder.fc3_m.weight; it has \["),
        ("ours.safetensors", r"lacks encoder.fc3_m.weight; it has \["),
        ("cut.pth", "is not a readable torch.save file"),
        ("nothing.pth", "no checkpoint at .*nothing.pth"),
    ):
        with pytest.raises((ValueError, FileNotFoundError), match=message) as caught:
            load_official("pointflow", tmp_path / name)
        assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="must hold tensors only; got OrderedDict at 'encoder'"):
        load_official("pointflow", {"encoder": grass.state_dict(), "decoder": {}})
