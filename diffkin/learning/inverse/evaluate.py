"""How good are starts of inverse kinematics? Descents from them, branches they reach, and how they spread."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from diffkin._checks import check_broadcast, check_last
from diffkin._given import seed_of, whole
from diffkin.errors import OptionError, ShapeError
from diffkin.ik import solve_ik
from diffkin.ik.solutions.branches import SIGNS, sign_labels
from diffkin.ik.solutions.self_motion import wrapped
from diffkin.learning.inverse.baselines import NearestSample, check_poses, mid_range, pose_errors, uniform
from diffkin.learning.inverse.data.pairs import held_out
from diffkin.learning.inverse.network import IKNetwork
from diffkin.robot import Robot

__all__ = ["branches_found", "evaluate_network", "mmd", "one_descent"]

_APART = 0.5  # [rad or m] solutions further apart in a coordinate count as two, for other robots


def one_descent(
    robot: Robot, T_target: Tensor, q0: Tensor, max_iterations: int = 60
) -> tuple[dict[str, float], Tensor]:
    """One Levenberg-Marquardt descent from each start, and no other.

    Args:
        robot: A float64 robot.
        T_target: (*batch, 4, 4) poses.
        q0: (*batch, dof) starts.
        max_iterations: Of the descent.

    Returns:
        ``one_descent_success`` (share solved) and ``one_descent_iterations`` (mean over those solved); the solutions,
        NaN where there is none.
    """
    check_poses(robot, T_target)
    check_last(q0, (robot.dof,), "q0")
    if T_target.shape[:-2].numel() == 0:
        raise ShapeError(f"T_target holds no pose to descend to, its shape is {tuple(T_target.shape)}.")
    result = solve_ik(robot, T_target, q0=q0.to(robot.dtype), max_restarts=0, max_iterations=max_iterations)
    solved = result.success
    iterations = result.iterations[solved].double().mean() if bool(solved.any()) else result.q.new_tensor(torch.nan)
    figures = {"one_descent_success": float(solved.double().mean()), "one_descent_iterations": float(iterations)}
    return figures, torch.where(solved[..., None], result.q, torch.full_like(result.q, torch.nan))


def branches_found(robot: Robot, solutions: Tensor) -> Tensor:
    """How many branches a set of solutions of one target reaches.

    Branches are told apart by the signs of certain coordinates where the robot is known to have such, else solutions
    count as one if every coordinate is within 0.5 of the other's.

    Args:
        robot: The robot.
        solutions: (*batch, count, dof), NaN where there is none.

    Returns:
        (*batch,) number of branches.
    """
    if not isinstance(robot, Robot):
        raise OptionError(f"robot must be a diffkin Robot, got a {type(robot).__name__}.")
    check_last(solutions, (robot.dof,), "solutions")
    if solutions.ndim < 2:
        raise ShapeError(f"solutions must have shape (*batch, count, {robot.dof}), got {tuple(solutions.shape)}.")
    valid = solutions.isfinite().all(-1)
    if robot.name in SIGNS:
        coordinates = SIGNS[robot.name]
        label = torch.where(valid, sign_labels(solutions, coordinates), -1)
        return (label[..., None] == torch.arange(2 ** len(coordinates), device=solutions.device)).any(-2).sum(-1)
    gap = wrapped(robot, solutions[..., :, None, :] - solutions[..., None, :, :])
    near = (gap.abs() < _APART).all(-1)
    earlier = torch.ones(2 * solutions.shape[-2:-1], dtype=torch.bool, device=solutions.device).tril(-1)
    known = torch.zeros_like(valid)
    for index in range(solutions.shape[-2]):  # a solution is new if no earlier new one is near
        met = (near[..., index, :] & earlier[index] & known).any(-1)
        known[..., index] = valid[..., index] & ~met
    return known.sum(-1)


def mmd(first: Tensor, second: Tensor, scale: Tensor) -> Tensor:
    """Maximum mean discrepancy of two sets, with the kernel ``1 / (1 + |x - y|^2)`` (Gretton et al., JMLR 2012).

    Args:
        first: (*batch, m, dof).
        second: (*batch, n, dof).
        scale: (dof,) lengths to divide coordinates by.

    Returns:
        (*batch,) the square root of the biased estimate.
    """
    check_last(scale, first.shape[-1:] if isinstance(first, Tensor) else (), "scale")
    for name, points in (("first", first), ("second", second)):
        check_last(points, (scale.shape[-1],), name)
        if points.ndim < 2 or points.shape[-2] == 0:
            raise ShapeError(
                f"{name} must have shape (*batch, count, dof), one point at least, got {tuple(points.shape)}."
            )
    check_broadcast(first=first.shape[:-2], second=second.shape[:-2])
    x, y = first / scale, second / scale

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return (1.0 / (1.0 + torch.cdist(a, b).square())).mean((-1, -2))

    return (kernel(x, x) + kernel(y, y) - 2.0 * kernel(x, y)).clamp(min=0.0).sqrt()


@torch.no_grad()
def evaluate_network(
    network: IKNetwork, robot: Robot, targets: int = 4000, best_of: int = 8, stored: int = 100_000, spread: int = 100,
    seed: int = 0,
) -> dict[str, Any]:  # fmt: skip
    """Score a network beside starts that need no learning.

    Args:
        network: The network.
        robot: Its robot, float64.
        targets: Held-out targets.
        best_of: Answers to each target, of which the best by forward kinematics is descended from.
        stored: Samples of forward kinematics that the nearest is looked up in.
        spread: Targets, 50 answers each, for the spread over solutions.
        seed: Of targets and answers.

    Returns:
        Figures by name; see ``docs/learning.md``.
    """
    if not all(hasattr(network, name) for name in ("sample", "starts", "settings")):
        raise OptionError(f"evaluate_network scores an IKNetwork, got a {type(network).__name__}.")
    own = getattr(network, "robot", robot)
    if not isinstance(robot, Robot) or robot.joint_names != own.joint_names:
        raise OptionError(f"evaluate_network needs the robot of the network, {own!r}, got {robot!r}.")
    seed = seed_of(seed)
    targets, best_of = whole(targets, "targets", 1), whole(best_of, "best_of", 1)
    stored, spread = whole(stored, "stored", 1), whole(spread, "spread", 1)
    _, T = held_out(robot, targets, seed)
    answers = network.sample(T, best_of, seed=seed)
    first = answers[:, 0]
    position, rotation = pose_errors(robot, T, first)
    inside = ((first >= robot.lower) & (first <= robot.upper)).all(-1)
    one, _ = one_descent(robot, T, first)
    best, _ = one_descent(robot, T, network.starts(T, best_of, seed=seed))
    _, solutions = one_descent(robot, T[:, None].expand(-1, best_of, -1, -1), answers)
    baselines: dict[str, dict[str, float]] = {}
    for name, q0 in {
        "uniform": uniform(robot, T, seed=seed + 1),
        "mid_range": mid_range(robot, T),
        "nearest_sample": NearestSample(robot, stored, seed=seed + 2)(T),
    }.items():
        baselines[name], _ = one_descent(robot, T, q0)
        errors = pose_errors(robot, T, q0)
        baselines[name]["raw_position_error_m_median"] = float(errors[0].median())
        baselines[name]["raw_rotation_error_rad_median"] = float(errors[1].median())
    starts = uniform(robot, T[:, None].expand(-1, best_of, -1, -1), seed=seed + 3)
    _, others = one_descent(robot, T[:, None].expand(-1, best_of, -1, -1), starts)
    baselines["uniform"]["branches_found"] = float(branches_found(robot, others).double().mean())
    return {
        "robot": robot.name,
        "network": network.settings.name,
        "targets": targets,
        "raw_position_error_m_median": float(position.median()),
        "raw_rotation_error_rad_median": float(rotation.median()),
        "raw_position_error_m_p90": float(position.quantile(0.9)),
        "raw_rotation_error_rad_p90": float(rotation.quantile(0.9)),
        "within_limits": float(inside.double().mean()),
        **one,
        f"best_of_{best_of}_success": best["one_descent_success"],
        f"best_of_{best_of}_iterations": best["one_descent_iterations"],
        "branches_found": float(branches_found(robot, solutions).double().mean()),
        **_spread(network, robot, T[:spread], seed),
        "baselines": {**baselines, "stored_samples": stored},
    }


def _spread(network: IKNetwork, robot: Robot, T: Tensor, seed: int, count: int = 50) -> dict[str, float]:
    """Discrepancy between answers and solutions from uniform restarts, and between two sets of the latter."""
    many = T[:, None].expand(-1, count, -1, -1)
    solved = [_restart(robot, many, seed + 100 * k) for k in (1, 2)]
    scale = robot.sample(4096).std(0)
    answers = network.sample(T, count, seed=seed)
    return {
        "mmd_to_solutions": float(mmd(answers, solved[0], scale).mean()),
        "mmd_between_solutions": float(mmd(solved[1], solved[0], scale).mean()),
    }


def _restart(robot: Robot, T: Tensor, seed: int, rounds: int = 20) -> Tensor:
    """Solutions from uniform starts, each drawn anew until its descent succeeds."""
    q = uniform(robot, T, seed=seed)
    left = torch.ones(T.shape[:-2], dtype=torch.bool, device=T.device)
    for turn in range(rounds):
        found = solve_ik(robot, T[left], q0=uniform(robot, T[left], seed=seed + turn), max_restarts=0)
        q[left] = found.q
        left[left.clone()] = ~found.success
        if not bool(left.any()):
            break
    return q
