"""Frames of the user's own on a robot: a tool centre, a camera."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import torch

from diffkin._algebra import matmul
from diffkin._checks import as_tensor, check_devices, check_pose
from diffkin.errors import OptionError, ShapeError, TopologyError

if TYPE_CHECKING:
    from diffkin.robot.robot import Robot

__all__ = ["with_frame"]


def with_frame(robot: Robot, name: str, parent: str, pose: Any, tip: bool = False) -> Robot:
    """The robot with one more link; arguments, result and errors as ``Robot.with_frame``."""
    if not isinstance(name, str) or not name:
        raise OptionError(f"name must be the name of the new frame, got {name!r:.80}.")
    if parent is None:  # would mean the tip
        raise OptionError("parent must be the name of a link, got None.")
    if name in robot.link_names:
        raise TopologyError(f"Robot {robot.name!r} has a link {name!r} already. Choose another name.")
    if not isinstance(tip, bool):
        raise OptionError(f"tip must be True or False, got {tip!r:.80}.")
    index, tree = robot.link_index(parent), robot.tree
    pose = as_tensor(pose, "pose", dtype=tree.dtype, device=tree.device)
    if pose.ndim != 2:
        raise ShapeError(f"pose must have shape (4, 4), got {tuple(pose.shape)}: a frame is the same in every problem.")
    check_devices(pose=pose, robot=tree.link_offsets)
    check_pose(pose, "pose")
    mounted = matmul(tree.link_offsets[index], pose.to(tree.link_offsets))
    return dataclasses.replace(
        robot,
        tree=dataclasses.replace(
            tree,
            link_joint=(*tree.link_joint, tree.link_joint[index]),
            link_offsets=torch.cat((tree.link_offsets, mounted[None])),
        ),
        link_names=(*robot.link_names, name),
        leaves=(*(leaf for leaf in robot.leaves if leaf != parent), name),
        tip=name if tip else robot.tip,
        link_masses=torch.cat((robot.link_masses, robot.link_masses.new_zeros(1))),
        link_centers=torch.cat((robot.link_centers, robot.link_centers.new_zeros(1, 3))),
    )
