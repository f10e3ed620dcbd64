"""One run: its steps, its checkpoints, and how it comes back."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import torch
from torch import Tensor

from shapegen import checkpoint
from shapegen.base import Batched, Calibrated, GenerativeModel, Prepared, Shapes
from shapegen.config import TrainConfig, to_dict
from shapegen.core.seeding import seeded
from shapegen.train import parallel, streams
from shapegen.train import state as run_state
from shapegen.train.budget import steps_that_fit
from shapegen.train.descent import Descent
from shapegen.train.pictures import write_picture
from shapegen.train.progress import Progress
from shapegen.train.record import Log, Means
from shapegen.train.schedule import rate_factor
from shapegen.train.streams import Reason, TrainingDiverged

if TYPE_CHECKING:
    from lightning.fabric import Fabric


@dataclass(frozen=True)
class TrainResult:
    """What became of a run."""

    out: Path
    step: int
    """Steps done, earlier starts included."""
    epoch: float
    best: float | None
    """Lowest validation loss; None without validation."""
    stopped: Literal["finished", "interrupted", "time"]


class Trainer:
    """A run in memory: everything that changes while it goes on.

    Args:
        model: On its device, alike in all processes.
        data: To train on.
        config: Of the training.
        folder: Where the run's files are.
        fabric: Launched.
        validation: To choose the best checkpoint by.
    """

    def __init__(
        self,
        model: GenerativeModel,
        data: Shapes | Prepared,
        config: TrainConfig,
        folder: Path,
        fabric: Fabric,
        validation: Shapes | Prepared | None,
    ) -> None:
        self.model, self.config, self.folder, self.fabric = model, config, folder, fabric
        self.prepared = _prepared(model, data, "training")
        if isinstance(model, Batched):
            model.check_batch(len(self.prepared), config.batch_size)
        self.validation = (
            None if validation is None else _prepared(model, validation, "validation")
        )
        # The first process's stream also orders the shapes.
        rank = fabric.global_rank
        self.rng = (
            streams.derived(config.seed, "rank", rank)
            if rank
            else torch.Generator().manual_seed(config.seed)
        )
        self.descent = Descent(model, config, fabric, rng=self.rng)
        self.means = Means()
        self.log: Log | None = None
        self.step, self.best, self.log_size = 0, math.inf, 0
        self.order = torch.empty(0, dtype=torch.long)
        self.per_epoch = math.ceil(len(self.prepared) / config.batch_size)
        self.steps = self.per_epoch * config.epochs
        self.fitted = False

    def run(self, stop: streams.StopRequest, *, shown: bool) -> TrainResult:
        """Train until the last step or until ``stop`` has a reason; the state is then saved."""
        if not self.step:
            # Data that the model cannot be calibrated to are refused before the work, not after.
            with self._apart():
                self._calibrate()
        if self.fabric.is_global_zero:
            # What a killed process was writing.
            for name in ("best", "last", run_state.NAME.removesuffix(checkpoint.SUFFIX)):
                for left in self.folder.glob(f".{name}-*{checkpoint.SUFFIX}"):
                    left.unlink()
            board = self.config.tensorboard
            self.log = Log(self.folder, size=self.log_size, step=self.step, tensorboard=board)
        progress = Progress(self.steps, self.per_epoch, self.step, len(self.prepared), shown=shown)
        self.model.train()
        self.logged_at = started = time.monotonic()
        first = self.step
        reason: Reason | None = None
        try:
            while self.step < self.steps and reason is None:
                self._train_step()
                if self.config.fit_minutes is not None and not self.fitted:
                    self._fit(time.monotonic() - started, first, progress)
                self._report(progress)
                reason = self._agreed(stop.reason)
                self._maintain(stopping=reason is not None)
        finally:
            progress.close()
            if self.log is not None:
                self.log.close()
        self.descent.finish()
        return TrainResult(
            self.folder,
            self.step,
            self.step / self.per_epoch,
            None if math.isinf(self.best) else self.best,
            "finished" if self.step >= self.steps or reason is None else reason,
        )

    def _train_step(self) -> None:
        position = self.step % self.per_epoch
        if position == 0:
            self.order = torch.randperm(len(self.prepared), generator=self.rng)
            if self.fabric.world_size > 1:
                self.order = self.fabric.broadcast(self.order)
        first = position * self.config.batch_size
        indices = self.order[first : first + self.config.batch_size]
        shares = [
            (self.prepared[share].to(self.fabric.device), weight)
            for share, weight in parallel.cut(indices, self.fabric, self.config.accumulate)
        ]
        try:
            failed = self.descent.step(shares, self.step, self.steps, self.means)
        except ArithmeticError as error:
            raise self._diverged(str(error)) from None
        if failed is not None:
            raise self._diverged(f"the loss `{failed}` is not finite")
        self.step += 1

    def _fit(self, seconds: float, first: int, progress: Progress) -> None:
        """Cut the run to what its time is enough for, once its speed is known.

        Args:
            seconds: Since this start.
            first: Step at which it was.
            progress: Is told.
        """
        assert self.config.fit_minutes is not None
        if self.fabric.world_size > 1:
            passed = torch.tensor(seconds, device=self.fabric.device)
            seconds = float(parallel.reduced(passed, self.fabric, "max"))
        possible = steps_that_fit(self.step - first, seconds, self.config.fit_minutes)
        if possible is None:
            return
        self.fitted = True
        self.steps = min(self.steps, first + possible)
        progress.cut(self.steps)

    def _report(self, progress: Progress) -> None:
        last = self.step == self.steps
        if self.step % self.config.log_every == 0 or last:
            steps, values = self.means.steps, self.means.take()
            for name, value in values.items():
                if not math.isfinite(value):
                    raise self._diverged(f"the loss `{name}` is not finite")
            now = time.monotonic()
            seconds, self.logged_at = now - self.logged_at, now
            shapes = steps * len(self.prepared) / self.per_epoch
            factor = rate_factor(self.config, self.step - 1, self.steps)
            self._write(
                values
                | {
                    "rate": self.config.learning_rate * factor,
                    "shapes_per_second": shapes / max(seconds, 1e-9),
                }
            )
            progress.losses(values)
        progress.advance(self.step, now=last)

    def _maintain(self, *, stopping: bool) -> None:
        epoch, inside = divmod(self.step, self.per_epoch)
        last = self.step == self.steps
        pictures = self.config.pictures_every
        draw = pictures > 0 and (last or (not inside and epoch % pictures == 0))
        save = last or (not inside and epoch % self.config.save_every == 0)
        if save or draw or stopping:
            self._save(validate=save, draw=draw)

    def _agreed(self, reason: Reason | None) -> Reason | None:
        """The reason to stop of any process, so that all stop at the same step."""
        if self.fabric.world_size == 1:
            return reason
        reasons: list[Reason | None] = [None, "time", "interrupted"]
        code = torch.tensor(reasons.index(reason), device=self.fabric.device)
        return reasons[int(parallel.reduced(code, self.fabric, "max").item())]

    def _save(self, *, validate: bool, draw: bool) -> None:
        for name, tensor in self.model.state_dict().items():
            if tensor.is_floating_point() and not torch.isfinite(tensor).all():
                raise self._diverged(f"the weight `{name}` is not finite")
        rng = self._random_states()
        weights, improved = self.descent.weights, False
        with self._apart():
            self._calibrate()
            if self.fabric.is_global_zero:
                if validate and self.validation is not None:
                    improved = self._validate(weights, self.validation)
                if draw:
                    path = self.folder / "samples" / f"epoch-{self.step // self.per_epoch:05}.png"
                    write_picture(
                        weights, self.config.pictures, path, rng=self._stream("pictures")
                    )
        if self.fabric.is_global_zero:
            for kind in ("best", "last") if improved else ("last",):
                self._checkpoint(kind)
            # Last: it is what a resumed run believes.
            run_state.write(self.folder, self._snapshot(rng))
        self.fabric.barrier()

    def _calibrate(self) -> None:
        weights = self.descent.weights
        if isinstance(weights, Calibrated):
            weights.calibrate(self.prepared, rng=self._stream("calibrate"))

    def _validate(self, weights: GenerativeModel, prepared: Prepared) -> bool:
        """Log the validation loss; whether it is the lowest so far."""
        # The same noise every time: the scores differ by the weights alone.
        objectives = weights.objectives(rng=streams.derived(self.config.seed, "validation"))
        total = 0.0
        for indices in torch.split(torch.arange(len(prepared)), self.config.batch_size):
            batch = prepared[indices].to(self.fabric.device)
            with self.fabric.autocast():
                losses = [objective.loss(batch, self.step)[0] for objective in objectives]
            total += sum(loss.item() for loss in losses) * len(indices)
        score = total / len(prepared)
        self._write({"validation": score})
        # A score that is not a number is never the best.
        if not score < self.best:
            return False
        self.best = score
        return True

    def restore(self, old: run_state.State | None) -> None:
        """Go back to a saved moment.

        Raises:
            ValueError: The run had other settings.
        """
        if old is None:
            return
        run_state.check_same(old.values, self._identity(), self.folder)
        values, groups = old.values, old.groups
        self.model.load_state_dict(groups["model"])
        if self.descent.average is not None:
            self.descent.average.restore(groups["ema"])
        for name, optimizer in self.descent.optimizers.items():
            run_state.restore_optimizer(optimizer, groups.get(f"optimizer/{name}", {}))
        own = groups[f"rng/{self.fabric.global_rank}"]
        self.rng.set_state(own["stream"])
        torch.set_rng_state(own["global"])
        if self.fabric.device.type == "cuda" and "cuda" in own:
            torch.cuda.set_rng_state(own["cuda"], self.fabric.device)
        self.order = groups["order"]["order"]
        self.means.names, self.means.counts = values["means"], values["counts"]
        sums = groups.get("means", {})
        self.means.sums = {name: sums[name].to(self.fabric.device) for name in self.means.names}
        self.step, self.log_size = values["step"], values["log_size"]
        if values.get("fitted") and self.config.fit_minutes is not None:
            self.fitted, self.steps = True, min(self.steps, values["fitted"])
        self.best = math.inf if values["best"] is None else values["best"]

    def _snapshot(self, rng: list[dict[str, Tensor]]) -> run_state.State:
        assert self.log is not None
        groups = {"model": self.model.state_dict(), "order": {"order": self.order}}
        if self.descent.average is not None:
            groups["ema"] = self.descent.average.tensors()
        for name, optimizer in self.descent.optimizers.items():
            groups[f"optimizer/{name}"] = run_state.optimizer_tensors(optimizer)
        groups |= {f"rng/{rank}": states for rank, states in enumerate(rng)}
        groups["means"] = self.means.sums
        values = {
            "step": self.step,
            "best": None if math.isinf(self.best) else self.best,
            "log_size": self.log.synced(),
            "means": self.means.names,
            "counts": self.means.counts,
            "fitted": self.steps if self.fitted else None,
        }
        return run_state.State(groups, values | self._identity())

    def _identity(self) -> dict[str, object]:
        return {
            "model": self.model.name,
            "config": to_dict(self.model.config),
            "train": to_dict(self.config),
            "shapes": len(self.prepared),
        }

    def _checkpoint(self, kind: str) -> None:
        info = {"step": self.step, "epoch": self.step / self.per_epoch}
        if not math.isinf(self.best):
            info["best_validation"] = self.best
        path = self.folder / f"{kind}{checkpoint.SUFFIX}"
        checkpoint.save(self.descent.weights, path, info=info)

    def _random_states(self) -> list[dict[str, Tensor]]:
        """The random streams of every process."""
        states = {"stream": self.rng.get_state(), "global": torch.get_rng_state()}
        if self.fabric.device.type == "cuda":
            states["cuda"] = torch.cuda.get_rng_state(self.fabric.device)
        all_states = {name: parallel.gathered(own, self.fabric) for name, own in states.items()}
        return [
            {name: each[rank] for name, each in all_states.items()}
            for rank in range(self.fabric.world_size)
        ]

    def _stream(self, purpose: str) -> torch.Generator:
        return streams.derived(self.config.seed, purpose, self.step)

    def _write(self, values: dict[str, float]) -> None:
        if self.log is not None:
            self.log.write(self.step, {"epoch": round(self.step / self.per_epoch, 4)} | values)

    @contextmanager
    def _apart(self) -> Iterator[None]:
        """For work that must leave no trace in the training: no gradients, no random draws."""
        self.descent.weights.eval()
        with torch.no_grad(), seeded(self.config.seed, self.fabric.device):
            yield
        self.model.train()

    def _diverged(self, what: str) -> TrainingDiverged:
        return TrainingDiverged(
            f"{what} at step {self.step} (epoch "
            f"{self.step / self.per_epoch:.1f}); the checkpoints in {self.folder} are of before; "
            "try a lower train.learning_rate or set train.clip"
        )


def _prepared(model: GenerativeModel, data: Shapes | Prepared, what: str) -> Prepared:
    # Shapes can be drawn and written, what a model makes of them cannot.
    prepared = model.prepare(data) if isinstance(data, Shapes) else cast(Prepared, data)
    if not len(prepared):
        raise ValueError(f"no {what} shapes; at least one is needed")
    return prepared
