"""Derivatives of solutions against differences of the solver itself, over what can be combined."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

import diffkin as dk
from diffkin import ik
from diffkin.errors import GradientError

COUNT = 2  # problems in each batch
TIGHT: dict[str, Any] = {"position_tolerance": 1e-11, "rotation_tolerance": 1e-11}


@dataclass(frozen=True, eq=False, kw_only=True)
class Posture(ik.Task):
    """A preference for a posture: a residual of ``q`` alone, the Jacobian left to autograd."""

    posture: Tensor
    unit = "rad"

    def residual(self, poses, q, problem):
        return q - self.posture


# -- what is combined ----------------------------------------------------------------------------------------------------


@cache
def robots() -> dict[str, dk.Robot]:
    panda = dk.load_robot("franka_panda")
    rows = [[0.1, 1.2, 0.3, 0.1], [0.4, -0.3, 0.1, 0.2], [0.2, 1.1, 0.2, 0.0], [0.1, -1.4, 0.3, 0.5], [0.1, 1.3, 0.1, 0.0]]
    rows.append([0.05, 0.4, 0.2, 0.3])
    return {
        "iiwa": dk.load_robot("kuka_iiwa"),
        "panda": dk.Robot.from_urdf(panda.source),  # with its fingers
        "planar": dk.load_robot("planar_3r"),
        "dh": dk.Robot.from_dh(torch.tensor(rows, dtype=torch.float64), kinds="RRRPRR", lower=[-2.0] * 6, upper=[2.0] * 6),
    }


LINKS = {
    "iiwa": ("lbr_iiwa_link_7", "lbr_iiwa_link_4"),
    "panda": ("panda_leftfinger", "panda_link5"),
    "planar": ("tool", "tool"),
    "dh": ("link6", "link3"),
}
LOCKED = {"panda": ["panda_finger_joint1"]}


@dataclass(frozen=True, eq=False)
class Parts:
    """All that a solution may depend on, each a function of a step that is zero where the derivative is asked for."""

    robot: dk.Robot
    T: Tensor
    other: Tensor
    posture: Tensor
    weight: Tensor
    base: Tensor
    q0: Tensor


Step = Callable[[Parts, Tensor], dict[str, Any]]


def _stepped_geometry(name: str, index: int) -> Step:
    def step(parts: Parts, xi: Tensor) -> dict[str, Any]:
        tensor = getattr(parts.robot.tree, name)
        moved = torch.cat((tensor[:index], (tensor[index] @ dk.transforms.exp(xi))[None], tensor[index + 1 :]))
        return {"robot": parts.robot.replace(**{name: moved})}

    return step


def _stepped_axes(parts: Parts, xi: Tensor) -> dict[str, Any]:
    turns = dk.rotations.rotvec_to_matrix(xi[:3])
    return {"robot": parts.robot.replace(axes=parts.robot.tree.axes @ turns.mT)}


def _stepped_upper(parts: Parts, xi: Tensor) -> dict[str, Any]:
    return {"robot": parts.robot.replace(upper=parts.robot.upper + xi[0])}


WITH_RESPECT_TO: dict[str, Step] = {
    "target": lambda parts, xi: {"T": parts.T @ dk.transforms.exp(xi)},
    "other target": lambda parts, xi: {"other": parts.other @ dk.transforms.exp(xi)},
    "posture": lambda parts, xi: {"posture": parts.posture + xi[0]},
    "weight": lambda parts, xi: {"weight": parts.weight + xi[:3]},
    "base": lambda parts, xi: {"base": parts.base @ dk.transforms.exp(xi)},
    "base origin": lambda parts, xi: {
        "base": dk.transforms.pose(parts.base[..., :3, :3], parts.base[..., :3, 3] + xi[:3])
    },
    "origins": _stepped_geometry("origins", 1),
    "link offsets": _stepped_geometry("link_offsets", -2),
    "axes": _stepped_axes,
    "upper": _stepped_upper,
    "q0": lambda parts, xi: {"q0": parts.q0 + xi[0]},
}


def tasks_of(kind: str, name: str, parts: Parts) -> list[ik.Task]:
    hand, elbow = LINKS[name]
    position, direction = parts.T[..., :3, 3], parts.T[..., :3, 2]
    prefer: dict[str, ik.Task] = {
        "elbow": ik.PositionTask(elbow, parts.other[..., :3, 3], weight=parts.weight, priority=1),
        "turn": ik.OrientationTask(hand, parts.other[..., :3, :3], weight=parts.weight, priority=1),
        "pose": ik.PoseTask(hand, parts.other, weight=0.7, priority=1),
        "posture": Posture(posture=parts.posture, priority=1),
    }
    first, *others = kind.split(", ")
    met = {
        "pose": [ik.PoseTask(hand, parts.T)],
        "position": [ik.PositionTask(hand, position, weight=parts.weight)],
        "pointing": [ik.PositionTask(hand, position), ik.RayDirectionTask(hand, (0.0, 0.0, 1.0), direction)],
    }
    return [*met[first], *(prefer[other] for other in others)]


def make(name: str, based: bool) -> Parts:
    robot = robots()[name]
    hand, elbow = LINKS[name]
    inside = robot.replace(lower=0.7 * robot.lower.clamp(-2, 2), upper=0.7 * robot.upper.clamp(-2, 2))
    q = inside.sample(COUNT, seed=7)
    near = (q + 0.15 * torch.sin(torch.arange(robot.dof) + 1.0)).clamp(robot.lower, robot.upper)
    shift = torch.tensor([0.3, -0.2, 0.1, 0.2, 0.3, -0.1], dtype=torch.float64)
    base = dk.transforms.exp(shift) if based else torch.eye(4, dtype=torch.float64)
    return Parts(
        robot=robot,
        T=base @ robot.forward_kinematics(q, links=[hand])[:, 0],
        other=base @ robot.forward_kinematics(near, links=[elbow])[:, 0],
        posture=near,
        weight=torch.tensor([1.0, 0.6, 1.3], dtype=torch.float64),
        base=base.expand(COUNT, 4, 4),
        q0=q,
    )


# -- the comparison ------------------------------------------------------------------------------------------------------


def solve(kind: str, name: str, parts: Parts, free_base: str | None, based: bool, differentiable: bool) -> ik.IKResult:
    return dk.solve_ik(
        parts.robot,
        tasks_of(kind, name, parts),
        q0=parts.q0,
        base=parts.base if based or free_base else None,
        free_base=free_base,
        locked=LOCKED.get(name, []),
        differentiable=differentiable,
        **TIGHT,
    )


def numbers(result: ik.IKResult) -> Tensor:
    """All that was found in one row a problem."""
    return result.q if result.base is None else torch.cat((result.q, result.base[:, :3].flatten(1)), dim=-1)


def replaced(parts: Parts, **changes: Any) -> Parts:
    return Parts(**{**vars(parts), **changes})


def compare(
    kind: str,
    name: str,
    parts: Parts,
    respect: str,
    free_base: str | None = None,
    based: bool = False,
    h: float = 2e-3,
    tolerance: float = 1e-5,
) -> Tensor:
    """The derivative (COUNT, numbers, 6) of what is found, after it was compared with differences of the solver."""
    for _ in range(3):  # until the answer stays where it is
        found = solve(kind, name, parts, free_base, based, False)
        assert found.success.all()
        parts = replaced(parts, q0=found.q, base=parts.base if found.base is None else found.base)
    step = WITH_RESPECT_TO[respect]

    def at(xi: Tensor, differentiable: bool = False) -> ik.IKResult:
        return solve(kind, name, replaced(parts, **step(parts, xi)), free_base, based, differentiable)

    xi = torch.zeros(6, dtype=torch.float64, requires_grad=True)
    result = at(xi, differentiable=True)
    values = numbers(result)
    torch.testing.assert_close(values.detach(), numbers(at(xi.detach())), rtol=0, atol=0)
    rows = [torch.autograd.grad(value, xi, retain_graph=True)[0] for value in values.flatten()]
    actual = torch.stack(rows).reshape(*values.shape, 6)
    for k in range(6):
        along = torch.zeros(6, dtype=torch.float64)
        along[k] = h
        near, far = ((numbers(at(s * along)) - numbers(at(-s * along))) / (2 * s * h) for s in (1, 2))
        expected = (4 * near - far) / 3
        torch.testing.assert_close(actual[..., k], expected, rtol=tolerance, atol=tolerance)
    return actual


MET = ["pose", "position", "pointing"]
PREFERRED = ["position, elbow", "position, turn", "position, posture", "pointing, elbow, posture", "pose, elbow"]


@pytest.mark.parametrize("respect", ["target", "origins", "link offsets", "axes"])
@pytest.mark.parametrize("name", ["iiwa", "panda", "planar", "dh"])
@pytest.mark.parametrize("kind", ["pose", "pointing", "position, posture"])
def test_every_robot(name, kind, respect):
    compare(kind, name, make(name, False), respect)
