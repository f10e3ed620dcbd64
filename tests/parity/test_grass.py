"""Every tensor recorded from the authors' code, against ours (``compat="official"``)."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from shapegen.core.gaussian import DiagGaussian
from shapegen.interop import load_official
from shapegen.interop.grass import split_official
from shapegen.structures import symmetry
from shapegen.structures.grass import GRASS
from shapegen.structures.merge_batch import MergeBatch
from shapegen.structures.merge_tree import BOX, SYM, MergeTree
from shapegen.structures.merging import to_part_tree
from shapegen.structures.part_tree import PartTrees


@pytest.fixture(scope="module")
def folder(parity_path: Path) -> Path:
    return parity_path / "grass"


@pytest.fixture(scope="module")
def expected(folder: Path) -> dict[str, Tensor]:
    return load_file(folder / "expected.safetensors")


@pytest.fixture(scope="module")
def model(folder: Path) -> GRASS:
    return load_official("grass", folder)


@pytest.fixture(scope="module")
def trees(folder: Path) -> list[MergeTree]:
    arrays = load_file(folder / "inputs.safetensors")
    trees = []
    for ops, boxes, syms in zip(arrays["ops"], arrays["boxes"], arrays["syms"], strict=True):
        used = ops[ops >= 0].numpy()
        trees.append(
            MergeTree(
                used, boxes[: (used == BOX).sum()].numpy(), syms[: (used == SYM).sum()].numpy()
            )
        )
    return trees


@pytest.fixture(scope="module")
def batch(model: GRASS, trees: list[MergeTree]) -> MergeBatch:
    shapes = PartTrees([to_part_tree(tree, official=True, front="+x") for tree in trees])
    return model.prepare(shapes)[torch.arange(len(trees))]


@pytest.fixture(scope="module")
def found(model: GRASS, batch: MergeBatch, expected: dict[str, Tensor]) -> dict[str, Tensor]:
    """Our value of every recorded tensor."""
    posterior = model.encoder(batch)
    z = posterior.mean + torch.exp(0.5 * posterior.logvar) * expected["eps"]
    terms = model.losses(batch, z)
    terms["kl"] = posterior.kl_standard()
    recon = terms["box"] + terms["sym"] + terms["kind"]
    total = recon.mean() + model.config.kl_weight * terms["kl"].mean()
    model.zero_grad()
    total.backward()
    out = {
        "eps": expected["eps"],
        "root_feature": model.encoder.features(batch),
        "mu": posterior.mean,
        "logvar": posterior.logvar,
        "root_code": z,
        # The original records 1 + logvar - mu^2 - e^logvar, which is -2 KL.
        "kld_elements": -2 * posterior.kl_standard_per_dim(),
        "kld_sum": -2 * posterior.kl_standard(),
        "recon": recon,
        "box": terms["box"],
        "sym": terms["sym"],
        "label": terms["kind"],
        "total_loss": total[None],
    }
    gradients = split_official({k: p.grad for k, p in model.named_parameters()})
    for name, gradient in gradients.items():
        out[f"grad_norm.{name}"] = gradient.norm()[None]
        if gradient.ndim == 1:
            out[f"grad.{name}"] = gradient
    return {name: value.detach() for name, value in out.items()}


TOLERANCES = {
    "root_feature": (0, 2e-5),
    "mu": (0, 2e-5),
    "logvar": (0, 2e-5),
    "root_code": (0, 2e-5),
    "eps": (0, 0),
    "kld_elements": (0, 5e-5),
    # The sum of as many elements as the code is long, each with the tolerance above.
    "kld_sum": (1e-4, 5e-4),
    "recon": (1e-4, 2e-5),
    "box": (1e-4, 2e-5),
    "sym": (1e-4, 2e-5),
    "label": (1e-4, 2e-5),
    "total_loss": (1e-4, 0),
}


def test_every_recorded_tensor(expected: dict[str, Tensor], found: dict[str, Tensor]) -> None:
    assert not set(expected) - set(found), "recorded, but not compared"
    for name, value in expected.items():
        rtol, atol = TOLERANCES.get(name, (1e-3, 1e-5))
        torch.testing.assert_close(
            found[name], value, rtol=rtol, atol=atol, msg=lambda text, name=name: f"{name}: {text}"
        )


def test_gradients_of_every_parameter_are_recorded(
    expected: dict[str, Tensor], found: dict[str, Tensor]
) -> None:
    norms = {name for name in found if name.startswith("grad_norm.")}
    assert norms == {name for name in expected if name.startswith("grad_norm.")}


def test_free_decoding_with_symmetric_copies(folder: Path, model: GRASS) -> None:
    cases = json.loads((folder / "decode.json").read_text())["decoded"]
    codes = torch.tensor([case["root_code"] for case in cases])
    decoded = model.decode_trees(codes)
    assert decoded.complete.all()
    shapes = model.decode(codes)
    for case, boxes, shape in zip(cases, decoded.expanded(official=True), shapes, strict=True):
        assert len(boxes) == case["n_boxes"]
        np.testing.assert_allclose(boxes, case["boxes"], atol=2e-4, rtol=0)
        leaves = shape.boxes()
        assert shape.front == "+x"
        assert len(leaves) == case["n_boxes"]


def test_symmetry_expansion(folder: Path) -> None:
    cases = json.loads((folder / "decode.json").read_text())["expansions"]
    kinds = set()
    for case in cases:
        boxes, source = symmetry.expand([case["box"]], [case["sym"]], official=True)
        np.testing.assert_allclose(boxes, case["expanded"], atol=2e-4, rtol=0)
        assert (source == 0).all()
        kinds.add(case["kind"])
    assert {"rot", "trans", "ref"} <= kinds


def test_a_posterior_is_the_cores(model: GRASS, batch: MergeBatch) -> None:
    assert isinstance(model.encoder(batch), DiagGaussian)
