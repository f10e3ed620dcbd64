r"""InfoGAN: a GAN whose images say which code they were made of.

.. math:: \min_{G, Q} \max_D V(D, G) - \lambda\, L_I(G, Q), \qquad
          L_I = \mathbb{E}_{c, z}[\log Q(c \mid G(z, c))] + H(c) \le I(c; G(z, c))

Reference: Chen, Duan, Houthooft, Schulman, Sutskever and Abbeel, *InfoGAN: Interpretable
Representation Learning by Information Maximizing Generative Adversarial Nets*, 2016, equation 6,
https://arxiv.org/abs/1606.03657.

A category may as well be a slant or a width as a class. Our option ``invariance`` shows Q data
too, each image twice, and raises the information between what it says of the two: Ji, Henriques
and Vedaldi, *Invariant Information Clustering*, 2019, equation 3,
https://arxiv.org/abs/1807.06653; beside InfoGAN: Ojha, Singh, Hsieh and Lee, *Elastic-InfoGAN*,
2020, section 3.2, https://arxiv.org/abs/1910.01112.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import one_hot

from shapegen.base import LatentModel
from shapegen.core.game import Game, GameOptions, Made, Terms
from shapegen.core.gan_nets import SLOPE, GanNetwork, gan_features, gan_generator
from shapegen.core.gaussian import DiagGaussian
from shapegen.core.nets import Size, halved, norm_layers
from shapegen.core.noise import uniform
from shapegen.core.objective import Objective
from shapegen.images.gan_frame import CHUNK, check_networks, drawn_noise, made_pixels
from shapegen.images.images import Images
from shapegen.images.probes import matched_accuracy
from shapegen.images.validity import checked_pixels
from shapegen.images.warping import warped

_MOVING = 0.03
"""Share of a step in the moving average that heads are compared by."""


@dataclass(frozen=True)
class InfoGANConfig:
    """Options of :class:`InfoGAN`."""

    channels: int = 1
    size: tuple[int, int] = (28, 28)
    """Height and width of an image."""
    categories: int = 10
    """Of the discrete code."""
    continuous: int = 2
    """Numbers of the continuous code, uniform in -1 to 1; 0: none."""
    noise_dim: int = 62
    """A latent is the noise, then the weights of the categories, then the continuous code."""
    network: GanNetwork = "dcgan"
    hidden: tuple[int, ...] = (32, 64)
    """Channels at half the size, at a quarter, and so on; widths of an ``mlp`` from the image's
    end."""
    code_widths: tuple[int, ...] = ()
    """Channels of Q's own convolutions at half the size, at a quarter, and so on; none: Q shares
    the discriminator's features, as the paper's does, and is held down with them by penalties."""
    code_hidden: int = 128
    """Width of Q's own layer behind the features."""
    information: float = 1.0
    """Weight of the category's information (lambda)."""
    continuous_information: float = 0.1
    """Weight of that of the continuous code."""
    invariance: float = 0.0
    """Weight of the information between the categories of two views of the same data."""
    pairs: int = 1
    """Of views of every image of a batch."""
    warmup: int = 0
    """Steps before the codes' information counts: what categories mean is then settled by data.
    Otherwise it is settled by the first things that the generator makes, and stays."""
    heads: int = 1
    """Clusterings that Q tries in the warmup: it goes on with the one whose categories say most of
    another view. Each ends where it began to: some divide a class and mix two others."""
    view: float = 0.1
    """How far a view is turned, stretched and moved (:func:`shapegen.images.warping.warped`)."""
    game: GameOptions = field(default_factory=lambda: GameOptions(r1=1.0))

    def __post_init__(self) -> None:
        lengths = {"noise_dim": self.noise_dim, "code_hidden": self.code_hidden}
        check_networks(self.channels, self.size, self.hidden, **lengths)
        if self.code_widths:
            if min(self.code_widths) < 1:
                raise ValueError(
                    f"code_widths must be widths of at least 1; got {list(self.code_widths)}"
                )
            if halved(self.size, len(self.code_widths))[-1] == (1, 1):
                raise ValueError(
                    f"code_widths must leave more than one pixel of {self.size[0]} x "
                    f"{self.size[1]}; got {list(self.code_widths)}"
                )
        for name in ("pairs", "heads"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1; got {getattr(self, name)}")
        if self.heads > 1 and not (self.invariance and self.warmup):
            raise ValueError("several heads are compared by views in a warmup; got none of them")
        if self.categories < 2:
            raise ValueError(f"categories must be at least 2; got {self.categories}")
        weights = ("information", "continuous_information", "invariance")
        for name in ("continuous", *weights, "warmup", "view"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be at least 0; got {getattr(self, name)}")
        if self.game.pack > 1:
            raise ValueError("an image's code is told from the image alone: game.pack must be 1")


@dataclass(frozen=True)
class Codes:
    """What images are made of, but for their noise."""

    category: Int[Tensor, "n"]
    continuous: Float[Tensor, "n continuous"]


class InfoJudge(nn.Module):
    """The discriminator, and Q on its features or on Q's own.

    Args:
        config: Of the model.
    """

    shared: Tensor

    def __init__(self, config: InfoGANConfig) -> None:
        super().__init__()
        self.categories = config.categories
        self.features, length = gan_features(
            config.network, config.channels, config.size, config.hidden
        )
        self.real = nn.Linear(length, 1)
        self.own: nn.Module | None = None
        if config.code_widths:
            self.own, length = _normed_features(config.channels, config.size, config.code_widths)
        self.heads = nn.ModuleList(_head(config, length) for _ in range(config.heads))
        self.register_buffer("shared", torch.zeros(config.heads))

    def forward(self, pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n"]:
        """Logits, above 0 for real."""
        logits: Tensor = self.real(self.features(pixels))
        return logits[:, 0].to(pixels.dtype)

    def codes(
        self, pixels: Float[Tensor, "n c h w"]
    ) -> tuple[Float[Tensor, "n categories"], Float[Tensor, "n continuous"]]:
        """Q: logits of the category, and means of the continuous code, whose variance is 1."""
        found = self.heads[int(self.shared.argmax())](self._seen(pixels)).to(pixels.dtype)
        return found[:, : self.categories], found[:, self.categories :]

    def of_views(
        self, views: Sequence[Float[Tensor, "n c h w"]], *, compared: bool
    ) -> Float[Tensor, ""]:
        """What categories of one view say of the other's, in nats.

        Args:
            views: Two of the same images.
            compared: Of all heads, as a sum, and keep which says most; else of that one.
        """
        if not compared:
            return shared_information(*[self.codes(view)[0].softmax(1) for view in views])
        seen = [self._seen(view) for view in views]
        found = []
        for head in self.heads:
            said = [head(each)[:, : self.categories].to(views[0]).softmax(1) for each in seen]
            found.append(shared_information(*said))
        if self.training:
            self.shared.lerp_(torch.stack(found).detach().to(self.shared), _MOVING)
        return torch.stack(found).sum()

    def _seen(self, pixels: Tensor) -> Tensor:
        features = self.features if self.own is None else self.own
        rows: Tensor = features(pixels)
        return rows


def _head(config: InfoGANConfig, length: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(length, config.code_hidden),
        *([nn.LayerNorm(config.code_hidden)] if config.code_widths else []),
        nn.LeakyReLU(SLOPE),
        nn.Linear(config.code_hidden, config.categories + config.continuous),
    )


def _normed_features(channels: int, size: Size, widths: Sequence[int]) -> tuple[nn.Module, int]:
    """Convolutions that halve, each with a norm of single images; rows, and their length.

    Without norms, raising the information between views fills two or three categories of ten.
    """
    layers: list[nn.Module] = []
    for width, following in itertools.pairwise([channels, *widths]):
        layers.append(nn.Conv2d(width, following, 3, stride=2, padding=1))
        layers += [*norm_layers("instance", following), nn.LeakyReLU(SLOPE)]
    height, width = halved(size, len(widths))[-1]
    return nn.Sequential(*layers, nn.Flatten()), widths[-1] * height * width


class InfoGAN(LatentModel):
    """A generator of noise and codes, and a discriminator that also tells the codes.

    Args:
        config: Sizes, networks and the game.
    """

    name: ClassVar[str] = "infogan"
    config: InfoGANConfig

    def __init__(self, config: InfoGANConfig) -> None:
        super().__init__()
        self.config = config
        self.generator = gan_generator(
            config.network, self.latent_dim, config.size, config.hidden, config.channels
        )
        self.discriminator = InfoJudge(config)

    @property
    def latent_dim(self) -> int:
        """Length of noise and codes together."""
        config = self.config
        return config.noise_dim + config.categories + config.continuous

    def prepare(self, shapes: Any) -> Float[Tensor, "n c h w"]:
        """Pixels; labels are not looked at.

        Raises:
            TypeError: No images.
            ValueError: None, or of another size.
        """
        return checked_pixels(shapes, self.config.channels, self.config.size)

    def objectives(self, *, rng: torch.Generator | None = None) -> tuple[Objective, ...]:
        """The discriminator's and the generator's, each with the information's bound in it."""
        config = self.config

        def make(batch: Tensor) -> Made:
            z, codes = self._drawn(len(batch), rng)
            return Made((self.generator(z),), codes)

        def inform(made: Made, step: int) -> tuple[Tensor, Terms]:
            total, terms = self.information(made.shown[0], made.codes)
            return total * (step >= config.warmup), terms

        def inform_of_data(made: Made, batch: Tensor, step: int) -> tuple[Tensor, Terms]:
            total, terms = inform(made, step)
            if config.invariance:
                images = batch.repeat(config.pairs, 1, 1, 1)
                views = [warped(images, config.view, rng=rng) for _ in range(2)]
                shared = self.discriminator.of_views(views, compared=step < config.warmup)
                total, terms = total - config.invariance * shared, terms | {"views": shared}
            return total, terms

        def game(step: int) -> Game:
            return Game(
                self.generator,
                self.discriminator,
                config.game,
                real=lambda batch: (batch,),
                make=make,
                further=lambda made, _: inform(made, step),
                further_judged=lambda made, batch: inform_of_data(made, batch, step),
                rng=rng,
            )

        def judge(batch: Tensor, step: int) -> tuple[Tensor, Terms]:
            return game(step).judge(batch, step)

        def fool(batch: Tensor, step: int) -> tuple[Tensor, Terms]:
            return game(step).fool(batch, step)

        every = config.game.critic_steps
        return (
            Objective("discriminator", self.discriminator, judge),
            Objective("generator", self.generator, fool, every=every),
        )

    def information(
        self, pixels: Float[Tensor, "n c h w"], codes: Codes
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Minus the weighted bounds, and both in nats: a category's is at most its entropy.

        Args:
            pixels: Images.
            codes: What they were made of.
        """
        logits, mean = self.discriminator.codes(pixels)
        said = logits.log_softmax(1).gather(1, codes.category[:, None]).mean()
        category = said + math.log(self.config.categories)
        total = -self.config.information * category
        terms = {"category": category}
        if self.config.continuous:
            density = DiagGaussian(mean, torch.zeros_like(mean)).log_prob(codes.continuous).mean()
            # The entropy of U(-1, 1) is log 2 for each number.
            continuous = density + self.config.continuous * math.log(2)
            total = total - self.config.continuous_information * continuous
            terms["continuous"] = continuous
        return total, terms

    def sample_latent(
        self, n: int, *, rng: torch.Generator | None = None
    ) -> Float[Tensor, "n latent"]:
        """Draw noise from N(0, I), categories all alike, continuous codes from U(-1, 1)."""
        return self._drawn(n, rng)[0]

    @property
    def choices(self) -> slice:
        """Where a latent has the weights of the categories."""
        return slice(self.config.noise_dim, self.config.noise_dim + self.config.categories)

    def generate(self, z: Float[Tensor, "n latent"]) -> Float[Tensor, "n c h w"]:
        """Pixels of latents, with gradients."""
        pixels: Tensor = self.generator(z)
        return pixels

    def targets(self, shapes: Any) -> Float[Tensor, "n c h w"]:
        """As :meth:`prepare`."""
        return self.prepare(shapes)

    @torch.no_grad()
    def decode(
        self, z: Float[Tensor, "n latent"], *, rng: torch.Generator | None = None
    ) -> Images:
        """Images of latents; the label is the category of most weight.

        Raises:
            ValueError: Latents of another shape, or not finite.
        """
        pixels = made_pixels(self, self.generate, z, self.latent_dim)
        first = self.config.noise_dim
        weights = z[:, first : first + self.config.categories]
        return Images(pixels, weights.argmax(1).cpu())

    @torch.no_grad()
    def categories(self, shapes: Any) -> Int[Tensor, "n"]:
        """The category that Q takes every image for: a clustering that no label has shaped.

        Raises:
            TypeError: No images.
            ValueError: None, or of another size.
        """
        pixels, place = self.prepare(shapes), next(self.parameters())
        found = [
            self.discriminator.codes(part.to(place))[0].argmax(1) for part in pixels.split(CHUNK)
        ]
        return torch.cat(found).cpu()

    def figures(self, shapes: Any, *, rng: torch.Generator | None = None) -> dict[str, float]:
        """What the codes say of held-out images and of samples.

        Returns:
            ``code accuracy``: share of images whose class is the one matched with their category
            (one to one, so that it is largest); ``category information`` and ``continuous
            information`` of samples, bounds in nats.

        Raises:
            ValueError: Images without labels.
        """
        images = Images.of(shapes)
        if images.labels is None:
            raise ValueError("figures of codes need labels; the images have none")
        with torch.no_grad():
            z, codes = self._drawn(CHUNK, rng)
            terms = self.information(self.generator(z), codes)[1]
        accuracy = matched_accuracy(self.categories(images), images.labels)
        return {"code accuracy": accuracy} | {
            f"{name} information": float(value) for name, value in terms.items()
        }

    def _drawn(self, n: int, rng: torch.Generator | None) -> tuple[Tensor, Codes]:
        config, like = self.config, next(self.parameters())
        noise = drawn_noise(self, n, config.noise_dim, rng)
        category = (uniform((n,), like=like, rng=rng) * config.categories).long()
        continuous = 2 * uniform((n, config.continuous), like=like, rng=rng) - 1
        weights = one_hot(category, config.categories).to(noise)
        return torch.cat([noise, weights, continuous], 1), Codes(category, continuous)


def shared_information(
    one: Float[Tensor, "n categories"], other: Float[Tensor, "n categories"]
) -> Float[Tensor, ""]:
    """Mutual information in nats of the categories of two views, drawn with these probabilities.

    It is at most the logarithm of how many categories there are: where every view says the same
    with certainty, and all categories are as frequent.
    """
    joint = one.T @ other / len(one)
    # The slope of entropy has no bound at 0, which is what a product of two small shares may be.
    joint = ((joint + joint.T) / 2).clamp_min(torch.finfo(joint.dtype).tiny)
    alone = joint.sum(0)
    return 2 * torch.special.entr(alone).sum() - torch.special.entr(joint).sum()
