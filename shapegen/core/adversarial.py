r"""Losses of the adversarial game: a discriminator's logit above 0 means real, whatever the loss.

With the logistic function s, data x and what was generated x~, the discriminator D and the
generator minimise

- ``non_saturating``: -log s(D(x)) - log s(-D(x~)), and -log s(D(x~)); in nats;
- ``saturating``: the same, and log s(-D(x~)): the minimax game;
- ``least_squares``: ((D(x) - 1)^2 + (D(x~) + 1)^2) / 2, and (D(x~) - 1)^2 / 2;
- ``wasserstein``: D(x~) - D(x), and -D(x~);
- ``hinge``: max(0, 1 - D(x)) + max(0, 1 + D(x~)), and -D(x~).

References: Goodfellow et al., *Generative Adversarial Nets*, 2014, https://arxiv.org/abs/1406.2661;
Mao et al., *Least Squares Generative Adversarial Networks*, 2017 (targets -1 and 1: its 0 and 1
put the border at one half); Arjovsky, Chintala and Bottou, *Wasserstein GAN*, 2017; Lim and Ye,
*Geometric GAN*, 2017.
"""

from __future__ import annotations

from typing import Literal

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

Kind = Literal["non_saturating", "saturating", "least_squares", "wasserstein", "hinge"]


def discriminator_loss(
    real: Float[Tensor, "*real"],
    fake: Float[Tensor, "*fake"],
    kind: Kind = "non_saturating",
    *,
    smoothing: float = 0.0,
) -> Float[Tensor, ""]:
    """What the discriminator minimises, a mean over data plus a mean over what was generated.

    Args:
        real: Logits of data.
        fake: Logits of what was generated.
        kind: One of those above.
        smoothing: Share of data that is called generated: one-sided label smoothing (Salimans et
            al., 2016, section 3.4), 0 to below 1, of the two kinds with cross-entropies.
    """
    if kind in ("non_saturating", "saturating"):
        called = (1 - smoothing) * softplus(-real) + smoothing * softplus(real)
        return called.mean() + softplus(fake).mean()
    if smoothing:
        raise ValueError(f"labels are smoothed with cross-entropies only; got the loss {kind}")
    if kind == "least_squares":
        return ((real - 1).square().mean() + (fake + 1).square().mean()) / 2
    if kind == "wasserstein":
        return fake.mean() - real.mean()
    return (1 - real).relu().mean() + (1 + fake).relu().mean()


def generator_loss(
    fake: Float[Tensor, "*fake"], kind: Kind = "non_saturating"
) -> Float[Tensor, ""]:
    """What the generator minimises.

    Args:
        fake: Logits of what was generated.
        kind: One of those above.
    """
    if kind == "non_saturating":
        return softplus(-fake).mean()
    if kind == "saturating":
        return -softplus(fake).mean()
    if kind == "least_squares":
        return (fake - 1).square().mean() / 2
    return -fake.mean()
