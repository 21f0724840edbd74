"""``solve_path``: joint coordinates for a path of poses, without a jump where none is needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin import rotations, transforms
from diffkin._checks import as_tensor, check_finite, check_last, check_pose
from diffkin.errors import OptionError, ShapeError
from diffkin.ik import PoseTask, Task, solve_all, solve_ik
from diffkin.ik.problem import Problem, State, make_problem
from diffkin.motion.layers import Targets, best_way, filled, layers_of, smoothed
from diffkin.robot.robot import check_robot_given

if TYPE_CHECKING:
    from diffkin.robot import Robot

__all__ = ["PathResult", "solve_path"]

_ENOUGH = 2.0  # times what the poses ask for: following alone is good enough
_OWN = 3.0  # a step is the path's own if it is at most so many times what its poses ask for
_LAYERS = 100
_CANDIDATES = 32  # where a path without a start may start
_EFFORTS = (1, 4)  # starts of the layers, as long as the path still strides
_REPAIRS = 4
_AROUND = 16  # ticks before and behind a step that is repaired
_PARTS = 16  # of a step that is looked at more finely
_SAME = 1e-9


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


def solve_path(
    robot: Robot,
    T: Float[Tensor, "n 4 4"] | Task | Sequence[Task],
    q_start: Float[Tensor, " dof"] | None = None,
    closed: bool = False,
    allow_reconfigurations: bool = False,
    joint_weights: Float[Tensor, " dof"] | None = None,
    seed: int = 0,
) -> PathResult:
    """Find coordinates for every pose of a path whose largest step is small.

    First the path is followed, every pose solved from the last answer. That is the answer if its largest step is at
    most twice what the poses ask for: the least steps ``J^+ r`` by which the answers would have met the next pose,
    their 90 % quantile. Else many solutions are found at up to a hundred poses (random starts, and the neighbours'
    solutions followed there and back), dynamic programming takes the sequence with the smallest largest step, then the
    smallest sum, and every pose between is filled in and smoothed. The better of both is returned.

    A continuous path that exists is found if the random starts meet its neighbourhood; a failure is no proof that there
    is none.

    Args:
        robot: The robot.
        T: (n, 4, 4) poses of the tip in the world, or tasks with n targets.
        q_start: (dof,) where to start: the first answer is the solution that descends from it. Chosen freely if None.
        closed: Whether the last answer is to be that of the beginning; the first and last pose must be equal then.
        allow_reconfigurations: Where a jump remains, give the way with the fewest jumps, instead of the one with the
            smallest largest step.
        joint_weights: (dof,) above 0, factors on the joints' steps in the choice of a sequence; ones if None.
        seed: A whole number from 0 on, of the random starts.

    Returns:
        The coordinates.

    Raises:
        diffkin.errors.ShapeError: ``T`` is not (n, 4, 4), or ``q_start`` or ``joint_weights`` not (dof,).
        diffkin.errors.RotationError: A matrix of ``T`` is no pose.
        diffkin.errors.NonFiniteError: NaN or infinity.
        diffkin.errors.OptionError: Weights not above 0, or a path to be closed whose ends differ.
    """
    check_robot_given(robot)
    exact = robot.to(torch.float64)
    targets, problem, poses, count = _path(exact, T)
    weights = _vector(robot, joint_weights, "joint_weights", torch.ones(robot.dof))
    if not bool((weights > 0).all()):
        raise OptionError(f"joint_weights must be above 0, got {weights.tolist()}.")
    begin = None if q_start is None else _vector(robot, q_start, "q_start", weights)
    if closed and not _meets_itself(poses, count):
        raise OptionError("closed=True needs a path whose last pose is its first: append T[:1] to it.")
    with torch.no_grad():
        start, one = torch.zeros(1, dtype=torch.long), torch.zeros(robot.dof, dtype=torch.float64)
        if begin is None:
            some = solve_all(exact, targets(start), max_solutions=_CANDIDATES, seed=seed)
            firsts = some.q[0][: max(1, int(some.count))]
        else:
            found = solve_ik(exact, targets(start), q0=begin[None], seed=seed)
            firsts = found.q
        best, bound = None, torch.inf
        for candidates in (firsts[:1], firsts) if len(firsts) > 1 else (firsts,):
            followed = _follow(exact, targets, candidates, count, closed)
            if followed is not None:
                best = followed if best is None or _largest(followed) < _largest(best) else best
                bound = _OWN * _asked(problem, best)
                if _largest(best) <= bound * _ENOUGH / _OWN:
                    return _judged(robot, problem, poses, best, bound)
        for effort in _EFFORTS:
            layered = _layered(
                exact, targets, problem, firsts, count, closed, allow_reconfigurations, weights, seed, best, effort
            )
            if layered is None:
                break
            if best is None or _largest(layered) < _largest(best):
                best = layered
            bound = _OWN * _asked(problem, best)
            if _largest(best) <= bound:
                break
        if best is None:
            best = solve_ik(exact, targets(torch.arange(count)), q0=(one + firsts[0]).expand(count, -1), seed=seed).q
        return _judged(robot, problem, poses, best, _OWN * _asked(problem, best))


def _path(robot: Robot, T: Any) -> tuple[Targets, Problem, Tensor | None, int]:
    """What gives the targets of ticks, the path as one problem, its poses if it is made of them, and its length."""
    poses, everything = None, torch.ones(robot.dof, dtype=torch.bool)
    if isinstance(T, Task) or (isinstance(T, (list, tuple)) and len(T) and isinstance(T[0], Task)):
        tasks = [T] if isinstance(T, Task) else list(T)
        batch = torch.broadcast_shapes(*(task.batch_shape for task in tasks))
    else:
        poses = as_tensor(T, "T", robot.dtype, robot.device).detach().double()
        check_pose(poses, "T")
        tasks, batch = [PoseTask(None, poses)], poses.shape[:-2]
    if len(batch) != 1 or not batch[0]:
        raise ShapeError(f"A path must be (n, 4, 4) poses, or tasks with n targets, n > 0; got batch {tuple(batch)}.")
    problem = make_problem(robot, tasks, batch, everything)
    if poses is not None:
        return lambda rows: poses[rows], problem, poses, batch[0]
    return lambda rows: [task.exact_at(rows) for task in problem.tasks], problem, None, batch[0]


def _vector(robot: Robot, value: Any, name: str, default: Tensor) -> Tensor:
    if value is None:
        return default.double()
    vector = as_tensor(value, name, robot.dtype, robot.device).detach().double()
    check_last(vector, (robot.dof,), name)
    check_finite(vector, name)
    if vector.ndim != 1:
        raise ShapeError(f"{name} must be ({robot.dof},), got {tuple(vector.shape)}.")
    return vector


def _meets_itself(poses: Tensor | None, count: int) -> bool:
    return poses is None or bool((poses[0] - poses[-1]).abs().max() < 1e-6)


def _follow(robot: Robot, targets: Targets, firsts: Tensor, count: int, closed: bool) -> Tensor | None:
    """(n, dof) every tick solved from the last, from the start of which the largest step is least; None if all fail."""
    q, good = firsts, torch.ones(len(firsts), dtype=torch.bool)
    path, longest = [q], torch.zeros(len(firsts), dtype=torch.float64)
    for tick in range(count):
        found = solve_ik(robot, targets(torch.full((len(q),), tick)), q0=q, max_restarts=0)
        good = good & found.success
        if not bool(good.any()):
            return None
        if tick:
            longest = torch.maximum(longest, (found.q - q).abs().amax(-1))
            path.append(found.q)
        else:
            path = [found.q]
        q = found.q
    if closed:
        good &= (q - path[0]).abs().amax(-1) < 1e-4
        if not bool(good.any()):
            return None
    chosen = int(longest.where(good, torch.inf).argmin())
    whole = torch.stack([row[chosen] for row in path])
    if closed:
        whole[-1] = whole[0]
    return whole


def _layered(
    robot: Robot,
    targets: Targets,
    problem: Problem,
    firsts: Tensor,
    count: int,
    closed: bool,
    fewest: bool,
    weights: Tensor,
    seed: int,
    followed: Tensor | None,
    effort: int,
) -> Tensor | None:
    """(n, dof) the best sequence through layers, filled in and smoothed; None where nothing is to be found."""
    ticks = torch.linspace(0, count - 1, min(count, _LAYERS)).round().long().unique()
    found = solve_ik(robot, targets(torch.zeros(len(firsts), dtype=torch.long)), q0=firsts, max_restarts=0)
    first = found.q[found.success]
    if not len(first):
        return None
    ways = []
    for begin in [first[k : k + 1] for k in range(min(4, len(first)))] if closed else [first]:
        layers = layers_of(robot, targets, ticks, begin, begin if closed and count > 1 else None, seed, effort)
        if followed is not None:
            layers = [layers[0]] + [torch.cat((layers[k], followed[tick][None])) if not (closed and k == len(ticks) - 1)
                      else layers[k] for k, tick in enumerate(ticks.tolist()) if k]  # fmt: skip
        there = [k for k, layer in enumerate(layers) if len(layer)]
        kept = [layers[k] for k in there]
        way, _ = best_way(kept, weights)
        known = ticks[there]
        most = _jump(problem, way, known)
        steps = (way[1:] - way[:-1]).abs().amax(-1)
        if fewest and bool((steps > most).any()):
            way, _ = best_way(kept, weights, most * float(weights.min()))
            steps = (way[1:] - way[:-1]).abs().amax(-1)
        broken = steps > most
        q, good = filled(robot, targets, known, way, count, broken)
        fixed = ~good
        fixed[0] = fixed[-1] = True
        edges = known[1:][broken]
        fixed[edges] = fixed[(edges - 1).clamp(min=0)] = True
        q = smoothed(robot, targets, q, fixed)
        ways.append(_repaired(robot, targets, problem, q, fixed, weights, seed, effort))
    return min(ways, key=_largest)


def _repaired(
    robot: Robot,
    targets: Targets,
    problem: Problem,
    q: Tensor,
    fixed: Tensor,
    weights: Tensor,
    seed: int,
    effort: int,
) -> Tensor:
    """The path with its longest steps gone through anew, a layer at every tick around them."""
    bound = _OWN * _asked(problem, q)
    for _ in range(_REPAIRS):
        step = (q[1:] - q[:-1]).abs().amax(-1)
        worst = int(step.argmax())
        if float(step[worst]) <= bound:
            break
        ticks = torch.arange(max(0, worst - _AROUND), min(len(q), worst + 2 + _AROUND))
        layers = layers_of(robot, targets, ticks, q[ticks[:1]], q[ticks[-1:]], seed, effort)
        way, _ = best_way(
            [torch.cat((layer, q[tick][None])) for layer, tick in zip(layers, ticks, strict=True)], weights
        )
        tried = q.clone()
        tried[ticks[1:-1]] = way[1:-1]
        tried = smoothed(robot, targets, tried, fixed, rounds=2)
        if _largest(tried) >= float(step[worst]):
            break
        q = tried
    return q


def _jump(problem: Problem, way: Tensor, ticks: Tensor) -> float:
    """The step between waypoints beyond which it must be a jump: several times what their targets ask for."""
    return max(0.3, 2.0 * _OWN * _asked(problem, way, ticks))


def _largest(q: Tensor) -> float:
    return float((q[1:] - q[:-1]).abs().max()) if len(q) > 1 else 0.0


def _asked(problem: Problem, q: Tensor, ticks: Tensor | None = None) -> float:
    """The 90 % quantile over ticks of the largest coordinate of the least step that meets the next target."""
    ticks = torch.arange(len(q)) if ticks is None else ticks
    if len(q) < 2:
        return 0.0
    state = State(q[:-1], None, ticks[1:])
    residual, jacobian = problem.linearize(state)
    step = (torch.linalg.pinv(jacobian, rtol=1e-3) @ residual[..., None]).squeeze(-1)
    return float(step.abs().amax(-1).quantile(0.9))


def _judged(robot: Robot, problem: Problem, poses: Tensor | None, q: Tensor, bound: float) -> PathResult:
    q = torch.minimum(torch.maximum(q.to(robot.dtype), robot.lower.detach()), robot.upper.detach())
    position, rotation = problem.errors(State(q.double(), None, torch.arange(len(q))))
    tolerance = 1e-6 if robot.dtype == torch.float64 else 1e-5
    met = bool(((position <= tolerance) & (rotation <= tolerance)).all())
    jumps = _jumps(robot.to(torch.float64), poses, q.double(), bound)
    return PathResult(q, met and not jumps, jumps, _largest(q), position, rotation)


def _jumps(robot: Robot, poses: Tensor | None, q: Tensor, bound: float) -> tuple[int, ...]:
    """Of the steps above the bound those that stay long when the poses between are gone through finely."""
    step = (q[1:] - q[:-1]).abs().amax(-1)
    long = (step > max(bound, _SAME)).nonzero().flatten()
    if poses is None or not len(long):
        return tuple(long.tolist())
    share = torch.linspace(0.0, 1.0, _PARTS + 1, dtype=torch.float64)[:, None]
    between = _between(poses[long, None], poses[long + 1, None], share)
    guess = q[long, None] + share * (q[long + 1] - q[long])[:, None]
    found = solve_ik(robot, between, q0=guess, max_restarts=0)
    finest = (found.q[:, 1:] - found.q[:, :-1]).abs().amax((-1, -2))
    smooth = (finest <= 0.5 * step[long]) & found.success.all(-1)
    return tuple(long[~smooth].tolist())


def _between(first: Tensor, second: Tensor, share: Tensor) -> Tensor:
    """Poses on the way from one to the other: points on a line, rotations about one axis."""
    turn = rotations.matrix_to_rotvec(first[..., :3, :3].mT @ second[..., :3, :3], check=False)
    rotation = first[..., :3, :3] @ rotations.rotvec_to_matrix(share * turn)
    return transforms.pose(rotation, first[..., :3, 3] + share * (second[..., :3, 3] - first[..., :3, 3]))
