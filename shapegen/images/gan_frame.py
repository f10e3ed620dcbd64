"""What all GANs of images do alike: options that make no network, noise, images of latents."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from shapegen.core import latent as latent_walks
from shapegen.core.nets import Size
from shapegen.core.noise import standard_normal
from shapegen.images.validity import check_size

CHUNK = 1024
"""Images that are made at once."""


def check_networks(channels: int, size: Size, hidden: Sequence[int], **lengths: int) -> None:
    """Refuse options of which no networks can be built.

    Args:
        channels: Of an image.
        size: Its height and width.
        hidden: Widths of the networks.
        **lengths: By their names, such as ``noise_dim``.

    Raises:
        ValueError: No image's size, or a length or width below 1.
    """
    check_size(channels, size)
    for name, length in lengths.items():
        if length < 1:
            raise ValueError(f"{name} must be at least 1; got {length}")
    if not hidden or min(hidden) < 1:
        raise ValueError(f"hidden must be widths of at least 1; got {list(hidden)}")


def doubling_sizes(size: Size, stages: int) -> list[Size]:
    """Sizes of so many stages, the smallest first, each twice the one before.

    Raises:
        ValueError: The size cannot be halved so often without a rest.
    """
    least = 2 ** (stages - 1)
    if any(side % least for side in size):
        raise ValueError(
            f"{stages} sizes (hidden) need sides that are multiples of {least}; "
            f"got {size[0]} x {size[1]}"
        )
    return [(size[0] * 2**stage // least, size[1] * 2**stage // least) for stage in range(stages)]


def drawn_noise(
    model: nn.Module, n: int, dim: int, rng: torch.Generator | None
) -> Float[Tensor, "n dim"]:
    """Rows of N(0, I), where the model's weights are."""
    return standard_normal((n, dim), like=next(model.parameters()), rng=rng)


def made_pixels(
    model: nn.Module, make: Callable[[Tensor], Tensor], z: Tensor, latent_dim: int
) -> Float[Tensor, "n c h w"]:
    """Pixels of latents within -1 to 1, a chunk at a time.

    Args:
        model: Where its weights are, images are made.
        make: Images of latents.
        z: Latents ``(n, latent_dim)``.
        latent_dim: Their length.

    Raises:
        ValueError: Latents of another shape, or not finite.
    """
    latent_walks.check_codes(z, latent_dim)
    place = next(model.parameters())
    return torch.cat([make(part.to(place)) for part in z.split(CHUNK)]).clamp(-1, 1)
