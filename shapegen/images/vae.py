"""Variational autoencoder of images, and the importance-weighted one.

Reference: Kingma and Welling, *Auto-Encoding Variational Bayes*, 2014,
https://arxiv.org/abs/1312.6114; Burda, Grosse and Salakhutdinov, *Importance Weighted
Autoencoders*, 2016, https://arxiv.org/abs/1509.00519; Higgins et al., *beta-VAE*, 2017.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from shapegen.base import Autoencoder
from shapegen.core import latent as latent_walks
from shapegen.core.bounds import importance_weighted
from shapegen.core.gaussian import DiagGaussian
from shapegen.core.likelihoods import binarised
from shapegen.core.nets import Activation, Network, image_decoder, image_encoder
from shapegen.core.noise import standard_normal
from shapegen.core.objective import Objective
from shapegen.core.pixel_heads import Kind, PixelHead
from shapegen.images.images import Images
from shapegen.images.validity import binarised_once, check_size, checked_pixels

CHUNK = 512
"""Images that are decoded at once: more do not stay in a cache, and take four times as long."""
DRAWS = 500
"""Of the reported bound."""
ACTIVE = 0.01
"""Variance of a dimension's mean over the data, above which the dimension says something."""


@dataclass(frozen=True)
class VAEConfig:
    """Options of :class:`VAE`."""

    channels: int = 1
    size: tuple[int, int] = (28, 28)
    """Height and width of an image."""
    latent_dim: int = 50
    network: Network = "mlp"
    hidden: tuple[int, ...] = (200, 200)
    """Widths of the hidden layers of the ``mlp``, or channels of the ``conv`` at every halving;
    the decoder has them backwards."""
    activation: Activation = "tanh"
    """Of the ``mlp``."""
    blocks: int = 1
    """Residual blocks of the ``conv`` at every size."""
    head: Kind = "bernoulli"
    """Of the pixels: black or white, a Gaussian density, or logistic over 8-bit levels."""
    binarise: bool = True
    """With ``bernoulli``: draw images black or white anew at every step, by their brightness."""
    beta: float = 1.0
    """Weight of the KL divergence in training."""
    free_bits: float = 0.0
    """Nats of every dimension that cost nothing in training."""
    kl_warmup: int = 0
    """Steps in which ``beta`` rises linearly from 0: codes are put to use before they cost, and
    more dimensions stay active (Sonderby et al., *Ladder Variational Autoencoders*, 2016)."""
    draws: int = 1
    """Codes of an image in a training step; above 1 the importance-weighted bound is trained."""

    def __post_init__(self) -> None:
        check_size(self.channels, self.size)
        for name in ("latent_dim", "draws"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1; got {getattr(self, name)}")
        if not self.hidden or min(self.hidden) < 1:
            raise ValueError(f"hidden must be widths of at least 1; got {list(self.hidden)}")
        for name in ("blocks", "beta", "free_bits", "kl_warmup"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be at least 0; got {getattr(self, name)}")
        if self.draws > 1 and (self.beta != 1 or self.free_bits or self.kl_warmup):
            raise ValueError("an importance-weighted bound has beta 1, no free bits, no kl_warmup")


class VAE(Autoencoder):
    """Gaussian codes, a network each way, and a distribution of every pixel.

    Args:
        config: Sizes, likelihood and objective.
    """

    name: ClassVar[str] = "vae"
    config: VAEConfig

    def __init__(self, config: VAEConfig) -> None:
        super().__init__()
        self.config = config
        self.head = PixelHead(config.head)
        nets: dict[str, Any] = {"activation": config.activation, "blocks": config.blocks}
        self.encoder = image_encoder(
            config.network,
            config.channels,
            config.size,
            config.hidden,
            2 * config.latent_dim,
            **nets,
        )
        self.decoder = image_decoder(
            config.network,
            config.latent_dim,
            config.size,
            config.hidden,
            self.head.parameters * config.channels,
            **nets,
        )

    @property
    def latent_dim(self) -> int:
        """Length of a code."""
        return self.config.latent_dim

    # Training ------------------------------------------------------------------------------

    def prepare(self, shapes: Any) -> Float[Tensor, "n c h w"]:
        """Pixels of images of the config's size.

        Raises:
            TypeError: No images.
            ValueError: None, or of another size.
        """
        return checked_pixels(shapes, self.config.channels, self.config.size)

    def objectives(self, *, rng: torch.Generator | None = None) -> tuple[Objective, ...]:
        """Minus the evidence lower bound in nats, or minus the importance-weighted one."""

        def loss(batch: Tensor, step: int) -> tuple[Tensor, dict[str, Tensor]]:
            if self.config.head == "bernoulli" and self.config.binarise:
                batch = binarised(batch, rng=rng)
            if self.config.draws > 1:
                bound = self._bound(batch, self.config.draws, rng=rng).mean()
                return -bound, {"bound": bound.detach()}
            posterior = self.posterior(batch)
            log_prob = self.log_prob_given(batch, posterior.rsample(rng=rng)).mean()
            kl = posterior.kl_standard().mean()
            penalty = posterior.kl_with_free_bits(self.config.free_bits)
            return self._beta(step) * penalty - log_prob, {
                "log_prob": log_prob.detach(),
                "kl": kl.detach(),
            }

        return (Objective("vae", self, loss),)

    def _beta(self, step: int) -> float:
        # A validation loss that rose with the warm-up would choose the first checkpoint.
        share = (step + 1) / max(1, self.config.kl_warmup) if self.training else 1.0
        return self.config.beta * min(1.0, share)

    def posterior(self, pixels: Float[Tensor, "n c h w"]) -> DiagGaussian:
        """Of the codes, given images."""
        mean, logvar = self.encoder(pixels).to(pixels.dtype).chunk(2, 1)
        return DiagGaussian(mean, logvar)

    def log_prob_given(
        self, pixels: Float[Tensor, "n c h w"], z: Float[Tensor, "n latent"]
    ) -> Float[Tensor, "n"]:
        """Log-likelihood of images given their codes, in nats."""
        return self.head.log_prob(self.decoder(z), pixels)

    def _bound(
        self, pixels: Tensor, draws: int, *, rng: torch.Generator | None = None
    ) -> Float[Tensor, "n"]:
        posterior = self.posterior(pixels)
        many = DiagGaussian(
            *(each.expand(draws, *each.shape) for each in (posterior.mean, posterior.logvar))
        )
        z = many.rsample(rng=rng)  # (draws, n, latent)
        repeated = pixels.expand(draws, *pixels.shape).flatten(0, 1)
        likelihood = self.log_prob_given(repeated, z.flatten(0, 1)).view(draws, -1)
        prior = DiagGaussian(torch.zeros_like(z), torch.zeros_like(z)).log_prob(z)
        return importance_weighted(likelihood + prior - many.log_prob(z))

    # Codes and images ----------------------------------------------------------------------

    @torch.no_grad()
    def encode(self, shapes: Any) -> Float[Tensor, "n latent"]:
        """Codes of images: posterior means."""
        parts = self.prepare(shapes).split(CHUNK)
        return torch.cat([self.posterior(part.to(self._place())).mean for part in parts])

    def sample_latent(
        self, n: int, *, rng: torch.Generator | None = None
    ) -> Float[Tensor, "n latent"]:
        """Draw codes from N(0, I)."""
        return standard_normal((n, self.latent_dim), like=self._place(), rng=rng)

    def decode(
        self, z: Float[Tensor, "n latent"], *, rng: torch.Generator | None = None
    ) -> Images:
        """Mean images of codes; nothing is drawn.

        Raises:
            ValueError: Codes of another shape, or not finite.
        """
        latent_walks.check_codes(z, self.latent_dim)
        return Images(self.head.mean(self._outputs(z)))

    choices: ClassVar[slice] = slice(0, 0)

    def generate(self, z: Float[Tensor, "n latent"]) -> Float[Tensor, "n c h w"]:
        """Pixels of mean images, with gradients."""
        return self.head.mean(self.decoder(z))

    def targets(self, shapes: Any) -> Float[Tensor, "n c h w"]:
        """As :meth:`prepare`."""
        return self.prepare(shapes)

    def draw(self, z: Float[Tensor, "n latent"], *, rng: torch.Generator | None = None) -> Images:
        """Images drawn from the distribution that codes decode to."""
        latent_walks.check_codes(z, self.latent_dim)
        return Images(self.head.sample(self._outputs(z), rng=rng))

    def manifold(self, steps: int) -> Images:
        """Mean images ``steps x steps`` of a grid of codes, quantiles of N(0, 1) both ways.

        Raises:
            ValueError: The codes have not two dimensions.

        Reference: Kingma and Welling, 2014, figure 4.
        """
        if self.latent_dim != 2:
            raise ValueError(f"a manifold is of 2 dimensions; the codes have {self.latent_dim}")
        return self.decode(latent_walks.normal_grid(steps).to(self._place()))

    @torch.no_grad()
    def _outputs(self, z: Tensor) -> Tensor:
        return torch.cat([self.decoder(part) for part in z.to(self._place()).split(CHUNK)])

    def _place(self) -> Tensor:
        return next(self.parameters())

    # Likelihood ----------------------------------------------------------------------------

    def elbo(self, shapes: Any, *, rng: torch.Generator | None = None) -> Float[Tensor, "n"]:
        """Evidence lower bound of every image in nats, from one code each.

        Grey pixels of a ``bernoulli`` head count as the mean over their black and white draws.
        """
        return self.importance_bound(shapes, 1, rng=rng)

    @torch.no_grad()
    def importance_bound(
        self, shapes: Any, draws: int, *, rng: torch.Generator | None = None
    ) -> Float[Tensor, "n"]:
        """Lower bound of every image's log-likelihood from ``draws`` codes, in nats.

        Raises:
            ValueError: No draw, or images of another size.
        """
        if draws < 1:
            raise ValueError(f"a bound needs at least one draw; got {draws}")
        parts = self.prepare(shapes).split(max(1, CHUNK // draws))
        return torch.cat([self._bound(part.to(self._place()), draws, rng=rng) for part in parts])

    @torch.no_grad()
    def naive_log_likelihood(
        self, shapes: Any, draws: int, *, rng: torch.Generator | None = None
    ) -> Float[Tensor, "n"]:
        r"""An estimate from the prior's codes: hopeless in many dimensions, hence the encoder.

        .. math:: \log \frac1k \sum_i p(x \mid z_i), \qquad z_i \sim N(0, I)

        Raises:
            ValueError: No draw, or images of another size.
        """
        if draws < 1:
            raise ValueError(f"an estimate needs at least one draw; got {draws}")
        outputs = self._outputs(self.sample_latent(draws, rng=rng))
        found = [
            importance_weighted(self.head.log_prob(outputs, image.expand(draws, -1, -1, -1)))
            for image in self.prepare(shapes).to(outputs)
        ]
        return torch.stack(found)

    @torch.no_grad()
    def figures(self, shapes: Any, *, rng: torch.Generator | None = None) -> dict[str, float]:
        """How likely held-out images are; those of a binary likelihood are binarised once.

        Returns:
            ``-elbo`` (mean of 8 codes an image) and ``-bound-500`` in nats an image, ``kl``, and
            the number of ``active dims`` (Burda et al., 2016, section 5.2).
        """
        pixels = self.prepare(shapes)
        if self.config.head == "bernoulli":
            pixels = binarised_once(pixels)
        elbo = torch.stack([self.elbo(pixels, rng=rng) for _ in range(8)]).mean()
        posterior = self.posterior(pixels.to(self._place()))
        return {
            "-elbo": -float(elbo),
            f"-bound-{DRAWS}": -float(self.importance_bound(pixels, DRAWS, rng=rng).mean()),
            "kl": float(posterior.kl_standard().mean()),
            "active dims": float((posterior.mean.var(0) > ACTIVE).sum()),
        }
