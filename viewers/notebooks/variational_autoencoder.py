"""Variational autoencoder: the plane of digits, faces that morph, and why an encoder is needed.

Run it whole (``python viewers/notebooks/variational_autoencoder.py --out out/vae``) or cell by
cell in an editor that knows ``# %%``. Two minutes on a CPU; every picture is written to the
folder. With ``SHAPEGEN_DATA`` set it shows the Frey faces too.
"""

# %% Digits: scikit-learn's, which need no file
from __future__ import annotations

import argparse
import os
from pathlib import Path

import torch

import shapegen
from shapegen.data.catalog import make
from shapegen.images.images import Images
from shapegen.images.probes import neighbour_accuracy
from shapegen.images.validity import binarised_once
from shapegen.view import write_rows, write_scatter

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--out", type=Path, default=Path("out/vae"))
parser.add_argument("--epochs", type=int, default=100)
options = parser.parse_args()

digits = make("digits", count=1797)
assert isinstance(digits, Images)
train, test = digits[:1400], digits[1400:]
settings = {
    "epochs": options.epochs,
    "batch_size": 64,
    "learning_rate": 2e-3,
    "schedule": "cosine",
}

# %% A plane of codes, and the digits that equally likely cells of it decode to
model = shapegen.build("vae", size=[8, 8], latent_dim=2, hidden=[128, 64])
shapegen.fit(model, train, settings, out=options.out / "run")
grid = model.manifold(20)
write_rows([grid[i : i + 20] for i in range(0, 400, 20)], options.out / "manifold.png")
write_scatter(model.encode(test), test.labels, options.out / "plane.png")
score = neighbour_accuracy(model.encode(test), test.labels, model.encode(train), train.labels)
print(f"classes told by the nearest codes in the plane: {score:.3f}")

# %% How likely a digit is: with the encoder, and by guessing codes
rng = torch.Generator().manual_seed(0)
black_and_white = Images(binarised_once(test.pixels))[:20]
for draws in (1, 10, 100, 1000):
    bound = float(model.importance_bound(black_and_white, draws, rng=rng).mean())
    naive = float(model.naive_log_likelihood(black_and_white, draws, rng=rng).mean())
    print(f"{draws:5} codes: with the encoder {bound:7.2f} nats, from the prior {naive:7.2f}")

# %% From one digit to another, and digits out of nothing
walk = model.interpolate(test[0], test[1], 12)
write_rows([walk, model.sample(12, rng=rng)], options.out / "walk_and_samples.png")

# %% Faces of one man, if they are at hand
faces_file = Path(os.environ.get("SHAPEGEN_DATA", "")) / "images" / "freyfaces.npz"
if faces_file.is_file():
    faces = shapegen.read(faces_file)
    man = shapegen.build(
        "vae", size=[28, 20], latent_dim=2, hidden=[200], activation="relu", head="gaussian"
    )
    shapegen.fit(man, faces, settings, out=options.out / "faces")
    grid = man.manifold(12)
    write_rows([grid[i : i + 12] for i in range(0, 144, 12)], options.out / "faces.png")
