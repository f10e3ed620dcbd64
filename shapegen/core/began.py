r"""BEGAN: the discriminator is an autoencoder, and a balance decides whom it works for.

With an error :math:`\mathcal L` of what comes back, of data x and of generated samples x~,

.. math:: \mathcal L_D = \mathcal L(x) - k_t\, \mathcal L(\tilde x), \qquad
          \mathcal L_G = \mathcal L(\tilde x), \qquad
          k_{t+1} = k_t + \lambda\,\bigl(\gamma\, \mathcal L(x) - \mathcal L(\tilde x)\bigr)

There is no logit here: a discriminator says real by a small error.

Reference: Berthelot, Schumm and Metz, *BEGAN: Boundary Equilibrium Generative Adversarial
Networks*, 2017, sections 3.3 and 3.4, https://arxiv.org/abs/1703.10717.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Equilibrium(nn.Module):
    """The balance k of a game, kept with the model's weights.

    Args:
        diversity: Error of samples as a share of that of data, where the game is in balance
            (gamma): small for likeness, large for variety; above 0, at most 1.
        rate: Of k (lambda), above 0.

    Raises:
        ValueError: Out of range.
    """

    k: Float[Tensor, ""]

    def __init__(self, diversity: float = 0.5, rate: float = 1e-3) -> None:
        super().__init__()
        if not 0 < diversity <= 1 or not rate > 0:
            raise ValueError(
                "diversity must be above 0 and at most 1, rate above 0; "
                f"got {diversity} and {rate}"
            )
        self.diversity, self.rate = diversity, rate
        self.register_buffer("k", torch.zeros(()))

    def discriminator_loss(
        self, real: Float[Tensor, "*real"], fake: Float[Tensor, "*fake"]
    ) -> Float[Tensor, ""]:
        """What the discriminator minimises.

        Args:
            real: Errors of data.
            fake: Errors of what was generated.
        """
        # A copy: the balance may take its step before the gradients are.
        return real.mean() - self.k.clone() * fake.mean()

    @torch.no_grad()
    def step(self, real: Float[Tensor, "*real"], fake: Float[Tensor, "*fake"]) -> None:
        """Move k, within 0 to 1, towards the balance."""
        self.k += self.rate * self._gap(real, fake)
        self.k.clamp_(0, 1)

    def convergence(
        self, real: Float[Tensor, "*real"], fake: Float[Tensor, "*fake"]
    ) -> Float[Tensor, ""]:
        """What falls as training goes on: the error of data, and how far off balance it is."""
        return real.mean() + self._gap(real, fake).abs()

    def _gap(self, real: Tensor, fake: Tensor) -> Tensor:
        return self.diversity * real.mean() - fake.mean()
