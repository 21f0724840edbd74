"""``solve_all``: the distinct solutions of poses or tasks within limits, whole turns included, nearest to q0 first."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from diffkin._checks import ROTATION_TOLERANCE, as_tensor
from diffkin._gate import array, kernel
from diffkin._given import whole
from diffkin.ik.elsewhere import by_the_cpu, is_elsewhere, plainly
from diffkin.ik.problem import State, make_problem
from diffkin.ik.result import IKResult
from diffkin.ik.solutions.choice import MOST_FINITE, choose_solutions
from diffkin.ik.solve import solve_ik
from diffkin.ik.solvers.complete import Complete, complete_of, in_order
from diffkin.ik.starts import roberts
from diffkin.ik.tasks import PoseTask, Task
from diffkin.ik.turns import check_joint_weights, turning
from diffkin.kinematics.ranges import sampling_range
from diffkin.robot.robot import check_robot_given

if TYPE_CHECKING:
    from diffkin.robot import Robot

__all__ = ["AllSolutions", "solve_all"]

_ROUND = 64  # starts of every pose between two looks at what they found
_LEAST_ROUNDS = 7
_MOST_ROUNDS = 32
_SEEN = 3  # as often as each solution must have been found
_ITERATIONS = 15  # of a start: what takes longer is cheaper to start anew
_TOLERANCE = 1e-9  # [m or rad] so that equal solutions are equal to well below _SAME
_SAME = 1e-4  # [rad or m] solutions nearer than this in every coordinate are one
_SPREAD = 4  # starts for each solution wanted where there are infinitely many
_SLICE = 32768  # solutions at a time
_FOLD = 0.005  # [rad or m] the least way across a fold; the largest is 1


@dataclass(frozen=True, eq=False)
class AllSolutions:
    """Solutions of a batch of problems.

    Attributes:
        q: (*batch, k, dof) solutions within limits, nearest to ``q0`` first; rows past the count repeat the last. k is
            the largest count, at least 1; a problem without a solution repeats the best that was found.
        valid: (*batch, k) whether a row is a solution of its own.
        count: (*batch,) how many there are.
    """

    q: Float[Tensor, "*batch k dof"]
    valid: Bool[Tensor, "*batch k"]
    count: Int[Tensor, "*batch"]

    def __repr__(self) -> str:
        said = [f"q {tuple(self.q.shape)}"]
        if self.count.numel():
            least, most = int(self.count.min()), int(self.count.max())
            said.insert(0, f"{least} solutions" if least == most else f"{least} to {most} solutions")
        return f"AllSolutions({', '.join(said)})"


def solve_all(
    robot: Robot,
    target: Float[Tensor, "*batch 4 4"] | Task | Sequence[Task],
    q0: Float[Tensor, "*batch dof"] | None = None,
    max_solutions: int = 64,
    joint_weights: Float[Tensor, " dof"] | None = None,
    seed: int = 0,
) -> AllSolutions:
    """Find the distinct solutions of every problem within the joint limits.

    Poses of an arm with six turning joints are solved by a kernel. Of its joints the first and the last follow in closed
    form from the four between them, so it looks at a grid over these, descends from every well of how near it comes to
    the target, and then from beside and from mirror images of what was found, until each solution was found five times.
    Where the smallest singular value of a solution (positions in lengths of the arm) is below 2e-3, the curve along which
    only one combination of the six errors changes is followed, and every solution on it is kept. That makes no proof: a
    solution is missed seldom, and most of all where two singular values are small at once, as at a wrist folded back onto
    the shoulder.

    Coordinates nearer to each other than 1e-4 in all joints, whole turns aside, are one solution. So are two that have
    become one, as at a stretched elbow, up to 1e-11 beyond reach. Where a curve of coordinates meets the target to 1e-11
    (lengths of the arm, rad), as at an exactly aligned wrist, each of its points is a solution, and they are as infinitely
    many.

    For other robots and tasks descents start from a low-discrepancy sequence, from mirror images of what is known (joints
    turned by half a turn, or by the opposite angle), and across the folds where two solutions are near each other. Rounds
    of 64 starts go on until at least seven were made, the last brought nothing new and each solution was found three
    times; at most 32 are made. So what stays unknown is what few descents end in: a solution that a share p of them leads
    to is missed with a chance of at most ``(1 - p)^448``.

    Where there are finitely many solutions (as many joints as the target has numbers, away from singularities), all
    that were found are given, and of each its whole turns within the limits; of a joint without limits only the turn
    nearest to ``q0``. Where there are infinitely many, ``max_solutions`` spread over them as far apart from each other
    as those found allow, and of each the turn nearest to ``q0``.

    Args:
        robot: The robot.
        target: (*batch, 4, 4) pose of the tip, or tasks, as for ``solve_ik``.
        q0: (*batch, dof) the solutions nearest to it come first, and are kept if there are more than
            ``max_solutions``; zero if None.
        max_solutions: At most so many for each problem.
        joint_weights: (dof,) from 0 on; the distance is ``sqrt(sum_j w_j (q_j - q0_j)^2)``. Ones if None.
        seed: A whole number from 0 on; chooses the starts that are drawn.

    Returns:
        The solutions, each to the default tolerances of ``solve_ik``.

    Raises:
        diffkin.errors.ShapeError: Shapes that do not fit or do not broadcast.
        diffkin.errors.RotationError: A target that is no pose.
        diffkin.errors.NonFiniteError: NaN or infinity in targets, ``q0`` or weights.
        diffkin.errors.UnknownNameError: Unknown link.
        diffkin.errors.OptionError: An option out of its range.
    """
    check_robot_given(robot)
    most = whole(max_solutions, "max_solutions", 1)
    weights = check_joint_weights(joint_weights, robot)
    if is_elsewhere(robot, target, q0=q0):
        return by_the_cpu(solve_all, robot, target, q0, most, joint_weights, seed)
    if q0 is not None:
        q0 = as_tensor(q0, "q0", robot.dtype, robot.device).detach()
    begin = torch.zeros(robot.dof, dtype=robot.dtype, device=robot.device) if q0 is None else q0
    first = solve_ik(robot, target, q0=begin, max_restarts=0, seed=seed)  # which raises all that is to be raised
    batch = first.success.shape
    exact = _exact(robot)
    near = begin.double().expand(*batch, robot.dof).reshape(-1, robot.dof)
    limits = exact.lower.detach(), exact.upper.detach()
    near = near.clamp(*limits)
    if not robot.dof or not len(near):
        return AllSolutions(first.q[..., None, :], first.success[..., None], first.success.long())
    targets = _Targets(exact, target, batch)
    tolerance = 0.999e-6 if robot.dtype == torch.float64 else 5e-6  # rounding to the dtype comes behind it
    gatherer = targets.gatherer(exact)
    parts, places = [], []
    with plainly(robot), torch.no_grad():
        for rows in torch.arange(len(near), device=robot.device).split(max(1, _SLICE // most)):
            if gatherer is not None:
                complete = Complete(gatherer, targets.posed(rows), seed)
                parts.append(in_order(exact, complete, near[rows], weights, most))
                places.append(rows)
                rows = rows[complete.endless]
            if len(rows):
                search = _Search(exact, targets.part(rows), near[rows], most, tolerance, seed)
                parts.append(choose_solutions(*search.found(), near[rows], *limits, search.turns, most, weights))
                places.append(rows)
    wide = max(1, *(int(number.max()) for _, number in parts))
    q, count = near.new_zeros(len(near), wide, robot.dof), torch.zeros(len(near), dtype=torch.long, device=near.device)
    for place, (some, number) in zip(places, parts, strict=True):
        q[place], count[place] = _widened(some, wide), number
    q = torch.where(count[:, None, None] > 0, q, first.q.detach().double().reshape(-1, 1, robot.dof))
    last = torch.minimum(torch.arange(wide, device=q.device), (count[:, None] - 1).clamp(min=0))
    q = q.gather(1, last[..., None].expand(-1, -1, robot.dof)).to(robot.dtype)
    q = torch.minimum(torch.maximum(q, robot.lower.detach()), robot.upper.detach())
    valid = torch.arange(wide, device=q.device) < count[:, None]
    return AllSolutions(q.reshape(*batch, wide, -1), valid.reshape(*batch, wide), count.reshape(batch))


class _Targets:
    """The targets of the flattened batch, and how they depend on the coordinates."""

    def __init__(self, robot: Robot, target: Any, batch: torch.Size) -> None:
        single = isinstance(target, Task)
        if single or (isinstance(target, (list, tuple)) and isinstance(target[0], Task)):
            self.poses, tasks = None, [target] if single else list(target)
        else:
            poses = as_tensor(target, "target", robot.dtype, robot.device).detach().double()
            self.poses = poses.expand(*batch, 4, 4).reshape(-1, 4, 4)
            tasks = [PoseTask(None, self.poses)]
            batch = torch.Size([len(self.poses)])
        everything = torch.ones(robot.dof, dtype=torch.bool, device=robot.device)
        self.problem = make_problem(robot, tasks, batch, everything)
        self.rows = torch.arange(batch.numel(), device=robot.device)

    def part(self, rows: Tensor) -> _Targets:
        """Those of some problems alone."""
        made = copy.copy(self)
        made.rows = self.rows[rows]
        return made

    def gatherer(self, robot: Robot) -> Any:
        """What finds all solutions by the kernel; None where the targets are not poses of one link that it serves."""
        task, weights = self.problem.tasks[0], self.problem.tasks[0].kernel_weights(turned=False)
        if len(self.problem.tasks) > 1 or weights is None or min(weights) == 0.0 or task.priority:
            return None
        return complete_of(robot, self.problem.links[0][0])

    def posed(self, rows: Tensor) -> Tensor:
        """(n, 4, 4) poses to reach, their rotations exact, where there is a ``gatherer``."""
        if self.poses is None:
            place = self.problem.tasks[0].exact_at(self.rows[rows]).placement()
            if place is None or place.position is None or place.rotation is None:
                raise NotImplementedError(
                    "A task with six kernel_weights must say in placement where its link is to be."
                )
            poses = torch.eye(4, dtype=torch.float64, device="cpu").repeat(len(rows), 1, 1)
            poses[:, :3, :3], poses[:, :3, 3] = place.rotation, place.position
            return poses
        exact = kernel("ik.targets.ready_targets")(array(self.poses[self.rows[rows]]), ROTATION_TOLERANCE)
        return torch.from_numpy(exact)

    def at(self, index: Tensor) -> Any:
        """The targets of some problems (n,), as ``solve_ik`` takes them."""
        rows = self.rows[index]
        return [task.exact_at(rows) for task in self.problem.tasks] if self.poses is None else self.poses[rows]

    def jacobian(self, q: Tensor, index: Tensor) -> Tensor:
        """(n, rows, dof) derivative of the residuals of problems ``index`` (n,) at coordinates (n, dof)."""
        return self.problem.linearize(State(q, None, self.rows[index]))[1]

    def shape(self, robot: Robot) -> tuple[bool, bool]:
        """At coordinates that are not special: whether the targets leave none free, and whether they ask for too much."""
        q = robot.sample(4, seed=1)
        jacobian = self.jacobian(q, torch.zeros(4, dtype=torch.long, device=q.device))
        rank = int(torch.linalg.matrix_rank(jacobian).max())
        return rank == robot.dof, rank < jacobian.shape[-2]


class _Search:
    """The search for the solutions of n problems."""

    def __init__(self, robot: Robot, targets: _Targets, near: Tensor, most: int, tolerance: float, seed: int) -> None:
        lower, upper = robot.lower.detach(), robot.upper.detach()
        everywhere = torch.full_like(lower, torch.inf)
        # angles that may turn freely are searched without limits, where these would leave a curve of solutions shorter:
        # the basins are wider, and what lies outside is left out afterwards
        finite, self.tight = targets.shape(robot)
        bounds = (-everywhere, everywhere) if finite else (lower, upper)
        self.turns = turning(robot.tree, *bounds)
        low, high = torch.where(self.turns, -torch.inf, lower), torch.where(self.turns, torch.inf, upper)
        self.robot = _within(robot, low, high) if bool(self.turns.any()) else robot
        self.targets, self.near, self.most = targets, near, most
        self.tolerance = tolerance
        self.low, self.high = sampling_range(robot.tree, low, high)
        generator = torch.Generator("cpu").manual_seed(seed % 2**32)
        self.shift = torch.rand(robot.dof, generator=generator, device="cpu", dtype=torch.float64).to(lower.device)

    def found(self) -> tuple[Tensor, Tensor]:
        """Distinct solutions up to whole turns, (n, m, dof), and how many of them there are (n,)."""
        n, dof = self.near.shape
        known, count = self.near.new_zeros(n, 1, dof), torch.zeros(n, dtype=torch.long, device=self.near.device)
        seen = torch.zeros(n, 1, dtype=torch.long, device=known.device)
        rows = torch.arange(n, device=known.device)
        for number in range(_MOST_ROUNDS):
            before, used = count[rows], max(1, int(count[rows].max()))
            starts = self._starts(number, rows, known[rows, :used], before)
            solved = solve_ik(
                self.robot, self.targets.at(rows.repeat_interleave(_ROUND)), q0=starts.flatten(0, 1),
                max_restarts=0, max_iterations=_ITERATIONS, position_tolerance=_TOLERANCE, rotation_tolerance=_TOLERANCE,
            )  # fmt: skip
            new, success = solved.q.reshape(starts.shape), self._reached(solved).reshape(-1, _ROUND)
            merged, times, now = self._merged(known[rows, :used], seen[rows, :used], before, new, success)
            wide, more = merged.shape[1], max(0, merged.shape[1] - known.shape[1])
            known = torch.nn.functional.pad(known, (0, 0, 0, more))
            seen = torch.nn.functional.pad(seen, (0, more))
            known[rows, :wide], seen[rows, :wide], count[rows] = merged, times, now
            real = torch.arange(wide, device=known.device) < now[:, None]
            settled = (now == before) & (now > 0) & ((times >= _SEEN) | ~real).all(-1) & (number + 1 >= _LEAST_ROUNDS)
            endless = (now > MOST_FINITE) & ((number + 1) * _ROUND >= _SPREAD * self.most)
            rows = rows[~(settled | endless)]
            if not len(rows):
                break
        return known, count

    def _reached(self, solved: IKResult) -> Tensor:
        """Whether answers are solutions; targets that ask for too much are met no better than they are rounded."""
        near = (solved.position_error <= self.tolerance) & (solved.rotation_error <= self.tolerance)
        return near if self.tight else solved.success

    def _starts(self, number: int, rows: Tensor, known: Tensor, count: Tensor) -> Tensor:
        """(n, _ROUND, dof) starts of a round: the sequence, or moved away from what is known."""
        n, dof = len(known), known.shape[-1]
        points = roberts(number * _ROUND, _ROUND, dof, self.shift)
        drawn = (self.low + points * (self.high - self.low)).expand(n, _ROUND, dof)
        if number % 2 == 0 or not bool((count > 0).any()):
            return drawn
        lanes = torch.arange(_ROUND, device=known.device)
        base = known.gather(1, (lanes % count.clamp(min=1)[:, None])[..., None].expand(-1, -1, dof))
        generator = torch.Generator("cpu").manual_seed(number)
        if number % 4 == 1:
            change = torch.rand(_ROUND, dof, generator=generator, device="cpu", dtype=torch.float64).to(known.device)
            turned = torch.where(base > 0, base - torch.pi, base + torch.pi)
            moved = torch.where(change < 0.25, -base, torch.where(change < 0.5, turned, base))
        else:
            length = torch.rand(_ROUND, 1, generator=generator, device="cpu", dtype=torch.float64).to(known.device)
            sign = torch.where(lanes % 2 == 0, 1.0, -1.0)[
                torch.randperm(_ROUND, generator=generator, device="cpu").to(lanes.device)
            ]
            jacobian = self.targets.jacobian(base.flatten(0, 1), rows.repeat_interleave(_ROUND))
            softest = torch.linalg.svd(jacobian, full_matrices=True)[2][:, -1].reshape(base.shape)
            moved = base + sign[:, None] * _FOLD ** (1.0 - length) * softest
        moved = torch.minimum(torch.maximum(moved, self.robot.lower), self.robot.upper)
        return torch.where((count > 0)[:, None, None], moved, drawn)

    def _merged(
        self, known: Tensor, seen: Tensor, count: Tensor, new: Tensor, success: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Known solutions with those of a round behind them, how often each was found, and how many there are."""
        used = known.shape[1]
        real = torch.arange(used, device=known.device) < count[:, None]
        old, at = self._embedded(known), self._embedded(new)
        again = (torch.cdist(at, old, p=torch.inf) < _SAME) & real[:, None] & success[..., None]
        alike = (torch.cdist(at, at, p=torch.inf) < _SAME) & success[:, None] & success[..., None]
        earliest = alike.long().argmax(-1)  # the first of the round that is the same
        fresh = success & ~again.any(-1) & (earliest == torch.arange(_ROUND, device=known.device))
        place = count[:, None] + fresh.long().cumsum(-1) - 1
        place = torch.where(again.any(-1), again.long().argmax(-1), place)
        place = torch.where(again.any(-1) | ~success, place, place.gather(1, earliest)).clamp(min=0)
        now = count + fresh.sum(-1)
        wide = max(used, int(now.max()))
        known = torch.nn.functional.pad(known, (0, 0, 0, wide - used))
        seen = torch.nn.functional.pad(seen, (0, wide - used)).scatter_add(1, place, success.long())
        row, lane = fresh.nonzero(as_tuple=True)
        known[row, place[row, lane]] = new[row, lane]
        return known, seen, now

    def _embedded(self, q: Tensor) -> Tensor:
        """Coordinates between which equal angles have no distance."""
        return torch.cat((q[..., ~self.turns], q[..., self.turns].cos(), q[..., self.turns].sin()), dim=-1)


def _exact(robot: Robot) -> Robot:
    """The robot in float64, the same at every call."""
    if robot.dtype == torch.float64:
        return robot
    kept: Robot | None = robot.cache.get("exact")
    exact = robot.to(torch.float64) if kept is None else kept
    if _keeps(robot):
        robot.cache["exact"] = exact
    return exact


def _within(robot: Robot, lower: Tensor, upper: Tensor) -> Robot:
    """The robot with other limits, the same at every call, so that its table of starts is made once."""
    key = ("within", tuple(lower.tolist()), tuple(upper.tolist()))
    kept: Robot | None = robot.cache.get(key)
    within = robot.replace(lower=lower, upper=upper) if kept is None else kept
    if _keeps(robot):
        robot.cache[key] = within
    return within


def _keeps(robot: Robot) -> bool:
    """Whether what is made of the robot stays true: not where its geometry or limits are being learnt."""
    return not (robot.tree.has_gradient or robot.lower.requires_grad or robot.upper.requires_grad)


def _widened(q: Tensor, wide: int) -> Tensor:
    """(n, wide, dof): rows cut off, or the last repeated."""
    if q.shape[1] >= wide:
        return q[:, :wide]
    return torch.cat((q, q[:, -1:].expand(-1, wide - q.shape[1], -1)), dim=1)
