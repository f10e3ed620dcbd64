"""Autoencoder of handwritten digits: codes, principal components beside them, few labels.

Run it whole (``python viewers/notebooks/autoencoder.py --out out/autoencoder``) or cell by cell in
an editor that knows ``# %%``. Two minutes on a CPU; every picture is written to the folder.
"""

# %% Digits: scikit-learn's, which need no file
from __future__ import annotations

import argparse
from pathlib import Path

import torch

import shapegen
from shapegen.core.noise import standard_normal
from shapegen.data.catalog import make
from shapegen.images.autoencoder import squared_error
from shapegen.images.images import Images
from shapegen.images.probes import cluster_figures, fine_tuned, neighbour_accuracy
from shapegen.metrics.image_figures import PcaImages
from shapegen.view import write_rows, write_scatter

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--out", type=Path, default=Path("out/autoencoder"))
parser.add_argument("--epochs", type=int, default=100)
options = parser.parse_args()

digits = make("digits", count=1797)
assert isinstance(digits, Images)
train, test = digits[:1400], digits[1400:]

# %% An autoencoder with codes of eight numbers
settings = {
    "epochs": options.epochs,
    "batch_size": 64,
    "learning_rate": 2e-3,
    "schedule": "cosine",
}
model = shapegen.build("autoencoder", size=[8, 8], latent_dim=8, hidden=[128, 64])
shapegen.fit(model, train, settings, out=options.out / "run")

# %% Digits, what the autoencoder makes of them, and what eight principal components do
pca = PcaImages(train.pixels, 8).reconstruct(test.pixels)
rebuilt = model.reconstruct(test)
rows = [test[:12], rebuilt[:12], Images(pca[:12])]
write_rows(rows, options.out / "reconstructions.png")
errors = [float(squared_error(each, test.pixels).mean()) for each in (rebuilt.pixels, pca)]
print(
    f"squared error of a digit: autoencoder {errors[0]:.2f}, principal components {errors[1]:.2f}"
)

# %% Two numbers a digit: the plane of codes, by class
plane = shapegen.build("autoencoder", size=[8, 8], latent_dim=2, hidden=[128, 64])
shapegen.fit(plane, train, settings, out=options.out / "plane")
codes, known = plane.encode(test), plane.encode(train)
write_scatter(codes, test.labels, options.out / "plane.png")
score = neighbour_accuracy(codes, test.labels, known, train.labels)
print(f"classes told by the nearest codes in the plane: {score:.3f}")

# %% Clusters without labels, in pixels and in codes
for name, rows_of in (("pixels", test.pixels.flatten(1)), ("codes", model.encode(test))):
    figures = cluster_figures(rows_of, test.labels)
    print(f"k-means on {name}: accuracy {figures['accuracy']:.3f}, nmi {figures['nmi']:.3f}")

# %% Fifty labels: an encoder that has seen 1400 digits, and a fresh one
fresh = shapegen.build("autoencoder", size=[8, 8], latent_dim=8, hidden=[128, 64])
for name, encoder in (("trained", model.encoder), ("fresh", fresh.encoder)):
    rng = torch.Generator().manual_seed(0)
    classifier = fine_tuned(encoder, train[:50], epochs=100, rng=rng)
    print(f"{name} encoder, fine-tuned on 50 labels: {classifier.accuracy(test):.3f}")

# %% An autoencoder is no generator: decode N(0, I)
z = standard_normal((24, 8), like=known, rng=torch.Generator().manual_seed(0))
write_rows([model.decode(z)[i : i + 12] for i in (0, 12)], options.out / "noise_decoded.png")
