"""The adversarial game: why there are two players, what the second one learns, why it fails.

Run it whole (``python viewers/notebooks/gan.py --out out/gan``) or cell by cell in an editor that
knows ``# %%``. About a minute on a slow core, most of it for the ring; every picture is written to
the folder.

References: Goodfellow et al., *Generative Adversarial Nets*, 2014, https://arxiv.org/abs/1406.2661;
Mescheder, Geiger and Nowozin, *Which Training Methods for GANs do actually Converge?*, 2018.
"""

# %% Data on a line
from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch
from torch.distributions import Normal

from shapegen.core.adversarial import discriminator_loss, generator_loss
from shapegen.core.dirac import dirac_eigenvalues, dirac_field
from shapegen.core.dynamics import trajectory
from shapegen.core.game import GameOptions
from shapegen.core.nets import mlp
from shapegen.core.seeding import seeded
from shapegen.images.plane_gan import PlaneGANConfig
from shapegen.train.lab_pictures import CASES, write_dirac, write_shots, write_vanishing
from shapegen.train.laboratory import LabConfig, run_lab
from shapegen.view import write_curves

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--out", type=Path, default=Path("out/gan"))
parser.add_argument("--steps", type=int, default=600, help="Of each training on the ring.")
options = parser.parse_args()
options.out.mkdir(parents=True, exist_ok=True)
rng = torch.Generator().manual_seed(0)
data, made = Normal(-1.0, 0.6), Normal(1.0, 0.9)

# %% One player is not enough: samples that only have to be likely all go to the mode
mean, spread = (torch.tensor(x, requires_grad=True) for x in (0.0, 1.0))
noise = torch.randn(256, generator=rng)
optimizer = torch.optim.Adam([mean, spread], lr=0.05)
for _ in range(300):
    optimizer.zero_grad()
    (-data.log_prob(mean + spread * noise)).mean().backward()
    optimizer.step()
alone = abs(float(spread.detach()))
print(f"likely samples: around {float(mean.detach()):.2f}, with a spread of {alone:.1g}")

# %% What the second player learns: log p - log q, so that D = p / (p + q)
with seeded(0):
    judge = mlp([1, 32, 32, 1], "softplus")
optimizer = torch.optim.Adam(judge.parameters(), lr=1e-2)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 400)
for _ in range(400):
    real = -1.0 + 0.6 * torch.randn(512, 1, generator=rng)
    fake = 1.0 + 0.9 * torch.randn(512, 1, generator=rng)
    optimizer.zero_grad()
    discriminator_loss(judge(real), judge(fake)).backward()
    optimizer.step()
    schedule.step()
x = torch.linspace(-2.5, 2.5, 200)
best = (data.log_prob(x) - made.log_prob(x)).sigmoid()
with torch.no_grad():
    learnt = judge(x[:, None])[:, 0].sigmoid()
apart = float((learnt - best).abs().mean())
curves = {"p": data.log_prob(x).exp(), "q": made.log_prob(x).exp()}
curves |= {"p / (p + q)": best, "D, learnt": learnt}
write_curves(x, curves, options.out / "best_discriminator.png")
print(f"the discriminator is {apart:.3f} from p / (p + q) on average")

# %% Two losses for the generator: the slope that it feels where D says "made"
logits = torch.linspace(-6, 6, 200, requires_grad=True)
slopes = {}
for kind in ("saturating", "non_saturating"):
    # A mean over the logits: 200 times the gradient is that of each.
    (gradient,) = torch.autograd.grad(generator_loss(logits, kind), logits)
    slopes[kind] = -len(logits) * gradient
write_curves(logits.detach(), slopes, options.out / "losses.png")
at = torch.tensor([0.01], dtype=torch.float64).logit().requires_grad_()
pair = [
    float(torch.autograd.grad(generator_loss(at, kind), at)[0])
    for kind in ("saturating", "non_saturating")
]
ratio = pair[1] / pair[0]
print(f"at D = .01 the second one pulls {ratio:.0f} times as hard: (1 - D) / D")

# %% The smallest game: it turns around its equilibrium, and what each cure makes of that
write_dirac(options.out / "dirac.png")
start = torch.tensor([1.0, -1.0], dtype=torch.float64)
ends = {}
for name, cure, strength, order in CASES:
    field = dirac_field("saturating", cure, strength)
    way = trajectory(field, start, rate=0.1, steps=500, order=order)
    ends[name] = float(way[-1].norm())
    size = max(map(abs, dirac_eigenvalues("saturating", cure, strength, rate=0.1, order=order)))
    print(f"{name:22} largest eigenvalue {size:.5f}, after 500 steps {ends[name]:.2g} away")

# %% Why noise helps: where data and samples do not overlap, the best discriminator is flat
write_vanishing(options.out / "vanishing.png")

# %% Eight modes on a ring: a glimpse with one seed each; `shapegen lab` has the whole trainings
lab = LabConfig(modes="ring", steps=options.steps, shots=4)
train = replace(
    lab.train, batch_size=256, learning_rate=2e-3, betas=(0.0, 0.99), ema=0.98, threads=1
)
games = {
    "plain": GameOptions(),
    "saturating": GameOptions(loss="saturating"),
    "R1": GameOptions(r1=0.1),
}
results = {
    name: run_lab(
        replace(lab, train=train, model=PlaneGANConfig(hidden=(64, 64, 64), game=game)), seed=0
    )
    for name, game in games.items()
}
for name, result in results.items():
    figures = result.figures["ema"]
    print(
        f"{name:10} {figures['modes']:.0f} of 8 modes, {figures['high_quality']:.0%} near one, "
        f"reverse KL {figures['reverse_kl']:.3g}"
    )
write_shots(list(results.items()), "ring", options.out / "ring.png")
