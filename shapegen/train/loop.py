"""Training as a function."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shapegen.base import GenerativeModel, Initialised, Prepared, Shapes
from shapegen.config import TrainConfig, from_dict
from shapegen.core.seeding import seeded
from shapegen.train import parallel, streams
from shapegen.train import state as run_state
from shapegen.train.trainer import Trainer, TrainResult


def fit(
    model: GenerativeModel,
    data: Shapes | Prepared,
    config: TrainConfig | Mapping[str, Any] | None = None,
    *,
    out: str | Path,
    resume: bool = False,
    validation: Shapes | Prepared | None = None,
    progress: bool = True,
) -> TrainResult:
    """Train a model in place; afterwards it has the weights of ``last.safetensors``.

    In ``out``: ``last.safetensors``; ``best.safetensors`` (lowest validation loss, if there is
    validation); ``state.safetensors``, from which a run resumes; ``log.jsonl``; ``tensorboard/``;
    ``samples/``. On the CPU a run that was killed at any moment and resumed ends equal, bit for
    bit, to one that was not. Ctrl-C, SIGTERM and the end of ``max_minutes`` save and return.

    Args:
        model: Keeps its weights as the first ones, but for those that its config names.
        data: Shapes, or what ``model.prepare`` made of them.
        config: Or a mapping of its fields; default: every field's default.
        out: Folder, made if missing.
        resume: Go on from the state in ``out``; start where there is none.
        validation: Shapes to choose the best checkpoint by.
        progress: Show a bar on a terminal, plain lines elsewhere, on the standard error.

    Raises:
        ValueError: ``out`` holds a run and ``resume`` is false, or a run with other settings;
            it is not writable; bad data.
        TrainingDiverged: A loss or weight is not finite; the checkpoints are the last good ones.
        OSError: The disk is full; the last checkpoint is whole.
    """
    config = from_dict(TrainConfig, config or {}, at="train")
    folder = _writable(Path(out))
    old = run_state.read(folder)
    if old is not None and not resume:
        raise ValueError(
            f"{folder} holds a run of {old.values['step']} steps; resume it or choose another "
            "folder"
        )
    fabric = parallel.start(config)
    with (
        streams.threads(config.threads),
        seeded(config.seed + fabric.global_rank, fabric.device),
        streams.StopRequest(config.max_minutes) as stop,
    ):
        if isinstance(model, Initialised):
            model.initialise(resumed=old is not None)
        model.to(fabric.device)
        parallel.same_start(model, fabric)
        trainer = Trainer(model, data, config, folder, fabric, validation)
        trainer.restore(old)
        return trainer.run(stop, shown=progress and fabric.is_global_zero)


def _writable(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # A file without a name: a kill leaves nothing of it.
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ValueError(f"cannot write to the folder {folder}: {error.strerror}") from None
    return folder
