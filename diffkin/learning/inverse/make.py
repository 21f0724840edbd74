"""Networks for inverse kinematics by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from diffkin._given import one_of, seed_of
from diffkin.errors import OptionError, closest
from diffkin.learning.inverse.chain_flow import ChainFlow, ChainFlowSettings
from diffkin.learning.inverse.flow import Flow, FlowSettings
from diffkin.learning.inverse.network import IKNetwork
from diffkin.learning.inverse.regression import Regression, RegressionSettings, ThroughFK, ThroughFKSettings
from diffkin.robot import Robot

__all__ = ["NETWORKS", "make_network"]

NETWORKS: dict[str, tuple[type[IKNetwork], type[Any]]] = {
    "regression": (Regression, RegressionSettings),
    "through_fk": (ThroughFK, ThroughFKSettings),
    "chain_flow": (ChainFlow, ChainFlowSettings),
    "flow": (Flow, FlowSettings),
}
"""By name: the network and its settings."""


def make_network(
    robot: Robot, settings: Mapping[str, Any], seed: int = 0, span: tuple[Tensor, Tensor] | None = None
) -> IKNetwork:
    """A new network.

    Args:
        robot: A robot with a tip.
        settings: ``name`` (one of ``NETWORKS``), and any field of its settings.
        seed: Of the initial weights.
        span: (dof,) bounds that answers lie between; see ``IKNetwork``.

    Returns:
        The network, float32 on the CPU.

    Raises:
        diffkin.errors.UnknownNameError: There is no such network or setting.
        diffkin.errors.OptionError: A setting is out of range; the message says what is allowed.
    """
    if not isinstance(settings, Mapping):
        raise OptionError(f"settings must be a mapping with a name, as in {{'name': 'chain_flow'}}, got {settings!r}.")
    name = one_of(settings.get("name"), NETWORKS, "network")
    make, kind = NETWORKS[name]
    known = {field.name for field in dataclasses.fields(kind)}
    for key in settings:
        if key not in known:
            raise closest(key, known, f"setting of network {name!r}:")
    seed = seed_of(seed)
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.manual_seed(seed)
        return make(robot, kind(**settings), span)
