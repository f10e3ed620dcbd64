"""What a pixel is predicted from, and that sampling step by step says the same as scoring."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from shapegen.core.autoregressive import draw, influences, stepwise_log_prob
from shapegen.core.likelihoods import BlackOrWhite, binarised
from shapegen.core.seeding import seeded
from shapegen.images.autoregressive_head import AnyLevel, AutoregressiveHead
from shapegen.images.causal import ColumnsConv, MaskedConv, RowsConv, Window
from shapegen.images.images import Images
from shapegen.images.pixel_model import PixelModel
from shapegen.images.pixel_process import images_of, sequences
from shapegen.images.pixelcnn_networks import GatedNetwork
from tests.images.pixel_cases import CASES, KINDS, build, labels_of

ALL = pytest.mark.parametrize("case", list(CASES))
HEIGHT, WIDTH = 4, 5


def seen(model: PixelModel) -> Tensor:
    """Which numbers of an image the prediction of each depends on."""

    def predict(values: Tensor) -> Tensor:
        pixels = images_of(values[None], model.shape)
        numbers = model.head(model.network(pixels, None), pixels)  # (1, C, H, W, P)
        return numbers[0].permute(1, 2, 0, 3).flatten(0, 2)

    # Rectifiers of the head that are off in one image are on in another.
    rng = torch.Generator().manual_seed(0)
    shape = (6, HEIGHT * WIDTH * model.config.channels, 1)
    images = torch.randn(shape, generator=rng, dtype=torch.float64)
    return torch.stack([influences(predict, values) for values in images]).any(0)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("case", ["gated", "diagonal"])
def test_all_that_is_before_is_seen_and_nothing_else(case: str, channels: int) -> None:
    layers = 4 if case == "gated" else 2
    model = build(case, HEIGHT, WIDTH, channels=channels, layers=layers).double()
    count = HEIGHT * WIDTH * channels
    assert torch.equal(seen(model), torch.ones(count, count).tril(-1).bool())


def places() -> tuple[Tensor, Tensor]:
    """Rows and columns of pixels (lines) less those of others (columns)."""
    rows = torch.arange(HEIGHT).repeat_interleave(WIDTH)
    columns = torch.arange(WIDTH).repeat(HEIGHT)
    return rows[:, None] - rows, columns[:, None] - columns


def masked_reach() -> Tensor:
    """What masks of kernel 3 let through: type A once, then type B or nothing, twice."""
    rows, columns = places()
    before = (rows >= 0) & (rows <= 1) & (columns.abs() <= 1) & ((rows > 0) | (columns > 0))
    itself = torch.eye(len(rows)).bool()
    twice = (before | itself).float() @ (before | itself).float()
    return (twice @ before.float()) > 0


def row_reach() -> Tensor:
    """Type A, then twice the row up to the pixel and the triangle above it."""
    rows, columns = places()
    before = (rows >= 0) & (rows <= 1) & (columns.abs() <= 1) & ((rows > 0) | (columns > 0))
    inputs = ((rows == 0) & (columns >= 0) & (columns <= 1)).float()
    states = ((rows == 1) & (columns.abs() <= 1)).float()
    hidden = inputs
    for _ in range(HEIGHT):
        hidden = inputs + (states @ hidden > 0).float()
    layer = hidden + torch.eye(len(rows))
    return (layer @ layer @ before.float()) > 0


@pytest.mark.parametrize(("case", "reach"), [("masked", masked_reach), ("row", row_reach)])
def test_blind_spots_are_those_of_the_paper(case: str, reach: object) -> None:
    assert callable(reach)
    model = build(case, HEIGHT, WIDTH).double()
    found, expected = seen(model), reach()
    assert torch.equal(found, expected)
    assert not found.triu().any()
    # The pixel at the far end of the row above.
    assert not found[WIDTH, WIDTH - 1]


@ALL
@pytest.mark.parametrize("kind", list(KINDS))
def test_steps_say_what_the_whole_says(case: str, kind: str) -> None:
    model = build(case, HEIGHT, WIDTH, **KINDS[kind]).double()
    labels = labels_of(model, 4)
    with torch.no_grad():
        pixels = model.sample(4, labels, rng=torch.Generator().manual_seed(0)).pixels.double()
        scores = model.scores(pixels, labels)
        for cached in (True, False):
            process = model.process(labels, cached=cached)
            found = stepwise_log_prob(process, sequences(pixels))
            torch.testing.assert_close(found.double(), scores, atol=1e-5, rtol=1e-6)


@ALL
@pytest.mark.parametrize("kind", list(KINDS))
def test_cached_draws_are_those_of_full_passes(case: str, kind: str) -> None:
    model = build(case, HEIGHT, WIDTH, **KINDS[kind])
    labels = labels_of(model, 3)
    drawn, numbers = [], HEIGHT * WIDTH * model.config.channels
    for cached in (True, False):
        rng = torch.Generator().manual_seed(1)
        process = model.process(labels, cached=cached)
        drawn.append(draw(process, 3, numbers, lambda p, rng=rng: p.sample(rng=rng)))
    assert torch.equal(*drawn)
    pixels = images_of(drawn[0], model.shape)
    with torch.no_grad():
        whole = model.head(model.network(pixels, labels), pixels)
        state = model.process(labels).start(3)
        for number, value in enumerate(drawn[0].unbind(1)):
            row, column, channel = state.place
            known = state.pixels[:, :channel, row, column]
            found = model.head.channel(state.features, known)
            torch.testing.assert_close(found, whole[:, channel, row, column], atol=1e-5, rtol=1e-5)
            if number + 1 < numbers:
                state = model.process(labels).advance(state, value)


@ALL
def test_a_drawing_costs_little_more_than_one_pass(case: str) -> None:
    model = build(case, 8, 8)
    with torch.no_grad():
        counts = []
        for work in (
            lambda: model.network(torch.zeros(2, 1, 8, 8), None),
            lambda: model.sample(2, rng=torch.Generator().manual_seed(0)),
        ):
            with FlopCounterMode(display=False) as counter:
                work()
            counts.append(counter.get_total_flops())
    # A full pass a pixel is 64 of them.
    assert 0 < counts[1] < 2 * counts[0]


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("kernel", [3, 7])
def test_a_masked_convolution_is_one_with_a_mask(kernel: int, own: bool) -> None:
    torch.manual_seed(0)
    conv, half = MaskedConv(2, 3, kernel, own=own), kernel // 2
    weight = torch.zeros(3, 2, kernel, kernel)
    weight[:, :, :half] = conv.above.conv.weight
    weight[:, :, half, : half + own] = conv.left.conv.weight[:, :, 0]
    x = torch.randn(2, 2, 6, 5)
    expected = functional.conv2d(x, weight, conv.above.conv.bias, padding=half)
    torch.testing.assert_close(conv(x), expected)


def test_the_image_reaches_the_last_layer_of_a_new_network(rng: torch.Generator) -> None:
    with seeded(0):
        network = GatedNetwork(1, 32, 6, first_kernel=7, kernel=3, classes=0)
    spreads = []
    for layer in network.layers:
        layer.get_submodule("vertical").register_forward_hook(
            lambda _module, _inputs, out: spreads.append(float(out.std((0, 2, 3)).mean()))
        )
    with torch.no_grad():
        network(binarised(torch.zeros(8, 1, 12, 12), rng=rng))
    # With torch's first weights it is a hundredth of the first one.
    assert len(spreads) == 7
    assert min(spreads) > 0.2 * spreads[0]


def test_windows_give_what_convolutions_give() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 3, 6, 5)
    rows, columns = RowsConv(3, 4, 2, 3), ColumnsConv(3, 4, 3)
    window = Window(2)
    found = torch.stack([rows.row(window.push(each)) for each in x.unbind(2)], 2)
    torch.testing.assert_close(found, rows(x))
    window = Window(3)
    found = torch.stack([columns.pixel(window.push(each)) for each in x[:, :, 0].unbind(2)], 2)
    torch.testing.assert_close(found, columns(x)[:, :, 0])


def test_sequences_are_row_by_row_and_in_a_pixel_by_channel() -> None:
    pixels = torch.arange(12.0).view(1, 3, 2, 2)
    values = sequences(pixels)
    assert values[0, :, 0].tolist() == [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]
    assert torch.equal(images_of(values, (3, 2, 2)), pixels)


@pytest.mark.parametrize("kind", ["bernoulli", "categorical", "logistic"])
def test_a_channel_sees_those_before_it(kind: str) -> None:
    torch.manual_seed(0)
    head = AutoregressiveHead(4, 6, 3, kind=kind, levels=7, mixtures=2)  # type: ignore[arg-type]
    features, pixels = torch.randn(2, 4, 1, 1), torch.randn(2, 3, 1, 1)
    whole = head(features, pixels)[:, :, 0, 0]
    for channel in range(3):
        found = head.channel(features[..., 0, 0], pixels[:, :channel, 0, 0])
        torch.testing.assert_close(found, whole[:, channel])
    changed = head(features, pixels + torch.tensor([0.0, 1.0, 1.0])[:, None, None])[:, :, 0, 0]
    assert torch.equal(changed[:, :2], whole[:, :2])
    assert not torch.equal(changed[:, 2], whole[:, 2])


def test_draws_of_levels_have_their_probabilities(rng: torch.Generator) -> None:
    logits = torch.tensor([0.3, -1.0, 0.8])
    drawn = AnyLevel(logits.expand(20000, 3)).sample(rng=rng)
    for level, share in zip((-1.0, 0.0, 1.0), logits.softmax(0), strict=True):
        assert float((drawn == level).float().mean()) == pytest.approx(float(share), abs=0.015)
    white = BlackOrWhite(torch.full((20000,), 0.7)).sample(rng=rng)
    assert float((white > 0).float().mean()) == pytest.approx(0.668, abs=0.015)
    everything = torch.tensor([-1.0, 0.0, 1.0])
    torch.testing.assert_close(
        AnyLevel(logits.expand(3, 3)).log_prob(everything), logits.log_softmax(0)
    )


def test_samples_are_images() -> None:
    samples = build("gated").sample(3, rng=torch.Generator().manual_seed(0))
    assert isinstance(samples, Images)
    assert samples.pixels.shape == (3, 1, 3, 3)


@pytest.mark.parametrize("places", [False, True])
def test_places_are_told_apart_far_from_the_border(places: bool) -> None:
    model = build("placed", 24, 24, places=places)
    with torch.no_grad():
        inside = model.network(torch.full((1, 1, 24, 24), -1.0))[0, :, 8:16, 8:16]
    alike = torch.allclose(inside, inside[:, :1, :1].expand_as(inside), atol=1e-5)
    assert alike is not places
