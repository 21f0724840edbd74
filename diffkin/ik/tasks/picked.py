"""A look at how a task picks its targets, so that a batch of them is never answered for its first ones alone."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from diffkin.errors import ShapeError

__all__ = ["Picked"]

_PICKS = {Tensor.__getitem__, Tensor.index_select, torch.index_select}


class Picked(TorchFunctionMode):
    """While it is entered, a tensor indexed by ``problem`` must hold one target for each problem.

    Raises:
        diffkin.errors.ShapeError: It holds more or fewer.
    """

    def __init__(self, name: str, problem: Tensor, count: int) -> None:
        """Prepare to look.

        Args:
            name: Of the task, for the message.
            problem: (n,) the very tensor that the task is handed.
            count: How many problems there are.
        """
        super().__init__()
        self.name, self.problem, self.count = name, problem, count

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = [*args, *(kwargs or {}).values()]
        index = given[1][0] if len(given) > 1 and isinstance(given[1], tuple) and given[1] else given[-1]
        if func in _PICKS and index is self.problem and given[0].shape[:1] != (self.count,):
            shape = tuple(given[0].shape)
            raise ShapeError(
                f"{self.name} picks by problem from a tensor of shape {shape}, but the batch has {self.count} "
                "problem(s). Declare the attribute that holds its targets, batched = {'target': diffkin.ik.tasks.POINT} "
                "for (*batch, 3), or POSE, ROTATION, DIRECTION, so that it sets the batch and is expanded to it."
            )
        return func(*args, **(kwargs or {}))
