"""Networks by name, and files that hold one with all it needs to answer later.

A file is safetensors: the weights, the geometry of the robot (or the body of the aircraft) beside them, and one JSON text
with the network's name and settings, the robot's names, and the version that wrote it. Reading one runs no code from it.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from diffkin.errors import DiffkinError, ModelFileError, closest
from diffkin.kinematics import KinematicTree
from diffkin.learning.inverse.chain_flow import ChainFlow, ChainFlowSettings
from diffkin.learning.inverse.flow import Flow, FlowSettings
from diffkin.learning.inverse.network import IKNetwork
from diffkin.learning.inverse.regression import Regression, RegressionSettings, ThroughFK, ThroughFKSettings
from diffkin.learning.policy.classical import Policy
from diffkin.learning.policy.train import policy_of
from diffkin.learning.training.checkpoint import load_tensors, load_weights, save_tensors, weights_of
from diffkin.robot import Robot

__all__ = ["NETWORKS", "load", "make_network", "save"]

NETWORKS: dict[str, tuple[type[IKNetwork], type[Any]]] = {
    "regression": (Regression, RegressionSettings),
    "through_fk": (ThroughFK, ThroughFKSettings),
    "chain_flow": (ChainFlow, ChainFlowSettings),
    "flow": (Flow, FlowSettings),
}

_TREE_TENSORS = ("origins", "axes", "link_offsets")
_TREE_LISTS = ("parents", "kinds", "coordinate", "multiplier", "offset", "link_joint")
_NAMES = ("joint_names", "link_names", "leaves")
_WORDS = ("name", "base", "tip", "source")


def make_network(robot: Robot, settings: Mapping[str, Any], seed: int = 0) -> IKNetwork:
    """A new network.

    Args:
        robot: A robot with a tip.
        settings: ``name`` (one of ``NETWORKS``), and any field of its settings.
        seed: Of the initial weights.

    Returns:
        The network, float32 on the CPU.

    Raises:
        diffkin.errors.UnknownNameError: There is no such network or setting.
    """
    name = settings.get("name")
    if name not in NETWORKS:
        raise closest(name, NETWORKS, "network")
    make, kind = NETWORKS[name]
    known = {field.name for field in dataclasses.fields(kind)}
    for key in settings:
        if key not in known:
            raise closest(key, known, f"setting of network {name!r}:")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make(robot, kind(**settings))


def save(network: IKNetwork, path: str | os.PathLike[str]) -> None:
    """Write a network to a file that ``load`` reads, atomically.

    Args:
        network: The network.
        path: Of the file, usually ``network.safetensors``.
    """
    robot = network.robot
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    tensors |= {f"robot.{name}": getattr(robot.tree, name) for name in _TREE_TENSORS}
    tensors |= {"robot.lower": robot.lower, "robot.upper": robot.upper}
    header = {
        "network": dataclasses.asdict(network.settings),
        "robot": {name: getattr(robot, name) for name in _WORDS + _NAMES},
        "tree": {name: getattr(robot.tree, name) for name in (*_TREE_LISTS, "dof")},
    }
    save_tensors(Path(path), header, tensors)


def load(path: str | os.PathLike[str]) -> IKNetwork | Policy:
    """Read a network or an attitude policy that was saved, with what it needs to answer.

    Args:
        path: Of the file, or of a run's folder that holds one such file.

    Returns:
        On the CPU, gradients off: an inverse-kinematics network, which brings along ``robot``, the robot it was trained
        on; or a policy, which brings along ``craft``, the body it was trained on (``craft.scaled_to(inertia)`` is
        another one to fly).

    Raises:
        diffkin.errors.ModelFileError: There is no such file, or it holds neither.
    """
    file = _file(Path(path))
    header, tensors = load_tensors(file)
    try:
        if "policy" in header:
            return policy_of(header, tensors, file)
        network = make_network(_robot(header, tensors), header["network"])
        load_weights(network, weights_of("network", tensors), file)
    except (KeyError, TypeError, ValueError, DiffkinError) as error:
        raise ModelFileError(
            f"{file} cannot be read as a network of diffkin ({type(error).__name__}: {error}). Give a .safetensors file "
            "that a training script wrote, or its run folder."
        ) from error
    return network.requires_grad_(False).eval()


def _file(path: Path) -> Path:
    """The file itself, or the only one in a folder."""
    if not path.is_dir():
        return path
    files = sorted(path.glob("*.safetensors"))
    if len(files) != 1:
        names = ", ".join(file.name for file in files) or "none"
        raise ModelFileError(
            f"{path} cannot be read as a network of diffkin: it must hold one .safetensors file, it holds {names}. Give "
            "the path of a file."
        )
    return files[0]


def _robot(header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Robot:
    tree: dict[str, Any] = {name: tuple(header["tree"][name]) for name in _TREE_LISTS}
    tree |= {name: tensors[f"robot.{name}"] for name in _TREE_TENSORS}
    names: dict[str, Any] = {name: tuple(header["robot"][name]) for name in _NAMES}
    names |= {name: header["robot"][name] for name in _WORDS}
    names |= {"lower": tensors["robot.lower"], "upper": tensors["robot.upper"]}
    return Robot(tree=KinematicTree(**tree, dof=header["tree"]["dof"]), **names)
