"""Moves of the viewers' sliders, as the workloads ``view_*`` time them: without a browser."""

from __future__ import annotations

import atexit
import itertools
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout

import numpy as np

import shapegen
from benchmarks.harness import Workload
from shapegen.base import LatentModel
from shapegen.scene import Boxes, Node, Points, Scene
from shapegen.view.latents import latents_of
from shapegen.view.state import ViewerState
from shapegen.view.web import WebViewer

GROUPS = 10
STEP = 0.4
"""Standard deviations that a latent slider moves at a time."""


def parts_scene(count: int) -> Scene:
    """Boxes at random in groups of equal size."""
    rng = np.random.default_rng(0)
    nodes = [Node("all"), *(Node(f"group {number}", 0) for number in range(GROUPS))]
    for number in range(count):
        row = [*rng.normal(size=3), *rng.uniform(0.05, 0.2, 3), 1, 0, 0, 0, 1, 0]
        nodes.append(Node(f"part {number}", 1 + number % GROUPS, Boxes([row])))
    return Scene(tuple(nodes))


def clouds(count: int) -> list[Scene]:
    """Two frames of the same points."""
    points = np.random.default_rng(0).normal(size=(count, 3))
    return [Scene((Node("cloud", primitive=Points(scale * points)),)) for scale in (1.0, 1.1)]


def web_workload(scenes: list[Scene], slider: str, values: tuple[float, float]) -> Workload:
    """A slider of the web viewer goes to and fro; a run is one move, until it is all queued."""
    with redirect_stdout(sys.stderr):  # viser says where it listens; ours is one line of JSON
        viewer = WebViewer([scenes], port=0)

    def close() -> None:
        with redirect_stdout(sys.stderr):
            viewer.close()

    atexit.register(close)
    control, next_value = getattr(viewer, slider), itertools.cycle(values)

    def move() -> None:
        control.value = next(next_value)

    return Workload(run=move, facts={"slider": slider}, made=("updates", 1), count_flops=False)


def slide_workload(name: str) -> Workload:
    """A run moves a latent slider of a model, until the state says what to draw.

    The JSON line says beside how long it is until a shape that was sketched is drawn as it is.
    """
    model = shapegen.load(name)
    assert isinstance(model, LatentModel)
    state = ViewerState([], latents=latents_of(model))
    steps = itertools.cycle(np.arange(-2.0, 2.0, STEP).tolist())

    def slide() -> object:
        state.slide([next(steps)])
        return state.pictures()

    def settled() -> dict[str, float]:
        return {"settled_s": statistics.median(_seconds(slide, state.settle) for _ in range(5))}

    return Workload(run=slide, facts={"weights": name}, check=settled, count_flops=False)


def _seconds(*actions: Callable[[], object]) -> float:
    start = time.process_time()
    for action in actions:
        action()
    return time.process_time() - start
