"""Files that hold an attitude policy with the body it was trained on."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from diffkin.learning.policy.craft import Craft
from diffkin.learning.policy.make import make_policy, settings_of
from diffkin.learning.policy.policy import Policy
from diffkin.learning.training.checkpoint import load_weights, save_tensors, weights_of

__all__ = ["policy_of", "save_policy"]


def save_policy(policy: Policy, craft: Craft, path: str | os.PathLike[str]) -> None:
    """Write a policy and the body it was trained on to a file that ``diffkin.learning.load`` reads, atomically.

    Args:
        policy: One of ``POLICIES``.
        craft: The nominal body.
        path: Of the file, usually ``*.safetensors``.
    """
    kind, settings = settings_of(policy)
    tensors = {f"policy.{name}": value for name, value in policy.state_dict().items()}
    tensors |= {"craft.inertia": craft.inertia, "craft.limit": craft.limit}
    header = {"policy": kind, "settings": dataclasses.asdict(settings), "lag": craft.lag, "dt": craft.dt}
    save_tensors(Path(path), header, tensors)


def policy_of(header: Mapping[str, Any], tensors: Mapping[str, Tensor], where: object) -> Policy:
    """The policy of a file that ``save_policy`` wrote, gradients off; ``craft`` is the body it was trained on.

    Args:
        header: Of the file.
        tensors: Of the file.
        where: Named in errors.
    """
    policy = make_policy(header["policy"], header["settings"])
    load_weights(policy, weights_of("policy", tensors), where)
    policy.craft = Craft(tensors["craft.inertia"], tensors["craft.limit"], float(header["lag"]), float(header["dt"]))
    return policy.requires_grad_(False).eval()
