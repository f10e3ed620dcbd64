"""One Gaussian fitted to two: what each divergence makes of a model that is too small.

Run it whole (``python viewers/notebooks/divergences.py --out out/divergences``) or cell by cell in
an editor that knows ``# %%``. Seconds on a CPU; the picture is written to the folder.

Reference: Huszar, *How (not) to Train your Generative Model*, 2015,
https://arxiv.org/abs/1511.05101.
"""

# %% Two peaks, and a grid fine enough to integrate on
from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.distributions import Normal

from shapegen.view import write_curves

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--out", type=Path, default=Path("out/divergences"))
parser.add_argument("--epochs", type=int, default=600)
options = parser.parse_args()

places = torch.linspace(-8, 8, 2001, dtype=torch.float64)
width = float(places[1] - places[0])
peaks = [(0.75, -2.0, 0.6), (0.25, 2.0, 0.6)]  # weight, mean, standard deviation
parts = [math.log(w) + Normal(mean, sd).log_prob(places) for w, mean, sd in peaks]
target = torch.logsumexp(torch.stack(parts), 0)


# %% Three ways to say how far two densities are apart, in nats
def kl(log_p: Tensor, log_q: Tensor) -> Tensor:
    """KL(p || q)."""
    return (log_p.exp() * (log_p - log_q)).sum() * width


def jensen_shannon(log_p: Tensor, log_q: Tensor) -> Tensor:
    """Half the sum of the divergences from the mixture of the two."""
    middle = torch.logaddexp(log_p, log_q) - math.log(2)
    return (kl(log_p, middle) + kl(log_q, middle)) / 2


DIVERGENCES: dict[str, Callable[[Tensor], Tensor]] = {
    "KL(p, q)": lambda model: kl(target, model),
    "JS(p, q)": lambda model: jensen_shannon(target, model),
    "KL(q, p)": lambda model: kl(model, target),
}


# %% Fit mean and spread by gradient descent from the target's own mean
def fitted(divergence: Callable[[Tensor], Tensor], start: float) -> tuple[float, float]:
    """Mean and standard deviation of the Gaussian that is nearest."""
    mean = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    log_sd = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([mean, log_sd], lr=0.02)
    for _ in range(options.epochs):
        optimizer.zero_grad()
        divergence(Normal(mean, log_sd.exp()).log_prob(places)).backward()
        optimizer.step()
    return float(mean.detach()), float(log_sd.exp().detach())


found = {name: fitted(each, start=-0.5) for name, each in DIVERGENCES.items()}
for name, (mean, sd) in found.items():
    print(f"{name}: mean {mean:6.3f}, standard deviation {sd:.3f}")

# %% Maximum likelihood covers both peaks, the reverse takes one, the third lies between
curves = {"p": target.exp()}
for name, (mean, sd) in found.items():
    curves[name] = Normal(mean, sd).log_prob(places).exp()
write_curves(places, curves, options.out / "divergences.png")
