"""Files of models: where they are, and what is in them; nothing is built from it here."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from shapegen import __version__, registry
from shapegen.config.strict import from_dict, nearest
from shapegen.formats.tensors import read_tensors

FORMAT_VERSION = 1
"""Rises when an older shapegen could misread a file."""

SUFFIX = ".safetensors"

INSTRUMENTS = ("image-features",)
"""Shipped weights that measure: no models of shapes."""


class StoredModel(NamedTuple):
    """A model that was not built yet."""

    path: Path
    name: str
    """Key in ``shapegen.models()``."""
    config: Any
    """The dataclass that it is built from."""
    tensors: dict[str, Tensor]


def header(name_or_path: str | Path) -> dict[str, Any]:
    """What a checkpoint says of itself: ``model config info shapegen format_version path``.

    Raises:
        ValueError: As :func:`read_model`.
    """
    path = locate(name_or_path)
    return _read(path)[1] | {"path": str(path)}


def shipped() -> list[str]:
    """Names of the models whose weights come with the package."""
    folder = resources.files("shapegen") / "weights"
    if not folder.is_dir():
        return []
    names = {
        each.name.removesuffix(SUFFIX) for each in folder.iterdir() if each.name.endswith(SUFFIX)
    }
    return sorted(names.difference(INSTRUMENTS))


def locate(name_or_path: str | Path) -> Path:
    """The file of a model; what exists on disk comes before a shipped name.

    Args:
        name_or_path: A shipped model's name, a run's folder (its best checkpoint, else the last)
            or a ``.safetensors`` file.

    Raises:
        ValueError: There is none.
    """
    path = Path(name_or_path)
    if path.is_file():
        return path
    found = [path / f"{kind}{SUFFIX}" for kind in ("best", "last")]
    for file in found:
        if file.is_file():
            return file
    name = str(name_or_path)
    if name in shipped():
        return Path(str(resources.files("shapegen") / "weights" / f"{name}{SUFFIX}"))
    if path.is_dir():
        raise ValueError(f"the folder {path} holds neither {found[0].name} nor {found[1].name}")
    raise ValueError(
        f"no checkpoint `{name}`: neither a file, a run's folder nor a shipped model; shipped "
        f"models: {nearest(name, shipped())}"
    )


def read_model(name_or_path: str | Path, *, expect: str | None = None) -> StoredModel:
    """Read a model's file without building the model.

    Args:
        name_or_path: As :func:`locate`.
        expect: The model that it must be, such as ``grass``.

    Raises:
        ValueError: Nothing there, not a checkpoint of ours, damaged, of another model, or of a
            newer format; in one line.
    """
    path = locate(name_or_path)
    tensors, values = _read(path)
    name = values["model"]
    # A model whose name is a setting of another class is stored by that class's name.
    if expect is not None and name != registry.model_class(expect).name:
        raise ValueError(f"{path} holds the model `{name}`; `{expect}` is due")
    try:
        config = from_dict(registry.config_class(name), values["config"])
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return StoredModel(path, name, config, tensors)


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    tensors, values = read_tensors(path)
    if values.get("kind") != "model":
        raise ValueError(
            f"{path} is not a model's checkpoint but a {values.get('kind')!r} file; "
            "load best.safetensors or last.safetensors"
        )
    version = values.get("format_version")
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise ValueError(
            f"{path} has format version {version}, written by shapegen {values.get('shapegen')}; "
            f"this is {__version__}, which reads up to {FORMAT_VERSION}: upgrade shapegen"
        )
    try:
        registry.entry(values["model"])
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return tensors, values
