"""Networks by name, and files that hold one with all it needs to answer later.

A file is safetensors: the weights, the robot's geometry beside them, and one JSON text with the network's name and
settings, the robot's names, and the version that wrote it. Reading one runs no code from it.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from diffkin.errors import DiffkinError, ModelFileError, OptionError, closest
from diffkin.kinematics import KinematicTree
from diffkin.learning.chain_flow import ChainFlow, ChainFlowSettings
from diffkin.learning.checkpoint import load_weights, write_atomically
from diffkin.learning.flow import Flow, FlowSettings
from diffkin.learning.ik_network import IKNetwork
from diffkin.learning.ik_regression import Regression, RegressionSettings, ThroughFK, ThroughFKSettings
from diffkin.robot import Robot

__all__ = ["NETWORKS", "load", "make_network", "save"]

NETWORKS: dict[str, tuple[type[IKNetwork], type[Any]]] = {
    "regression": (Regression, RegressionSettings),
    "through_fk": (ThroughFK, ThroughFKSettings),
    "chain_flow": (ChainFlow, ChainFlowSettings),
    "flow": (Flow, FlowSettings),
}

_FORMAT = 1
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
    from safetensors.torch import save_file

    import diffkin

    robot = network.robot
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    tensors |= {f"robot.{name}": getattr(robot.tree, name) for name in _TREE_TENSORS}
    tensors |= {"robot.lower": robot.lower, "robot.upper": robot.upper}
    header = {
        "format": _FORMAT,
        "diffkin": getattr(diffkin, "__version__", ""),
        "network": dataclasses.asdict(network.settings),
        "robot": {name: getattr(robot, name) for name in _WORDS + _NAMES},
        "tree": {name: getattr(robot.tree, name) for name in (*_TREE_LISTS, "dof")},
    }
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    write_atomically(Path(path), lambda beside: save_file(plain, beside, metadata={"diffkin": json.dumps(header)}))


def load(path: str | os.PathLike[str]) -> IKNetwork:
    """Read a network that ``save`` wrote; it answers for the robot it was trained on, which it brings along.

    Args:
        path: Of the file, or of a run's folder that holds ``network.safetensors``.

    Returns:
        The network on the CPU, gradients off.

    Raises:
        diffkin.errors.ModelFileError: There is no such file, or it holds no network of ours.
    """
    from safetensors import SafetensorError, safe_open

    file = Path(path) / "network.safetensors" if Path(path).is_dir() else Path(path)
    try:
        with safe_open(file, framework="pt") as opened:
            header = json.loads((opened.metadata() or {})["diffkin"])
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 (not a mapping)
        if header["format"] != _FORMAT:
            raise OptionError(f"its format is {header['format']}, this version of diffkin reads {_FORMAT}")
        network = make_network(_robot(header, tensors), header["network"])
        weights = {name.removeprefix("network."): t for name, t in tensors.items() if name.startswith("network.")}
        load_weights(network, weights, file)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, DiffkinError) as error:
        raise ModelFileError(
            f"{file} cannot be read as a network of diffkin ({type(error).__name__}: {error}). "
            "Give a network.safetensors that a training script wrote, or its run folder."
        ) from error
    return network.requires_grad_(False).eval()


def _robot(header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Robot:
    tree: dict[str, Any] = {name: tuple(header["tree"][name]) for name in _TREE_LISTS}
    tree |= {name: tensors[f"robot.{name}"] for name in _TREE_TENSORS}
    names: dict[str, Any] = {name: tuple(header["robot"][name]) for name in _NAMES}
    names |= {name: header["robot"][name] for name in _WORDS}
    names |= {"lower": tensors["robot.lower"], "upper": tensors["robot.upper"]}
    return Robot(tree=KinematicTree(**tree, dof=header["tree"]["dof"]), **names)
