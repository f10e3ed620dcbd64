"""Laws of the layers of discrete flows: inverse, volume, what they keep and what they start as."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from shapegen.core.actnorm import ActNorm
from shapegen.core.coupling import AffineCoupling, board, colours
from shapegen.core.coupling_nets import ConvNet, ResidualNet, VectorNet
from shapegen.core.dequantisation import Logit
from shapegen.core.flows import Bijection, Chain, FlowDistribution
from shapegen.core.invertible_conv import InvertibleConv, Reversal
from shapegen.core.multiscale import LetGo, Reshape, Shape, Squeeze, multiscale
from shapegen.core.vector_flow import coupling_flow


def randomised(module: Bijection, std: float = 0.3) -> Bijection:
    """Double precision, weights away from where they start."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(std=std)
    return module.double().eval()


def small_net(channels: int, out: int) -> nn.Module:
    return ConvNet(channels, out, 6)


def block(shape: Shape) -> list[Bijection]:
    channels = 4 * shape[0]
    coupling = AffineCoupling(small_net(channels // 2, channels))
    return [Squeeze(), ActNorm(channels), InvertibleConv(channels), coupling]


def prior(shape: Shape) -> nn.Module:
    return small_net(shape[0], 2 * shape[0])


def checkerboard(swap: bool) -> Bijection:
    net = ResidualNet(4, 8, 5, 2)
    return AffineCoupling(net, mask="checkerboard", swap=swap, scale="tanh")


IMAGES: dict[str, tuple[Callable[[], Bijection], tuple[int, ...]]] = {
    "actnorm": (lambda: ActNorm(3), (3, 2, 4)),
    "invertible convolution": (lambda: InvertibleConv(4), (4, 3, 2)),
    "reversal": (Reversal, (4, 3, 2)),
    "channels": (lambda: AffineCoupling(small_net(2, 4)), (4, 3, 3)),
    "odd channels": (lambda: AffineCoupling(small_net(1, 4)), (3, 3, 3)),
    "odd channels, swapped": (
        lambda: AffineCoupling(small_net(2, 2), swap=True, scale="tanh"),
        (3, 3, 3),
    ),
    "checkerboard": (lambda: checkerboard(False), (2, 4, 2)),
    "checkerboard, swapped": (lambda: checkerboard(True), (2, 4, 2)),
    "squeeze": (Squeeze, (2, 4, 6)),
    "reshape": (lambda: Reshape((2, 3, 4), (24,)), (2, 3, 4)),
    "let go": (lambda: LetGo(Reshape((2, 3, 2), (12,)), (4, 3, 2)), (4, 3, 2)),
    "logit": (lambda: Logit(0.05), (1, 3, 4)),
    "scales": (lambda: multiscale((1, 8, 4), 2, block, prior=prior), (1, 8, 4)),
    "vectors": (lambda: coupling_flow(3, layers=4, hidden=(8,)), (3,)),
}


@pytest.fixture(params=list(IMAGES))
def case(request: pytest.FixtureRequest) -> tuple[Bijection, Tensor]:
    torch.manual_seed(1)
    build, shape = IMAGES[request.param]
    x = torch.rand(2, *shape, dtype=torch.float64)
    return randomised(build()), x


@torch.no_grad()
def test_the_inverse_undoes_and_volumes_cancel(case: tuple[Bijection, Tensor]) -> None:
    flow, x = case
    z, log_det = flow(x)
    back, inverse_log_det = flow.inverse(z)
    assert z.shape != x.shape or (z - x).abs().max() > 0.1
    assert log_det.shape == (2,)
    torch.testing.assert_close(back, x, atol=1e-10, rtol=0)
    torch.testing.assert_close(inverse_log_det, -log_det, atol=1e-10, rtol=0)
    torch.testing.assert_close(flow.generate(z), back)


def test_the_volume_change_is_that_of_autograd(case: tuple[Bijection, Tensor]) -> None:
    flow, x = case
    z = flow(x)[0].detach()
    for direction, start in ((flow.forward, x), (flow.inverse, z)):
        for one, log_det in zip(start, direction(start)[1], strict=True):
            jacobian = torch.func.jacrev(lambda at, d=direction: d(at[None])[0][0].flatten())(one)
            wanted = torch.linalg.slogdet(jacobian.reshape(one.numel(), one.numel()))[1]
            torch.testing.assert_close(log_det, wanted, atol=1e-8, rtol=0)


def test_gradients_reach_every_parameter(case: tuple[Bijection, Tensor]) -> None:
    flow, x = case
    z, log_det = flow(x.requires_grad_())
    (z.square().sum() - log_det.sum()).backward()
    assert x.grad is not None
    assert (x.grad != 0).all()
    for name, parameter in flow.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_the_first_training_batch_leaves_actnorm_standardised(rng: torch.Generator) -> None:
    x = torch.tensor([5.0, 0.0, -2.0]).view(3, 1, 1) + torch.tensor([0.1, 1.0, 9.0]).view(
        3, 1, 1
    ) * torch.randn(16, 3, 5, 4, generator=rng)
    norm = ActNorm(3).eval()
    z, log_det = norm(x)
    assert torch.equal(z, x)
    assert not norm.initialised
    assert torch.equal(log_det, torch.zeros(16))
    z, log_det = norm.train()(x)
    assert norm.initialised
    torch.testing.assert_close(z.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(z.var((0, 2, 3), correction=0), torch.ones(3), atol=1e-3, rtol=0)
    torch.testing.assert_close(
        log_det[0], -20 * x.std((0, 2, 3), correction=0).log().sum(), atol=1e-2, rtol=0
    )
    # Once: what comes later does not move it, in training and out of it, here and in a copy.
    again = ActNorm(3)
    again.load_state_dict(norm.state_dict())
    for other in (norm, again.train(), again.eval()):
        torch.testing.assert_close(other(2 * x + 1)[0].mean((0, 2, 3)), _moved(norm, x))


def _moved(norm: ActNorm, x: Tensor) -> Tensor:
    with torch.no_grad():
        return ((2 * x + 1 + norm.shift) * norm.log_scale.exp()).mean((0, 2, 3))


def test_processes_measure_actnorm_on_all_their_batches(
    rng: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, others = torch.randn(2, 7, 3, generator=rng)
    everything = torch.cat([own, others[:4]])
    around = others[:4] - everything.mean(0)
    # What the other process has to add: its count, its sum, its squares around the common mean.
    theirs = iter([torch.tensor([4.0]), others[:4].sum(0), around.square().sum(0)])
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda total: total.add_(next(theirs)))
    shared = ActNorm(3, event_ndim=1).train()
    shared(own)
    monkeypatch.undo()
    alone = ActNorm(3, event_ndim=1).train()
    alone(everything)
    torch.testing.assert_close(shared.shift, alone.shift)
    torch.testing.assert_close(shared.log_scale, alone.log_scale)


def test_a_constant_channel_does_not_break_actnorm() -> None:
    norm = ActNorm(2, event_ndim=1).train()
    z, log_det = norm(torch.tensor([[3.0, 1.0], [3.0, 2.0]]))
    torch.testing.assert_close(z[:, 0], torch.zeros(2))
    assert torch.isfinite(log_det).all()


def test_the_matrix_of_the_convolution_starts_as_a_rotation_and_has_its_determinant() -> None:
    torch.manual_seed(0)
    conv = InvertibleConv(6)
    torch.testing.assert_close(conv.weight @ conv.weight.mT, torch.eye(6), atol=1e-5, rtol=0)
    x = torch.randn(2, 6, 3, 5, dtype=torch.float64)
    conv = randomised(conv, 0.5)
    wanted = 15 * torch.linalg.slogdet(conv.weight)[1]
    assert wanted.abs() > 1
    torch.testing.assert_close(conv(x)[1], wanted.expand(2), atol=1e-10, rtol=0)
    torch.testing.assert_close(conv(x)[0], nn.functional.conv2d(x, conv.weight[..., None, None]))


def test_a_checkerboard_changes_one_colour_given_the_other() -> None:
    x = torch.rand(1, 2, 4, 6, dtype=torch.float64)
    torch.testing.assert_close(board(*colours(x)), x)
    even = torch.tensor([[(i + j) % 2 == 0 for j in range(6)] for i in range(4)])
    for swap in (False, True):
        layer = randomised(checkerboard(swap))
        kept = ~even if swap else even
        z = layer(x)[0]
        assert torch.equal(z[..., kept], x[..., kept])
        assert (z != x)[..., ~kept].all()
        # What a number of the changed colour becomes depends on no other of its colour.
        other = x.clone()
        other[0, 0][~kept] = torch.rand(12, dtype=torch.float64)
        torch.testing.assert_close(layer(other)[0][0, 1], z[0, 1])


def test_couplings_and_priors_start_near_the_identity(rng: torch.Generator) -> None:
    x = torch.randn(2, 4, 4, 4, generator=rng)
    sigmoid, tanh = (AffineCoupling(small_net(2, 4), scale=kind) for kind in ("sigmoid", "tanh"))  # type: ignore[arg-type]
    assert torch.equal(tanh(x)[0], x)
    torch.testing.assert_close(sigmoid(x)[0][:, 2:], x[:, 2:] * torch.tensor(2.0).sigmoid())


def test_a_learned_prior_is_a_gaussian_given_what_stays(rng: torch.Generator) -> None:
    torch.manual_seed(0)
    net = small_net(2, 4)
    flow = randomised(
        Chain([AffineCoupling(net, scale="tanh"), LetGo(Reshape((2, 2, 2), (8,)), (4, 2, 2))])
    )
    x = torch.randn(3, 4, 2, 2, generator=rng).double()
    kept, gone = x.chunk(2, 1)
    raw, shift = net(kept).chunk(2, 1)
    log_scale = 2 * torch.tanh(raw / 2)
    given = torch.distributions.Normal(-shift * torch.exp(-log_scale), torch.exp(-log_scale))
    wanted = torch.distributions.Normal(0.0, 1.0).log_prob(kept) + given.log_prob(gone)
    base = Chain([flow, Reshape((16,), (4, 2, 2))])
    found = FlowDistribution(base, (4, 2, 2)).log_prob(x)
    torch.testing.assert_close(found, wanted.flatten(1).sum(1))


def test_vectors_take_contexts_and_sets_of_points(rng: torch.Generator) -> None:
    torch.manual_seed(0)
    flow = randomised(coupling_flow(3, layers=3, hidden=(8,), context_dim=2))
    x = torch.randn(2, 5, 3, generator=rng).double()
    context = torch.randn(2, 2, generator=rng).double()
    z, log_det = flow(x, context)
    assert log_det.shape == (2, 5)
    torch.testing.assert_close(flow.inverse(z, context)[0], x)
    torch.testing.assert_close(flow(x[1], context[1:].expand(5, -1))[0], z[1])
    assert (flow(x, context + 1)[0] - z).abs().max() > 0.01


def test_half_precision_stays_in_the_networks(rng: torch.Generator) -> None:
    torch.manual_seed(0)
    flow = randomised(multiscale((1, 8, 8), 2, block, prior=prior), 0.1).float()
    x = torch.randn(3, 1, 8, 8, generator=rng)
    full, log_det = flow(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        z, mixed = flow(x)
        back, _ = flow.inverse(z)
        weight = next(each for each in flow.modules() if isinstance(each, InvertibleConv)).weight
    assert z.dtype == mixed.dtype == back.dtype == weight.dtype == torch.float32
    # The networks' outputs are off by a few thousandths, and the same on the way back.
    assert 0 < (z - full).abs().max() < 0.1
    torch.testing.assert_close(mixed, log_det, atol=0.5, rtol=0)
    torch.testing.assert_close(back, x, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Squeeze()(torch.zeros(1, 1, 7, 6)), "a squeeze needs an even .* got 7 x 6"),
        (
            lambda: checkerboard(False)(torch.zeros(1, 2, 4, 5)),
            "a checkerboard needs an even height and width; got 4 x 5",
        ),
        (
            lambda: AffineCoupling(small_net(1, 2))(torch.zeros(1, 1, 2, 2)),
            r"halved from two on; got 1 in \(1, 1, 2, 2\)",
        ),
        (lambda: multiscale((1, 6, 6), 2, block), "halves the height and width; got 3 x 3"),
        (lambda: Reshape((2, 3), (5,)), r"\(2, 3\) cannot be reshaped to \(5,\)"),
        (lambda: Logit(0.5), "alpha must be above 0 and below 0.5; got 0.5"),
        (lambda: coupling_flow(1), "needs two dimensions and a layer; got 1 and 8"),
        (
            lambda: VectorNet(2, 2, (3,), context_dim=2)(torch.zeros(1, 2)),
            r"context must be \(batch, 2\); got None",
        ),
    ],
)
def test_bad_input_is_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
