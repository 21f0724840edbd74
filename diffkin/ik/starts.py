"""Where descents start: the caller's q0, then the nearest of a table of samples, then a low-discrepancy sequence."""

from __future__ import annotations

import torch
from torch import Tensor

from diffkin import rotations, transforms
from diffkin.ik.options import Options
from diffkin.ik.problem import Problem, State
from diffkin.ik.tasks import Placement
from diffkin.kernels.ik.roberts import roberts_steps
from diffkin.kinematics.batched import link_poses
from diffkin.kinematics.ranges import sampling_range

__all__ = ["Starts", "roberts"]

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
    steps = torch.from_numpy(roberts_steps(dimensions)).to(shift.device)
    index = torch.arange(first + 1, first + count + 1, dtype=torch.float64, device=shift.device)
    return torch.remainder(0.5 + shift + index[:, None] * steps, 1.0)


class Starts:
    """Starting points by rank. A problem's starts depend on its own target and on the seed, not on its neighbours."""

    def __init__(self, problem: Problem, options: Options, q0: Tensor | None, base: Tensor | None, count: int) -> None:
        """Prepare the starts of ``count`` problems.

        Args:
            problem: The problems.
            options: Whose seed shifts the low-discrepancy sequence.
            q0: (count, dof) first starts, within limits, or None.
            base: (count, 4, 4) base poses, or None.
            count: How many problems.
        """
        self.problem, self.options, self.q0, self.base = problem, options, q0, base
        tree = problem.tree
        generator = torch.Generator("cpu").manual_seed(options.seed)
        shift = torch.rand(tree.dof + 3, generator=generator, dtype=torch.float64, device="cpu")
        self.shift = shift.to(tree.device)
        self.low, self.high = sampling_range(tree, problem.lower, problem.upper)
        self.nearest = None if problem.free_base else self._from_table(count)

    def at(self, rank: int, index: Tensor) -> State:
        """The starts of rank ``rank`` of the problems ``index`` (n,)."""
        q, base = self._point(rank, index)
        grace = self.options.grace(rank, own=self.q0 is not None and rank == 0)
        return State(q, base, index, q.new_full((len(index),), grace))

    def _point(self, rank: int, index: Tensor) -> tuple[Tensor, Tensor | None]:
        """Coordinates (n, dof) and base poses (n, 4, 4) of the starts of a rank."""
        n = len(index)
        base = None if self.base is None else self.base[index]
        if self.q0 is not None:
            if rank == 0:
                return self.q0[index], base
            rank -= 1
        if self.nearest is not None:
            if rank < self.nearest.shape[1]:
                return self._locked(self.nearest[index, rank], index), base
            rank -= self.nearest.shape[1]
        dof = self.problem.tree.dof
        point = roberts(rank, 1, dof + 3, self.shift)[0]
        q = (self.low + point[:dof] * (self.high - self.low)).expand(n, dof)
        if base is not None and self.problem.free_base and (rank > 0 or self.q0 is not None):
            base = self._turned(base, point[dof:])
        return self._locked(q, index), base

    def _turned(self, base: Tensor, point: Tensor) -> Tensor:
        """Base poses (n, 4, 4) turned, as far as they are free to, by what a point of the unit cube stands for."""
        moves = self.problem.moves
        if len(moves.turns) == 3:
            return transforms.pose(base[:, :3, :3] @ _turn_from_cube(point), base[:, :3, 3])
        step = base.new_zeros(len(base), moves.count)
        step[:, len(moves.shifts) :] = 2.0 * torch.pi * point[: len(moves.turns)]
        return moves.moved(base, step)

    def _locked(self, q: Tensor, index: Tensor) -> Tensor:
        """Starts ``q`` whose coordinates that no task needs, or that are locked, stay at q0; without it, at rest."""
        drawn = self.problem.movable & self.problem.needed
        if bool(drawn.all()):
            return q
        rest = torch.zeros_like(q).clamp(self.problem.lower, self.problem.upper) if self.q0 is None else self.q0[index]
        return torch.where(drawn, q, rest)

    def _placement(self) -> tuple[Placement, int] | None:
        """Where the first task of priority 0 that says so wants which link, as seen from the base."""
        for task, links in zip(self.problem.tasks, self.problem.links, strict=True):
            if task.priority == 0:
                place = (task if self.base is None else task.seen_from(self.base)).placement()
                if place is not None:
                    return place, links[0]
        return None

    def _from_table(self, count: int) -> Tensor | None:
        """(count, ranks, dof) stored samples whose poses are nearest to the first task's target."""
        found = self._placement()
        if found is None or self.problem.tree.dof == 0:
            return None
        place, link = found
        table, poses = _table(self.problem, link, self.low, self.high)
        reach = poses[:, :3, 3].norm(dim=-1).max().clamp_min(1e-6)
        parts, wanted = [], []
        if place.position is not None:
            parts.append(poses[:, :3, 3] / reach)
            wanted.append(place.position / reach)
        if place.rotation is not None:
            parts.append(_TURN_WEIGHT * poses[:, :3, :3].flatten(-2))
            wanted.append(_TURN_WEIGHT * place.rotation.flatten(-2))
        features, goals = torch.cat(parts, dim=-1), torch.cat(wanted, dim=-1)
        picks = [
            torch.cdist(chunk, features).topk(_NEAREST, dim=-1, largest=False).indices for chunk in goals.split(256)
        ]
        chosen = torch.cat(picks) if picks else features.new_zeros(0, _NEAREST, dtype=torch.long)
        return table[chosen]


def _table(problem: Problem, link: int, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """Samples (count, dof) within limits and the link's poses there, made once per robot and link."""
    key, tree = ("ik starts", link), problem.tree
    kept: tuple[Tensor, Tensor] | None = problem.cache.get(key)
    if kept is not None:
        return kept
    points = roberts(0, _TABLE, tree.dof, torch.zeros(tree.dof, dtype=torch.float64, device=low.device))
    samples = low + points * (high - low)
    table = (samples, link_poses(tree, samples, [link])[:, 0])
    if problem.keeps:
        problem.cache[key] = table
    return table


def _turn_from_cube(point: Tensor) -> Tensor:
    """A rotation from a point of the unit cube, uniform if the point is (Shoemake, Graphics Gems III, 1992)."""
    first, second = (1.0 - point[0]).sqrt(), point[0].sqrt()
    a, b = 2.0 * torch.pi * point[1], 2.0 * torch.pi * point[2]
    quat = torch.stack((first * a.sin(), first * a.cos(), second * b.sin(), second * b.cos()))
    return rotations.quat_xyzw_to_matrix(quat)
