"""The core is really shared: what breaks there breaks the models, and nobody has a copy."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from shapegen.core import gaussian, latent, mixture
from shapegen.core.flows import Chain
from shapegen.core.gaussian import DiagGaussian
from shapegen.points.pointflow import Matching, PointFlow, PointFlowConfig
from shapegen.structures import grass
from shapegen.structures.grass import GRASS, GRASSConfig
from tests.hand_made import stools

ROOT = Path(__file__).resolve().parents[1]
OUTSIDE = [
    path
    for path in sorted((ROOT / "shapegen").rglob("*.py"))
    if "core" not in path.relative_to(ROOT / "shapegen").parts[:1]
]


@pytest.fixture
def model() -> GRASS:
    torch.manual_seed(0)
    sizes = {"feature_dim": 6, "hidden_dim": 9, "components": 2, "prior_rank": 2}
    return GRASS(GRASSConfig(**sizes, kl_weight=0.5))  # type: ignore[arg-type]


def loss(model: GRASS) -> tuple[float, dict[str, Tensor]]:
    prepared = model.prepare(list(stools(3)))
    (objective,) = model.objectives(rng=torch.Generator().manual_seed(0))
    total, terms = objective.loss(prepared[torch.arange(3)], 0)
    return total.item(), terms


def test_the_loss_of_grass_has_the_cores_kl(model: GRASS, monkeypatch: pytest.MonkeyPatch) -> None:
    before, terms = loss(model)
    right = DiagGaussian.kl_standard
    monkeypatch.setattr(DiagGaussian, "kl_standard", lambda self: 2 * right(self))
    after, doubled = loss(model)
    assert terms["kl"] > 0.01
    assert after - before == pytest.approx(0.5 * terms["kl"].item(), rel=1e-3)
    torch.testing.assert_close(doubled["kl"], 2 * terms["kl"])


def test_the_loss_of_grass_draws_from_the_cores_posterior(
    model: GRASS, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = model.prepare(list(stools(3)))
    assert type(model.encoder(prepared[torch.arange(3)])) is DiagGaussian
    assert type(model.posterior(prepared)) is DiagGaussian
    before, terms = loss(model)
    monkeypatch.setattr(
        gaussian, "standard_normal", lambda shape, *, like, rng: like.new_zeros(shape)
    )
    after, undrawn = loss(model)
    assert after != before
    torch.testing.assert_close(undrawn["kl"], terms["kl"])
    monkeypatch.setattr(DiagGaussian, "rsample", lambda self, rng: self.mean)
    assert loss(model)[0] == after


def test_interpolation_walks_in_the_core(model: GRASS, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Tensor, Tensor]] = []

    def straight(a: Tensor, b: Tensor, t: Tensor, **_: Any) -> Tensor:
        asked.append((a, b))
        return latent.lerp(a, b, t)

    monkeypatch.setattr(latent, "slerp", straight)
    shapes = stools(2)
    with torch.no_grad():
        walk = model.interpolate(shapes[0], shapes[1], 4)
    assert len(walk) == 4
    codes = model.encode(list(shapes))
    torch.testing.assert_close(torch.stack(asked[0]), codes)


@pytest.mark.parametrize(("prior", "module"), [("normal", grass), ("mixture", mixture)])
def test_samples_start_from_the_cores_noise(
    prior: Any, module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = GRASS(GRASSConfig(feature_dim=6, hidden_dim=9, components=2, prior=prior))
    monkeypatch.setattr(
        module, "standard_normal", lambda shape, *, like, rng: like.new_full(shape, torch.nan)
    )
    assert bool(model.sample_latent(3, rng=torch.Generator().manual_seed(0)).isnan().all())


@pytest.fixture
def flows() -> PointFlow:
    torch.manual_seed(0)
    sizes: dict[str, Any] = {
        "latent_dim": 3,
        "hidden": (5,),
        "latent_hidden": (4,),
        "encoder": (6,),
        "heads": (5,),
        "num_points": 9,
    }
    return PointFlow(PointFlowConfig(objective="likelihood", **sizes))


def flows_loss(model: PointFlow) -> tuple[float, dict[str, Tensor]]:
    points = torch.randn(4, 9, 3, generator=torch.Generator().manual_seed(1))
    (objective,) = model.objectives(rng=torch.Generator().manual_seed(0))
    total, terms = objective.loss(points, 0)
    return total.item(), terms


def test_the_loss_of_pointflow_has_the_cores_entropy(
    flows: PointFlow, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, terms = flows_loss(flows.eval())
    right = DiagGaussian.entropy
    monkeypatch.setattr(DiagGaussian, "entropy", lambda self: 2 * right(self))
    after, doubled = flows_loss(flows)
    assert after - before == pytest.approx(-terms["entropy"].item(), rel=1e-3)
    torch.testing.assert_close(doubled["entropy"], 2 * terms["entropy"])


def test_the_loss_of_pointflow_has_the_cores_chains(
    flows: PointFlow, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, _ = flows_loss(flows.eval())
    right = Chain.forward

    def broken(self: Chain, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        z, log_det = right(self, x, context)
        return z, log_det + 1

    monkeypatch.setattr(Chain, "forward", broken)
    # One nat more for each of nine points and for the code.
    assert flows_loss(flows)[0] == pytest.approx(before - 10, rel=1e-4)


def test_the_matching_of_pointflow_has_the_cores_kl(
    flows: PointFlow, monkeypatch: pytest.MonkeyPatch
) -> None:
    matching = Matching(kl=0.5, targets=8, times=2, group=4)
    flows.config = replace(flows.config, objective="flow_matching", matching=matching)
    before, terms = flows_loss(flows.eval())
    right = DiagGaussian.kl_standard
    monkeypatch.setattr(DiagGaussian, "kl_standard", lambda self: 2 * right(self))
    assert flows_loss(flows)[0] - before == pytest.approx(0.5 * terms["kl"].item(), rel=1e-3)


def code(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def called(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Last name of everything that is called, with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func
            if isinstance(name, ast.Attribute | ast.Name):
                yield (name.attr if isinstance(name, ast.Attribute) else name.id), node.lineno


NOISE = {"randn", "randn_like", "normal", "normal_", "standard_normal_", "kl_divergence"}


def noise_of_its_own(tree: ast.AST) -> list[int]:
    return [line for name, line in called(tree) if name in NOISE]


def arithmetic_on_logvar(tree: ast.AST) -> list[int]:
    """Lines that compute with a log-variance: a second KL or reparameterisation."""
    lines = []
    for node in ast.walk(tree):
        exp = isinstance(node, ast.Call) and any(
            name in {"exp", "expm1"} for name, _ in called(ast.Expression(node))
        )
        if isinstance(node, ast.BinOp) or exp:
            names = (
                each.attr if isinstance(each, ast.Attribute) else each.id
                for each in ast.walk(node)
                if isinstance(each, ast.Attribute | ast.Name)
            )
            if any("logvar" in name or "log_var" in name for name in names):
                lines.append(node.lineno)
    return lines


@pytest.mark.parametrize("path", OUTSIDE, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_outside_the_core_has_its_own_gaussian(path: Path) -> None:
    tree = code(path)
    assert not noise_of_its_own(tree), "draw with shapegen.core.noise.standard_normal"
    assert not arithmetic_on_logvar(tree), "use shapegen.core.gaussian.DiagGaussian"


@pytest.mark.parametrize(
    "line",
    [
        "z = mean + torch.exp(0.5 * logvar) * torch.randn_like(mean)",
        "z = mean + scale * torch.randn(3, generator=rng)",
        "kl = 0.5 * (mean**2 + logvar.exp() - 1 - logvar).sum(-1)",
        "kl = -0.5 * torch.sum(1 + q.logvar - q.mean.pow(2) - q.logvar.exp())",
        "scale = torch.exp(q.logvar)",
        "kl = torch.distributions.kl_divergence(q, p)",
    ],
)
def test_the_check_sees_copies(line: str) -> None:
    tree = ast.parse(line)
    assert noise_of_its_own(tree) or arithmetic_on_logvar(tree)
