"""Files that hold an attitude policy with the body it was trained on."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from diffkin._given import whole
from diffkin.errors import ModelFileError, OptionError
from diffkin.learning.policy.craft import Craft
from diffkin.learning.policy.make import make_policy, settings_of
from diffkin.learning.policy.policy import Policy
from diffkin.learning.sizes import MOST
from diffkin.learning.training.checkpoint import load_weights, save_tensors, weights_of

__all__ = ["policy_of", "save_policy"]


def save_policy(policy: Policy, craft: Craft, path: str | os.PathLike[str]) -> None:
    """Write a policy and the body it was trained on to a file that ``diffkin.learning.load`` reads, atomically.

    Args:
        policy: One of ``POLICIES``.
        craft: The nominal body.
        path: Of the file, usually ``*.safetensors``.

    Raises:
        diffkin.errors.OptionError: It is no such policy, or no craft.
        diffkin.errors.ModelFileError: The file cannot be written; an earlier one is as it was.
    """
    kind, settings = settings_of(policy)
    if not isinstance(craft, Craft):
        raise OptionError(f"save_policy needs the Craft that was trained on, got a {type(craft).__name__}.")
    tensors = {f"policy.{name}": value for name, value in policy.state_dict().items()}
    tensors |= {"craft.inertia": craft.inertia, "craft.limit": craft.limit}
    header = {"policy": kind, "settings": dataclasses.asdict(settings), "lag": craft.lag, "dt": craft.dt}
    save_tensors(path, header, tensors)


def policy_of(header: Mapping[str, Any], tensors: Mapping[str, Tensor], where: object) -> Policy:
    """The policy of a file that ``save_policy`` wrote, gradients off; ``craft`` is the body it was trained on.

    Args:
        header: Of the file.
        tensors: Of the file.
        where: Named in errors.
    """
    weights, settings = weights_of("policy", tensors), header["settings"]
    width, depth = (whole(settings.get(key, 1), key, 1, MOST[key]) for key in ("width", "depth"))
    there = sum(tensor.numel() for tensor in weights.values())
    if (depth - 1) * width * width > there:  # before any weights are made
        raise ModelFileError(f"it says width={width} and depth={depth}, but holds {there} weights")
    policy = make_policy(header["policy"], settings)
    load_weights(policy, weights, where)
    policy.craft = Craft(tensors["craft.inertia"], tensors["craft.limit"], header["lag"], header["dt"])
    return policy.requires_grad_(False).eval()
