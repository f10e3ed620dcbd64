"""Mixtures of Gaussians fitted to latent codes: a prior that knows where the data are."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import one_hot

from shapegen.core.noise import standard_normal


class GaussianMixture(nn.Module):
    r"""Mixture in the principal subspace of the data, one Gaussian across it; held in buffers.

    .. math:: x = c + B^T y + e, \qquad y \sim \sum_k \pi_k N(\mu_k, \Sigma_k),

    with the rows of :math:`B` the leading principal directions of the data and :math:`e` isotropic
    noise orthogonal to them. Codes have few directions in which they vary much: full covariances
    in all the others would be most of a weights file and all of its noise.

    Args:
        components: Number of Gaussians.
        dim: Length of a vector.
        rank: Dimension of the subspace; default all of ``dim``.

    Reference: Dempster, Laird and Rubin, *Maximum Likelihood from Incomplete Data via the EM
    Algorithm*, 1977; the subspace: Tipping and Bishop, *Probabilistic Principal Component
    Analysis*, 1999; as a prior fitted after training: Ghosh et al., *From Variational to
    Deterministic Autoencoders*, 2020, section 4, https://arxiv.org/abs/1903.12436.
    """

    centre: Tensor
    basis: Tensor
    residual: Tensor
    log_weight: Tensor
    mean: Tensor
    scale_tril: Tensor

    def __init__(self, components: int, dim: int, *, rank: int | None = None) -> None:
        super().__init__()
        rank = dim if rank is None else rank
        if components < 1:
            raise ValueError(f"a mixture needs at least one component; got {components}")
        if not 1 <= rank <= dim:
            raise ValueError(f"the rank must be from 1 to {dim}; got {rank}")
        self.register_buffer("centre", torch.zeros(dim))
        self.register_buffer("basis", torch.eye(rank, dim))
        self.register_buffer("residual", torch.ones(()))
        self.register_buffer("log_weight", torch.full((components,), -math.log(components)))
        self.register_buffer("mean", torch.zeros(components, rank))
        self.register_buffer("scale_tril", torch.eye(rank).repeat(components, 1, 1))

    def sample(
        self, n: int, *, temperature: float = 1.0, rng: torch.Generator | None = None
    ) -> Float[Tensor, "n dim"]:
        """Draw ``n`` vectors.

        Args:
            n: How many.
            temperature: Factor of the standard deviations about the means of the components.
            rng: Random stream.
        """
        device = self.mean.device if rng is None else rng.device
        weights = self.log_weight.exp().to(device)
        component = torch.multinomial(weights, n, replacement=True, generator=rng)
        component = component.to(self.mean.device)
        noise = standard_normal((n, self.mean.shape[1]), like=self.mean, rng=rng)
        inside = self.mean[component] + temperature * torch.einsum(
            "nij,nj->ni", self.scale_tril[component], noise
        )
        across = standard_normal((n, len(self.centre)), like=self.mean, rng=rng)
        across = across - across @ self.basis.T @ self.basis
        return self.centre + inside @ self.basis + temperature * self.residual * across

    def log_prob(self, x: Float[Tensor, "n dim"]) -> Float[Tensor, "n"]:
        """Log-density in nats."""
        inside, across = self._split(x)
        free = len(self.centre) - len(self.basis)
        spread = self.residual.to(x.dtype)
        outside = -0.5 * across.square().sum(1) / spread.square() - free * (
            spread.log() + 0.5 * math.log(2 * math.pi)
        )
        joint = torch.logsumexp(self._joint_log_prob(inside), dim=1)
        return joint + outside if free else joint

    @torch.no_grad()
    def fit(
        self,
        x: Float[Tensor, "n dim"],
        *,
        rng: torch.Generator | None = None,
        iterations: int = 50,
        shrinkage: float = 0.1,
        floor: float = 1e-3,
    ) -> None:
        """Fit by expectation maximisation from a k-means++ start.

        Args:
            x: Data, at least one vector a component.
            rng: Chooses the start.
            iterations: At most; stops when the mean log-density gains less than 1e-4 nats.
            shrinkage: Share of the diagonal covariance of all data that every component's
                covariance is mixed with, weighed down as the component has more data: small
                clusters keep a sensible width in every direction.
            floor: Smallest standard deviation, as a share of the data's own in each direction.

        Raises:
            ValueError: Fewer vectors than components, or values that are not finite.
        """
        count = len(self.mean)
        if len(x) < count or not bool(torch.isfinite(x).all()):
            raise ValueError(f"{count} components need that many finite vectors; got {len(x)}")
        x = self._fit_subspace(x.double())
        spread = x.var(0, unbiased=False).clamp_min(1e-12)
        centres = _spread_out_rows(x / spread.sqrt(), count, rng)
        responsibility = one_hot(torch.cdist(x / spread.sqrt(), centres).argmin(1), count).double()
        previous = -math.inf
        for _ in range(iterations):
            self._maximise(x, responsibility, spread, shrinkage, floor)
            joint = self._joint_log_prob(x)
            total = torch.logsumexp(joint, dim=1)
            responsibility = (joint - total[:, None]).exp()
            current = float(total.mean())
            if current - previous < 1e-4:
                break
            previous = current

    def _fit_subspace(self, x: Tensor) -> Tensor:
        """Set the subspace from all data; return their coordinates in it."""
        rank, dim = self.basis.shape
        self.centre.copy_(x.mean(0))
        variance, direction = torch.linalg.eigh(torch.cov(x.T, correction=0).reshape(dim, dim))
        self.basis.copy_(direction.T.flip(0)[:rank])
        left = variance[: dim - rank].clamp_min(0)
        self.residual.copy_(left.mean().sqrt().clamp_min(1e-6) if rank < dim else torch.ones(()))
        return self._split(x)[0]

    def _split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Coordinates in the subspace, and what is left of ``x`` across it."""
        basis, delta = self.basis.to(x.dtype), x - self.centre.to(x.dtype)
        inside = delta @ basis.T
        return inside, delta - inside @ basis

    def _maximise(
        self, x: Tensor, responsibility: Tensor, spread: Tensor, shrinkage: float, floor: float
    ) -> None:
        mass = responsibility.sum(0).clamp_min(1e-10)  # (K,)
        mean = responsibility.T @ x / mass[:, None]
        second = torch.einsum("nk,ni,nj->kij", responsibility, x, x) / mass[:, None, None]
        covariance = second - mean[:, :, None] * mean[:, None, :]
        # A component of m vectors keeps m / (m + s d) of its own covariance.
        own = mass / (mass + shrinkage * x.shape[1])
        within = torch.einsum("k,kii->i", mass / mass.sum(), covariance).clamp_min(0)
        covariance = own[:, None, None] * covariance
        covariance += torch.diag_embed((1 - own)[:, None] * within + floor**2 * spread)
        self.log_weight.copy_((mass / mass.sum()).log())
        self.mean.copy_(mean)
        self.scale_tril.copy_(torch.linalg.cholesky(covariance))

    def _joint_log_prob(self, x: Tensor) -> Tensor:
        scale = self.scale_tril.to(x.dtype)
        delta = x[:, None] - self.mean.to(x.dtype)  # (n, K, d)
        white = torch.linalg.solve_triangular(scale, delta.permute(1, 2, 0), upper=False)
        log_det = scale.diagonal(dim1=1, dim2=2).log().sum(1)
        norm = white.square().sum(1).T  # (n, K)
        constant = x.shape[1] * math.log(2 * math.pi)
        return self.log_weight.to(x.dtype) - log_det - 0.5 * (norm + constant)


def _spread_out_rows(x: Tensor, count: int, rng: torch.Generator | None) -> Tensor:
    """Choose rows far from one another (k-means++: Arthur and Vassilvitskii, 2007)."""
    device = x.device if rng is None else rng.device
    first = torch.randint(len(x), (1,), generator=rng, device=device).to(x.device)
    chosen = [x[first[0]]]
    distance = (x - chosen[0]).square().sum(1)
    for _ in range(count - 1):
        weights = distance.clamp_min(1e-12).to(device)
        row = torch.multinomial(weights, 1, generator=rng).to(x.device)
        chosen.append(x[row[0]])
        distance = torch.minimum(distance, (x - chosen[-1]).square().sum(1))
    return torch.stack(chosen)
