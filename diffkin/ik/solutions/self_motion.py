"""Self-motion: the curves of joint coordinates that leave the tip where it is, traced along the null space."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from diffkin import rotations
from diffkin.errors import OptionError
from diffkin.robot import Robot

__all__ = ["Arc", "assign", "null_directions", "stays_within", "trace_arcs", "wrapped"]

_RANK = 1e-6  # singular values below this share of the largest count as zero, away from singularities
_TURN = 0.97  # cosine of the angle between directions of successive points; smaller steps where it turns faster
_SMALLEST = 1e-4  # a step this short that still fails ends the arc
_SAME = 0.02  # [rad or m] a solution nearer to an arc than this is on it
_LIMIT = 1e-7  # [rad or m] how far beyond a limit counts as on it


@dataclass(frozen=True, eq=False)
class Arc:
    """One connected piece of the self-motion within the limits.

    Attributes:
        q: (n, dof) points in order.
        closed: Whether the last is followed by the first.
    """

    q: Float[Tensor, "n dof"]
    closed: bool


def wrapped(robot: Robot, difference: Float[Tensor, "*batch dof"]) -> Float[Tensor, "*batch dof"]:
    """A difference of coordinates, that of unlimited joints by less than half a turn."""
    if not bool(robot.periodic.any()):
        return difference
    turned = torch.remainder(difference + torch.pi, 2.0 * torch.pi) - torch.pi
    return torch.where(robot.periodic, turned, difference)


def null_directions(robot: Robot, q: Float[Tensor, "n dof"]) -> tuple[int, Float[Tensor, "n dof"]]:
    """Nullity of the Jacobian, the commonest over these coordinates, and a unit vector of the null space at each.

    Args:
        robot: The robot.
        q: (n, dof) coordinates.

    Returns:
        The nullity, and (n, dof) the direction of the smallest singular value.
    """
    _, singular, right = torch.linalg.svd(robot.jacobian(q), full_matrices=True)
    rank = (singular > _RANK * singular[:, :1]).sum(-1)
    return robot.dof - int(rank.median()), right[:, -1]


def stays_within(
    robot: Robot, q: Tensor, way: Tensor, before: Tensor, after: Tensor, points: int = 7
) -> Bool[Tensor, " n"]:
    """Whether the curve from ``q`` to ``q + way`` stays within the limits, by the cubic with the tangents at its ends.

    Args:
        robot: The robot.
        q: (n, dof) where it begins.
        way: (n, dof) to where it ends.
        before: (n, dof) unit tangent at the beginning, of either sign.
        after: (n, dof) unit tangent at the end, of either sign.
        points: How many points between are looked at.

    Returns:
        (n,) whether all of them are within the limits.
    """
    length = way.norm(dim=-1, keepdim=True)
    m0 = before * torch.sign((before * way).sum(-1, keepdim=True)) * length
    m1 = after * torch.sign((after * way).sum(-1, keepdim=True)) * length
    within = torch.ones(len(q), dtype=torch.bool, device=q.device)
    for k in range(1, points + 1):
        s = k / (points + 1)
        along = (3 - 2 * s) * s * s * way + s * (1 - s) ** 2 * m0 - s * s * (1 - s) * m1
        at = q + along
        within &= ((at >= robot.lower - _LIMIT) & (at <= robot.upper + _LIMIT)).all(-1)
    return within


def trace_arcs(
    robot: Robot,
    T_target: Float[Tensor, "4 4"],
    q: Float[Tensor, "n dof"],
    order: Int[Tensor, " n"] | None = None,
    step: float = 0.03,
    max_steps: int = 4000,
) -> tuple[tuple[Arc, ...], Int[Tensor, " n"]]:
    """Trace the self-motion through all given solutions.

    From a solution not yet on any arc the null space is followed both ways, each step corrected onto the pose by
    Newton's method, until a limit or the beginning is reached (predictor and corrector: Allgower & Georg, Numerical
    Continuation Methods, 1990, ch. 2).

    Args:
        robot: A float64 robot whose Jacobian has a null space of dimension 0 or 1 at the solutions.
        T_target: (4, 4) the pose.
        q: (n, dof) solutions.
        order: (n,) groups of solutions; one of each group is traced at a time. All in one group if None.
        step: Length of a step [rad or m].
        max_steps: At most so many each way.

    Returns:
        The arcs, and (n,) the arc that each solution is on. Without null space every arc is one point.

    Raises:
        diffkin.errors.OptionError: The null space has more than one dimension: no curve describes it.
    """
    nullity, _ = null_directions(robot, q) if len(q) else (0, q)
    if nullity > 1:
        raise OptionError(
            f"The Jacobian of {robot.name!r} has a null space of dimension {nullity} at these solutions; only curves "
            "(dimension 1) can be traced."
        )
    groups = torch.zeros(len(q), dtype=torch.long, device=q.device) if order is None else order
    labels = torch.full((len(q),), -1, dtype=torch.long, device=q.device)
    arcs: list[Arc] = []
    while bool((labels < 0).any()):
        left = (labels < 0).nonzero().flatten()
        seeds = torch.stack([left[groups[left] == group][0] for group in groups[left].unique()])
        traced = [Arc(q[seed][None], False) for seed in seeds] if nullity == 0 else _trace(
            robot, T_target, q[seeds], step, max_steps
        )  # fmt: skip
        for seed, arc in zip(seeds.tolist(), traced):
            if labels[seed] >= 0:  # another seed of this round lies on the same arc
                continue
            on_it = (labels < 0) & (assign(robot, q, arc) <= _SAME)
            on_it[seed] = True
            labels[on_it] = len(arcs)
            arcs.append(arc)
    return tuple(arcs), labels


def assign(robot: Robot, q: Float[Tensor, "n dof"], arc: Arc) -> Float[Tensor, " n"]:
    """(n,) distance of coordinates from an arc, as a chain of straight pieces."""
    ends = torch.cat((arc.q[1:], arc.q[:1])) if arc.closed else arc.q[1:]
    if not len(ends):
        return wrapped(robot, q - arc.q[0]).norm(dim=-1)
    starts = arc.q[: len(ends)]
    way = wrapped(robot, ends - starts)
    nearest = []
    for some in q.split(max(1, 2_000_000 // len(starts))):
        gap = wrapped(robot, some[:, None] - starts)
        part = ((gap * way).sum(-1) / way.square().sum(-1).clamp(min=1e-24)).clamp(0.0, 1.0)
        nearest.append((gap - part[..., None] * way).norm(dim=-1).min(-1).values)
    return torch.cat(nearest)


def _trace(robot: Robot, T_target: Tensor, seeds: Tensor, step: float, max_steps: int) -> list[Arc]:
    """One arc through each seed, all of them traced at once, both ways."""
    count = len(seeds)
    _, first = null_directions(robot, seeds)
    at, heading = torch.cat((seeds, seeds)), torch.cat((first, -first))
    origin, ahead = at.clone(), heading.clone()
    length = torch.full((2 * count,), step, dtype=at.dtype, device=at.device)
    running = torch.ones(2 * count, dtype=torch.bool, device=at.device)
    closed = torch.zeros(2 * count, dtype=torch.bool, device=at.device)
    paths: list[list[Tensor]] = [[] for _ in range(2 * count)]
    for _ in range(max_steps):
        rows = running.nonzero().flatten()
        if not len(rows):
            break
        ahead_of = at[rows] + length[rows, None] * heading[rows]
        moved, exact = _corrected(robot, T_target, ahead_of)
        way = moved - at[rows]
        _, direction = null_directions(robot, moved)
        direction = direction * torch.sign((direction * heading[rows]).sum(-1, keepdim=True))
        straight = (direction * heading[rows]).sum(-1) > _TURN
        near = (way.norm(dim=-1) - length[rows]).abs() < 0.2 * length[rows]
        good = exact & straight & near
        inside = ((moved >= robot.lower - _LIMIT) & (moved <= robot.upper + _LIMIT)).all(-1)
        inside &= stays_within(robot, at[rows], way, heading[rows], direction)
        accept = good & inside
        for row, point in zip(rows[accept].tolist(), moved[accept]):
            paths[row].append(point)
        taken = rows[accept]
        at[taken], heading[taken] = moved[accept], direction[accept]
        length[taken] = (1.5 * length[taken]).clamp(max=step)
        back = rows[~accept]  # too fast a turn, or a limit in between: the last bit of the way in shorter steps
        length[back] = 0.5 * length[back]
        running[back[length[back] < _SMALLEST]] = False
        gap = wrapped(robot, origin[taken] - at[taken])
        passed = (gap.norm(dim=-1) < 1.01 * step) & ((gap * heading[taken]).sum(-1) >= 0)
        passed &= (heading[taken] * ahead[taken]).sum(-1) > 0.9
        home = passed & torch.tensor(
            [len(paths[row]) > 3 for row in taken.tolist()], dtype=torch.bool, device=passed.device
        )
        closed[taken[home]] = True
        running[taken[home]] = False
        twin = (taken[home] + count) % (2 * count)  # the other way round would be the same loop
        running[twin] = False
    arcs = []
    for k in range(count):
        if bool(closed[k]) or bool(closed[k + count]):
            way_round = paths[k] if bool(closed[k]) else paths[k + count]
            arcs.append(Arc(torch.stack([seeds[k], *way_round]), True))
        else:
            arcs.append(Arc(torch.stack([*reversed(paths[k + count]), seeds[k], *paths[k]]), False))
    return arcs


def _corrected(robot: Robot, T_target: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
    """Newton's method onto the pose by least-norm steps, limits aside; and whether it got there."""
    for _ in range(4):
        error = _pose_error(robot, T_target, q)
        q = q + (torch.linalg.pinv(robot.jacobian(q), rtol=1e-9) @ error[..., None]).squeeze(-1)
    return q, _pose_error(robot, T_target, q).norm(dim=-1) < 1e-8


def _pose_error(robot: Robot, T_target: Tensor, q: Tensor) -> Tensor:
    """(n, 6) displacement to the target, then rotation vector, in base axes."""
    poses = robot.forward_kinematics(q)
    turn = rotations.matrix_to_rotvec(T_target[:3, :3] @ poses[:, :3, :3].transpose(-1, -2), check=False)
    return torch.cat((T_target[:3, 3] - poses[:, :3, 3], turn), dim=-1)
