"""A robot in another dtype or on another device, asked for as torch asks."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from diffkin.errors import DeviceError, DiffkinError, DtypeError, OptionError

if TYPE_CHECKING:
    from diffkin.robot.robot import Robot

__all__ = ["converted", "on_cpu", "wanted"]

_ON_CPU = "on the CPU"
_TENSORS = ("lower", "upper", "max_velocity", "max_effort", "link_masses", "link_centers")


def wanted(*arguments: Any, dtype: Any = None, device: Any = None) -> tuple[torch.dtype | None, torch.device | None]:
    """What ``to(...)`` is asked for: a dtype, a device or its name, or a tensor that has both, in any order.

    Raises:
        diffkin.errors.DtypeError: The dtype is none that coordinates can have.
        diffkin.errors.DeviceError: There is no such device.
        diffkin.errors.OptionError: An argument is none of these, or something is asked for twice.
    """
    found: dict[str, list[Any]] = {"dtype": [dtype], "device": [device]}
    for argument in arguments:
        if isinstance(argument, Tensor):
            found["dtype"].append(argument.dtype)
            found["device"].append(argument.device)
        elif argument is None or isinstance(argument, torch.dtype):
            found["dtype"].append(argument)
        else:
            found["device"].append(argument)
    given = {name: [each for each in values if each is not None] for name, values in found.items()}
    for name, values in given.items():
        if len(values) > 1:
            raise OptionError(f"to(...) was given {len(values)} arguments for the {name}: {values}. Give one.")
    (dtype,), (device,) = (values or [None] for values in given.values())
    if dtype is not None and not (isinstance(dtype, torch.dtype) and dtype.is_floating_point):
        raise DtypeError(f"A robot can be in a floating-point dtype such as torch.float32, not in {dtype!r}.")
    if device is None:
        return dtype, None
    if isinstance(device, bool) or not isinstance(device, (str, int, torch.device)):
        raise OptionError(f"to(...) takes a dtype, a device or its name, or a tensor, got {type(device).__name__}.")
    try:
        return dtype, torch.device(device)
    except (RuntimeError, AssertionError) as error:
        raise DeviceError(f"There is no device {device!r}: {str(error).splitlines()[0]}. The CPU is 'cpu'.") from error


def converted(robot: Robot, dtype: torch.dtype | None, device: torch.device | None) -> Robot:
    """The robot itself where it is so already, else a new one.

    Raises:
        diffkin.errors.DeviceError: Torch cannot use the device, or the dtype on it.
    """
    robot.check_unchanged()
    same = device is None or device == robot.device
    if dtype in (None, robot.dtype) and same:
        return robot
    try:
        moved = {name: getattr(robot, name).to(dtype=dtype, device=device) for name in _TENSORS}
        named = {name: q.to(dtype=dtype, device=device) for name, q in robot.configurations.items()}
        tree = robot.tree.to(dtype=dtype, device=device)
    except DiffkinError:
        raise
    except (RuntimeError, AssertionError, TypeError) as error:  # NotImplementedError is a RuntimeError
        raise DeviceError(
            f"Robot {robot.name!r} cannot be in {dtype or robot.dtype} on {device or robot.device}: "
            f"{str(error).splitlines()[0]}."
        ) from error
    return dataclasses.replace(robot, tree=tree, configurations=named, **moved)


def on_cpu(robot: Robot) -> Robot:
    """The robot on the CPU, made once and kept with it: what is derived for one call serves the next.

    Raises:
        diffkin.errors.DeviceError: Its numbers cannot be read, as on the device "meta".
    """
    if robot.device.type == "cpu":
        return robot
    robot.check_unchanged()
    kept: Robot | None = robot.cache.get(_ON_CPU)
    if kept is None:
        kept = converted(robot, None, torch.device("cpu"))
        if not (robot.tree.has_gradient or robot.lower.requires_grad or robot.upper.requires_grad):
            robot.cache[_ON_CPU] = kept
    return kept
