"""Files that hold a network for inverse kinematics with its robot: all it needs to answer later."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from diffkin._checks import check_finite, check_last
from diffkin.kinematics import KinematicTree
from diffkin.learning.inverse.make import make_network
from diffkin.learning.inverse.network import IKNetwork
from diffkin.learning.training.checkpoint import load_weights, save_tensors, weights_of
from diffkin.robot import Robot

__all__ = ["network_of", "save"]

_TREE_TENSORS = ("origins", "axes", "link_offsets")
_TREE_LISTS = ("parents", "kinds", "coordinate", "multiplier", "offset", "link_joint")
_NAMES = ("joint_names", "link_names", "leaves")
_WORDS = ("name", "base", "tip", "source")
_SPAN = ("span.lower", "span.upper")


def save(network: IKNetwork, path: str | os.PathLike[str]) -> None:
    """Write a network to a file that ``diffkin.learning.load`` reads, atomically.

    Args:
        network: The network.
        path: Of the file, usually ``network.safetensors``.
    """
    robot = network.robot
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    tensors |= {f"robot.{name}": getattr(robot.tree, name) for name in _TREE_TENSORS}
    tensors |= {"robot.lower": robot.lower, "robot.upper": robot.upper}
    tensors |= dict(zip(_SPAN, network.span, strict=True))
    header = {
        "network": dataclasses.asdict(network.settings),
        "robot": {name: getattr(robot, name) for name in _WORDS + _NAMES},
        "tree": {name: getattr(robot.tree, name) for name in (*_TREE_LISTS, "dof")},
    }
    save_tensors(Path(path), header, tensors)


def network_of(header: Mapping[str, Any], tensors: Mapping[str, Tensor], where: object) -> IKNetwork:
    """The network of a file that ``save`` wrote, gradients off, with the robot it was trained on.

    Args:
        header: Of the file.
        tensors: Of the file.
        where: Named in errors.
    """
    robot = _robot(header, tensors)
    span = (tensors[_SPAN[0]], tensors[_SPAN[1]]) if _SPAN[0] in tensors else _span_of_old_files(robot)
    for name, side in zip(_SPAN, span):
        check_last(side, (robot.dof,), name)
        check_finite(side, name)
    network = make_network(robot, header["network"], span=span)
    load_weights(network, weights_of("network", tensors), where)
    return network.requires_grad_(False).eval()


def _span_of_old_files(robot: Robot) -> tuple[Tensor, Tensor]:
    """What answers lay between when files did not say so: the limits, -pi and pi where there are none."""
    lower, upper = (side.to(torch.float32) for side in (robot.lower, robot.upper))
    return lower.nan_to_num(neginf=-torch.pi), upper.nan_to_num(posinf=torch.pi)


def _robot(header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Robot:
    tree: dict[str, Any] = {name: tuple(header["tree"][name]) for name in _TREE_LISTS}
    tree |= {name: tensors[f"robot.{name}"] for name in _TREE_TENSORS}
    names: dict[str, Any] = {name: tuple(header["robot"][name]) for name in _NAMES}
    names |= {name: header["robot"][name] for name in _WORDS}
    names |= {"lower": tensors["robot.lower"], "upper": tensors["robot.upper"]}
    return Robot(tree=KinematicTree(**tree, dof=header["tree"]["dof"]), **names)
