r"""A discriminator some of its own steps ahead, differentiable by what it is shown on the way.

.. math:: \theta_{i+1} = \theta_i - \eta\, \nabla_\theta L(\theta_i)

Reference: Metz, Poole, Pfau and Sohl-Dickstein, *Unrolled Generative Adversarial Networks*, 2017,
equations 6 to 8, https://arxiv.org/abs/1611.02163 (which steps with Adam).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

Parameters = dict[str, Tensor]
Call = Callable[..., Any]


def unrolled(
    module: nn.Module, loss: Callable[[Call], Tensor], *, steps: int, rate: float
) -> Call:
    """The module as it would be after some steps of plain gradient descent on a loss.

    The module itself stays as it is; gradients run through all steps, to its parameters too.

    Args:
        module: To step ahead.
        loss: Of a function with the module's signature.
        steps: At least 0; with none the function is the module.
        rate: Of a step.
    """
    parameters = {
        name: value if value.requires_grad else value.detach().requires_grad_()
        for name, value in module.named_parameters()
    }

    def with_parameters(at: Parameters) -> Call:
        return lambda *inputs: torch.func.functional_call(module, at, inputs)

    with torch.enable_grad():
        for _ in range(steps):
            gradients = torch.autograd.grad(
                loss(with_parameters(parameters)), list(parameters.values()), create_graph=True
            )
            parameters = {
                name: value - rate * gradient
                for (name, value), gradient in zip(parameters.items(), gradients, strict=True)
            }
    return with_parameters(parameters)
