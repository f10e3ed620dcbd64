"""What discrete flows of images share: everything but their layers."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Integer
from torch import Tensor

from shapegen.base import Autoencoder, Likelihood
from shapegen.core import latent as latent_walks
from shapegen.core.bounds import importance_weighted
from shapegen.core.coupling import ScaleKind
from shapegen.core.dequantisation import Logit, bin_centres, dequantised, levels_within
from shapegen.core.flows import Chain, FlowDistribution
from shapegen.core.likelihoods import LEVELS, bits_per_dim, levels_of, pixels_of
from shapegen.core.multiscale import Reshape, Shape
from shapegen.core.noise import standard_normal
from shapegen.core.objective import Objective
from shapegen.images.images import CHANNELS, Images

CHUNK = 256
"""Images that are encoded or decoded at once."""


@dataclass(frozen=True)
class ImageFlowConfig:
    """Options of all flows of images."""

    channels: int = 1
    """1: grey, 3: colour."""
    size: tuple[int, int] = (28, 28)
    """Height and width, both multiples of ``2 ** scales``."""
    levels: int = LEVELS
    """Levels of a pixel; images are rounded to the nearest ones."""
    scales: int = 2
    """How often height and width are halved."""
    alpha: float = 0.01
    """Margin of the logit (:class:`~shapegen.core.dequantisation.Logit`)."""
    hidden: int = 64
    """Channels of the couplings' networks."""
    scale: ScaleKind = "sigmoid"
    """Factors of the couplings (:class:`~shapegen.core.coupling.AffineCoupling`)."""
    temperature: float = 1.0
    """Standard deviation of the noise that samples are made of."""

    def __post_init__(self) -> None:
        if self.channels not in CHANNELS:
            raise ValueError(f"channels must be 1 (grey) or 3 (colour); got {self.channels}")
        for name in ("scales", "hidden"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1; got {getattr(self, name)}")
        factor = 2**self.scales
        if min(self.size) < 1 or any(side % factor for side in self.size):
            raise ValueError(
                f"size must be multiples of {factor}, for {self.scales} scales that halve it "
                f"each; got {list(self.size)}"
            )
        if not 2 <= self.levels <= LEVELS:
            raise ValueError(f"levels must be from 2 to {LEVELS}; got {self.levels}")
        if not 0 < self.alpha < 0.5:
            raise ValueError(f"alpha must be above 0 and below 0.5; got {self.alpha}")
        if not 0 <= self.temperature < math.inf:
            raise ValueError(f"temperature must be at least 0; got {self.temperature}")

    @property
    def shape(self) -> Shape:
        """Channels, height and width."""
        return (self.channels, *self.size)


class ImageFlow(Autoencoder, Likelihood):
    r"""A density of images as an invertible map of them to normal noise.

    .. math:: \log p(y) = \log N(f(y); 0, I) + \log|\det \partial f / \partial y|

    Latents are as long as images have numbers: nothing is lost between the two.

    Args:
        config: Shape, levels and temperature.
        layers: From images on the real line to vectors.
    """

    config: ImageFlowConfig

    def __init__(self, config: ImageFlowConfig, layers: Chain) -> None:
        super().__init__()
        self.config = config
        shape = config.shape
        self.flow = Chain(
            [Logit(config.alpha), layers, Reshape((math.prod(shape),), shape)],
        )

    @property
    def latent_dim(self) -> int:
        """Numbers of an image."""
        return math.prod(self.config.shape)

    # Data and training ---------------------------------------------------------------------

    def prepare(self, shapes: object) -> Integer[Tensor, "n channels height width"]:
        """Numbers of the levels of images' pixels, one byte each.

        Raises:
            TypeError: No images.
            ValueError: There are none, or of another shape than the config's.
        """
        images = Images.of(shapes)
        if not len(images):
            raise ValueError("at least one image is needed; got none")
        got, wanted = tuple(images.pixels.shape[1:]), self.config.shape
        if got != wanted:
            raise ValueError(f"images must be {_times(wanted)}; got {_times(got)}")
        return levels_of(images.pixels, self.config.levels).to(torch.uint8)

    def objectives(self, *, rng: torch.Generator | None = None) -> tuple[Objective, ...]:
        """Bits a dimension of levels, bounded from above by one draw of uniform noise."""

        def loss(batch: Tensor, step: int) -> tuple[Tensor, dict[str, Tensor]]:
            return bits_per_dim(-self._bound(batch, rng), self.latent_dim).mean(), {}

        return (Objective("bits_per_dim", self.flow, loss),)

    # Likelihood ----------------------------------------------------------------------------

    @torch.no_grad()
    def log_prob(
        self, shapes: object, *, draws: int = 1, rng: torch.Generator | None = None
    ) -> Float[Tensor, "n"]:
        """Log-probability of images' discrete levels in nats: the dequantisation bound.

        The density is exact; of a bin's probability it is an estimate from draws of uniform noise
        (:mod:`shapegen.core.dequantisation`), on average below the truth. Many draws come closer:
        the logarithm is of their mean.

        Args:
            shapes: Images of the config's shape.
            draws: Of the noise.
            rng: Random stream.

        Raises:
            ValueError: No images, of another shape, or no draw.
        """
        if draws < 1:
            raise ValueError(f"a likelihood needs at least one draw; got {draws}")
        found = [
            importance_weighted(torch.stack([self._bound(chunk, rng) for _ in range(draws)]))
            for chunk in self.prepare(shapes).split(CHUNK)
        ]
        return torch.cat(found).cpu()

    def _bound(self, numbers: Tensor, rng: torch.Generator | None) -> Tensor:
        levels = self.config.levels
        y = dequantised(numbers, levels, like=self._like, rng=rng)
        log_density = FlowDistribution(self.flow, self.config.shape).log_prob(y)
        return log_density - self.latent_dim * math.log(levels)

    def figures(self, shapes: object, *, rng: torch.Generator | None = None) -> dict[str, float]:
        """How likely held-out images are, and how exact the flow's inverse is.

        Args:
            shapes: Held-out images.
            rng: Of the uniform noise, one draw an image.

        Returns:
            ``bits/dim`` over all ``dims`` = channels x height x width numbers of an image (the
            dequantisation bound of their levels), its ``bits/dim standard error`` over the images,
            ``nats`` an image, and ``inverse error``: the largest difference of an image that was
            encoded and decoded, before it is rounded, in levels.
        """
        log_prob = self.log_prob(shapes, rng=rng)
        bits = bits_per_dim(-log_prob, self.latent_dim)
        return {
            "bits/dim": float(bits.mean()),
            "bits/dim standard error": float(bits.std() / math.sqrt(len(bits))),
            "nats": float(-log_prob.mean()),
            "dims": float(self.latent_dim),
            "inverse error": self._inverse_error(self.prepare(shapes)),
        }

    def _inverse_error(self, numbers: Tensor) -> float:
        levels = self.config.levels
        centres = bin_centres(numbers, levels, like=torch.zeros((), dtype=torch.float64))
        return float((self._values(self._latents(numbers)) - centres).abs().max()) * levels

    # Latents and images --------------------------------------------------------------------

    def encode(self, shapes: object) -> Float[Tensor, "n latent"]:
        """Latents of images, from the middles of their pixels' bins: nothing is drawn."""
        return self._latents(self.prepare(shapes))

    @torch.no_grad()
    def _latents(self, numbers: Tensor) -> Tensor:
        flow, like = self._in_double(), self._like
        found = []
        for chunk in numbers.split(CHUNK):
            y = bin_centres(chunk, self.config.levels, like=like.double())
            found.append(flow(y)[0].flatten(1).to(like.dtype))
        return torch.cat(found)

    @torch.no_grad()
    def _values(self, z: Tensor) -> Tensor:
        """Images from 0 to 1, in double precision, on the CPU."""
        flow = self._in_double()
        chunks = z.to(self._like).double().view(-1, *self.config.shape).split(CHUNK)
        return torch.cat([flow.generate(chunk).cpu() for chunk in chunks])

    def _in_double(self) -> Chain:
        # Between images and latents a long chain amplifies the rounding of its own layers: in
        # single precision to hundredths of a level.
        return copy.deepcopy(self.flow).double().eval()

    def decode(
        self, z: Float[Tensor, "n latent"], *, rng: torch.Generator | None = None
    ) -> Images:
        """Images of latents, rounded to levels; the exact inverse of :meth:`encode`.

        Args:
            z: Latents.
            rng: Not used: nothing is drawn.

        Raises:
            ValueError: Latents of another shape or not finite.
            ArithmeticError: The flow leaves the range of numbers on these latents.
        """
        latent_walks.check_codes(z, self.latent_dim)
        levels = self.config.levels
        y = self._values(z)
        if not bool(torch.isfinite(y).all()):
            raise ArithmeticError("the flow's inverse is not finite: train it longer, or clip it")
        return Images(pixels_of(levels_within(y, levels), levels))

    def sample_latent(
        self, n: int, *, temperature: float | None = None, rng: torch.Generator | None = None
    ) -> Float[Tensor, "n latent"]:
        """Draw latents from N(0, T^2 I).

        Args:
            n: Number of latents.
            temperature: T; the config's by default.
            rng: Random stream.

        Raises:
            ValueError: A negative temperature.
        """
        factor = self.config.temperature if temperature is None else temperature
        if not 0 <= factor < math.inf:
            raise ValueError(f"temperature must be at least 0; got {factor}")
        return factor * standard_normal((n, self.latent_dim), like=self._like.detach(), rng=rng)

    def sample(
        self, n: int, *, temperature: float | None = None, rng: torch.Generator | None = None
    ) -> Images:
        """Draw new images.

        Args:
            n: Number of images.
            temperature: Standard deviation of their latents; the config's by default. Below 1,
                images are more typical and vary less.
            rng: Random stream.

        Raises:
            ValueError: No image, or a negative temperature.
        """
        if n < 1:
            raise ValueError(f"the number of samples must be at least 1; got {n}")
        return self.decode(self.sample_latent(n, temperature=temperature, rng=rng))

    @property
    def _like(self) -> Tensor:
        """Has the device and the precision of the weights."""
        return next(self.flow.parameters())


def _times(sizes: tuple[int, ...]) -> str:
    return " x ".join(map(str, sizes))
