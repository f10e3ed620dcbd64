"""Learning rates as a function of the step."""

from __future__ import annotations

import math

from shapegen.config import TrainConfig


def rate_factor(config: TrainConfig, step: int, total: int) -> float:
    """What the learning rate is multiplied by at ``step`` (from 0) of ``total``.

    The warm-up rises linearly, its last step having the full rate; ``cosine`` then falls
    from 1 to ``final_factor``, which the last step has; ``step`` counts from step 0, and a step
    that is named has its factor already.

    Reference: Loshchilov and Hutter, *SGDR*, 2017, equation 5 (one period),
    https://arxiv.org/abs/1608.03983.
    """
    if step < config.warmup:
        return (step + 1) / (config.warmup + 1)
    if config.schedule == "step":
        every = config.step_every
        if isinstance(every, int):
            return float(config.step_factor ** (step // every))
        return float(config.step_factor ** sum(step >= each for each in every))
    if config.schedule == "cosine":
        done = min(1.0, (step - config.warmup) / max(1, total - 1 - config.warmup))
        return config.final_factor + (1 - config.final_factor) * (1 + math.cos(math.pi * done)) / 2
    return 1.0
