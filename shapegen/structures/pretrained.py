"""Weights of an earlier training, for a model that is built on another one."""

from __future__ import annotations

from shapegen.base import GenerativeModel
from shapegen.config import expand
from shapegen.model_files import read_model


def take_weights(model: GenerativeModel, name_or_path: str) -> None:
    """Load the weights of a trained model of the same kind and options.

    Args:
        model: Its weights are replaced.
        name_or_path: As :func:`shapegen.model_files.locate`; ``${NAME}`` is an environment
            variable, a relative path starts at the working folder.

    Raises:
        ValueError: Nothing there, damaged, of another model or with other options.
    """
    found = read_model(expand(name_or_path), expect=model.name)
    if found.config != model.config:
        raise ValueError(
            f"{found.path} was trained with other options than the configuration says: "
            f"{found.config}, not {model.config}"
        )
    model.load_state_dict(found.tensors)
