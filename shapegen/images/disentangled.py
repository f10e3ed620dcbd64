"""Disentangled VAE: what the class says of an image in one code, everything else in another.

Reference: Mathieu, Zhao, Sprechmann, Ramesh and LeCun, *Disentangling Factors of Variation in Deep
Representations Using Adversarial Training*, 2016, https://arxiv.org/abs/1611.03383.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from shapegen.base import Autoencoder
from shapegen.core import latent as latent_walks
from shapegen.core.adversarial import discriminator_loss, generator_loss
from shapegen.core.gaussian import DiagGaussian
from shapegen.core.likelihoods import binarised
from shapegen.core.mixture import GaussianMixture
from shapegen.core.nets import Activation, Network, image_decoder, image_encoder
from shapegen.core.noise import standard_normal
from shapegen.core.objective import Objective
from shapegen.core.pixel_heads import Kind, PixelHead
from shapegen.images.images import Images
from shapegen.images.labels import LabelledPixels, checked_labels
from shapegen.images.validity import check_size, checked_pixels

CHUNK = 4096
"""Images that are encoded or decoded at once."""


@dataclass(frozen=True)
class DisentangledConfig:
    """Options of :class:`DisentangledVAE`."""

    channels: int = 1
    size: tuple[int, int] = (28, 28)
    """Height and width of an image."""
    classes: int = 10
    """Of the training images' labels; images without labels can be encoded."""
    specified_dim: int = 16
    """Length of the code of what the class says."""
    unspecified_dim: int = 16
    """Length of the code of everything else."""
    network: Network = "mlp"
    hidden: tuple[int, ...] = (256, 128)
    """Widths of the hidden layers of the ``mlp``, or channels of the ``conv`` at every halving;
    the decoder has them backwards, the discriminator as they are."""
    activation: Activation = "relu"
    """Of the ``mlp``."""
    blocks: int = 1
    """Residual blocks of the ``conv`` at every size."""
    head: Kind = "bernoulli"
    """Of the pixels."""
    binarise: bool = True
    """With ``bernoulli``: draw images black or white anew at every step, by their brightness."""
    beta: float = 1.0
    """Weight of the KL divergence of the unspecified code."""
    adversarial: float = 1.0
    """Weight of the generator's loss, in nats an image, of swapped and of drawn codes each."""

    def __post_init__(self) -> None:
        check_size(self.channels, self.size)
        for name in ("specified_dim", "unspecified_dim"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1; got {getattr(self, name)}")
        if self.classes < 2:
            raise ValueError(f"classes must be at least 2; got {self.classes}")
        if not self.hidden or min(self.hidden) < 1:
            raise ValueError(f"hidden must be widths of at least 1; got {list(self.hidden)}")
        if self.blocks < 0 or self.beta < 0 or self.adversarial < 0:
            raise ValueError("blocks, beta and adversarial must be at least 0")


class DisentangledVAE(Autoencoder):
    """A VAE whose code has two parts; a latent is the specified part, then the unspecified one.

    An image must be decoded from its own unspecified code and the specified code of any image of
    its class. With the code of another class the result must pass for an image of that class
    before a discriminator that knows the class: so the unspecified code cannot tell it.

    Args:
        config: Sizes and weights.
    """

    name: ClassVar[str] = "disentangled"
    config: DisentangledConfig

    def __init__(self, config: DisentangledConfig) -> None:
        super().__init__()
        self.config = config
        self.head = PixelHead(config.head)
        nets: dict[str, Any] = {"activation": config.activation, "blocks": config.blocks}
        like = (config.network, config.channels, config.size, config.hidden)
        self.autoencoder = nn.ModuleDict(
            {
                "encoder": image_encoder(
                    *like, config.specified_dim + 2 * config.unspecified_dim, **nets
                ),
                "decoder": image_decoder(
                    config.network,
                    self.latent_dim,
                    config.size,
                    config.hidden,
                    self.head.parameters * config.channels,
                    **nets,
                ),
            }
        )
        self.discriminator = ClassDiscriminator(
            image_encoder(*like, config.hidden[-1], **nets), config.hidden[-1], config.classes
        )
        self.mixture = GaussianMixture(config.classes, config.specified_dim)

    @property
    def latent_dim(self) -> int:
        """Length of both codes together."""
        return self.config.specified_dim + self.config.unspecified_dim

    # Training ------------------------------------------------------------------------------

    def prepare(self, shapes: Any) -> LabelledPixels:
        """Pixels with their labels.

        Raises:
            TypeError: No images.
            ValueError: None, of another size, without labels or with labels of no class.
        """
        pixels = checked_pixels(shapes, self.config.channels, self.config.size)
        labels = checked_labels(Images.of(shapes).labels, self.config.classes)
        return LabelledPixels(pixels, labels)

    def objectives(self, *, rng: torch.Generator | None = None) -> tuple[Objective, ...]:
        """Of the autoencoder, in nats an image, and of the discriminator."""

        def loss(batch: LabelledPixels, step: int) -> tuple[Tensor, dict[str, Tensor]]:
            pixels, labels = self._shown(batch, rng)
            specified, posterior = self.codes(pixels)
            z = posterior.rsample(rng=rng)
            partner = same_class(labels, rng=rng)
            own, other = (
                self._log_prob(pixels, each, z).mean() for each in (specified, specified[partner])
            )
            kl = posterior.kl_standard().mean()
            swapped, drawn, wanted = self._fakes(specified, z, labels, rng)
            fooled = generator_loss(self.discriminator(swapped, wanted))
            fooled = fooled + generator_loss(self.discriminator(drawn, wanted))
            total = self.config.beta * kl - own - other + self.config.adversarial * fooled
            terms = {"log_prob": own, "log_prob_partner": other, "kl": kl, "fooled": fooled}
            return total, {name: term.detach() for name, term in terms.items()}

        def judge(batch: LabelledPixels, step: int) -> tuple[Tensor, dict[str, Tensor]]:
            pixels, labels = self._shown(batch, rng)
            with torch.no_grad():
                specified, posterior = self.codes(pixels)
                z = posterior.rsample(rng=rng)
                swapped, drawn, wanted = self._fakes(specified, z, labels, rng)
            real = self.discriminator(pixels, labels)
            fake = torch.cat([self.discriminator(each, wanted) for each in (swapped, drawn)])
            told = ((real > 0).float().mean() + (fake < 0).float().mean()) / 2
            return discriminator_loss(real, fake), {"told_apart": told.detach()}

        return (
            Objective("vae", self.autoencoder, loss),
            Objective("discriminator", self.discriminator, judge),
        )

    def _shown(self, batch: LabelledPixels, rng: torch.Generator | None) -> tuple[Tensor, Tensor]:
        assert batch.labels is not None
        if self.config.head == "bernoulli" and self.config.binarise:
            return binarised(batch.pixels, rng=rng), batch.labels
        return batch.pixels, batch.labels

    def _fakes(
        self, specified: Tensor, z: Tensor, labels: Tensor, rng: torch.Generator | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Images of the specified codes of others, and the classes that they should be of."""
        order = torch.randperm(len(z), generator=rng, device=None if rng is None else rng.device)
        order = order.to(z.device)
        noise = standard_normal(z.shape, like=z, rng=rng)
        swapped, drawn = (
            self.head.mean(self._decoded(specified[order], each)) for each in (z, noise)
        )
        return swapped, drawn, labels[order]

    def calibrate(self, prepared: LabelledPixels, *, rng: torch.Generator | None = None) -> None:
        """Fit the distribution of specified codes: a Gaussian for every class."""
        self.mixture.fit(self._encoded(prepared.pixels)[:, : self.config.specified_dim], rng=rng)

    # Codes and images ----------------------------------------------------------------------

    def codes(
        self, pixels: Float[Tensor, "n c h w"]
    ) -> tuple[Float[Tensor, "n specified"], DiagGaussian]:
        """Specified codes, and the posterior of the unspecified ones."""
        sizes = [self.config.specified_dim, *2 * [self.config.unspecified_dim]]
        found = self.autoencoder["encoder"](pixels).to(pixels.dtype)
        specified, mean, logvar = found.split(sizes, 1)
        return specified, DiagGaussian(mean, logvar)

    def encode(self, shapes: Any) -> Float[Tensor, "n latent"]:
        """Specified codes and the means of the unspecified ones."""
        return self._encoded(checked_pixels(shapes, self.config.channels, self.config.size))

    @torch.no_grad()
    def _encoded(self, pixels: Tensor) -> Tensor:
        rows = []
        for part in pixels.split(CHUNK):
            specified, posterior = self.codes(part.to(self._place()))
            rows.append(torch.cat([specified, posterior.mean], 1))
        return torch.cat(rows)

    def sample_latent(
        self, n: int, *, rng: torch.Generator | None = None
    ) -> Float[Tensor, "n latent"]:
        """Draw specified codes as training images have them, unspecified ones from N(0, I)."""
        specified = self.mixture.sample(n, rng=rng)
        shape = (n, self.config.unspecified_dim)
        return torch.cat([specified, standard_normal(shape, like=specified, rng=rng)], 1)

    @torch.no_grad()
    def decode(
        self, z: Float[Tensor, "n latent"], *, rng: torch.Generator | None = None
    ) -> Images:
        """Mean images of codes.

        Raises:
            ValueError: Codes of another shape, or not finite.
        """
        latent_walks.check_codes(z, self.latent_dim)
        outputs = [self.autoencoder["decoder"](part) for part in z.to(self._place()).split(CHUNK)]
        return Images(self.head.mean(torch.cat(outputs)))

    def swap(self, classes: Any, others: Any) -> Images:
        """Images with the class of some and everything else of others, one by one.

        Raises:
            ValueError: Not as many, or images of another size.
        """
        specified, rest = self.encode(classes), self.encode(others)
        if len(specified) != len(rest):
            raise ValueError(f"images must be as many; got {len(specified)} and {len(rest)}")
        size = self.config.specified_dim
        return self.decode(torch.cat([specified[:, :size], rest[:, size:]], 1))

    def _log_prob(self, pixels: Tensor, specified: Tensor, z: Tensor) -> Tensor:
        return self.head.log_prob(self._decoded(specified, z), pixels)

    def _decoded(self, specified: Tensor, z: Tensor) -> Tensor:
        outputs: Tensor = self.autoencoder["decoder"](torch.cat([specified, z], 1))
        return outputs.to(z.dtype)

    def _place(self) -> Tensor:
        return next(self.parameters())


class ClassDiscriminator(nn.Module):
    r"""Whether an image is real and of a class.

    .. math:: D(x, y) = w^T f(x) + v_y^T f(x) + b

    Args:
        features: From images to f.
        width: Length of f.
        classes: How many.

    Reference: Miyato and Koyama, *cGANs with Projection Discriminator*, 2018, equation 3,
    https://arxiv.org/abs/1802.05637; Mathieu et al. hand the class to a layer as a vector.
    """

    def __init__(self, features: nn.Module, width: int, classes: int) -> None:
        super().__init__()
        self.features = features
        self.linear = nn.Linear(width, 1)
        self.classes = nn.Embedding(classes, width)

    def forward(
        self, pixels: Float[Tensor, "n c h w"], labels: Int[Tensor, "n"]
    ) -> Float[Tensor, "n"]:
        """Logits, above 0 for real."""
        features = self.features(pixels).relu()
        logits = self.linear(features)[:, 0] + (self.classes(labels) * features).sum(1)
        return logits.to(pixels.dtype)


def same_class(
    labels: Int[Tensor, "n"], *, rng: torch.Generator | None = None
) -> Int[Tensor, "n"]:
    """The place of another image of the same class in a batch, its own where there is none."""
    device = labels.device if rng is None else rng.device
    chance = torch.rand(len(labels), len(labels), generator=rng, device=device).to(labels.device)
    # Itself only if there is no other.
    chance.fill_diagonal_(0.0).add_(1e-9)
    return torch.where(labels[:, None] == labels, chance, -1.0).argmax(1)
