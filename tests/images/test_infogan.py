"""InfoGAN: codes in latents, the information's bound, and categories of images."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from shapegen.core.game import GameOptions
from shapegen.core.seeding import seeded
from shapegen.images.images import Images
from shapegen.images.infogan import Codes, InfoGAN, InfoGANConfig, shared_information
from shapegen.images.probes import matched_accuracy
from tests.images.image_cases import play

SMALL: dict[str, Any] = {
    "size": (8, 8),
    "categories": 3,
    "noise_dim": 4,
    "hidden": (4, 8),
    "code_hidden": 8,
}


def build(**changes: Any) -> InfoGAN:
    with seeded(0):
        return InfoGAN(InfoGANConfig(**(SMALL | changes))).eval()


def pixels(n: int) -> torch.Tensor:
    return torch.rand(n, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_a_latent_is_noise_a_category_and_numbers() -> None:
    model = build()
    z = model.sample_latent(3000, rng=torch.Generator().manual_seed(0))
    assert z.shape == (3000, 4 + 3 + 2)
    weights, numbers = z[:, 4:7], z[:, 7:]
    assert torch.equal(weights.sum(1), torch.ones(3000))
    torch.testing.assert_close(weights.mean(0), torch.full((3,), 1 / 3), atol=0.04, rtol=0)
    assert numbers.abs().max() <= 1
    assert numbers.var().item() == pytest.approx(1 / 3, abs=0.03)
    assert torch.equal(model.decode(z[:5]).labels, weights[:5].argmax(1))


def test_the_bound_written_out() -> None:
    model, images = build(information=2.0, continuous_information=0.5), pixels(6)
    codes = Codes(torch.tensor([0, 1, 2, 0, 1, 2]), torch.linspace(-1, 1, 12).view(6, 2))
    total, terms = model.information(images, codes)
    logits, mean = model.discriminator.codes(images)
    category = math.log(3) - torch.nn.functional.cross_entropy(logits, codes.category)
    normal = torch.distributions.Normal(mean, 1.0).log_prob(codes.continuous).sum(1).mean()
    continuous = normal + 2 * math.log(2)
    torch.testing.assert_close(terms["category"], category)
    torch.testing.assert_close(terms["continuous"], continuous)
    torch.testing.assert_close(total, -2 * category - 0.5 * continuous)


def test_the_bound_is_the_entropy_for_whoever_knows_the_category_and_0_for_the_ignorant() -> None:
    model, images = build(), pixels(3)
    codes = Codes(torch.tensor([0, 1, 2]), torch.zeros(3, 2))
    last: Any = model.discriminator.heads[0][-1]
    torch.nn.init.zeros_(last.weight)
    torch.nn.init.zeros_(last.bias)
    assert model.information(images, codes)[1]["category"].item() == pytest.approx(0, abs=1e-6)
    knows = Codes(torch.zeros(3, dtype=torch.long), torch.zeros(3, 2))
    with torch.no_grad():
        last.bias[0] = 100.0
    found = model.information(images, knows)[1]["category"]
    assert found.item() == pytest.approx(math.log(3))


def test_both_players_gain_by_information() -> None:
    """Q and the features learn in the discriminator's step, the generator in its own."""
    plain, model = build(information=0.0, continuous_information=0.0), build()
    for number, name in enumerate(("discriminator", "generator")):
        losses, terms = [], {}
        for each in (plain, model):
            objective = each.objectives(rng=torch.Generator().manual_seed(1))[number]
            assert objective.name == name
            loss, terms = objective.loss(pixels(6), 0)
            losses.append(loss)
        gain = terms["category"] + 0.1 * terms["continuous"]
        torch.testing.assert_close(losses[0] - losses[1], gain)
    judge, _ = model.objectives()
    judge.loss(pixels(6), 0)[0].backward()
    assert all(parameter.grad is not None for parameter in model.discriminator.parameters())
    assert all(parameter.grad is None for parameter in model.generator.parameters())


def test_views_share_all_information_where_each_is_told_and_none_where_all_are_alike() -> None:
    sure = torch.eye(4).repeat(2, 1)
    assert shared_information(sure, sure).item() == pytest.approx(math.log(4))
    assert shared_information(torch.full((8, 4), 0.25), sure).item() == pytest.approx(0, abs=1e-6)
    one_class = torch.eye(4)[:1].repeat(8, 1)
    assert shared_information(one_class, one_class).item() == pytest.approx(0, abs=1e-6)
    rng = torch.Generator().manual_seed(0)
    a, b = (torch.rand(5, 3, generator=rng, dtype=torch.float64).softmax(1) for _ in range(2))
    joint = torch.stack([torch.outer(x, y) for x, y in zip(a, b, strict=True)]).mean(0)
    joint = (joint + joint.T) / 2
    expected = sum(
        joint[i, j] * (joint[i, j] / (joint[i].sum() * joint[:, j].sum())).log()
        for i in range(3)
        for j in range(3)
    )
    torch.testing.assert_close(shared_information(a, b), torch.as_tensor(expected))


def test_the_discriminator_alone_is_shown_views_of_data() -> None:
    batch = torch.linspace(-1, 1, 6)[:, None, None, None].expand_as(pixels(6))
    plain, model = build(view=0.2), build(view=0.2, invariance=1000.0)
    for each in (plain, model):
        last: Any = each.discriminator.heads[0][-1]
        last.weight.data.mul_(30)  # it says something
    for number in range(2):
        found = []
        for each in (plain, model):
            objective = each.objectives(rng=torch.Generator().manual_seed(1))[number]
            found.append(objective.loss(batch, 0))
        if number:
            torch.testing.assert_close(found[0][0], found[1][0])
            assert "views" not in found[1][1]
        else:
            gain = 1000 * found[1][1]["views"]
            assert gain > 0.1
            torch.testing.assert_close(found[0][0] - found[1][0], gain)


def test_information_counts_after_the_warmup() -> None:
    plain, model = build(information=0.0, continuous_information=0.0), build(warmup=5)
    for number in range(2):
        losses = []
        for each, step in ((plain, 0), (model, 4), (model, 5)):
            objective = each.objectives(rng=torch.Generator().manual_seed(1))[number]
            losses.append(objective.loss(pixels(6), step))
        torch.testing.assert_close(losses[0][0], losses[1][0])
        assert losses[2][0] != losses[1][0]
        assert "category" in losses[1][1]


def test_every_image_is_in_so_many_pairs_of_views(monkeypatch: pytest.MonkeyPatch) -> None:
    from shapegen.images import infogan

    seen = []

    def warped(images: torch.Tensor, amount: float, **options: Any) -> torch.Tensor:
        seen.append(images)
        return images

    monkeypatch.setattr(infogan, "warped", warped)
    model, batch = build(pairs=3, invariance=1.0), pixels(4)
    terms = model.objectives(rng=torch.Generator().manual_seed(1))[0].loss(batch, 0)[1]
    assert len(seen) == 2
    assert all(torch.equal(images, batch.repeat(3, 1, 1, 1)) for images in seen)
    said = model.discriminator.codes(batch)[0].softmax(1)
    torch.testing.assert_close(terms["views"], shared_information(said, said))


def test_the_head_that_says_most_of_another_view_is_kept() -> None:
    model = build(invariance=1.0, warmup=2, heads=3)
    judge, batch = model.discriminator, pixels(6)
    with torch.no_grad():
        judge.heads[1][-1].weight.mul_(100)  # the others hardly say anything
    model.train()
    objective = model.objectives(rng=torch.Generator().manual_seed(1))[0]
    objective.loss(batch, 0)[0].backward()
    assert judge.shared.argmax() == 1
    assert all(head[0].weight.grad is not None for head in judge.heads)
    logits, _ = judge.codes(batch)
    torch.testing.assert_close(logits, judge.heads[1](judge.features(batch))[:, :3])
    before = judge.shared.clone()
    model.zero_grad()
    objective.loss(batch, 2)[0].backward()
    assert torch.equal(judge.shared, before)
    assert [head[0].weight.grad is None for head in judge.heads] == [True, False, True]


def test_categories_are_matched_with_classes() -> None:
    assert matched_accuracy([0, 0, 1, 1, 2, 2], [5, 5, 3, 3, 4, 4]) == 1.0
    assert matched_accuracy([0, 0, 0, 1], [1, 1, 0, 0]) == 0.75
    assert matched_accuracy([0, 0, 0, 0], [0, 1, 2, 3]) == 0.25
    model = build()
    images = Images(pixels(20), torch.arange(20) % 3)
    found = model.figures(images, rng=torch.Generator().manual_seed(0))
    expected = matched_accuracy(model.categories(images), images.labels)
    assert found["code accuracy"] == expected
    assert found["category information"] < math.log(3)
    with pytest.raises(ValueError, match="figures of codes need labels"):
        model.figures(Images(pixels(4)))


def test_a_category_is_learnt_without_labels() -> None:
    """Dark and bright squares: the two categories are the two kinds."""
    options: dict[str, Any] = {"categories": 2, "continuous": 0, "noise_dim": 1}
    model = build(**options, game=GameOptions(r1=1.0), hidden=(8, 16))
    labels = torch.arange(256) % 2
    rng = torch.Generator().manual_seed(0)
    noise = 0.2 * torch.randn(256, 1, 8, 8, generator=rng)
    images = Images((noise + labels.view(-1, 1, 1, 1) * 1.2 - 0.6).clamp(-1, 1), labels)
    play(model, model.prepare(images), 150, rng=rng)
    assert model.figures(images, rng=rng)["code accuracy"] > 0.95


def test_information_has_slopes_where_some_categories_are_out_of_the_question() -> None:
    logits = torch.tensor([[0.0, 300.0, -300.0], [300.0, 0.0, -300.0]], requires_grad=True)
    said = logits.softmax(1)
    shared_information(said, said).backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_features_of_its_own_let_the_code_be_and_the_logits_too() -> None:
    model = build(code_widths=(4, 8))
    judge, images = model.discriminator, pixels(5)
    judge.zero_grad()
    judge.codes(images)[0].square().sum().backward()
    assert all(parameter.grad is None for parameter in judge.features.parameters())
    judge.zero_grad()
    judge(images).sum().backward()
    assert judge.own is not None
    assert all(parameter.grad is None for parameter in judge.own.parameters())
    # Norms are of single images: what is told of one does not depend on the others.
    torch.testing.assert_close(judge.codes(images)[0][:2], judge.codes(images[:2])[0])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"pairs": 0}, "pairs must be at least 1; got 0"),
        ({"heads": 0}, "heads must be at least 1; got 0"),
        ({"heads": 2, "invariance": 1.0}, "several heads are compared by views in a warmup"),
        ({"warmup": -1}, "warmup must be at least 0; got -1"),
        ({"categories": 1}, "categories must be at least 2; got 1"),
        ({"continuous": -1}, "continuous must be at least 0; got -1"),
        ({"information": -1.0}, "information must be at least 0; got -1.0"),
        ({"code_widths": (4, 0)}, r"code_widths must be widths of at least 1; got \[4, 0\]"),
        ({"code_widths": (4, 4, 4)}, "code_widths must leave more than one pixel of 8 x 8"),
        ({"game": GameOptions(pack=2)}, r"game\.pack must be 1"),
    ],
)
def test_settings_that_make_no_model(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        InfoGANConfig(**(SMALL | fields))
