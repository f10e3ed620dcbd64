"""Whatever is measured on a distance matrix; names are resolved when they are first used.

``compare`` is a function of two sets of shapes, ``evaluate`` of a model and its data.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shapegen.metrics.comparison import compare
    from shapegen.metrics.evaluation import evaluate

__all__ = ["compare", "evaluate"]

_HOMES = {"compare": "shapegen.metrics.comparison", "evaluate": "shapegen.metrics.evaluation"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(
            f"module 'shapegen.metrics' has no attribute {name!r}; it has {__all__}"
        )
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
