"""A text that tells mechanisms apart: data made for one must not be taken for another."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

from diffkin.robot import Robot
from diffkin.robot.robot import check_robot_given

__all__ = ["fingerprint", "fingerprint_of_format_1"]


def fingerprint(robot: Robot) -> str:
    """The name, and a digest of all that decides what ``q`` means, where it may be and which pose of the tip it makes.

    That is the names and the order of the coordinates, base and tip, the tree's parents, kinds, coordinates, multipliers,
    offsets, origins and axes, the tip's place on it, and the limits; numbers to single precision, the sign of zero apart.

    Args:
        robot: A robot with a tip.

    Raises:
        diffkin.errors.OptionError: It is no robot.
        diffkin.errors.TopologyError: It has no tip.
    """
    check_robot_given(robot)
    tree, tip = robot.tree, robot.link_index(None)
    words = (robot.joint_names, robot.base, robot.tip, tree.dof, tree.parents, tree.kinds, tree.coordinate)
    digest = hashlib.sha256(repr((*words, tree.link_joint[tip])).encode())
    driven = torch.tensor([tree.multiplier, tree.offset], dtype=torch.float64, device="cpu")
    for tensor in (driven, tree.origins, tree.axes, tree.link_offsets[tip], robot.lower, robot.upper):
        digest.update(_bytes(tensor + 0.0))  # -0 becomes 0
    return f"{robot.name} {digest.hexdigest()[:16]}"


def fingerprint_of_format_1(robot: Robot) -> str:
    """What stood in files of format 1: it leaves out multipliers, offsets and which coordinate drives which joint."""
    digest = hashlib.sha256(repr((robot.joint_names, robot.tree.kinds, robot.tree.parents, robot.tip)).encode())
    for tensor in (robot.tree.origins, robot.tree.axes, robot.tree.link_offsets, robot.lower, robot.upper):
        digest.update(_bytes(tensor))
    return f"{robot.name} {digest.hexdigest()[:16]}"


def _bytes(tensor: Tensor) -> bytes:
    return tensor.detach().cpu().to(torch.float32).numpy().tobytes()
