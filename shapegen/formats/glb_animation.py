"""The animation of a glTF file: what every node's place, turn and size is in every frame."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from shapegen.formats.walks import Track

Float = NDArray[np.float64]

ABSENT = 1e-6
"""Scale of a part that is not there: a scale of zero has no inverse, which importers refuse."""
_FLOAT = 5126


class Add(Protocol):
    """Put an array into the file; the number of its accessor comes back."""

    def __call__(  # noqa: D102
        self, array: NDArray[Any], kind: str, component: int, target: int | None, **extra: Any
    ) -> int: ...


class Channels:
    """Collects the tracks of nodes that change."""

    def __init__(self, frames: int, fps: float, add: Add) -> None:
        self._times = np.arange(frames, dtype="<f4") / np.float32(fps)
        self._add = add
        self._input: int | None = None
        self._samplers: list[dict[str, Any]] = []
        self._channels: list[dict[str, Any]] = []

    def box(self, number: int, track: Track, origin: Float) -> None:
        """Move a node that is a unit cube as a part's box moves; ``origin`` is its parent's."""
        assert track.boxes is not None
        scale = np.maximum(np.abs(track.boxes[:, 3:6]), ABSENT)
        self._linear(number, "translation", track.boxes[:, :3] - origin)
        self._linear(number, "rotation", track.turns()[:, [1, 2, 3, 0]])
        self._linear(number, "scale", np.where(track.present[:, None], scale, ABSENT))

    def visibility(self, number: int, track: Track) -> None:
        """Show a node in the frames in which it is, and in no other."""
        scale = np.where(track.present[:, None], 1.0, ABSENT).repeat(3, axis=1)
        self._put(number, "scale", scale, "STEP")

    def document(self) -> dict[str, Any] | None:
        """The animation as glTF states it; None where nothing moves."""
        if not self._channels:
            return None
        return {"name": "walk", "samplers": self._samplers, "channels": self._channels}

    def _linear(self, number: int, path: str, values: Float) -> None:
        self._put(number, path, values, "LINEAR")

    def _put(self, number: int, path: str, values: Float, interpolation: str) -> None:
        array = values.astype("<f4")
        if (array == array[0]).all():
            return
        if self._input is None:
            bounds = {"min": [0.0], "max": [float(self._times[-1])]}
            self._input = self._add(self._times, "SCALAR", _FLOAT, None, **bounds)
        kind = f"VEC{array.shape[1]}"
        sampler = {"input": self._input, "interpolation": interpolation}
        self._samplers.append({**sampler, "output": self._add(array, kind, _FLOAT, None)})
        target = {"node": number, "path": path}
        self._channels.append({"sampler": len(self._samplers) - 1, "target": target})
