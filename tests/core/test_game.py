"""The game's two objectives against the sums they stand for, written out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from shapegen.core.game import Game, GameOptions, Made, joint_objectives
from shapegen.core.gradient_penalties import (
    roth_penalty,
    wasserstein_penalty,
    zero_centred_penalty,
)
from shapegen.core.seeding import seeded

REAL = torch.randn(6, 2, generator=torch.Generator().manual_seed(3), dtype=torch.float64) + 1
CODES = torch.randn(6, 3, generator=torch.Generator().manual_seed(4), dtype=torch.float64)


class Judge(nn.Module):
    """A discriminator of rows."""

    def __init__(self, width: int = 2) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(width, 5), nn.Tanh(), nn.Linear(5, 1))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.layers(x)[:, 0]
        return logits


class Players:
    def __init__(self, options: GameOptions, **more: Any) -> None:
        with seeded(0):
            self.maker = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
            self.judge = Judge(2 * options.pack).double()
        self.game = Game(
            self.maker,
            self.judge,
            options,
            real=lambda batch: (batch,),
            make=lambda batch: Made((self.maker(CODES),), CODES),
            **more,
        )

    def loss(self, name: str, step: int = 0) -> tuple[Tensor, dict[str, Tensor]]:
        objectives = {each.name: each for each in self.game.objectives()}
        return objectives[name].loss(REAL, step)


def test_the_plain_game() -> None:
    players = Players(GameOptions())
    fake = players.maker(CODES)
    on_real, on_fake = players.judge(REAL), players.judge(fake)
    loss, terms = players.loss("discriminator")
    torch.testing.assert_close(loss, softplus(-on_real).mean() + softplus(on_fake).mean())
    told = ((on_real > 0).double().mean() + (on_fake < 0).double().mean()) / 2
    assert terms.keys() == {"told_apart"}
    assert terms["told_apart"].item() == pytest.approx(told.item())
    loss, terms = players.loss("generator")
    torch.testing.assert_close(loss, softplus(-on_fake).mean())
    assert terms.keys() == {"game"}


def test_the_discriminators_loss_trains_it_alone() -> None:
    players = Players(GameOptions(r1=1.0, r2=1.0))
    players.loss("discriminator")[0].backward()
    assert all(parameter.grad is None for parameter in players.maker.parameters())
    assert all(parameter.grad is not None for parameter in players.judge.layers[0].parameters())


def test_penalties_are_added_each_at_its_place() -> None:
    plain = Players(GameOptions())
    fake = plain.maker(CODES).detach()
    judge = plain.judge
    expected = {
        "r1": zero_centred_penalty(judge, REAL, 0.7),
        "r2": zero_centred_penalty(judge, fake, 0.7),
        "roth": roth_penalty((judge, judge), (REAL, fake), 0.7),
        "gradient_penalty": wasserstein_penalty(
            judge, REAL, fake, 0.7, rng=torch.Generator().manual_seed(9)
        ),
    }
    total = sum(expected.values(), torch.zeros(()))
    for name, penalty in [*expected.items(), ("all", total)]:
        names = list(expected) if name == "all" else [name]
        options = GameOptions(**dict.fromkeys(names, 0.7))
        players = Players(options, rng=torch.Generator().manual_seed(9))
        loss, terms = players.loss("discriminator")
        torch.testing.assert_close(loss - plain.loss("discriminator")[0], penalty)
        torch.testing.assert_close(terms["penalty"], penalty.detach())


@pytest.mark.parametrize(("options", "passes"), [({}, 2), ({"r1": 0.7}, 2), ({"r2": 0.7}, 3)])
def test_slopes_at_data_need_no_pass_of_their_own(options: dict[str, float], passes: int) -> None:
    players = Players(GameOptions(**options))
    seen: list[Tensor] = []
    players.judge.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    players.loss("discriminator")
    assert len(seen) == passes


def test_a_penalty_of_several_logits_is_of_their_mean() -> None:
    players, patches = Players(GameOptions(r1=0.7)), Players(GameOptions(r1=0.7))
    weights = torch.tensor([0.5, 1.5], dtype=torch.float64)
    one = players.judge.forward
    patches.judge.forward = lambda x: one(x)[:, None, None] * weights  # type: ignore[method-assign]
    found, wanted = (each.loss("discriminator")[1]["penalty"] for each in (patches, players))
    torch.testing.assert_close(found, wanted)


def test_lazy_penalties_are_seldom_and_so_much_heavier() -> None:
    eager, lazy = Players(GameOptions(r1=2.0)), Players(GameOptions(r1=2.0, lazy=4))
    expected = eager.loss("discriminator")[1]["penalty"]
    found = torch.stack([lazy.loss("discriminator", step)[1]["penalty"] for step in range(8)])
    wanted = torch.zeros(8, dtype=torch.float64)
    wanted[[0, 4]] = 4 * expected
    torch.testing.assert_close(found, wanted)


def test_critic_steps_are_the_generators_rest() -> None:
    discriminator, generator = Players(GameOptions(critic_steps=5)).game.objectives()
    assert (discriminator.every, generator.every) == (1, 5)


def test_instance_noise_falls_and_without_it_the_game_is_plain() -> None:
    options = GameOptions(instance_noise=0.5, noise_steps=10)
    assert [options.noise(step) for step in (0, 5, 10, 11)] == [0.5, 0.25, 0.0, 0.0]
    assert replace(options, noise_steps=0).noise(1000) == 0.5
    noisy = Players(options, rng=torch.Generator().manual_seed(2))
    plain = Players(GameOptions())
    for name in ("discriminator", "generator"):
        assert not torch.equal(noisy.loss(name, 0)[0], plain.loss(name)[0])
        assert torch.equal(noisy.loss(name, 10)[0], plain.loss(name)[0])


def test_both_sides_get_noise_of_their_own() -> None:
    seen: list[Tensor] = []
    options = GameOptions(instance_noise=1.0)
    players = Players(options, rng=torch.Generator().manual_seed(2))
    players.judge.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    players.loss("discriminator")
    noise = [seen[0] - REAL, seen[1] - players.maker(CODES)]
    assert (noise[0] - noise[1]).abs().min() > 1e-3
    for each in noise:
        assert 0.4 < each.std() < 1.8


def test_unrolling_nothing_is_the_plain_game() -> None:
    """And some steps are another loss, with gradients for the generator through them."""
    plain = Players(GameOptions())
    expected = plain.loss("generator")[0]
    assert torch.equal(Players(GameOptions(unrolled=0)).loss("generator")[0], expected)
    ahead = Players(GameOptions(unrolled=3, unrolled_rate=0.5))
    found = ahead.loss("generator")[0]
    optimizer = torch.optim.SGD(plain.judge.parameters(), lr=0.5)
    for _ in range(3):
        optimizer.zero_grad()
        plain.loss("discriminator")[0].backward()
        optimizer.step()
    torch.testing.assert_close(found, plain.loss("generator")[0])
    gradients = torch.autograd.grad(found, list(ahead.maker.parameters()))
    other = torch.autograd.grad(plain.loss("generator")[0], list(plain.maker.parameters()))
    assert not torch.allclose(gradients[0], other[0], rtol=1e-2)


@pytest.mark.parametrize("name", ["discriminator", "generator"])
def test_consensus_adds_the_squared_force_to_both_losses(name: str) -> None:
    plain, players = Players(GameOptions()), Players(GameOptions(consensus=0.3))
    # As the loop has it: only this player's parameters are trained.
    for module in (players.judge, players.maker):
        module.requires_grad_(
            module is (players.judge if name == "discriminator" else players.maker)
        )
    force = torch.zeros((), dtype=torch.float64)
    for each, module in (("discriminator", plain.judge), ("generator", plain.maker)):
        for gradient in torch.autograd.grad(plain.loss(each)[0], list(module.parameters())):
            force = force + gradient.square().sum() / 2
    loss, terms = players.loss(name)
    torch.testing.assert_close(loss - plain.loss(name)[0], 0.3 * force)
    torch.testing.assert_close(terms["force"], force)
    loss.backward()
    own = players.judge if name == "discriminator" else players.maker
    for parameter, (key, _) in zip(own.parameters(), own.named_parameters(), strict=True):
        assert parameter.grad is not None, key
    with torch.no_grad():
        torch.testing.assert_close(players.loss(name)[0], loss.detach())


def test_packed_samples_are_judged_together() -> None:
    players = Players(GameOptions(pack=2))
    fake = players.maker(CODES)
    loss, _ = players.loss("discriminator")
    judge = players.judge
    expected = softplus(-judge(REAL.view(3, 4))).mean() + softplus(judge(fake.view(3, 4))).mean()
    torch.testing.assert_close(loss, expected)


def test_further_losses_are_added_and_logged() -> None:
    def further(made: Made, batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        far = (made.shown[0] - batch).square().mean()
        return 2 * far, {"far": far}

    players = Players(GameOptions(), further=further)
    far = (players.maker(CODES) - REAL).square().mean()
    loss, terms = players.loss("generator")
    torch.testing.assert_close(loss - terms["game"], 2 * far)
    torch.testing.assert_close(terms["far"], far.detach())
    assert "far" not in players.loss("discriminator")[1]
    judged = Players(GameOptions(), further_judged=further)
    assert "far" not in judged.loss("generator")[1]
    assert "far" in judged.loss("discriminator")[1]


def test_a_view_is_what_both_players_see_of_both_kinds() -> None:
    """Here at step 5, the rows turned over; the noise comes after."""
    steps: list[int] = []

    def view(shown: tuple[Tensor, ...], step: int) -> tuple[Tensor, ...]:
        steps.append(step)
        return tuple(-each for each in shown)

    options = GameOptions(r1=0.7)
    players, plain = Players(options, view=view), Players(options)
    fake = -plain.maker(CODES)
    on_real, on_fake = plain.judge(-REAL), plain.judge(fake)
    expected = softplus(-on_real).mean() + softplus(on_fake).mean()
    expected = expected + zero_centred_penalty(plain.judge, -REAL, 0.7)
    torch.testing.assert_close(players.loss("discriminator", 5)[0], expected)
    torch.testing.assert_close(players.loss("generator", 5)[0], softplus(-on_fake).mean())
    assert steps == [5, 5, 5]


def test_replays_are_shown_in_the_discriminators_step_alone() -> None:
    old = torch.ones(6, 2, dtype=torch.float64)
    seen: list[Tensor] = []

    def replay(shown: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        seen.append(shown[0])
        return (old,)

    players, plain = Players(GameOptions(), replay=replay), Players(GameOptions())
    expected = softplus(-plain.judge(REAL)).mean() + softplus(plain.judge(old)).mean()
    torch.testing.assert_close(players.loss("discriminator")[0], expected)
    assert torch.equal(players.loss("generator")[0], plain.loss("generator")[0])
    assert len(seen) == 1
    assert torch.equal(seen[0], plain.maker(CODES))
    assert not seen[0].requires_grad


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"critic_steps": 0}, "critic_steps must be at least 1; got 0"),
        ({"r1": -1.0}, r"r1 must be at least 0; got -1.0"),
        ({"smoothing": 1.0}, "smoothing must be from 0 to below 1; got 1.0"),
        ({"loss": "hinge", "smoothing": 0.1}, "smoothing is of cross-entropies; got loss hinge"),
        ({"unrolled": -1}, "unrolled must be at least 0; got -1"),
    ],
)
def test_options_that_make_no_game(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GameOptions(**fields)


def test_joint_objectives_are_the_games_own_added_up() -> None:
    first, second = Players(GameOptions(critic_steps=3)), Players(GameOptions(critic_steps=3))
    with torch.no_grad():
        for weight in second.maker.parameters():
            weight.mul_(2)
    games = {"a": first.game, "b": second.game}
    both = torch.nn.ModuleList([first.maker, second.maker])
    *judges, makers = joint_objectives(games, both, "makers")
    assert [each.name for each in judges] == ["discriminator_a", "discriminator_b"]
    assert [each.module for each in judges] == [first.judge, second.judge]
    assert (makers.name, makers.module, makers.every) == ("makers", both, 3)
    total, terms = makers.loss(REAL, 0)
    alone = [players.loss("generator")[0] for players in (first, second)]
    assert abs(alone[0] - alone[1]) > 1e-3
    torch.testing.assert_close(total, alone[0] + alone[1])
    named = torch.stack([terms["game_a"], terms["game_b"]])
    torch.testing.assert_close(named, torch.stack(alone).detach())
    torch.testing.assert_close(judges[1].loss(REAL, 0)[0], second.loss("discriminator")[0])
