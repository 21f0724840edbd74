"""Attitude policies by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch

from diffkin._given import one_of, seed_of
from diffkin.errors import OptionError, closest
from diffkin.learning.policy.classical import CascadePolicy, CascadeSettings, PDPolicy, PDSettings
from diffkin.learning.policy.networks import NetworkPolicy, NetworkSettings, ResidualPolicy, ResidualSettings
from diffkin.learning.policy.policy import Policy

__all__ = ["POLICIES", "make_policy", "settings_of"]

POLICIES: dict[str, tuple[type[Policy], type[Any]]] = {
    "pd": (PDPolicy, PDSettings),
    "cascade": (CascadePolicy, CascadeSettings),
    "network": (NetworkPolicy, NetworkSettings),
    "residual": (ResidualPolicy, ResidualSettings),
}
"""By name: the policy and its settings."""


def make_policy(kind: str, settings: Mapping[str, Any] | None = None, seed: int = 0) -> Policy:
    """A new policy.

    Args:
        kind: One of ``POLICIES``.
        settings: Any fields of its settings.
        seed: Of the initial weights.

    Returns:
        The policy, float32 on the CPU.

    Raises:
        diffkin.errors.UnknownNameError: There is no such policy or setting.
        diffkin.errors.OptionError: A gain or a size is not positive.
    """
    if not isinstance(settings, (Mapping, type(None))):
        raise OptionError(f"settings must be a mapping, as in {{'width': 64}}, got {settings!r}.")
    kind = one_of(kind, POLICIES, "policy")
    make, settings_kind = POLICIES[kind]
    seed = seed_of(seed)
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.manual_seed(seed)
        return make(_filled(settings_kind, settings or {}, kind))


def settings_of(policy: Policy) -> tuple[str, Any]:
    """Kind and settings of a policy that ``make_policy`` made."""
    for kind, (make, _) in POLICIES.items():
        if type(policy) is make:
            return kind, policy.settings
    raise OptionError(f"Expected one of the policies {', '.join(POLICIES)}, got a {type(policy).__name__}.")


def _filled(kind: type[Any], values: Mapping[str, Any], where: str) -> Any:
    known = {field.name for field in dataclasses.fields(kind)}
    for key in values:
        if key not in known:
            raise closest(key, known, f"setting of policy {where!r}:")
    given = dict(values)
    if isinstance(given.get("cascade"), Mapping):
        given["cascade"] = _filled(CascadeSettings, given["cascade"], "cascade")
    return kind(**given)
