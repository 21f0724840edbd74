"""``solve_path``: joint coordinates for a path of poses, without a jump where none is needed."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin import rotations, transforms
from diffkin._checks import as_double, broadcast, check_finite, check_last, check_pose
from diffkin._given import flag, real
from diffkin.errors import OptionError, ShapeError
from diffkin.ik import PoseTask, Task, solve_all, solve_ik
from diffkin.ik.elsewhere import by_the_cpu, is_elsewhere, plainly
from diffkin.ik.problem import Problem, State, make_problem
from diffkin.motion.goal import ENOUGH, OWN, Goal, largest_step
from diffkin.motion.ways import chosen_way, followed_way, straightened
from diffkin.robot.robot import check_robot_given

if TYPE_CHECKING:
    from diffkin.robot import Robot

__all__ = ["PathResult", "solve_path"]

_CANDIDATES = 32  # where a path without a start may start
_EFFORTS = (1, 4)  # starts of the layers, as long as the path still strides
_SMOOTHED = 1.5  # as ENOUGH, of a way smoothed from one that strode: what it asks for may itself be too much
_PARTS = 16  # of a step that is looked at more finely
_SAME = 1e-9
_SHOWN = 8  # reconfigurations that are written out


@dataclass(frozen=True, eq=False)
class PathResult:
    """Coordinates along a path.

    Attributes:
        q: (n, dof) within limits always; the best found where a pose is not met.
        success: Whether every pose is met, without a jump.
        reconfigurations: Indices i where the step from ``q[i]`` to ``q[i + 1]`` is a jump: gone through more finely it
            does not become shorter.
        largest_step: Of all joints between all neighbours [rad or m].
        position_error: (n,) [m].
        rotation_error: (n,) [rad].
    """

    q: Float[Tensor, "n dof"]
    success: bool
    reconfigurations: tuple[int, ...]
    largest_step: float
    position_error: Float[Tensor, " n"]
    rotation_error: Float[Tensor, " n"]

    def __repr__(self) -> str:
        worst = [float(error.max()) for error in (self.position_error, self.rotation_error)]
        said = [
            "solved" if self.success else "not solved",
            f"q {tuple(self.q.shape)}",
            f"errors up to {worst[0]:.2g} m and {worst[1]:.2g} rad",
            f"largest step {self.largest_step:.3g}",
        ]
        if self.reconfigurations:
            more = len(self.reconfigurations) - _SHOWN
            shown = ", ".join(map(str, self.reconfigurations[:_SHOWN])) + (f" and {more} more" if more > 0 else "")
            said.append(f"reconfigurations at {shown}")
        return f"PathResult({', '.join(said)})"


def solve_path(
    robot: Robot,
    T: Float[Tensor, "n 4 4"] | Task | Sequence[Task],
    q_start: Float[Tensor, " dof"] | None = None,
    closed: bool = False,
    allow_reconfigurations: bool = False,
    joint_weights: Float[Tensor, " dof"] | None = None,
    seed: int = 0,
    limit_weight: float = 0.0,
) -> PathResult:
    """Find coordinates for every pose of a path whose largest step is small.

    First the path is followed, every pose solved from the last answer. That is the answer if its largest step is at
    most twice what the poses ask for (one and a half times, if it had to be smoothed): the least steps ``J^+ r`` by
    which the answers would have met the next pose, their 90 % quantile. Else many solutions are found at up to a hundred
    poses (random starts, and the neighbours' solutions followed there and back), dynamic programming takes the sequence
    with the smallest largest step, then the smallest sum, and every pose between is filled in and smoothed. The better
    of both is returned.

    A continuous path that exists is found if the random starts meet its neighbourhood; a failure is no proof that there
    is none.

    Args:
        robot: The robot.
        T: (n, 4, 4) poses of the tip in the world, or tasks with n targets.
        q_start: (dof,) where to start: the first answer is the solution that descends from it. Chosen freely if None.
        closed: Whether the last answer is to be that of the beginning; the first and last pose must be equal then.
        allow_reconfigurations: Where a jump remains, give the way with the fewest jumps, instead of the one with the
            smallest largest step.
        joint_weights: (dof,) above 0, factors on the joints' steps in the sum: joints that weigh more move less. Ones if
            None. Weights that differ ask for a choice, see below.
        seed: A whole number from 0 on, of the random starts.
        limit_weight: From 0 on [rad or m]; what being near limits costs in the sum, beside the steps:
            ``max_j |2 q_j - u_j - l_j| / (u_j - l_j)``, 0 in the middle of all ranges and 1 on a limit, times this, for
            every pose that has a choice. Above 0 it asks for a choice, as ``joint_weights`` do that differ: then a
            sequence is always chosen, and steps up to twice what the poses ask for are as good as smaller ones, so that
            the sum decides.

    Returns:
        The coordinates.

    Raises:
        diffkin.errors.ShapeError: ``T`` is not (n, 4, 4), or ``q_start`` or ``joint_weights`` not (dof,).
        diffkin.errors.RotationError: A matrix of ``T`` is no pose.
        diffkin.errors.NonFiniteError: NaN or infinity.
        diffkin.errors.OptionError: ``joint_weights`` not above 0, ``limit_weight`` below 0, or a path to be closed whose
            ends differ.
    """
    check_robot_given(robot)
    closed, allow_reconfigurations = flag(closed, "closed"), flag(allow_reconfigurations, "allow_reconfigurations")
    if is_elsewhere(robot, T, q_start=q_start):
        options = {"closed": closed, "allow_reconfigurations": allow_reconfigurations, "seed": seed}
        return by_the_cpu(
            solve_path, robot, T, q_start, joint_weights=joint_weights, limit_weight=limit_weight, **options
        )
    with plainly(robot), torch.no_grad():
        exact = robot.to(torch.float64)
        problem, poses, count = _path(exact, T)
        weights = _vector(robot, joint_weights, "joint_weights", torch.ones(robot.dof, device=robot.device))
        if not bool((weights > 0).all()):
            raise OptionError(f"joint_weights must be above 0, got {weights.tolist()}.")
        limit_weight = real(limit_weight, "limit_weight", least=0.0)
        begin = None if q_start is None else _vector(robot, q_start, "q_start", weights)
        if closed and not _meets_itself(poses, count):
            raise OptionError("closed=True needs a path whose last pose is its first: append T[:1] to it.")
        goal = Goal(exact, problem, poses, count, weights, limit_weight, closed, seed)
        firsts = _firsts(goal, begin)
        best, enough = _followed(goal, firsts)
        if best is None or goal.chooses or not enough:
            best = _better(goal, firsts, best, allow_reconfigurations)
        return _judged(robot, goal, best, OWN * goal.asked(best))


def _firsts(goal: Goal, begin: Tensor | None) -> Tensor:
    """(k, dof) where the path may begin."""
    start = torch.zeros(1, dtype=torch.long, device=goal.robot.device)
    if begin is not None:
        return solve_ik(goal.robot, goal.targets(start), q0=begin[None], seed=goal.seed).q
    some = solve_all(goal.robot, goal.targets(start), max_solutions=_CANDIDATES, seed=goal.seed)
    return some.q[0][: max(1, int(some.count))]


def _is_enough(goal: Goal, q: Tensor, times: float = ENOUGH) -> bool:
    return largest_step(q) <= times * goal.asked(q)


def _followed(goal: Goal, firsts: Tensor) -> tuple[Tensor | None, bool]:
    """The best of following from the first start, and if need be from all, and whether it will do; None where none gets
    through.
    """
    best = None
    for candidates in (firsts[:1], firsts) if len(firsts) > 1 else (firsts,):
        way = followed_way(goal, candidates)
        if way is None:
            continue
        enough = _is_enough(goal, way)
        if not enough:
            way = straightened(goal, way)
            enough = _is_enough(goal, way, _SMOOTHED)
        if best is None or largest_step(way) < largest_step(best):
            best = way
        if enough:
            return best, True
    return best, False


def _better(goal: Goal, firsts: Tensor, best: Tensor | None, fewest: bool) -> Tensor:
    """The best way that can be found, whatever the effort; ``best`` itself if that is it."""
    for effort in _EFFORTS:
        way = chosen_way(goal, firsts, best, fewest, effort)
        if way is None:
            break
        preferred = goal.chooses and largest_step(way) <= OWN * goal.asked(way)
        if best is None or preferred or _rank(goal, way, fewest) < _rank(goal, best, fewest):
            best = way
        if preferred or _is_enough(goal, best):
            break
    if goal.chooses and best is not None and largest_step(best) > OWN * goal.asked(best):
        plain = dataclasses.replace(goal, weights=torch.ones_like(goal.weights), limit_weight=0.0)
        return _better(plain, firsts, best, fewest)
    if best is not None:
        return best
    every = torch.arange(goal.count, device=goal.robot.device)
    return solve_ik(goal.robot, goal.targets(every), q0=firsts[:1].expand(goal.count, -1), seed=goal.seed).q


def _rank(goal: Goal, q: Tensor, fewest: bool) -> tuple[int, float]:
    """What is less for the better of two ways: jumps first where they count, then the largest step."""
    jumps = int((q.diff(dim=0).abs().amax(-1) > OWN * goal.asked(q)).sum()) if fewest else 0
    return jumps, largest_step(q)


def _path(robot: Robot, T: Any) -> tuple[Problem, Tensor | None, int]:
    """The path as one problem, its poses if it is made of them, and its length."""
    poses, everything = None, torch.ones(robot.dof, dtype=torch.bool, device=robot.device)
    if isinstance(T, Task) or (isinstance(T, (list, tuple)) and len(T) and isinstance(T[0], Task)):
        tasks = [T] if isinstance(T, Task) else list(T)
        batch = broadcast(**{f"target of {type(task).__name__} {k}": task.batch_shape for k, task in enumerate(tasks)})
    else:
        poses = as_double(T, "T", robot.device)
        check_pose(poses, "T")
        tasks, batch = [PoseTask(None, poses)], poses.shape[:-2]
    if len(batch) != 1 or not batch[0]:
        raise ShapeError(f"A path must be (n, 4, 4) poses, or tasks with n targets, n > 0; got batch {tuple(batch)}.")
    return make_problem(robot, tasks, batch, everything), poses, batch[0]


def _vector(robot: Robot, value: Any, name: str, default: Tensor) -> Tensor:
    if value is None:
        return default.double()
    vector = as_double(value, name, robot.device)
    check_last(vector, (robot.dof,), name)
    check_finite(vector, name)
    if vector.ndim != 1:
        raise ShapeError(f"{name} must be ({robot.dof},), got {tuple(vector.shape)}.")
    return vector


def _meets_itself(poses: Tensor | None, count: int) -> bool:
    return poses is None or bool((poses[0] - poses[-1]).abs().max() < 1e-6)


def _judged(robot: Robot, goal: Goal, q: Tensor, bound: float) -> PathResult:
    q = torch.minimum(torch.maximum(q.to(robot.dtype), robot.lower.detach()), robot.upper.detach())
    position, rotation = goal.problem.errors(State(q.double(), None, torch.arange(len(q), device=q.device)))
    tolerance = 1e-6 if robot.dtype == torch.float64 else 1e-5
    met = bool(((position <= tolerance) & (rotation <= tolerance)).all())
    jumps = _jumps(goal, q.double(), bound)
    return PathResult(q, met and not jumps, jumps, largest_step(q), position, rotation)


def _jumps(goal: Goal, q: Tensor, bound: float) -> tuple[int, ...]:
    """Of the steps above the bound those that stay long when the poses between are gone through finely."""
    step = (q[1:] - q[:-1]).abs().amax(-1)
    long = (step > max(bound, _SAME)).nonzero().flatten()
    if goal.poses is None or not len(long):
        return tuple(long.tolist())
    share = torch.linspace(0.0, 1.0, _PARTS + 1, dtype=torch.float64, device=q.device)[:, None]
    between = _between(goal.poses[long, None], goal.poses[long + 1, None], share)
    guess = q[long, None] + share * (q[long + 1] - q[long])[:, None]
    found = solve_ik(goal.robot, between, q0=guess, max_restarts=0)
    finest = (found.q[:, 1:] - found.q[:, :-1]).abs().amax((-1, -2))
    smooth = (finest <= 0.5 * step[long]) & found.success.all(-1)
    return tuple(long[~smooth].tolist())


def _between(first: Tensor, second: Tensor, share: Tensor) -> Tensor:
    """Poses on the way from one to the other: points on a line, rotations about one axis."""
    turn = rotations.matrix_to_rotvec(first[..., :3, :3].mT @ second[..., :3, :3], check=False)
    rotation = first[..., :3, :3] @ rotations.rotvec_to_matrix(share * turn)
    return transforms.pose(rotation, first[..., :3, 3] + share * (second[..., :3, 3] - first[..., :3, 3]))
