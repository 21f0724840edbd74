"""Targets of the group ``target`` for an arm: poses within its reach, or beyond it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

import diffkin as dk
from common.settings import require

__all__ = ["KINDS", "TargetConfig", "make_targets"]

KINDS = ("reachable", "unreachable")


@dataclass(frozen=True)
class TargetConfig:
    """What the tip is to reach."""

    kind: str
    count: int


def make_targets(robot: dk.Robot, config: TargetConfig, seed: int) -> Tensor:
    """(count, 4, 4) poses of the tip: at random coordinates, or moved out beyond what the arm can reach."""
    poses = robot.forward_kinematics(robot.sample(config.count, seed=seed))
    if config.kind == "reachable":
        return poses
    tree = robot.tree
    reach = float(tree.origins[:, :3, 3].norm(dim=-1).sum() + tree.link_offsets[:, :3, 3].norm(dim=-1).max())
    sliding = {c for kind, c in zip(tree.kinds, tree.coordinate) if kind == dk.kinematics.PRISMATIC}
    slides = torch.maximum(robot.lower.abs(), robot.upper.abs())[torch.tensor(sorted(sliding), dtype=torch.long)]
    endless = not bool(torch.isfinite(slides).all())
    require(not endless, "target", "unreachable", "reachable for an arm that slides without limit")
    position = poses[:, :3, 3]
    outward = position / position.norm(dim=-1, keepdim=True).clamp_min(1e-9)
    poses = poses.clone()
    poses[:, :3, 3] = outward * (1.2 * (reach + float(slides.sum())) + 0.1)
    return poses
