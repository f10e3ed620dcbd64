"""StyleGAN: noise becomes a style, and a style says what is drawn at every scale.

References: Karras, Laine and Aila, *A Style-Based Generator Architecture for Generative
Adversarial Networks*, 2019, https://arxiv.org/abs/1812.04948; Karras et al., *Analyzing and
Improving the Image Quality of StyleGAN*, 2020, https://arxiv.org/abs/1912.04958.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from shapegen.base import LatentModel
from shapegen.core import latent as latent_walks
from shapegen.core.game import Game, GameOptions, Made, Timed, timed
from shapegen.core.noise import uniform
from shapegen.core.objective import Objective
from shapegen.core.path_length import PathPenalty, path_length
from shapegen.core.style import MappingNetwork, Modulation, NoiseInput, mixed
from shapegen.images.gan_frame import (
    check_networks,
    doubling_sizes,
    drawn_noise,
    made_pixels,
)
from shapegen.images.images import Images
from shapegen.images.stylegan_networks import (
    Outputs,
    StyleDiscriminator,
    StyleGenerator,
    Synthesis,
)
from shapegen.images.validity import checked_pixels

WALKS = 256
"""Walks that path lengths are measured on."""
PATH_SHARE = 2
"""Every so many images of a batch, one is drawn for the path length penalty, as in StyleGAN2."""


@dataclass(frozen=True)
class StyleGANConfig:
    """Options of :class:`StyleGAN`."""

    channels: int = 3
    size: tuple[int, int] = (32, 32)
    """Height and width of an image, multiples of the smallest size's."""
    noise_dim: int = 64
    style_dim: int = 64
    mapping_layers: int = 4
    mapping_rate: float = 0.01
    """Learning rate of the mapping network, as a share of the others'."""
    hidden: tuple[int, ...] = (16, 32, 64, 64)
    """Channels at the whole size, at half of it, and so on."""
    modulation: Modulation = "demodulation"
    """How a layer takes its style: ``adain`` is StyleGAN's way, ``demodulation`` StyleGAN2's."""
    outputs: Outputs = "skip"
    """``skip`` adds pixels of every size, ``residual`` features."""
    noise: NoiseInput = "fixed"
    """What samples have at every pixel beside their styles: the same for all, drawn for each
    (``random``), or ``none``. In training it is drawn."""
    mixing: float = 0.9
    """Share of the images in training that have two styles, one from some layer on."""
    psi: float = 1.0
    """Samples' styles are drawn so near to their mean; 1: as they are, 0: all alike."""
    walk: Literal["noise", "style"] = "noise"
    """Where interpolations go: on an arc of noise, or straight from style to style."""
    path_weight: float = 0.0
    """Of the path length penalty; StyleGAN2's is 2."""
    path_every: int = 8
    """Steps from one such penalty to the next, which then weighs so much more."""
    game: GameOptions = field(default_factory=lambda: GameOptions(r1=1.0, lazy=4))

    def __post_init__(self) -> None:
        lengths = {
            "noise_dim": self.noise_dim,
            "style_dim": self.style_dim,
            "mapping_layers": self.mapping_layers,
            "path_every": self.path_every,
        }
        check_networks(self.channels, self.size, self.hidden, **lengths)
        doubling_sizes(self.size, len(self.hidden))
        if not 0 <= self.mixing <= 1:
            raise ValueError(f"mixing must be from 0 to 1; got {self.mixing}")
        if not self.mapping_rate > 0:
            raise ValueError(f"mapping_rate must be above 0; got {self.mapping_rate}")
        for name in ("psi", "path_weight"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be at least 0; got {getattr(self, name)}")
        if self.game.pack > 1:
            raise ValueError("the discriminator sees the spread of the batch: game.pack must be 1")


class StyleGAN(LatentModel):
    """A generator that draws by styles, and a residual discriminator.

    Args:
        config: Sizes, options of the generator, and the game.
    """

    name: ClassVar[str] = "stylegan"
    config: StyleGANConfig

    def __init__(self, config: StyleGANConfig) -> None:
        super().__init__()
        self.config = config
        widths = config.hidden[::-1]
        sizes = doubling_sizes(config.size, len(widths))
        self.generator = StyleGenerator(
            MappingNetwork(
                config.noise_dim,
                config.style_dim,
                config.mapping_layers,
                rate=config.mapping_rate,
            ),
            Synthesis(
                config.style_dim,
                sizes,
                widths,
                config.channels,
                modulation=config.modulation,
                outputs=config.outputs,
            ),
        )
        self.discriminator = StyleDiscriminator(sizes, widths, config.channels)
        self.path = PathPenalty()

    @property
    def latent_dim(self) -> int:
        """Length of the noise."""
        return self.config.noise_dim

    @property
    def layers(self) -> int:
        """Layers that take a style: one at the smallest size, two at every other."""
        return len(self.generator.synthesis.layers)

    def prepare(self, shapes: Any) -> Float[Tensor, "n c h w"]:
        """Pixels; labels are not looked at.

        Raises:
            TypeError: No images.
            ValueError: None, or of another size.
        """
        return checked_pixels(shapes, self.config.channels, self.config.size)

    def objectives(self, *, rng: torch.Generator | None = None) -> tuple[Objective, ...]:
        """The discriminator's and the generator's.

        The generator's term ``path`` is the path length penalty, as it is weighed at the step.
        """

        def make(seen: Timed) -> Made:
            styles = self._mixed_styles(len(seen.batch), rng)
            return Made((self._drawn(styles, rng),), styles)

        def path(made: Made, seen: Timed) -> tuple[Tensor, dict[str, Tensor]]:
            if seen.step % self.config.path_every:
                return made.shown[0].new_zeros(()), {"path": made.shown[0].new_zeros(())}
            penalty = self.path(
                lambda styles: self._drawn(styles, rng), made.codes[::PATH_SHARE], rng=rng
            )
            weighed = self.config.path_weight * self.config.path_every * penalty
            return weighed, {"path": weighed}

        game = Game(
            self.generator,
            self.discriminator,
            self.config.game,
            real=lambda seen: (seen.batch,),
            make=make,
            further=path if self.config.path_weight else None,
            rng=rng,
        )
        return timed(game.objectives())

    def sample_latent(
        self, n: int, *, rng: torch.Generator | None = None
    ) -> Float[Tensor, "n latent"]:
        """Draw noise from N(0, I)."""
        return drawn_noise(self, n, self.latent_dim, rng)

    @torch.no_grad()
    def styles(
        self, z: Float[Tensor, "n latent"], *, psi: float | None = None
    ) -> Float[Tensor, "n style"]:
        """Styles (w) of noise.

        Args:
            z: Noise.
            psi: Truncation; None: that of the config.

        Raises:
            ValueError: Noise of another shape, or not finite.
        """
        latent_walks.check_codes(z, self.latent_dim)
        mapping = self.generator.mapping
        return mapping.truncated(mapping(z.to(mapping.mean)), self._psi(psi))

    @torch.no_grad()
    def decode_styles(
        self,
        styles: Float[Tensor, "n style"] | Float[Tensor, "n layers style"],
        *,
        rng: torch.Generator | None = None,
    ) -> Images:
        """Images of styles, one for all layers or one for each.

        Args:
            styles: As :meth:`styles` gives them, or with a dimension of layers: mix by taking
                some layers' from other images.
            rng: Of the noise, where that is ``random``.

        Raises:
            ValueError: Styles of another shape, or not finite.
        """
        config = self.config
        rows = styles[:, None].expand(-1, self.layers, -1) if styles.ndim == 2 else styles
        if rows.shape[1:] != (self.layers, config.style_dim) or not len(rows):
            raise ValueError(
                f"styles must be (n, {config.style_dim}) or (n, {self.layers}, "
                f"{config.style_dim}); got {tuple(styles.shape)}"
            )
        synthesis = self.generator.synthesis

        def make(part: Tensor) -> Tensor:
            return synthesis(part.unflatten(1, rows.shape[1:]), noise=config.noise, rng=rng)

        flat = rows.flatten(1)
        return Images(made_pixels(self, make, flat, flat.shape[1]))

    def decode(
        self, z: Float[Tensor, "n latent"], *, rng: torch.Generator | None = None
    ) -> Images:
        """Images of noise, with the truncation of the config.

        Raises:
            ValueError: Noise of another shape, or not finite.
        """
        return self.decode_styles(self.styles(z), rng=rng)

    def decode_walk(
        self, z: Float[Tensor, "steps latent"], *, rng: torch.Generator | None = None
    ) -> Images:
        """Images of the steps of a walk.

        With ``walk: style`` they are of the straight line from the first's style to the last's.
        """
        styles = self.styles(z)
        if self.config.walk == "style":
            t = torch.linspace(0, 1, len(z)).to(styles)
            styles = latent_walks.lerp(styles[0], styles[-1], t)
        return self.decode_styles(styles, rng=rng)

    @torch.no_grad()
    def path_lengths(
        self,
        *,
        walks: int = WALKS,
        features: Callable[[Tensor], Tensor] | None = None,
        rng: torch.Generator | None = None,
    ) -> tuple[float, float]:
        """Mean squared speed of images on walks of noise, and of styles between the same ends.

        Args:
            walks: How many.
            features: As for :func:`shapegen.core.path_length.path_length`.
            rng: Of ends and places.

        Returns:
            That of arcs of noise, and that of straight lines of styles; smaller is straighter.
        """
        a, b = (self.sample_latent(walks, rng=rng) for _ in range(2))
        t = uniform((walks,), like=a, rng=rng)
        mapping, synthesis = self.generator.mapping, self.generator.synthesis

        def images_of(styles: Tensor) -> Tensor:
            images: Tensor = synthesis(styles[:, None].expand(-1, self.layers, -1))
            return images

        by_noise = path_length(
            lambda z: images_of(mapping(z)), (a, b), t, latent_walks.slerp, features=features
        )
        ends = (mapping(a), mapping(b))
        by_style = path_length(images_of, ends, t, latent_walks.lerp, features=features)
        return by_noise, by_style

    def figures(self, shapes: Any, *, rng: torch.Generator | None = None) -> dict[str, float]:
        """Path lengths, which need no images: of noise and of styles, and their ratio.

        Args:
            shapes: Not looked at.
            rng: Of ends and places.
        """
        by_noise, by_style = self.path_lengths(rng=rng)
        return {
            "path length of noise": by_noise,
            "path length of styles": by_style,
            "styles to noise": by_style / by_noise,
        }

    def _psi(self, psi: float | None) -> float:
        return self.config.psi if psi is None else psi

    def _mixed_styles(self, n: int, rng: torch.Generator | None) -> Tensor:
        """Styles of every layer for training, some of two kinds; their mean is followed."""
        first, second = (self.generator.mapping(self.sample_latent(n, rng=rng)) for _ in range(2))
        if self.training:
            self.generator.mapping.follow(first.detach())
        chance, place = (uniform((n,), like=first, rng=rng) for _ in range(2))
        # From layer 1 on: the first style always has the coarsest layer.
        crossover = 1 + (place * (self.layers - 1)).long()
        crossover = torch.where(chance < self.config.mixing, crossover, self.layers)
        return mixed(first, second, crossover, self.layers)

    def _drawn(self, styles: Tensor, rng: torch.Generator | None) -> Tensor:
        """Images with noise drawn anew, but where there is none."""
        noise: NoiseInput = "none" if self.config.noise == "none" else "random"
        images: Tensor = self.generator.synthesis(styles, noise=noise, rng=rng)
        return images
