"""GRAF's options."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

from shapegen.core.game import GameOptions
from shapegen.core.patch import PatchSampler
from shapegen.fields.camera_setting import CameraSetting
from shapegen.fields.graf_networks import DensityKind
from shapegen.fields.rendering import Sampling
from shapegen.fields.triplane import TriplaneSizes

Backbone = Literal["mlp", "triplane"]
Judge = Literal["paper", "plain"]
Told = Literal["nothing", "scale", "place"]
_OFFICIAL_R1 = 10.0


def patch_gamma(weight: float, side: int) -> float:
    r"""Gamma of an R1 of whole patches that equals the original's, which is a pixel's.

    That is ``weight`` times the squared slope by one pixel's three numbers, a mean over all pixels
    of all patches: over patches :math:`\gamma / 2 = w / \text{side}^2`.

    Args:
        weight: The original's ``reg_param``.
        side: Pixels of a patch's side.
    """
    return 2 * weight / side**2


@dataclass(frozen=True)
class GRAFConfig:
    """Options of :class:`~shapegen.fields.graf.GRAF`; sizes are the paper's.

    :meth:`official` gives the authors' setting.
    """

    compat: Literal["none", "official"] = "none"
    """``official``: the axis goes through the corner of a pixel, half a pixel off the middle; the
    noise of densities never falls to 0, and the discriminator's is a step behind; walks between
    codes dip in length."""
    size: int = 64
    """Height and width of the training images."""
    cameras: CameraSetting = field(default_factory=CameraSetting)
    """Where images are taken from, and how."""
    patch: PatchSampler = field(default_factory=PatchSampler)
    """The patches that are compared."""
    latent_dim: int = 256
    """Length of a code: the shape, then the appearance."""
    appearance_dim: int = 128
    """Length of its second part."""
    prior: Literal["gaussian", "uniform"] = "gaussian"
    """Of codes: N(0, 1), or uniform in -1 to 1."""
    backbone: Backbone = "mlp"
    """What a field is made of: ``mlp`` is the paper's perceptron, ``triplane`` planes that the
    code fills, which learn in minutes on a CPU where the perceptron takes a GPU."""
    triplane: TriplaneSizes = field(default_factory=TriplaneSizes)
    """Sizes of the planes; the next four options are of the perceptron."""
    depth: int = 8
    """Layers of the field's trunk."""
    width: int = 256
    """Of each."""
    skips: tuple[int, ...] = (4,)
    """Layers of the trunk, from 0, behind which it is shown the position and the shape again;
    those that no layer of the trunk follows count for nothing."""
    frequencies: int = 10
    """Of the position's encoding."""
    view_frequencies: int = 4
    """Of the direction's."""
    view_directions: bool = True
    """Colours depend on the direction that they are seen in."""
    sampling: Sampling = field(default_factory=lambda: Sampling(jitter=True, white=True))
    """Samples of a ray, and the background; ``jitter`` is for the training alone."""
    density: DensityKind = "relu"
    """``relu`` is the paper's; ``softplus`` cannot come to be 0 everywhere and stay so."""
    noise: float = 1.0
    """Standard deviation of noise on densities before the rectifier, at the first step."""
    noise_steps: int = 5000
    """Steps in which that falls to 0, linearly."""
    judge: Judge = "paper"
    """The discriminator: ``paper`` has spectral and instance norms, ``plain`` none, and sees the
    spread of the batch."""
    judge_width: int = 64
    """Of the discriminator: an eighth of the channels of the paper's last map but one; all those
    of the plain one's first map."""
    told: Told = "nothing"
    """What the discriminator is told beside a patch: the share of the image that it is, or where
    every pixel lies. The paper's knows neither."""
    flip: Literal["nothing", "data", "all"] = "nothing"
    """What is mirrored half of the time before the discriminator is shown it: images of the data,
    or what is generated too."""
    game: GameOptions = field(default_factory=lambda: GameOptions(r1=0.5))
    """Loss and regularisers; ``r1`` is of whole patches."""
    white_cap: float = 1.0
    """Whitest colour of what is dense, 1 or less: below 1, on a white background, nothing dense
    can pass for background; see :func:`~shapegen.fields.graf_networks.as_color`."""
    opacity: float = 0.0
    """Weight of the mean opacity in the generator's loss, against fog and white matter."""
    translucency: float = 0.0
    """Weight of the mean of 4 a (1 - a) of opacities a: before a white background what is pale may
    as well be colourful and half transparent, and has then no surface."""
    volume: float = 0.0
    """Weight of the share of the ball of radius ``cameras.reach`` that is full: of matter that no
    picture asks for, behind surfaces and in what is seen from few sides. A place counts by what
    one of ``samples`` equal parts of a ray through the middle holds back there."""

    def __post_init__(self) -> None:
        for name in ("size", "latent_dim", "depth", "noise_steps", "judge_width"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1; got {getattr(self, name)}")
        if self.width < 2:
            raise ValueError(f"width must be at least 2; got {self.width}")
        if not 0 <= self.appearance_dim < self.latent_dim:
            raise ValueError(
                "appearance_dim must be from 0 to below latent_dim; "
                f"got {self.appearance_dim} of {self.latent_dim}"
            )
        weights = ("opacity", "translucency", "volume")
        for name in ("frequencies", "view_frequencies", "noise", *weights):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be at least 0; got {getattr(self, name)}")
        if self.skips and min(self.skips) < 0:
            raise ValueError(f"skips must be layers from 0; got {list(self.skips)}")
        if self.compat == "official" and (self.backbone, self.judge) != ("mlp", "paper"):
            raise ValueError(
                "compat official has backbone mlp and judge paper alone; "
                f"got {self.backbone} and {self.judge}"
            )
        # The original may read patches finer than the image.
        if self.patch.side > self.size and self.compat == "none":
            raise ValueError(f"patch.side must be at most size {self.size}; got {self.patch.side}")
        if self.patch.side < 8:
            raise ValueError(f"patch.side must be at least 8; got {self.patch.side}")
        if not 0 < self.white_cap <= 1:
            raise ValueError(f"white_cap must be above 0 and at most 1; got {self.white_cap}")
        if self.game.pack > 1:
            raise ValueError(f"patches are not packed: game.pack must be 1; got {self.game.pack}")

    @property
    def shape_dim(self) -> int:
        """Length of a code's first part."""
        return self.latent_dim - self.appearance_dim

    def noise_at(self, step: int) -> float:
        """Standard deviation of the densities' noise at a step.

        It is a function of the step alone, so a run that is resumed goes on as it would have. The
        original changes it up to step ``noise_steps - 1`` only, so a little is left there.
        """
        last = self.noise_steps - 1 if self.compat == "official" else self.noise_steps
        return self.noise * (1 - min(step, last) / self.noise_steps)

    def judge_noise_at(self, step: int) -> float:
        """The same for what the discriminator is shown."""
        return self.noise_at(max(0, step - 1) if self.compat == "official" else step)

    @classmethod
    def official(cls, **changes: Any) -> GRAFConfig:
        """The authors' model, objective and discriminator; see :func:`patch_gamma` for its R1."""
        side = changes.get("patch", PatchSampler()).side
        setting: dict[str, Any] = {
            "compat": "official",
            "sampling": Sampling(jitter=True, white=True),
            "game": GameOptions(r1=patch_gamma(_OFFICIAL_R1, side)),
        }
        setting |= changes
        setting["sampling"] = replace(setting["sampling"], open_end=True)
        return cls(**setting)
