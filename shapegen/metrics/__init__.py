"""Whatever is measured on a distance matrix; names are resolved when they are asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shapegen.metrics.compare import compare as compare
    from shapegen.metrics.evaluate import evaluate as evaluate

__all__ = ["compare", "evaluate"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"shapegen.metrics has no {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(f"shapegen.metrics.{name}"), name)
