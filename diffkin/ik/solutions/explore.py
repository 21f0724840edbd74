"""All about the solutions of a pose: found, grouped, traced, and the groups held against what was traced."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from diffkin.errors import OptionError
from diffkin.ik.solutions.branches import (
    SIGNS,
    all_solutions,
    cluster,
    local_dimension,
    purity,
    sign_labels,
    synergies,
)
from diffkin.ik.solutions.self_motion import Arc, null_directions, trace_arcs
from diffkin.ik.solve import solve_ik
from diffkin.robot import Robot

__all__ = ["Explored", "explore_pose", "explore_postures", "summarise"]

_NEIGHBOURS = 10  # that the local dimension is taken from


@dataclass(frozen=True, eq=False)
class Explored:
    """What was found for one pose.

    Attributes:
        T_target: (4, 4) the pose.
        q: (n, dof) its solutions.
        clusters: (n,) the group of each.
        arcs: The traced curves of solutions.
        labels: (n,) the arc of each solution.
        nullity: Dimension of the null space of the Jacobian.
        purity: Share of solutions whose group mixes neither arcs nor signs of joints; 1 is a perfect grouping.
        dimension_one_share: Share of solutions around which the others lie on a curve.
        sign_branches: How many combinations of joint signs occur; None for a robot whose signs tell nothing.
    """

    T_target: Float[Tensor, "4 4"]
    q: Float[Tensor, "n dof"]
    clusters: Int[Tensor, " n"]
    arcs: tuple[Arc, ...]
    labels: Int[Tensor, " n"]
    nullity: int
    purity: float
    dimension_one_share: float
    sign_branches: int | None

    def figures(self) -> dict[str, Any]:
        """The numbers by name, for JSON."""
        return {
            "solutions": len(self.q),
            "clusters": int(self.clusters.max()) + 1,
            "arcs": len(self.arcs),
            "closed_arcs": sum(arc.closed for arc in self.arcs),
            "purity": self.purity,
            "nullity": self.nullity,
            "local_dimension_one_share": self.dimension_one_share,
            "sign_branches": self.sign_branches,
        }


def explore_pose(
    robot: Robot,
    T_target: Float[Tensor, "4 4"],
    *,
    starts: int = 20000,
    spacing: float = 0.01,
    radius: float = 0.12,
    step: float = 0.03,
    seed: int = 0,
) -> Explored:
    """Find, group and trace the solutions of one pose.

    Args:
        robot: A float64 robot with a tip.
        T_target: (4, 4) pose of the tip.
        starts: Random starts, as in ``all_solutions``.
        spacing: Of the solutions kept [rad or m].
        radius: Of neighbours in the grouping [rad or m].
        step: Along the null space [rad or m].
        seed: Of the starts.

    Returns:
        What was found.

    Raises:
        diffkin.errors.OptionError: No solution was found.
    """
    q = all_solutions(robot, T_target, starts, spacing, seed=seed)
    if not len(q):
        raise OptionError(f"starts must be large enough to find a solution, got {starts}: none was found.")
    nullity, _ = null_directions(robot, q)
    clusters = cluster(robot, q, radius)
    arcs, labels = trace_arcs(robot, T_target, q, clusters, step)
    curved = nullity > 0 and len(q) > _NEIGHBOURS
    dimension = (
        local_dimension(robot, q, _NEIGHBOURS) if curved else torch.zeros(len(q), dtype=torch.long, device=q.device)
    )
    signs = sign_labels(q, SIGNS[robot.name]) if robot.name in SIGNS else None
    return Explored(
        T_target,
        q,
        clusters,
        tuple(arcs),
        labels,
        nullity,
        purity=min([purity(clusters, each) for each in (labels, signs) if each is not None]),
        dimension_one_share=float((dimension == 1).double().mean()),
        sign_branches=None if signs is None else len(signs.unique()),
    )


def summarise(robot: Robot, found: list[Explored]) -> dict[str, Any]:
    """Figures over poses: the least purity, totals of solutions, clusters and arcs, the median of sign branches.

    Args:
        robot: The robot.
        found: What was found for each pose, at least one.

    Returns:
        Figures by name, for JSON; ``targets`` holds those of every pose.
    """
    each = [one.figures() for one in found]
    count = sum(row["solutions"] for row in each)
    known = SIGNS.get(robot.name)
    branches = sorted(one.sign_branches for one in found if one.sign_branches is not None)
    return {
        "purity": min(row["purity"] for row in each),
        "clusters": sum(row["clusters"] for row in each),
        "arcs": sum(row["arcs"] for row in each),
        "local_dimension_one_share": sum(row["local_dimension_one_share"] * row["solutions"] for row in each) / count,
        "sign_branches_found": branches[len(branches) // 2] if known else None,
        "all_sign_branches_share": sum(b == 2 ** len(known) for b in branches) / len(branches) if known else None,
        "clusters_equal_arcs_share": sum(row["clusters"] == row["arcs"] for row in each) / len(each),
        "solutions": count,
        "targets": each,
    }


def explore_postures(
    robot: Robot, count: int = 2000, seed: int = 0
) -> tuple[int, Float[Tensor, " dof"], Float[Tensor, "dof dof"]]:
    """Principal components of the postures nearest to mid-range that reach random poses.

    Args:
        robot: A float64 robot with a tip.
        count: Random poses.
        seed: Of the poses and of the solver's starts.

    Returns:
        How many poses were reached, and shares and components as ``synergies`` gives them.
    """
    T = robot.forward_kinematics(robot.sample(count, seed=seed + 1))
    middle = torch.where(torch.isfinite(robot.lower + robot.upper), 0.5 * (robot.lower + robot.upper), 0.0)
    result = solve_ik(robot, T, q0=middle.expand(len(T), robot.dof), nearest_of=8, seed=seed)
    return int(result.success.sum()), *synergies(result.q[result.success])
