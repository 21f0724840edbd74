"""Robots on a GPU: what is made of many small steps runs on the CPU, by the kernels, and what comes out goes back."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor

from diffkin._checks import check_devices
from diffkin.ik.tasks import Task
from diffkin.kinematics.kept import outside_modes
from diffkin.robot.conversion import on_cpu

if TYPE_CHECKING:
    from diffkin.robot import Robot

__all__ = ["by_the_cpu", "is_elsewhere", "plainly"]

ResultT = TypeVar("ResultT")


def is_elsewhere(robot: Robot, target: Any, **tensors: Any) -> bool:
    """Whether a robot is on a GPU, and its targets mean the same on the CPU.

    Tasks of the user's own may hold tensors that no one else knows of, so they stay where they are.

    Args:
        robot: The robot.
        target: Poses or tasks, as for ``solve_ik``.
        **tensors: What else was given, by its name.

    Raises:
        diffkin.errors.DeviceError: There, poses or one of the tensors lie on another device.
    """
    if robot.device.type in ("cpu", "meta"):
        return False
    given = {name: part for name, part in {"target": target, **tensors}.items() if isinstance(part, Tensor)}
    check_devices(**given, robot=robot.lower)
    tasks: Sequence[Any] = [target] if isinstance(target, Task) else target if isinstance(target, (list, tuple)) else []
    return all(type(task).__module__.startswith("diffkin.") for task in tasks if isinstance(task, Task))


def by_the_cpu(call: Callable[..., ResultT], robot: Robot, *given: Any, **named: Any) -> ResultT:
    """``call(robot, ...)`` with the robot and all tensors on the CPU; the result, a dataclass or None, on the device.

    Args:
        call: What to call.
        robot: The robot on its device.
        *given: Further arguments.
        **named: Further arguments by name.
    """
    result: Any = call(on_cpu(robot), *map(_here, given), **{name: _here(part) for name, part in named.items()})
    if result is None:
        return None  # type: ignore[return-value]
    parts = {each.name: getattr(result, each.name) for each in dataclasses.fields(result)}
    moved = {name: part.to(robot.device) for name, part in parts.items() if isinstance(part, Tensor)}
    return dataclasses.replace(result, **moved)


@contextlib.contextmanager
def plainly(robot: Robot) -> Iterator[None]:
    """Whatever modes the caller is in, computing is exact, on the robot's device, and open to autograd."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(outside_modes(robot.device.type))
        if torch.get_default_device() != robot.device:
            stack.enter_context(robot.device)
        yield


def _here(part: Any) -> Any:
    return part.detach().cpu() if isinstance(part, Tensor) else part
