"""Whatever is measured on a distance matrix; names are resolved when they are first used.

``compare`` is a function of two sets of shapes, ``evaluate`` of a model and its data; their forms
for point clouds have more options. ``FeatureDistances`` measures images in a network's features.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shapegen.metrics.cloud_comparison import compare_clouds
    from shapegen.metrics.cloud_evaluation import evaluate_clouds
    from shapegen.metrics.comparison import compare
    from shapegen.metrics.evaluation import evaluate
    from shapegen.metrics.feature_distances import FeatureDistances
    from shapegen.metrics.feature_extractors import image_features

__all__ = [
    "FeatureDistances",
    "compare",
    "compare_clouds",
    "evaluate",
    "evaluate_clouds",
    "image_features",
]

_HOMES = {
    "FeatureDistances": "shapegen.metrics.feature_distances",
    "compare": "shapegen.metrics.comparison",
    "compare_clouds": "shapegen.metrics.cloud_comparison",
    "evaluate": "shapegen.metrics.evaluation",
    "evaluate_clouds": "shapegen.metrics.cloud_evaluation",
    "image_features": "shapegen.metrics.feature_extractors",
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
