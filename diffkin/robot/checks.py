"""What makes a robot whole: its tree, names, limits and masses fit each other, and every number in them can be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffkin._checks import ROTATION_TOLERANCE, has_values
from diffkin.errors import (
    LimitsError,
    ModelFileError,
    NonFiniteError,
    OptionError,
    RotationError,
    ShapeError,
    TopologyError,
    closest,
)
from diffkin.kinematics import PRISMATIC, REVOLUTE, KinematicTree

if TYPE_CHECKING:
    from diffkin.robot.robot import Robot

__all__ = ["LARGEST", "check_base", "check_robot"]

LARGEST = 1e100
"""Largest size of a number of the geometry [m, rad]: products of a few of them are finite. In float32, that of float32."""

_CHECKED = "geometry was checked"


def check_robot(robot: Robot) -> None:
    """Raise unless a robot is whole. Its values are looked at where they can be, once for each tree.

    Args:
        robot: As assembled.

    Raises:
        diffkin.errors.ShapeError: Tensors or names are too few, too many or of the wrong shape.
        diffkin.errors.OptionError: A name is no text.
        diffkin.errors.TopologyError: Two names are the same, or the tree's lists do not make a tree.
        diffkin.errors.UnknownNameError: There is no link of the name of the base, the tip or a leaf.
        diffkin.errors.NonFiniteError: A number of the geometry is not finite, or larger than any mechanism.
        diffkin.errors.RotationError: An origin is not rigid or an axis has not length one.
        diffkin.errors.LimitsError: A limit is NaN, a lower one is above its upper one, or one of speed or effort is
            negative.
        diffkin.errors.ModelFileError: A mass is negative or infinite.
    """
    tree = robot.tree
    if _CHECKED not in tree.cache:
        _check_structure(tree)
        _check_geometry(robot)
        tree.cache[_CHECKED] = True
    _check_names(robot)
    _check_limits(robot)
    _check_masses(robot)
    _check_semantics(robot)


def _check_structure(tree: KinematicTree) -> None:
    joints, links = len(tree.parents), len(tree.link_joint)
    for name in ("kinds", "coordinate", "multiplier", "offset"):
        if len(getattr(tree, name)) != joints:
            raise ShapeError(f"The tree has {joints} parents and {len(getattr(tree, name))} {name}; make them equal.")
    for name, shape in (("origins", (joints, 4, 4)), ("axes", (joints, 3)), ("link_offsets", (links, 4, 4))):
        _check_tensor(getattr(tree, name), name, shape, tree.origins)
    fits = all(-1 <= parent < joint for joint, parent in enumerate(tree.parents))
    fits = fits and all(kind in (REVOLUTE, PRISMATIC) for kind in tree.kinds)
    fits = fits and all(0 <= coordinate < tree.dof for coordinate in tree.coordinate)
    if not fits or not all(-1 <= carrier < joints for carrier in tree.link_joint):
        raise TopologyError(
            "The tree's lists make no tree: parents come before their children, kinds are REVOLUTE or PRISMATIC, "
            "coordinates are entries of q, and links ride on joints that are there."
        )


def _check_tensor(tensor: Tensor, name: str, shape: tuple[int, ...], like: Tensor) -> None:
    if not isinstance(tensor, Tensor) or not tensor.is_floating_point() or tensor.layout != torch.strided:
        raise ShapeError(f"{name} must be a dense floating-point tensor of shape {shape}, got {_kind(tensor)}.")
    if tuple(tensor.shape) != shape:
        raise ShapeError(f"{name} must have shape {shape}, got {tuple(tensor.shape)}.")
    if tensor.dtype != like.dtype or tensor.device != like.device:
        raise ShapeError(
            f"{name} is {tensor.dtype} on {tensor.device}, the robot {like.dtype} on {like.device}. "
            "Convert it, or convert the robot by robot.to(...)."
        )


def _kind(thing: object) -> str:
    return f"{thing.dtype}, {thing.layout}" if isinstance(thing, Tensor) else type(thing).__name__


def _check_geometry(robot: Robot) -> None:
    """Finite numbers of a possible size, rigid poses, axes of length one; rounding to the dtype is allowed for."""
    tree = robot.tree
    for joint in _beyond(np.array([tree.multiplier, tree.offset], dtype=np.float64).T):
        raise NonFiniteError(
            f"{_joint(robot, joint)} follows its source by the factor {tree.multiplier[joint]:g} and the offset "
            f"{tree.offset[joint]:g}; both must be finite and at most {LARGEST:g}. Correct its mimic."
        )
    if not has_values(tree.origins, tree.axes, tree.link_offsets):
        return
    tolerance = max(ROTATION_TOLERANCE, 16 * torch.finfo(tree.dtype).eps)
    axes = _array(tree.axes)
    for joint in np.flatnonzero(~(np.abs(np.linalg.norm(axes, axis=-1) - 1.0) <= tolerance)).tolist():
        raise RotationError(
            f"The axis of {_joint(robot, joint)} is {axes[joint].tolist()}, which has not length one. "
            "Give a direction, axis / axis.norm()."
        )
    for tensor, what in ((tree.origins, "origin"), (tree.link_offsets, "link offset")):
        poses = _array(tensor)
        place = _joint if what == "origin" else _link
        for index in _beyond(poses.reshape(len(poses), 16)):
            raise NonFiniteError(
                f"The {what} of {place(robot, index)} holds a number that is not finite or above {LARGEST:g}: "
                f"{poses[index, :3, 3].tolist()}. Correct the model."
            )
        turn = poses[:, :3, :3]
        gap = np.abs(turn.transpose(0, 2, 1) @ turn - np.eye(3)).max((1, 2), initial=0.0)
        gap = np.maximum(gap, np.abs(poses[:, 3] - [0.0, 0.0, 0.0, 1.0]).max(1, initial=0.0))
        for index in np.flatnonzero((gap > tolerance) | (np.linalg.det(turn) < 0.0)).tolist():
            raise RotationError(
                f"The {what} of {place(robot, index)} is not a rigid pose: |R^T R - I| or its last row is off by "
                f"{gap[index]:.3g}, or it is a reflection. Use rotations.nearest_rotation(...) on its rotation."
            )


def _array(tensor: Tensor) -> NDArray[np.float64]:
    return tensor.detach().cpu().double().numpy()


def _beyond(numbers: NDArray[np.float64]) -> list[int]:
    """Indices of the rows that hold a number which is not finite or too large."""
    return [int(row) for row in np.flatnonzero(~(np.abs(numbers) <= LARGEST).all(axis=-1))]


def _link(robot: Robot, link: int) -> str:
    return f"link {_named(robot.link_names, link)} of robot {robot.name!r}"


def _joint(robot: Robot, joint: int) -> str:
    """How messages call a joint of the tree: by its coordinate, and by the link it carries where it mimics."""
    name = _named(robot.joint_names, robot.tree.coordinate[joint])
    if robot.tree.coordinate.index(robot.tree.coordinate[joint]) == joint or joint not in robot.tree.link_joint:
        return f"joint {name} of robot {robot.name!r}"
    carried = _named(robot.link_names, robot.tree.link_joint.index(joint))
    return f"the joint of robot {robot.name!r} that carries {carried} and follows {name}"


def _named(names: tuple[str, ...], index: int) -> str:
    return repr(names[index]) if index < len(names) else str(index)


def _check_names(robot: Robot) -> None:
    tree = robot.tree
    for what in ("name", "source"):
        if not isinstance(getattr(robot, what), str):
            raise OptionError(f"{what} must be text, got {getattr(robot, what)!r:.80}.")
    for what, count in (("joint_names", tree.dof), ("link_names", len(tree.link_joint)), ("leaves", None)):
        names = getattr(robot, what)
        if not isinstance(names, tuple) or not all(isinstance(name, str) for name in names):
            raise OptionError(f"{what} must be a tuple of names, got {names!r:.80}.")
        if count is not None and len(names) != count:
            raise ShapeError(f"{what} must hold {count} names, got {len(names)}.")
        if len(set(names)) != len(names):
            twice = Counter(names).most_common(1)[0][0]
            raise TopologyError(f"{what} holds {twice!r} twice. Give every one a name of its own.")
    for what in ("base", "tip"):
        name = getattr(robot, what)
        if not (isinstance(name, str) or (what == "tip" and name is None)):
            raise OptionError(f"{what} must be the name of a link, got {name!r:.80}.")
    known = set(robot.link_names)
    for name in (robot.base, *(() if robot.tip is None else (robot.tip,)), *robot.leaves):
        if name not in known:
            raise closest(name, robot.link_names, f"link of robot {robot.name!r}:")


def check_base(robot: Robot) -> None:
    """Raise ``diffkin.errors.TopologyError`` unless poses are given in the frame of the link that is called the base."""
    index = robot.link_names.index(robot.base)
    offset = robot.tree.link_offsets[index].detach()
    moves = robot.tree.link_joint[index] != -1
    if moves or (
        has_values(offset) and not torch.allclose(offset, torch.eye(4, device="cpu").to(offset), rtol=0, atol=1e-6)
    ):
        raise TopologyError(
            f"The base of robot {robot.name!r} cannot become {robot.base!r}: poses are given in the frame of another "
            "link. Load the model with base=... instead."
        )


def _check_limits(robot: Robot) -> None:
    like, shape = robot.tree.origins, (robot.tree.dof,)
    for name in ("lower", "upper", "max_velocity", "max_effort"):
        _check_tensor(getattr(robot, name), name, shape, like)
    if not has_values(robot.lower, robot.upper, robot.max_velocity, robot.max_effort):
        return
    lower, upper, velocity, effort = torch.stack(
        [side.detach() for side in (robot.lower, robot.upper, robot.max_velocity, robot.max_effort)]
    ).tolist()
    for index, name in enumerate(robot.joint_names):
        low, high = lower[index], upper[index]
        if not low <= high or low == torch.inf or high == -torch.inf:
            raise LimitsError(
                f"Joint {name!r} of robot {robot.name!r} cannot have the limits {low:g} and {high:g}. The lower one "
                "must not be above the upper one; use -inf and inf where there is none."
            )
        if not velocity[index] >= 0 or not effort[index] >= 0:
            raise LimitsError(
                f"Joint {name!r} of robot {robot.name!r} cannot have the limits {velocity[index]:g} of speed and "
                f"{effort[index]:g} of effort. Give numbers that are not negative, inf where there is none."
            )


def _check_masses(robot: Robot) -> None:
    like, links = robot.tree.origins, len(robot.tree.link_joint)
    _check_tensor(robot.link_masses, "link_masses", (links,), like)
    _check_tensor(robot.link_centers, "link_centers", (links, 3), like)
    if not has_values(robot.link_masses, robot.link_centers):
        return
    masses = _array(robot.link_masses)
    for link in np.flatnonzero((masses < 0.0) | np.isinf(masses)).tolist():
        raise ModelFileError(
            f"The {_link(robot, link)} cannot have the mass {masses[link]:g}. Correct it; NaN is one that is not known."
        )
    for link in _beyond(_array(robot.link_centers)):
        raise NonFiniteError(f"The centre of mass of {_link(robot, link)} is not finite. Correct it.")


def _check_semantics(robot: Robot) -> None:
    if not isinstance(robot.configurations, Mapping) or not isinstance(robot.disabled_pairs, frozenset):
        raise OptionError("configurations must be a dictionary of (dof,) tensors, disabled_pairs a frozenset of pairs.")
    for name, q in robot.configurations.items():
        _check_tensor(q, f"configurations[{name!r:.80}]", (robot.tree.dof,), robot.tree.origins)
    for pair in robot.disabled_pairs:
        if not (isinstance(pair, tuple) and len(pair) == 2 and all(isinstance(link, str) for link in pair)):
            raise OptionError(f"disabled_pairs must hold pairs of names, got {pair!r:.80}.")
