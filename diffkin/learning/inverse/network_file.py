"""Files that hold a network for inverse kinematics with its robot: all it needs to answer later."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from diffkin._checks import check_finite, check_floating, check_last, check_pose
from diffkin._given import real, whole
from diffkin.errors import ModelFileError, OptionError
from diffkin.kinematics import KinematicTree
from diffkin.learning.inverse.make import make_network
from diffkin.learning.inverse.network import IKNetwork
from diffkin.learning.sizes import MOST
from diffkin.learning.training.checkpoint import load_weights, save_tensors, weights_of
from diffkin.robot import Robot

__all__ = ["network_of", "save"]

_TREE_TENSORS = ("origins", "axes", "link_offsets")
_TREE_LISTS = ("parents", "kinds", "coordinate", "multiplier", "offset", "link_joint")
_NAMES = ("joint_names", "link_names", "leaves")
_WORDS = ("name", "base", "tip", "source")
_LIMITS = ("lower", "upper")
_LOADS = ("max_velocity", "max_effort", "link_masses", "link_centers")  # files of earlier versions have none of these
_NAMED_Q = "robot.configurations."
_SPAN = ("span.lower", "span.upper")


def save(network: IKNetwork, path: str | os.PathLike[str]) -> None:
    """Write a network to a file that ``diffkin.learning.load`` reads, atomically.

    Args:
        network: The network.
        path: Of the file, usually ``network.safetensors``.

    Raises:
        diffkin.errors.OptionError: It is no such network.
        diffkin.errors.ModelFileError: The file cannot be written; an earlier one is as it was.
    """
    if not isinstance(network, IKNetwork):
        raise OptionError(f"save writes networks for inverse kinematics, got a {type(network).__name__}.")
    robot = network.robot
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    tensors |= {f"robot.{name}": getattr(robot.tree, name) for name in _TREE_TENSORS}
    tensors |= {f"robot.{name}": getattr(robot, name) for name in _LIMITS + _LOADS}
    tensors |= {f"{_NAMED_Q}{name}": q for name, q in robot.configurations.items()}
    tensors |= dict(zip(_SPAN, network.span, strict=True))
    header = {
        "network": dataclasses.asdict(network.settings),
        "robot": {name: getattr(robot, name) for name in _WORDS + _NAMES}
        | {"disabled_pairs": sorted(robot.disabled_pairs)},
        "tree": {name: list(getattr(robot.tree, name)) for name in _TREE_LISTS} | {"dof": robot.dof},
    }
    save_tensors(path, header, tensors)


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
    weights = weights_of("network", tensors)
    _check_sizes(header["network"], weights)
    network = make_network(robot, header["network"], span=span)
    load_weights(network, weights, where)
    return network.requires_grad_(False).eval()


def _span_of_old_files(robot: Robot) -> tuple[Tensor, Tensor]:
    """What answers lay between when files did not say so: the limits, -pi and pi where there are none."""
    lower, upper = (side.to(torch.float32) for side in (robot.lower, robot.upper))
    return lower.nan_to_num(neginf=-torch.pi), upper.nan_to_num(posinf=torch.pi)


def _robot(header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Robot:
    """The robot of a file, every part checked: a damaged one must not become another mechanism or ask for memory."""
    names, lists = header["robot"], header["tree"]
    words = {key: names[key] for key in _WORDS}
    many: dict[str, Any] = {key: _strings(names[key], key) for key in _NAMES}
    for key in ("name", "base", "source"):
        _strings([words[key]], key)
    joints, links, dof = len(lists["parents"]), len(many["link_names"]), len(many["joint_names"])
    index = {"parents": (-1, joints), "kinds": (0, 2), "coordinate": (0, dof), "link_joint": (-1, joints)}
    tree: dict[str, Any] = {}
    for key, (least, end) in index.items():
        tree[key] = tuple(whole(value, f"an entry of {key}", least, end - 1) for value in lists[key])
    for key in ("multiplier", "offset"):
        tree[key] = tuple(real(value, f"an entry of {key}") for value in lists[key])
    lengths = {key: links if key == "link_joint" else joints for key in _TREE_LISTS}
    wrong = [key for key, length in lengths.items() if len(tree[key]) != length]
    wrong += ["dof"] if whole(lists["dof"], "dof") != dof else []
    wrong += ["parents"] if any(parent >= joint for joint, parent in enumerate(tree["parents"])) else []
    wrong += [key for key in ("joint_names", "link_names") if len(set(many[key])) != len(many[key])]
    wrong += ["base or tip"] if not {words["base"], words["tip"]} <= {*many["link_names"], None} else []
    if wrong:
        raise ModelFileError(f"{', '.join(wrong)} of its robot cannot be")
    shapes = {
        "origins": (joints, 4, 4),
        "axes": (joints, 3),
        "link_offsets": (links, 4, 4),
        "lower": (dof,),
        "upper": (dof,),
        "max_velocity": (dof,),
        "max_effort": (dof,),
        "link_masses": (links,),
        "link_centers": (links, 3),
    }
    old = f"robot.{_LOADS[0]}" not in tensors
    for key, shape in shapes.items():
        if old and key in _LOADS:
            continue
        given = tensors[f"robot.{key}"]
        check_floating(given, key)
        if tuple(given.shape) != shape or given.dtype not in (torch.float32, torch.float64):
            raise ModelFileError(f"{key} of its robot is {tuple(given.shape)} of {given.dtype}, expected {shape}")
    for key in _TREE_TENSORS:
        check_finite(tensors[f"robot.{key}"], key)
        tree[key] = tensors[f"robot.{key}"]
    check_pose(tree["origins"], "origins")
    check_pose(tree["link_offsets"], "link_offsets")
    if not bool(((tree["axes"].norm(dim=-1) - 1.0).abs() < 1e-5).all()):
        raise ModelFileError("axes of its robot are not of length one")
    lower, upper = tensors["robot.lower"], tensors["robot.upper"]
    if not bool((lower <= upper).all()):  # NaN is neither
        raise ModelFileError("limits of its robot cannot be")
    loads: dict[str, Any] = {} if old else {name: tensors[f"robot.{name}"] for name in _LOADS}
    named = {key.removeprefix(_NAMED_Q): q for key, q in tensors.items() if key.startswith(_NAMED_Q)}
    pairs = frozenset(tuple(_strings(pair, "disabled_pairs")) for pair in names.get("disabled_pairs", []))
    return Robot(
        tree=KinematicTree(**tree, dof=dof), **words, **many, lower=lower, upper=upper, **loads, configurations=named,
        disabled_pairs=pairs,  # type: ignore[arg-type]  # the robot checks that they are pairs
    )  # fmt: skip


def _strings(values: Any, key: str) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ModelFileError(f"{key} of its robot should be texts")
    return tuple(values)


def _check_sizes(settings: Mapping[str, Any], weights: Mapping[str, Tensor]) -> None:
    """Raise where the sizes in the header ask for more weights than the file holds, before any are made."""
    width, depth = (whole(settings.get(key, 1), key, 1, MOST[key]) for key in ("width", "depth"))
    there = sum(tensor.numel() for tensor in weights.values())
    if (depth - 1) * width * width > there:
        raise ModelFileError(f"it says width={width} and depth={depth}, but holds {there} weights")
