"""A pool of what a generator made earlier, which its discriminator is shown again.

Reference: Shrivastava et al., *Learning from Simulated and Unsupervised Images through Adversarial
Training*, 2017, section 2.3, https://arxiv.org/abs/1612.07828; one by one, as in Zhu et al.,
*Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks*, 2017, section 4.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from shapegen.core.noise import uniform


class ReplayPool(nn.Module):
    """Samples of one shape; they are buffers, so that a training that is resumed has them.

    In eval mode the pool is left as it is and gives back what it is given.

    Args:
        capacity: Samples that it holds; 0: it gives back what it is given.
        shape: Of a sample.

    Raises:
        ValueError: A capacity below 0.
    """

    samples: Tensor
    count: Tensor

    def __init__(self, capacity: int, shape: Sequence[int]) -> None:
        super().__init__()
        if capacity < 0:
            raise ValueError(f"the capacity of a pool must be at least 0; got {capacity}")
        self.capacity = capacity
        self.register_buffer("samples", torch.zeros(capacity, *shape))
        self.register_buffer("count", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def forward(
        self, made: Float[Tensor, "n *shape"], *, rng: torch.Generator | None = None
    ) -> Float[Tensor, "n *shape"]:
        """Take samples in, one after the other, and give as many out.

        Until the pool is full, a sample is kept and given back. Then one half of the time it is
        given back and not kept; the other half it changes places with one of the pool.

        Args:
            made: New samples.
            rng: Random stream.
        """
        if not self.capacity or not self.training:
            return made
        given = made.clone()
        held = int(self.count)
        chances = uniform((len(made), 2), like=self.samples, rng=rng).tolist()
        for number, (chance, place) in enumerate(chances):
            if held < self.capacity:
                self.samples[held] = made[number].to(self.samples)
                held += 1
            elif chance < 0.5:
                old = int(place * self.capacity)
                given[number] = self.samples[old].to(given)
                self.samples[old] = made[number].to(self.samples)
        self.count.fill_(held)
        return given
