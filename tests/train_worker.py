"""Runs of the tests that need processes of their own; started with ``python -m``."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

# Imported before the forks, which then start at once.
import lightning.fabric  # noqa: F401
import torch

from shapegen import checkpoint, registry
from shapegen.config import TrainConfig
from shapegen.train import fit, state
from tests import toy_model

KILLED = TrainConfig(
    epochs=80, batch_size=16, save_every=1, log_every=7, ema=0.99, tensorboard=False
)
SHARED = TrainConfig(epochs=4, batch_size=8, save_every=2, log_every=3, tensorboard=False)


def train(out: Path, config: TrainConfig, *, noise: float = 0.1, shapes: int = 40) -> str:
    """Train a toy in double precision, going on where the folder's run stopped."""
    fields = toy_model.ToyConfig(noise=noise)
    model = registry.build_seeded("toy", fields, 0).double()
    data = toy_model.vectors(shapes).values.double()
    check = toy_model.vectors(9, seed=1).values.double()
    result = fit(model, data, config, out=out, resume=True, validation=check, progress=False)
    return result.stopped


def written(out: Path) -> int | None:
    """Changes whenever a state is written."""
    path = out / state.NAME
    return path.stat().st_mtime_ns if path.exists() else None


def kill_and_resume(out: Path) -> None:
    """Kill a run at ten random moments, then let it end; every checkpoint must stay whole."""
    draw, step = random.Random(0), 0
    for attempt in range(10):
        before = written(out)
        child = os.fork()
        if child == 0:
            train(out, KILLED)
            os._exit(0)
        # Some at once, most after a checkpoint of their own, whatever the machine's speed.
        while attempt % 4 and written(out) == before:
            time.sleep(1e-3)
        time.sleep(draw.uniform(0, 0.02))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            raise SystemExit("the run ended before it was killed")
        saved = state.read(out) if out.exists() else None
        if saved is not None:
            if saved.values["step"] < step:
                raise SystemExit(f"lost a checkpoint: {saved.values['step']} after {step}")
            step = saved.values["step"]
            if checkpoint.header(out / "last.safetensors")["info"]["step"] < step:
                raise SystemExit("the last checkpoint is older than the state")
        sys.stdout.write(f"{step}\n")
    train(out, KILLED)


def share(out: Path) -> None:
    """Train in as many processes as torchrun started."""
    world = int(os.environ["WORLD_SIZE"])
    config = replace(SHARED, devices=world)
    # 33 shapes: the last batch has one, and the second process none of it.
    train(out / "equal", config, noise=0.0, shapes=33)
    train(out / "whole", config)
    stopped = ""
    while stopped != "finished":
        stopped = train(out / "cut", replace(config, max_minutes=1e-9))


if __name__ == "__main__":
    registry.MODELS["toy"] = toy_model.ENTRY
    torch.set_num_threads(1)
    {"kill": kill_and_resume, "share": share}[sys.argv[1]](Path(sys.argv[2]))
