"""All solutions of a pose: many of them, grouped into branches, and the local dimension of what they lie on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from diffkin.errors import MissingDependencyError, OptionError
from diffkin.ik.solutions.self_motion import null_directions, stays_within, wrapped
from diffkin.ik.solve import solve_ik
from diffkin.robot import Robot

__all__ = ["SIGNS", "all_solutions", "cluster", "local_dimension", "purity", "sign_labels", "synergies"]

SIGNS = {"kuka_iiwa": (1, 3, 5), "planar_2r": (1,), "planar_3r": (1,)}
"""Coordinates whose signs tell the branches of a robot apart: shoulder, elbow and wrist; for planar arms the elbow."""

_SAME = 1e-3  # [rad or m] solutions nearer than this are one
_ACROSS = 0.35  # neighbours on a curve lie along it: at most this share of the way across it


def all_solutions(
    robot: Robot, T_target: Float[Tensor, "4 4"], starts: int = 20000, spacing: float = 0.01, seed: int = 0
) -> Float[Tensor, "n dof"]:
    """Solutions of one pose from many random starts, thinned out to about even spacing.

    A second round starts around the solutions of the first, so that parts that few descents end in are filled too.

    Args:
        robot: A float64 robot with a tip.
        T_target: (4, 4) pose of the tip.
        starts: Random starts; the second round takes as many again.
        spacing: Of the solutions kept [rad or m], in the largest coordinate.
        seed: Of the starts.

    Returns:
        (n, dof) solutions within limits, each to 1e-6 m and rad.

    Raises:
        diffkin.errors.OptionError: ``starts`` or ``spacing`` is not above zero.
    """
    if starts < 1 or not spacing > 0.0:
        raise OptionError(f"starts and spacing must be above zero, got {starts} and {spacing}.")
    generator = torch.Generator().manual_seed(seed)
    found = _solved(robot, T_target, robot.sample(starts, seed=generator))
    if not len(found):
        return found
    thin = _thinned(found, spacing)
    around = thin[torch.randint(len(thin), (starts,), generator=generator, device="cpu")]
    around = around + 0.1 * torch.randn(around.shape, generator=generator, device="cpu", dtype=around.dtype).to(around)
    return _thinned(torch.cat((found, _solved(robot, T_target, around))), spacing)


def _solved(robot: Robot, T_target: Tensor, q0: Tensor) -> Tensor:
    targets = T_target.expand(len(q0), 4, 4)
    found = solve_ik(robot, targets, q0=torch.clamp(q0, robot.lower, robot.upper), max_restarts=0)
    q = found.q[found.success]
    return torch.where(robot.periodic, wrapped(robot, q), q)


def _thinned(q: Tensor, spacing: float) -> Tensor:
    """The first solution of every cell of a grid."""
    _, cell = torch.unique((q / spacing).round().long(), dim=0, return_inverse=True)
    order = torch.arange(len(q), device=q.device).flip(0)
    first = torch.empty(int(cell.max()) + 1, dtype=torch.long, device=q.device)
    first[cell[order]] = order  # the last write is the first of each cell
    return q[first.sort().values]


def cluster(robot: Robot, q: Float[Tensor, "n dof"], radius: float = 0.12) -> Int[Tensor, " n"]:
    """Group solutions of one pose into connected branches with scikit-learn's DBSCAN.

    Two solutions are neighbours if they are within ``radius``, if the way from one to the other runs along the null
    space at both, and if the curve between them stays within the limits. Without self-motion, only the first counts.

    Args:
        robot: The robot.
        q: (n, dof) solutions.
        radius: Largest distance of neighbours [rad or m].

    Returns:
        (n,) number of the branch of each.

    Raises:
        diffkin.errors.MissingDependencyError: scikit-learn is not installed.
    """
    if not len(q):
        return torch.zeros(0, dtype=torch.long, device=q.device)
    with _scikit_learn("cluster"):
        from scipy.sparse import coo_matrix
        from sklearn.cluster import DBSCAN
        from sklearn.neighbors import NearestNeighbors

    graph: Any = (
        NearestNeighbors(radius=radius).fit(_embedded(robot, q)).radius_neighbors_graph(mode="distance").tocoo()
    )
    first, second = torch.from_numpy(graph.row).long(), torch.from_numpy(graph.col).long()
    once = first < second
    first, second = first[once], second[once]
    nullity, tangents = null_directions(robot, q)
    if nullity == 1:
        linked = _linked(robot, q, tangents, first, second)
        first, second = first[linked], second[linked]
    length = wrapped(robot, q[second] - q[first]).norm(dim=-1).clamp(min=1e-12)
    rows, columns = torch.cat((first, second)).numpy(), torch.cat((second, first)).numpy()
    weights = torch.cat((length, length)).numpy()
    distances = coo_matrix((weights, (rows, columns)), shape=(len(q), len(q))).tocsr()
    labels = DBSCAN(eps=4.0 * radius, min_samples=1, metric="precomputed").fit_predict(distances)
    return torch.from_numpy(labels).long()


def _linked(robot: Robot, q: Tensor, tangents: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """(edges,) whether two solutions are neighbours on one curve within the limits."""
    way = wrapped(robot, q[second] - q[first])
    length = way.norm(dim=-1, keepdim=True)
    linked = torch.ones(len(way), dtype=torch.bool, device=q.device)
    for end in (first, second):
        across = way - (way * tangents[end]).sum(-1, keepdim=True) * tangents[end]
        linked &= across.norm(dim=-1) <= _ACROSS * length.squeeze(-1) + _SAME
    return linked & stays_within(robot, q[first], way, tangents[first], tangents[second])


def local_dimension(
    robot: Robot, q: Float[Tensor, "n dof"], neighbours: int = 10, share: float = 0.95
) -> Int[Tensor, " n"]:
    """Dimension of the set of solutions around each of them, by principal components of its nearest neighbours.

    Args:
        robot: The robot.
        q: (n, dof) solutions of one pose.
        neighbours: How many are looked at.
        share: The dimension is the least number of components with this share of the variance.

    Returns:
        (n,) dimension, at least 1; compare it with the nullity of the Jacobian.

    Raises:
        diffkin.errors.OptionError: There are too few of them.
        diffkin.errors.MissingDependencyError: scikit-learn is not installed.
    """
    if len(q) <= neighbours:
        raise OptionError(f"local_dimension needs more than {neighbours} solutions, got {len(q)}.")
    with _scikit_learn("local_dimension"):
        from sklearn.neighbors import NearestNeighbors

    _, index = NearestNeighbors(n_neighbors=neighbours + 1).fit(_embedded(robot, q)).kneighbors()
    near = wrapped(robot, q[torch.from_numpy(index).long()] - q[:, None])
    variance = torch.linalg.svdvals(near - near.mean(1, keepdim=True)).square()
    return 1 + (variance.cumsum(-1) / variance.sum(-1, keepdim=True) < share).sum(-1)


def purity(clusters: Int[Tensor, " n"], labels: Int[Tensor, " n"]) -> float:
    """Share of solutions that carry the commonest label of their cluster; 1 if no cluster mixes labels."""
    counts = torch.zeros(int(clusters.max()) + 1, int(labels.max()) + 1, device=labels.device)
    counts.index_put_((clusters, labels), torch.ones(len(clusters), device=labels.device), accumulate=True)
    return float(counts.max(-1).values.sum() / len(clusters))


def sign_labels(q: Float[Tensor, "*batch dof"], coordinates: tuple[int, ...]) -> Int[Tensor, "*batch"]:
    """The signs of some coordinates as a number; those of elbow, shoulder and wrist tell the branches of many arms.

    Args:
        q: (*batch, dof) coordinates.
        coordinates: Which of them; ``SIGNS`` names them for robots that are known.

    Returns:
        (*batch,) labels from 0 to ``2 ** len(coordinates) - 1``.
    """
    signs = (q[..., list(coordinates)] > 0).long()
    return (signs * 2 ** torch.arange(len(coordinates), device=q.device)).sum(-1)


def synergies(q: Float[Tensor, "n dof"]) -> tuple[Float[Tensor, " dof"], Float[Tensor, "dof dof"]]:
    """Principal components of postures (Santello, Flanders & Soechting, Postural Hand Synergies, 1998).

    Args:
        q: (n, dof) postures.

    Returns:
        (dof,) share of the variance of each component, falling, and (dof, dof) components in rows.

    Raises:
        diffkin.errors.OptionError: There are too few of them.
        diffkin.errors.MissingDependencyError: scikit-learn is not installed.
    """
    if len(q) <= q.shape[-1]:
        raise OptionError(f"synergies needs more postures than joints, got {len(q)} of {q.shape[-1]} joints.")
    with _scikit_learn("synergies"):
        from sklearn.decomposition import PCA

    fit = PCA().fit(q.numpy())
    return torch.from_numpy(fit.explained_variance_ratio_), torch.from_numpy(fit.components_)


@contextmanager
def _scikit_learn(call: str) -> Iterator[None]:
    """Say what to install where scikit-learn, or SciPy that comes with it, cannot be imported."""
    try:
        yield
    except ImportError as error:
        raise MissingDependencyError(
            f'{call} needs scikit-learn. Install it with: pip install "diffkin[train]".'
        ) from error


def _embedded(robot: Robot, q: Tensor) -> Any:
    """Coordinates as an array in which distances are those of joint space; periodic joints on circles."""
    free = robot.periodic
    parts = [q[:, ~free], q[:, free].cos(), q[:, free].sin()]
    return torch.cat(parts, dim=-1).numpy()
