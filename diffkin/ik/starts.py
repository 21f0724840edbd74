"""Where descents start: the caller's q0, then the nearest of a table of samples, then a low-discrepancy sequence."""

from __future__ import annotations

import torch
from torch import Tensor

from diffkin import rotations, transforms
from diffkin.ik.problem import Problem, State
from diffkin.ik.tasks import OrientationTask, PoseTask, PositionTask
from diffkin.kinematics import PRISMATIC, KinematicTree
from diffkin.kinematics.batched import link_poses

__all__ = ["Starts", "in_base", "roberts"]

_TABLE = 16384  # samples: 96 % of first descents succeed, against 71 % from uniform starts
_NEAREST = 8  # ranks taken from the table before the sequence takes over
_TURN_WEIGHT = 0.3  # of rotation entries beside positions over reach, in the distance between poses


def roberts(first: int, count: int, dimensions: int, shift: Tensor) -> Tensor:
    """Points of Roberts' low-discrepancy sequence R_d in the unit cube (Roberts 2018).

    Args:
        first: Index of the first point.
        count: How many points.
        dimensions: d.
        shift: (d,) added modulo 1.

    Returns:
        (count, d) points, float64.
    """
    ratio = 2.0
    for _ in range(60):  # the root of x^(d+1) = x + 1
        ratio = (1.0 + ratio) ** (1.0 / (dimensions + 1))
    powers = ratio ** -torch.arange(1, dimensions + 1, dtype=torch.float64, device=shift.device)
    index = torch.arange(first + 1, first + count + 1, dtype=torch.float64, device=shift.device)
    return torch.remainder(0.5 + shift + index[:, None] * powers, 1.0)


class Starts:
    """Starting points by rank. A problem's starts depend on its own target and on the seed, not on its neighbours."""

    def __init__(self, problem: Problem, q0: Tensor | None, base: Tensor | None, seed: int, count: int) -> None:
        """Prepare the starts of ``count`` problems.

        Args:
            problem: The problems.
            q0: (count, dof) first starts, already on the limits' side, or None.
            base: (count, 4, 4) base poses, or None.
            seed: Shifts the low-discrepancy sequence.
            count: How many problems.
        """
        self.problem, self.q0, self.base = problem, q0, base
        tree = problem.tree
        generator = torch.Generator().manual_seed(seed)
        self.shift = torch.rand(tree.dof + 3, generator=generator, dtype=torch.float64).to(tree.device)
        self.low, self.high = sampling_range(tree, problem.lower, problem.upper)
        self.nearest = None if problem.free_base else self._from_table(count)

    def at(self, rank: int, index: Tensor) -> State:
        """The starts of rank ``rank`` of the problems ``index`` (n,)."""
        n = len(index)
        base = None if self.base is None else self.base[index]
        if self.q0 is not None:
            if rank == 0:
                return State(self.q0[index], base, index)
            rank -= 1
        if self.nearest is not None:
            if rank < self.nearest.shape[1]:
                return State(self._locked(self.nearest[index, rank], index), base, index)
            rank -= self.nearest.shape[1]
        dof = self.problem.tree.dof
        point = roberts(rank, 1, dof + 3, self.shift)[0]
        q = (self.low + point[:dof] * (self.high - self.low)).expand(n, dof)
        if base is not None and self.problem.free_base and (rank > 0 or self.q0 is not None):
            turn = _turn_from_cube(point[dof:])
            base = torch.cat((base[:, :3, :3] @ turn, base[:, :3, 3:]), dim=-1)
            base = transforms.pose(base[:, :, :3], base[:, :, 3])
        return State(self._locked(q, index), base, index)

    def _locked(self, q: Tensor, index: Tensor) -> Tensor:
        if self.q0 is None or bool(self.problem.movable.all()):
            return q
        return torch.where(self.problem.movable, q, self.q0[index])

    def _from_table(self, count: int) -> Tensor | None:
        """(count, ranks, dof) stored samples whose poses are nearest to the first task's target."""
        known = [
            (task, links[0])
            for task, links in zip(self.problem.tasks, self.problem.links, strict=True)
            if isinstance(task, PoseTask | PositionTask | OrientationTask) and task.priority == 0
        ]
        if not known or self.problem.tree.dof == 0:
            return None
        task, link = known[0]
        table, poses = _table(self.problem.tree, link, self.low, self.high)
        reach = poses[:, :3, 3].norm(dim=-1).max().clamp_min(1e-6)
        target = task.target
        if self.base is not None:
            target = in_base(task, target, self.base)
        parts, wanted = [], []
        if not isinstance(task, OrientationTask):
            parts.append(poses[:, :3, 3] / reach)
            wanted.append((target if isinstance(task, PositionTask) else target[:, :3, 3]) / reach)
        if not isinstance(task, PositionTask):
            parts.append(_TURN_WEIGHT * poses[:, :3, :3].flatten(-2))
            wanted.append(_TURN_WEIGHT * target[:, :3, :3].flatten(-2))
        features, goals = torch.cat(parts, dim=-1), torch.cat(wanted, dim=-1)
        picks = [
            torch.cdist(chunk, features).topk(_NEAREST, dim=-1, largest=False).indices for chunk in goals.split(256)
        ]
        chosen = torch.cat(picks) if picks else features.new_zeros(0, _NEAREST, dtype=torch.long)
        return table[chosen]


def sampling_range(tree: KinematicTree, lower: Tensor, upper: Tensor) -> tuple[Tensor, Tensor]:
    """Limits to draw starts from: a full turn, or 1 m to either side, where there is none."""
    reach = torch.full_like(lower, torch.pi)
    for joint, coordinate in enumerate(tree.coordinate):
        if tree.kinds[joint] == PRISMATIC:
            reach[coordinate] = 1.0
    low = torch.where(torch.isinf(lower), torch.minimum(-reach, upper - 2 * reach), lower)
    high = torch.where(torch.isinf(upper), torch.maximum(reach, low + 2 * reach), upper)
    return low, high


def _table(tree: KinematicTree, link: int, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """Samples (count, dof) within limits and the link's poses there, made once per tree, link and limits."""
    key = ("ik starts", link, tuple(low.tolist()), tuple(high.tolist()))
    if key in tree.cache:
        return tree.cache[key]
    points = roberts(0, _TABLE, tree.dof, torch.zeros(tree.dof, dtype=torch.float64, device=low.device))
    samples = low + points * (high - low)
    table = (samples, link_poses(tree, samples, [link])[:, 0])
    if not tree.has_gradient:  # geometry that is being learnt changes under our feet
        tree.cache[key] = table
    return table


def in_base(task: PoseTask | PositionTask | OrientationTask, target: Tensor, base: Tensor) -> Tensor:
    """A target in the world, seen from the base."""
    if isinstance(task, PoseTask):
        return transforms.inverse(base) @ target
    back = base[:, :3, :3].transpose(-1, -2)
    if isinstance(task, OrientationTask):
        return back @ target
    return (back @ (target - base[:, :3, 3]).unsqueeze(-1)).squeeze(-1)


def _turn_from_cube(point: Tensor) -> Tensor:
    """A rotation from a point of the unit cube, uniform if the point is (Shoemake, Graphics Gems III, 1992)."""
    first, second = (1.0 - point[0]).sqrt(), point[0].sqrt()
    a, b = 2.0 * torch.pi * point[1], 2.0 * torch.pi * point[2]
    quat = torch.stack((first * a.sin(), first * a.cos(), second * b.sin(), second * b.cos()))
    return rotations.quat_xyzw_to_matrix(quat)
