"""The gradient step: every objective with its own optimiser, and the average of the weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from shapegen.base import GenerativeModel
from shapegen.config import TrainConfig
from shapegen.core.objective import Objective
from shapegen.train.average import Average
from shapegen.train.parallel import reduce_gradients
from shapegen.train.record import Means
from shapegen.train.schedule import rate_factor

if TYPE_CHECKING:
    from lightning.fabric import Fabric


class Descent:
    """Objectives, their parameters and optimisers, and the weights' moving average.

    Args:
        model: On its device.
        config: Of the training.
        fabric: Precision and the other processes.
        rng: Stream of the losses' noise.

    Raises:
        ValueError: The model's objectives have no or equal names, or ``config.rates`` another.
    """

    def __init__(
        self,
        model: GenerativeModel,
        config: TrainConfig,
        fabric: Fabric,
        *,
        rng: torch.Generator,
    ) -> None:
        self._model, self._config, self._fabric = model, config, fabric
        self.objectives = model.objectives(rng=rng)
        names = [objective.name for objective in self.objectives]
        if len(set(names)) != len(names) or not names:
            raise ValueError(f"{model.name} must have objectives of different names; got {names}")
        for name in config.rates:
            if name not in names:
                raise ValueError(f"unknown objective in `train.rates.{name}`; accepted: {names}")
        self.parameters = {
            objective.name: [p for p in objective.module.parameters() if p.requires_grad]
            for objective in self.objectives
        }
        self.optimizers = {name: self._optimizer(name) for name in names}
        self.average = (
            None if config.ema is None else Average(model, config.ema, warmup=config.ema_warmup)
        )

    @property
    def weights(self) -> GenerativeModel:
        """The model that is saved, measured and sampled: the average where there is one."""
        return self._model if self.average is None else self.average.model

    def step(
        self, shares: Sequence[tuple[Any, float]], step: int, steps: int, means: Means
    ) -> str | None:
        """Take one step of every objective that is due, in their order.

        Args:
            shares: Pieces of the batch on the device, with their weights.
            step: From 0.
            steps: Of the whole run, for the learning rate.
            means: Losses and terms are added to it.

        Returns:
            The objective whose loss is not finite, if one is seen to be; its step is not taken.
        """
        factor = rate_factor(self._config, step, steps)
        for objective in self.objectives:
            if (step + 1) % objective.every:
                continue
            if not self._descend(objective, shares, step, factor, means):
                return objective.name
        if self.average is not None:
            self.average.update()
        return None

    def finish(self) -> None:
        """Leave the model with the saved weights, in eval mode, its parameters trainable."""
        if self.average is not None:
            self._model.load_state_dict(self.weights.state_dict())
        for parameters in self.parameters.values():
            for parameter in parameters:
                parameter.requires_grad_(True)
                parameter.grad = None
        self._model.eval()

    def _descend(
        self,
        objective: Objective,
        shares: Sequence[tuple[Any, float]],
        step: int,
        factor: float,
        means: Means,
    ) -> bool:
        name, parameters = objective.name, self.parameters[objective.name]
        optimizer = self.optimizers[name]
        if len(self.objectives) > 1:
            self._train_only(parameters)
        optimizer.zero_grad(set_to_none=True)
        total, names = self._backward(objective, shares, step)
        total = reduce_gradients(parameters, total, self._fabric)
        # On a GPU to look is to wait: there the means are looked at, when a line is due.
        if total.device.type == "cpu" and not math.isfinite(total[0].item()):
            return False
        if self._config.clip is not None:
            nn.utils.clip_grad_norm_(parameters, self._config.clip)
        for group in optimizer.param_groups:
            group["lr"] = self._rate(name) * factor
        optimizer.step()
        means.add(name, names, total)
        return True

    def _backward(
        self, objective: Objective, shares: Sequence[tuple[Any, float]], step: int
    ) -> tuple[Tensor, list[str]]:
        pieces, names = [], []
        for batch, weight in shares:
            with self._fabric.autocast():
                loss, terms = objective.loss(batch, step)
            self._fabric.backward(loss if weight == 1 else loss * weight)
            names = [objective.name, *(f"{objective.name}.{term}" for term in terms)]
            values = torch.stack([value.detach().float() for value in (loss, *terms.values())])
            pieces.append(values if weight == 1 else values * weight)
        return (pieces[0] if len(pieces) == 1 else torch.stack(pieces).sum(0)), names

    def _train_only(self, parameters: list[nn.Parameter]) -> None:
        # A generator's loss runs through the discriminator, whose gradients would be for nothing.
        for others in self.parameters.values():
            for parameter in others:
                parameter.requires_grad_(False)
        for parameter in parameters:
            parameter.requires_grad_(True)

    def _rate(self, name: str) -> float:
        return self._config.rates.get(name, self._config.learning_rate)

    def _optimizer(self, name: str) -> torch.optim.Optimizer:
        if self._config.optimizer == "rmsprop":
            return torch.optim.RMSprop(
                self.parameters[name],
                lr=self._rate(name),
                alpha=self._config.betas[1],
                weight_decay=self._config.weight_decay,
            )
        kind = torch.optim.Adam if self._config.optimizer == "adam" else torch.optim.AdamW
        # Fused: a third of the time of the plain loop over parameters, on the CPU too.
        return kind(
            self.parameters[name],
            lr=self._rate(name),
            betas=self._config.betas,
            weight_decay=self._config.weight_decay,
            fused=True,
        )
