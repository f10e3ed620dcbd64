"""Whatever is measured on a distance matrix; names are resolved when they are first used.

``compare`` is a function of two sets of shapes, ``evaluate`` of a model and its data; their forms
for point clouds have more options.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shapegen.metrics.cloud_comparison import compare_clouds
    from shapegen.metrics.cloud_evaluation import evaluate_clouds
    from shapegen.metrics.comparison import compare
    from shapegen.metrics.evaluation import evaluate

__all__ = ["compare", "compare_clouds", "evaluate", "evaluate_clouds"]

_HOMES = {
    "compare": "shapegen.metrics.comparison",
    "compare_clouds": "shapegen.metrics.cloud_comparison",
    "evaluate": "shapegen.metrics.evaluation",
    "evaluate_clouds": "shapegen.metrics.cloud_evaluation",
}


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
