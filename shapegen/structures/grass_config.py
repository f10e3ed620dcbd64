"""Options of GRASS."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from shapegen.structures.grass_adversarial import AdversarialOptions
from shapegen.structures.grass_decoding import Limits


@dataclass(frozen=True)
class GRASSConfig:
    """Options of GRASS. :meth:`official` gives the authors' setting."""

    compat: Literal["none", "official"] = "none"
    """``official``: the files' own numbers are the targets, predicted symmetries are read as the
    authors' code reads them, and labels are not learned."""
    feature_dim: int = 80
    """Length of a node's feature and of the latent."""
    hidden_dim: int = 200
    activation: Literal["tanh", "gelu"] = "gelu"
    context: bool = True
    """Show the root code to every node of the decoder, not to the root alone."""
    box_hidden: bool = True
    """A hidden layer between a leaf's feature and its box (the authors' has none)."""
    bounded: bool = False
    """Bound boxes and symmetries by tanh, as the authors do; boxes beyond 1 are out of reach."""
    box_loss: Literal["corners", "entries"] = "corners"
    """``corners``: mean squared distance of corresponding corners, so that every number counts
    by what it moves. ``entries``: mean squared error of the 12 numbers."""
    max_folds: int = 12
    """Classify a symmetry's type and its folds up to this many; 0 reads both off the regressed
    vector as the authors do."""
    box_weight: float = 2.0
    sym_weight: float = 0.5
    kind_weight: float = 0.2
    """Of the cross entropy (nats) of node types, and of symmetry classes."""
    label_weight: float = 0.1
    """Of the cross entropy (nats) of part labels."""
    kl_weight: float = 2e-4
    """Of the true KL divergence in nats. The paper's .05 multiplies twice the KL: .1 here."""
    kl_warmup: int = 0
    """Steps over which the KL's weight rises from 0."""
    prior: Literal["normal", "mixture"] = "mixture"
    """What codes of samples are drawn from: N(0, I), or Gaussians fitted to the codes of the
    training data."""
    components: int = 128
    """Gaussians of the mixture prior."""
    prior_rank: int = 32
    """Principal directions of the codes that the mixture resolves."""
    labels: tuple[str, ...] = ()
    """Full part labels to learn; empty for none."""
    front: Literal["+z", "+x"] = "+z"
    """Where the shapes that the model knows face; GRASS's own files face +x."""
    refine_steps: int = 0
    """Gradient steps by which encoding improves a code on its own shape after the encoder's guess;
    0 is the posterior mean."""
    settle: bool = False
    """Stretch or move decoded boxes until the shape hangs together and stands."""
    limits: Limits = field(default_factory=Limits)
    adversarial: AdversarialOptions | None = None
    """Train the decoder against a discriminator of trees, the second stage; see
    :mod:`~shapegen.structures.grass_adversarial`."""
    start_from: str = ""
    """A trained model of the same networks, whose weights a training begins with."""

    def __post_init__(self) -> None:
        for name in ("feature_dim", "hidden_dim", "components", "prior_rank"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1; got {getattr(self, name)}")
        if self.max_folds == 1 or self.max_folds < 0:
            raise ValueError(f"max_folds must be 0 or at least 2; got {self.max_folds}")

    @classmethod
    def official(cls, **changes: Any) -> GRASSConfig:
        """The authors' network, loss and reading of symmetries."""
        setting: dict[str, Any] = {
            "compat": "official",
            "activation": "tanh",
            "context": False,
            "box_hidden": False,
            "bounded": True,
            "box_loss": "entries",
            "max_folds": 0,
            "box_weight": 0.4,
            "kl_weight": 0.1,
            "prior": "normal",
            "front": "+x",
            # The authors' decoder has no limits: these are out of the way of any sensible tree.
            "limits": Limits(depth=100, nodes=2000),
        }
        return cls(**(setting | changes))
