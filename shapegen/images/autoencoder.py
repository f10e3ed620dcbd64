"""Autoencoder of images: squared errors, and codes without a distribution.

Reference: Hinton and Salakhutdinov, *Reducing the Dimensionality of Data with Neural Networks*,
2006. There the layers are trained one by one first; here all at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from shapegen.base import Autoencoder
from shapegen.core import latent as latent_walks
from shapegen.core.mixture import GaussianMixture
from shapegen.core.nets import Activation, Network, image_decoder, image_encoder
from shapegen.core.objective import Objective
from shapegen.images.images import Images
from shapegen.images.validity import check_size, checked_pixels
from shapegen.images.warping import warped

CHUNK = 512
"""Images that are encoded or decoded at once."""


@dataclass(frozen=True)
class AutoencoderConfig:
    """Options of :class:`ImageAutoencoder`."""

    channels: int = 1
    size: tuple[int, int] = (28, 28)
    """Height and width of an image."""
    latent_dim: int = 30
    network: Network = "mlp"
    hidden: tuple[int, ...] = (512, 256)
    """Widths of the hidden layers of the ``mlp``, or channels of the ``conv`` at every halving;
    the decoder has them backwards. None: the autoencoder is linear, as principal components."""
    activation: Activation = "relu"
    """Of the ``mlp``."""
    blocks: int = 1
    """Residual blocks of the ``conv`` at every size."""
    warp: float = 0.0
    """Random affine maps of the training images; see :func:`shapegen.images.warping.warped`."""

    def __post_init__(self) -> None:
        check_size(self.channels, self.size)
        if self.latent_dim < 1:
            raise ValueError(f"latent_dim must be at least 1; got {self.latent_dim}")
        if self.hidden and min(self.hidden) < 1:
            raise ValueError(f"hidden must be widths of at least 1; got {list(self.hidden)}")
        if not self.hidden and self.network == "conv":
            raise ValueError("a conv network needs hidden channels; got none")
        for name in ("blocks", "warp"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be at least 0; got {getattr(self, name)}")


class ImageAutoencoder(Autoencoder):
    """A network to a short code and one back.

    An autoencoder has no distribution of codes: samples are decoded from a Gaussian that is fitted
    to the codes of the training images, and look it.

    Args:
        config: Sizes.
    """

    name: ClassVar[str] = "autoencoder"
    config: AutoencoderConfig

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        self.config = config
        nets: dict[str, Any] = {"activation": config.activation, "blocks": config.blocks}
        sizes = (config.size, config.hidden)
        self.encoder = image_encoder(
            config.network, config.channels, *sizes, config.latent_dim, **nets
        )
        self.decoder = image_decoder(
            config.network, config.latent_dim, *sizes, config.channels, **nets
        )
        self.mixture = GaussianMixture(1, config.latent_dim)

    @property
    def latent_dim(self) -> int:
        """Length of a code."""
        return self.config.latent_dim

    def prepare(self, shapes: Any) -> Float[Tensor, "n c h w"]:
        """Pixels of images of the config's size.

        Raises:
            TypeError: No images.
            ValueError: None, or of another size.
        """
        return checked_pixels(shapes, self.config.channels, self.config.size)

    def objectives(self, *, rng: torch.Generator | None = None) -> tuple[Objective, ...]:
        """The squared error of an image, brightness in 0 to 1, summed over its pixels."""

        def loss(batch: Tensor, step: int) -> tuple[Tensor, dict[str, Tensor]]:
            if self.training and self.config.warp:
                batch = warped(batch, self.config.warp, rng=rng)
            rebuilt = self.decoder(self.encoder(batch)).to(batch.dtype)
            error = squared_error(rebuilt, batch).mean()
            return error, {"squared_error": error.detach()}

        return (Objective("ae", self, loss),)

    def calibrate(self, prepared: Tensor, *, rng: torch.Generator | None = None) -> None:
        """Fit the Gaussian of codes."""
        self.mixture.fit(self._encode(prepared), rng=rng)

    def encode(self, shapes: Any) -> Float[Tensor, "n latent"]:
        """Codes of images."""
        return self._encode(self.prepare(shapes))

    @torch.no_grad()
    def _encode(self, pixels: Tensor) -> Tensor:
        place = next(self.parameters())
        return torch.cat([self.encoder(part.to(place)) for part in pixels.split(CHUNK)])

    @torch.no_grad()
    def sample_latent(
        self, n: int, *, rng: torch.Generator | None = None
    ) -> Float[Tensor, "n latent"]:
        """Draw codes from the Gaussian that was fitted to the training images'."""
        return self.mixture.sample(n, rng=rng)

    @torch.no_grad()
    def decode(
        self, z: Float[Tensor, "n latent"], *, rng: torch.Generator | None = None
    ) -> Images:
        """Images of codes.

        Raises:
            ValueError: Codes of another shape, or not finite.
        """
        latent_walks.check_codes(z, self.latent_dim)
        z = z.to(next(self.parameters()))
        pixels = torch.cat([self.decoder(part) for part in z.split(CHUNK)])
        return Images(pixels.clamp(-1, 1))

    def figures(self, shapes: Any, *, rng: torch.Generator | None = None) -> dict[str, float]:
        """Squared error of held-out images, brightness in 0 to 1, summed over the pixels."""
        pixels = self.prepare(shapes)
        rebuilt = self.decode(self._encode(pixels)).pixels
        return {"squared error": float(squared_error(rebuilt, pixels).mean())}


def squared_error(
    rebuilt: Float[Tensor, "n c h w"], pixels: Float[Tensor, "n c h w"]
) -> Float[Tensor, "n"]:
    """Squared error of every image, brightness in 0 to 1, summed over its pixels."""
    return ((rebuilt - pixels) / 2).square().flatten(1).sum(1)
