"""Disentangled VAE: what the class says of an image in one code, everything else in another.

Reference: Mathieu, Zhao, Sprechmann, Ramesh and LeCun, *Disentangling Factors of Variation in Deep
Representations Using Adversarial Training*, 2016, https://arxiv.org/abs/1611.03383.

Two things differ. The discriminator of images alone hardly keeps the class out of the unspecified
code: it sees what the decoder makes of that code, not the code. So codes have a penalty of their
own here, ``independence``. And images are explained with the specified code of another image of
their class alone; the paper's do so with their own as well.
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
from shapegen.core.dependence import class_discrepancy
from shapegen.core.gan_nets import LabelHead
from shapegen.core.gaussian import DiagGaussian
from shapegen.core.gradient_penalties import zero_centred_penalty
from shapegen.core.likelihoods import binarised
from shapegen.core.mixture import GaussianMixture
from shapegen.core.nets import Activation, Network, image_decoder, image_encoder
from shapegen.core.noise import standard_normal, uniform
from shapegen.core.objective import Objective
from shapegen.core.pixel_heads import Kind, PixelHead
from shapegen.images.images import Images
from shapegen.images.labels import LabelledPixels, checked_labels
from shapegen.images.probes import left_out_accuracy, neighbour_accuracy
from shapegen.images.validity import binarised_once, check_size, checked_pixels

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
    adversarial: float = 2.0
    """Weight of the generator's loss, in nats an image, of swapped and of drawn codes each."""
    penalty: float = 10.0
    """Of the discriminator's slopes at images, brightness in -1 to 1 (gamma)."""
    independence: float = 100.0
    """Nats for a discrepancy of 1 between the unspecified codes of two classes; see
    :func:`shapegen.core.dependence.class_discrepancy`."""

    def __post_init__(self) -> None:
        check_size(self.channels, self.size)
        for name in ("specified_dim", "unspecified_dim"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1; got {getattr(self, name)}")
        if self.classes < 2:
            raise ValueError(f"classes must be at least 2; got {self.classes}")
        if not self.hidden or min(self.hidden) < 1:
            raise ValueError(f"hidden must be widths of at least 1; got {list(self.hidden)}")
        for name in ("blocks", "beta", "adversarial", "penalty", "independence"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be at least 0; got {getattr(self, name)}")


class DisentangledVAE(Autoencoder):
    """A VAE whose code has two parts; a latent is the specified part, then the unspecified one.

    An image must be decoded from its own unspecified code and the specified code of any other
    image of its class. With the code of another class the result must pass for an image of that
    class before a discriminator that knows the class: so the unspecified code must not tell it.

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
            pixels, labels = self._seen(batch, rng)
            specified, posterior = self.codes(pixels)
            z = posterior.rsample(rng=rng)
            # Never an image's own: that would tell what the class does not, and cost nothing.
            given = specified[partners(labels, same=True, rng=rng)]
            log_prob = self._log_prob(pixels, given, z).mean()
            kl = posterior.kl_standard().mean()
            told = class_discrepancy(posterior.mean, labels)
            total = self.config.beta * kl - log_prob + self.config.independence * told
            fakes, wanted = self._fakes(specified, z, labels, rng)
            # A mean over swapped and drawn; the weight is of each.
            fooled = 2 * generator_loss(self.discriminator(fakes, wanted))
            terms = {"log_prob": log_prob, "kl": kl, "discrepancy": told, "fooled": fooled}
            total = total + self.config.adversarial * fooled
            return total, {name: term.detach() for name, term in terms.items()}

        def judge(batch: LabelledPixels, step: int) -> tuple[Tensor, dict[str, Tensor]]:
            pixels, labels = self._seen(batch, rng)
            with torch.no_grad():
                specified, posterior = self.codes(pixels)
                z = posterior.rsample(rng=rng)
                fakes, wanted = self._fakes(specified, z, labels, rng)
            # Means of pixels are grey: beside images in black and white the game is over at once.
            real = self.discriminator(batch.pixels, labels)
            fake = self.discriminator(fakes, wanted)
            told = ((real > 0).float().mean() + (fake < 0).float().mean()) / 2
            slope = zero_centred_penalty(
                lambda at: self.discriminator(at, labels), batch.pixels, self.config.penalty
            )
            return discriminator_loss(real, fake) + slope, {
                "told_apart": told.detach(),
                "slope": slope.detach(),
            }

        return (
            Objective("vae", self.autoencoder, loss),
            Objective("discriminator", self.discriminator, judge),
        )

    def _seen(self, batch: LabelledPixels, rng: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """What the encoder sees, and the labels."""
        assert batch.labels is not None
        if self.config.head == "bernoulli" and self.config.binarise:
            return binarised(batch.pixels, rng=rng), batch.labels
        return batch.pixels, batch.labels

    def _fakes(
        self, specified: Tensor, z: Tensor, labels: Tensor, rng: torch.Generator | None
    ) -> tuple[Tensor, Tensor]:
        """Images of other classes' specified codes, and the classes that they should be of.

        With the unspecified codes of these images, then with drawn ones.
        """
        other = partners(labels, same=False, rng=rng)
        # The game is about what the other code says: a class is what its images need, no more.
        given = specified[other].detach()
        noise = standard_normal(z.shape, like=z, rng=rng)
        outputs = self._decoded(torch.cat([given, given]), torch.cat([z, noise]))
        return self.head.mean(outputs), labels[other].repeat(2)

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
        """Mean images with the class of some images and everything else of others.

        Args:
            classes: n images: the columns.
            others: m images: the rows.

        Returns:
            ``m * n`` images, row by row.

        Raises:
            ValueError: No images, or of another size.
        """
        size = self.config.specified_dim
        specified, rest = self.encode(classes)[:, :size], self.encode(others)[:, size:]
        columns, rows = len(specified), len(rest)
        codes = [specified.repeat(rows, 1), rest.repeat_interleave(columns, 0)]
        return self.decode(torch.cat(codes, 1))

    @torch.no_grad()
    def figures(self, shapes: Any, *, rng: torch.Generator | None = None) -> dict[str, float]:
        """How well held-out images are explained, and what each code says of their class.

        Returns:
            ``-elbo swapped``: minus a lower bound, in nats an image, of the log-likelihood given
            another image of the class, from one unspecified code (binary likelihoods: of images
            binarised once), and ``kl``; ``class from s`` and ``class from z``: shares of images
            whose class the five nearest codes of other images tell (a code that says nothing:
            the share of the largest class, or less); ``class of swaps``: share of images of one
            class's code and another's rest whose nearest image, by pixels, is of the first.

        Raises:
            ValueError: Images without labels, or fewer than six.
        """
        prepared = self.prepare(shapes)
        assert prepared.labels is not None
        pixels, labels = prepared.pixels, prepared.labels
        codes = self._encoded(pixels).cpu()
        seen = binarised_once(pixels) if self.config.head == "bernoulli" else pixels
        seen = seen.to(self._place())
        mate = partners(labels, same=True, rng=rng)
        specified, posterior = self.codes(seen)
        z = posterior.rsample(rng=rng)
        kl = posterior.kl_standard().mean()
        bound = self._log_prob(seen, specified[mate.to(seen.device)], z).mean() - kl
        size = self.config.specified_dim
        other = partners(labels, same=False, rng=rng)
        swaps = self.decode(torch.cat([codes[other, :size], codes[:, size:]], 1)).pixels
        return {
            "-elbo swapped": -float(bound),
            "kl": float(kl),
            "class from s": left_out_accuracy(codes[:, :size], labels),
            "class from z": left_out_accuracy(codes[:, size:], labels),
            "class of swaps": neighbour_accuracy(
                swaps.flatten(1), labels[other], pixels.flatten(1), labels, neighbours=1
            ),
        }

    def _log_prob(self, pixels: Tensor, specified: Tensor, z: Tensor) -> Tensor:
        return self.head.log_prob(self._decoded(specified, z), pixels)

    def _decoded(self, specified: Tensor, z: Tensor) -> Tensor:
        outputs: Tensor = self.autoencoder["decoder"](torch.cat([specified, z], 1))
        return outputs.to(z.dtype)

    def _place(self) -> Tensor:
        return next(self.parameters())


class ClassDiscriminator(nn.Module):
    """Whether an image is real and of a class; Mathieu et al. hand the class to a layer.

    Args:
        features: From images to rows.
        width: Length of a row.
        classes: How many.
    """

    def __init__(self, features: nn.Module, width: int, classes: int) -> None:
        super().__init__()
        self.features = features
        self.head = LabelHead(width, classes)

    def forward(
        self, pixels: Float[Tensor, "n c h w"], labels: Int[Tensor, "n"]
    ) -> Float[Tensor, "n"]:
        """Logits, above 0 for real."""
        logits: Tensor = self.head(self.features(pixels).relu(), labels)
        return logits.to(pixels.dtype)


def partners(
    labels: Int[Tensor, "n"], *, same: bool, rng: torch.Generator | None = None
) -> Int[Tensor, "n"]:
    """The place of another image in a batch: of the same class, or of another one.

    Its own, where there is none.
    """
    like = torch.empty(0, device=labels.device)
    chance = uniform((len(labels), len(labels)), like=like, rng=rng)
    # Itself only if there is no other.
    allowed = (labels[:, None] == labels) == same
    chance = torch.where(allowed, chance + 1, 0.0)
    return chance.fill_diagonal_(0.5).argmax(1)
