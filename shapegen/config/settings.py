"""What a run is made of: the model, the data and the training."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from shapegen import registry
from shapegen.config import strict, yaml_files
from shapegen.config.render import RenderConfig
from shapegen.config.stacking import StackConfig


@dataclass(frozen=True)
class DataConfig:
    """Where the shapes come from and which of them are kept from training."""

    path: str | tuple[str, ...] | None = None
    """A file of shapes, or several, one after the other. ``${NAME}`` is an environment variable;
    a relative path in a configuration file starts at that file's folder."""
    name: str | None = None
    """Instead of a path: a procedural set of the catalog, made on the spot."""
    count: int | None = None
    """Shapes of the procedural set to make."""
    seed: int = 0
    """Of the procedural set."""
    points: int | None = None
    """For models of point clouds: so many points of every shape. Part trees and meshes are sampled
    on their surface, clouds are thinned; null: clouds as they are."""
    voxels: int | None = None
    """For models of voxels: so many cells along each side of a grid, which part trees are fitted
    into; null: voxels as they are."""
    render: RenderConfig | None = None
    """For models of images: views of every shape. What is held out are shapes, with all their
    views; null: images as they are."""
    stack: StackConfig | None = None
    """For models of images: digits of a labelled set, three to an image in colour. What is held
    out are digits; null: images as they are."""
    image_size: int | None = None
    """Pictures of any size: the middle square of each, scaled to this height and width; null:
    images as they are, all of one size."""
    image_crop: int | None = None
    """With ``image_size``: side in pixels of the square that is cut out of the middle before;
    null: the largest."""
    holdout: int | float = 0
    """Shapes, or the share, kept for evaluation: neither trained on nor used to choose."""
    validation: int | float = 0
    """Shapes, or the share, of the rest by whose loss the best checkpoint is chosen."""
    validation_path: str | None = None
    """Instead of ``validation``: a file of shapes."""
    part_points: str | None = None
    """A folder with the points of every part, a file a shape (:mod:`shapegen.data.part_points`),
    for the shapes of ``path`` and ``validation_path``."""
    split: Literal["random", "family"] = "random"
    """``random``: the last shapes of ``RandomState(split_seed).permutation``. ``family``: whole
    families of similar shapes."""
    split_seed: int = 0

    def __post_init__(self) -> None:
        if self.path == ():
            raise ValueError("path must name at least one file; got an empty list")
        if (self.path is None) == (self.name is None):
            raise ValueError("exactly one of `path` (a file) and `name` (a procedural set) is due")
        if (self.name is None) != (self.count is None):
            raise ValueError("count belongs to a procedural set `name`, and is due there")
        if self.count is not None and self.count < 1:
            raise ValueError(f"count must be at least 1; got {self.count}")
        if self.part_points is not None and self.path is None:
            raise ValueError("part_points belongs to the shapes of a file `path`")
        if self.validation and self.validation_path is not None:
            raise ValueError("validation and validation_path exclude each other")
        if self.render is not None and (self.points or self.voxels or self.part_points):
            raise ValueError("render is of surfaces: it excludes points, voxels and part_points")
        if self.stack is not None and (self.render or self.points or self.voxels):
            raise ValueError("stack is of digits: it excludes render, points and voxels")
        if self.image_crop is not None and self.image_size is None:
            raise ValueError("image_crop belongs to image_size, the size that is wanted")
        if self.image_size is not None and (self.path is None or self.render is not None):
            raise ValueError("image_size belongs to pictures of a `path`, and excludes render")
        if self.points is not None and self.points < 8:
            raise ValueError(f"points must be at least 8 a shape; got {self.points}")
        if self.voxels is not None and self.voxels < 4:
            raise ValueError(f"voxels must be at least 4 a side; got {self.voxels}")
        if self.points is not None and self.voxels is not None:
            raise ValueError("points and voxels exclude each other")
        for key in ("holdout", "validation"):
            value = getattr(self, key)
            if value < 0 or (isinstance(value, float) and value >= 1):
                raise ValueError(
                    f"{key} must be a number of shapes or a share below 1; got {value}"
                )

    @property
    def paths(self) -> tuple[str, ...]:
        """The files of :attr:`path`."""
        return (self.path,) if isinstance(self.path, str) else self.path or ()


@dataclass(frozen=True)
class TrainConfig:
    """How a model is trained; every field has a default."""

    epochs: int = 100
    """Passes over the training shapes."""
    batch_size: int = 64
    """Shapes a step, over all processes; the short last batch of an epoch is kept."""
    accumulate: int = 1
    """Pieces that a batch is cut into to save memory; the step is that of the whole batch."""
    optimizer: Literal["adam", "adamw", "rmsprop"] = "adam"
    """``rmsprop`` averages squared gradients alone, by the second of ``betas``."""
    learning_rate: float = 1e-3
    rates: dict[str, float] = field(default_factory=dict)
    """Learning rates of single objectives by name, where they differ (a GAN's two)."""
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    schedule: Literal["constant", "cosine", "step"] = "constant"
    """``cosine`` falls to ``final_factor`` at the last step; ``step`` multiplies by
    ``step_factor`` every ``step_every`` steps, or at each of its steps."""
    warmup: int = 0
    """Steps in which the rate rises linearly from near 0."""
    final_factor: float = 0.0
    step_every: int | tuple[int, ...] = 500
    """A number of steps, or the numbers of single ones."""
    step_factor: float = 0.9
    clip: float | None = None
    """Largest norm of an objective's gradient; null: any."""
    ema: float | None = None
    """Decay a step of the weights' moving average, which is then what is saved; null: none."""
    ema_warmup: bool = True
    """Begin with smaller decays, ``(1 + t) / (10 + t)``: short runs forget their first weights."""
    precision: Literal["auto", "32-true", "bf16-mixed"] = "32-true"
    """``bf16-mixed`` takes products in bfloat16: on a device without instructions for them up to a
    hundred times slower than in full. ``auto`` is that where there are such, else ``32-true``."""
    seed: int = 0
    """Of the one random stream: order of the shapes and noise of the losses."""
    max_minutes: float | None = None
    """Stop, saved, after this time (of each start); null: run to the end."""
    fit_minutes: float | None = None
    """Cut the run to the steps that this machine does in this time, as its first tenth goes, so
    that a schedule comes to its end; never more than ``epochs``. Resumed, it keeps the number."""
    save_every: int = 10
    """Epochs from one checkpoint, and one validation, to the next; the last epoch has one."""
    log_every: int = 50
    """Steps from one line of the log to the next; a line holds means since the line before."""
    pictures_every: int = 0
    """Epochs from one picture of samples to the next; 0: none."""
    pictures: int = 12
    """Samples in a picture."""
    tensorboard: bool = True
    """Write TensorBoard files too, where it is installed."""
    threads: int | None = None
    """CPU threads of a process; null: as torch is set. On small models more can be slower, and
    other numbers of threads may differ in the last bit."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    devices: int = 1
    """Processes, started by torchrun."""

    def __post_init__(self) -> None:
        counts = ["epochs", "batch_size", "accumulate", "save_every", "log_every"]
        for key in [*counts, "pictures", "devices"]:
            if getattr(self, key) < 1:
                raise ValueError(f"{key} must be at least 1; got {getattr(self, key)}")
        every = (self.step_every,) if isinstance(self.step_every, int) else self.step_every
        if not every or min(every) < 1:
            raise ValueError(f"step_every must be at least 1; got {self.step_every}")
        for key in ["warmup", "pictures_every", "weight_decay", "seed"]:
            if getattr(self, key) < 0:
                raise ValueError(f"{key} must not be negative; got {getattr(self, key)}")
        for key in ["learning_rate", "step_factor", "clip", "max_minutes", "fit_minutes"]:
            value = getattr(self, key)
            if value is not None and not 0 < value < float("inf"):
                raise ValueError(f"{key} must be positive and finite; got {value}")
        if self.threads is not None and self.threads < 1:
            raise ValueError(f"threads must be at least 1; got {self.threads}")
        if not all(0 < rate < float("inf") for rate in self.rates.values()):
            raise ValueError(f"rates must be positive and finite; got {self.rates}")
        for key, value in (
            ("betas", self.betas[0]),
            ("betas", self.betas[1]),
            ("ema", self.ema or 0.0),
        ):
            if not 0 <= value < 1:
                raise ValueError(f"{key} must be at least 0 and below 1; got {value}")
        if not 0 <= self.final_factor <= 1:
            raise ValueError(f"final_factor must be from 0 to 1; got {self.final_factor}")


@dataclass(frozen=True)
class ModelConfig:
    """A model's name and its own dataclass."""

    name: str
    """Key in ``shapegen.models()``."""
    fields: Any
    """The model's config; in a file its keys stand beside ``name``."""


@dataclass(frozen=True)
class RunConfig:
    """One experiment: a file in ``configs/``."""

    model: ModelConfig
    data: DataConfig
    train: TrainConfig


def load_run(path: str | Path, overrides: Sequence[str] = ()) -> RunConfig:
    """Read a configuration file and apply overrides such as ``train.epochs=3``.

    Raises:
        ValueError: Anything wrong with the file or an override, in one line that names it.
    """
    path = Path(path)
    values = yaml_files.read(path)
    _anchor(values, path.parent)
    values = yaml_files.override(values, overrides)
    _anchor(values, Path())
    try:
        return run_from_dict(values)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def run_from_dict(values: Mapping[str, Any]) -> RunConfig:
    """Build a :class:`RunConfig` from sections ``model``, ``data`` and ``train``, strictly.

    Raises:
        ValueError: Unknown model or key, missing key, wrong type or value.
    """
    model = values.get("model")
    if not isinstance(model, Mapping) or not isinstance(model.get("name"), str):
        raise ValueError(f"missing key `model.name`; accepted: {', '.join(registry.MODELS)}")
    name = str(model["name"])
    cls = registry.config_class(name)
    known = [
        *strict.keys(cls, "model"),
        *strict.keys(DataConfig, "data"),
        *strict.keys(TrainConfig, "train"),
    ]
    sections = {"data": DataConfig, "train": TrainConfig}
    plain = dict(values) | {key: {} for key in sections if values.get(key) is None}
    # The sections first: a misspelt one is an unknown key of the run.
    for key in set(plain) - {"model", *sections}:
        strict.from_dict(_Sections, {key: None}, known=known)
    fields = {key: value for key, value in model.items() if key != "name"}
    return RunConfig(
        ModelConfig(name, registry.config_of(name, fields, at="model", known=known)),
        strict.from_dict(DataConfig, plain["data"], at="data", known=known),
        strict.from_dict(TrainConfig, plain["train"], at="train", known=known),
    )


def run_to_dict(run: RunConfig) -> dict[str, Any]:
    """The sections that :func:`run_from_dict` builds an equal run from."""
    return {
        "model": {"name": run.model.name, **strict.to_dict(run.model.fields)},
        "data": strict.to_dict(run.data),
        "train": strict.to_dict(run.train),
    }


def dump(run: RunConfig, path: str | Path) -> None:
    """Write a run as YAML, or as JSON where the name ends in ``.json``; nothing is lost."""
    yaml_files.write(run_to_dict(run), path)


def expand(path: str) -> Path:
    """Replace ``${NAME}`` by environment variables and ``~`` by the home folder.

    Raises:
        ValueError: A variable that is not set.
    """

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if not os.environ.get(name):
            raise ValueError(
                f"the environment variable {name} in `{path}` is not set; "
                f"set it to a folder: export {name}=/path/to/data"
            )
        return os.environ[name]

    return Path(re.sub(r"\$\{(\w+)\}", value, path)).expanduser()


@dataclass(frozen=True)
class _Sections:
    model: Any = None
    data: Any = None
    train: Any = None


def _anchor(values: dict[str, Any], folder: Path) -> None:
    """Make plain relative paths of the data section absolute, from ``folder``."""
    data = values.get("data")
    if not isinstance(data, dict):
        return
    for key in ("path", "validation_path", "part_points"):
        given = data.get(key)
        if isinstance(given, list):
            data[key] = [_anchored(path, folder) for path in given]
        else:
            data[key] = _anchored(given, folder)


def _anchored(path: Any, folder: Path) -> Any:
    if isinstance(path, str) and path and not path.startswith(("$", "~")):
        return str(Path(os.path.abspath(folder / path)))
    return path
