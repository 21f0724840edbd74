"""A batch of inverse kinematics problems as least squares: residual, Jacobian, errors, and the moves allowed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from diffkin import rotations
from diffkin._algebra import apply
from diffkin.errors import GradientError, ShapeError
from diffkin.ik.bases import BASES, FREE_BASE, FreeBase
from diffkin.ik.tasks import Task
from diffkin.ik.tasks.picked import Picked
from diffkin.ik.turns import nearest_turn, turning
from diffkin.kernels.ik.scales import NEAR2, ROUNDING
from diffkin.kinematics import PRISMATIC, REVOLUTE, KinematicTree
from diffkin.kinematics.jacobians import poses_and_jacobians
from diffkin.kinematics.kept import Cache
from diffkin.kinematics.poses import forward

if TYPE_CHECKING:
    from diffkin.robot import Robot

__all__ = ["FREE_BASE", "Problem", "Rounding", "State", "make_problem"]


@dataclass(frozen=True, eq=False)
class State:
    """Where n descents stand.

    Attributes:
        q: (n, dof) coordinates.
        base: (n, 4, 4) base poses, or None for the identity.
        problem: (n,) the problem each descent works on.
        grace: (n,) iterations each descent is granted beyond those of the first starts; None for none.
    """

    q: Tensor
    base: Tensor | None
    problem: Tensor
    grace: Tensor | None = None

    def take(self, index: Tensor) -> State:
        """The descents at ``index`` alone."""
        base, grace = (None if part is None else part[index] for part in (self.base, self.grace))
        return State(self.q[index], base, self.problem[index], grace)

    def where(self, mask: Tensor, other: State) -> State:
        """This state where ``mask`` (n,) holds, the other elsewhere."""
        base = (
            None if self.base is None or other.base is None else torch.where(mask[:, None, None], self.base, other.base)
        )
        return State(torch.where(mask[:, None], self.q, other.q), base, self.problem, self.grace)


@dataclass(frozen=True, eq=False)
class Rounding:
    """What the rounding of forward kinematics is told by: an angle's grows with it and moves all that is behind it.

    Attributes:
        turns: (dof,) angle of all joints that a coordinate turns, per unit of it.
        slides: (dof,) likewise of those it slides.
        constant: Roundings whatever the coordinates.
        length: Of the mechanism [m], its slides at zero.
    """

    turns: Tensor
    slides: Tensor
    constant: float
    length: float


@dataclass(frozen=True, eq=False)
class Problem:
    """Tasks on a mechanism, with limits.

    Attributes:
        tree: The mechanism, float64.
        lower: (dof,) limits; upper likewise.
        upper: (dof,) limits.
        tasks: The tasks, their targets flattened to the batch.
        links: For each task the indices of its links.
        movable: (dof,) False for locked coordinates.
        uses: For each task (dof,) which coordinates it depends on.
        rounding: What hides in errors.
        slides: (dof,) which coordinates move joints along their axes.
        turns: (dof,) which coordinates a whole turn leads back, see ``diffkin.ik.turns``; none that is locked.
        farthest: The largest coordinate [rad] that whole turns may lead to.
        moves: How the base moves, see ``diffkin.ik.bases``.
        position_tolerance: [m].
        rotation_tolerance: [rad].
        cache: What was made from the robot, and is kept with it.
        keeps: Whether the robot may keep anything: not where its geometry or limits are being learnt.
    """

    tree: KinematicTree
    lower: Tensor
    upper: Tensor
    tasks: Sequence[Task]
    links: Sequence[tuple[int, ...]]
    movable: Tensor
    uses: Sequence[Tensor]
    rounding: Rounding
    slides: Tensor
    turns: Tensor
    farthest: float
    moves: FreeBase
    position_tolerance: float
    rotation_tolerance: float
    cache: Cache
    keeps: bool

    @property
    def free_base(self) -> int:
        """How many coordinates the base has."""
        return self.moves.count

    @property
    def needed(self) -> Tensor:
        """(dof,) which coordinates some task depends on."""
        return torch.stack(list(self.uses)).any(0)

    @property
    def levels(self) -> list[int]:
        """The priorities that tasks have, rising."""
        return sorted({task.priority for task in self.tasks})

    @property
    def has_second(self) -> bool:
        """Whether some task has a priority above 0."""
        return any(task.priority > 0 for task in self.tasks)

    def only(self, *priorities: int) -> Problem:
        """The same problem with the tasks of some priorities alone."""
        return self.having([k for k, task in enumerate(self.tasks) if task.priority in priorities])

    def having(self, kept: Sequence[int]) -> Problem:
        """The same problem with some of its tasks alone."""
        if len(kept) == len(self.tasks):
            return self
        tasks, links = [self.tasks[k] for k in kept], [self.links[k] for k in kept]
        return dataclasses.replace(self, tasks=tasks, links=links, uses=[self.uses[k] for k in kept])

    def groups(self) -> list[list[int]]:
        """Indices of tasks that share coordinates, directly or by way of others: groups can be solved by themselves."""
        if self.free_base or self.has_second:
            return [list(range(len(self.tasks)))]
        groups: list[tuple[list[int], Tensor]] = []
        for index, uses in enumerate(self.uses):
            touching = [group for group in groups if bool((group[1] & uses).any())]
            members, union = [index], uses
            for other, others in touching:
                members, union = other + members, union | others
            groups = [group for group in groups if not bool((group[1] & uses).any())] + [(sorted(members), union)]
        return [members for members, _ in groups]

    def tried(self, state: State, count: int) -> Problem:
        """The problems with what is learnt by asking for each task's residual at a state.

        Args:
            state: Of one problem, the first.
            count: How many problems there are.

        Returns:
            The problems, with those coordinates ``needed`` too that some task takes from ``q`` itself.

        Raises:
            diffkin.errors.DiffkinError: A residual does not fit its weight or unit, picks from other than ``count``
                targets.
        """
        uses = []
        for task, poses, used in zip(self.tasks, self.poses(state), self.uses, strict=True):
            with Picked(type(task).__name__, state.problem, count):
                residual, _, by_q = _slopes(task, poses, state)
            task.check_rows(residual, len(state.q))
            taken = None if by_q is None else task.taken(self.tree.dof)
            if by_q is None:
                uses.append(used)
            else:
                uses.append(torch.ones_like(used) if taken is None else used | taken.to(used.device))
        return dataclasses.replace(self, uses=uses)

    def check_graphs(self, state: State) -> None:
        """Raise ``diffkin.errors.GradientError`` if a residual does not depend on where its links are, nor on ``q``."""
        for task, poses in zip(self.tasks, self.poses(state), strict=True):
            residual, by_poses, by_q = _slopes(task, poses, state)
            if residual.numel() and by_poses is None and by_q is None:
                raise _no_graph(task)

    def poses(self, state: State) -> list[Tensor]:
        """For each task the poses (n, links, 4, 4) of its links in the world."""
        order = sorted({link for links in self.links for link in links})
        all_poses = forward(self.tree, state.q, order, state.base, backend="reference")
        return [all_poses[:, [order.index(link) for link in links]] for links in self.links]

    def residual(self, state: State) -> Tensor:
        """Weighted residual (n, rows) of all tasks."""
        return torch.cat(self.residuals(state), dim=-1)

    def residuals(self, state: State) -> list[Tensor]:
        """Weighted residual (n, rows) of each task."""
        return [
            task.residual(poses, state.q, state.problem) * self._weight(task, state.q)
            for task, poses in zip(self.tasks, self.poses(state), strict=True)
        ]

    def linearize(self, state: State) -> tuple[Tensor, Tensor]:
        """Weighted residual (n, rows) and its derivative (n, rows, dof + free base) at a state."""
        order = sorted({link for links in self.links for link in links})
        poses, jacobians = poses_and_jacobians(self.tree, state.q, order)
        if state.base is not None:
            turn = state.base[:, None, :3, :3]
            poses = state.base[:, None] @ poses
            jacobians = torch.cat((turn @ jacobians[..., :3, :], turn @ jacobians[..., 3:, :]), dim=-2)
        if self.free_base and state.base is not None:
            jacobians = torch.cat((jacobians, self.moves.columns(poses, state.base)), dim=-1)
        residuals, derivatives = [], []
        for task, links in zip(self.tasks, self.links, strict=True):
            at = [order.index(link) for link in links]
            weight = self._weight(task, state.q)
            given = task.jacobian(poses[:, at], jacobians[:, at], state.q, state.problem)
            if given is None:
                residual, given = self._by_autograd(task, poses[:, at], jacobians[:, at], state)
            else:
                residual = task.residual(poses[:, at], state.q, state.problem)
                given = self._with_base_columns(task, given)
            residuals.append(residual * weight)
            derivatives.append(given * weight.unsqueeze(-1))
        return torch.cat(residuals, dim=-1), torch.cat(derivatives, dim=-2)

    def errors(self, state: State) -> tuple[Tensor, Tensor]:
        """Largest position error [m] and rotation error [rad] of the tasks of priority 0, each (n,)."""
        position = state.q.new_zeros(state.q.shape[0])
        rotation = torch.zeros_like(position)
        for task, poses in zip(self.tasks, self.poses(state), strict=True):
            if task.priority == 0:
                moved, turned = task.errors(poses, state.q, state.problem)
                position = position if moved is None else torch.maximum(position, moved)
                rotation = rotation if turned is None else torch.maximum(rotation, turned)
        return position, rotation

    def errors_at_most(self, state: State) -> tuple[Tensor, Tensor]:
        """The errors and what rounding may have hidden of them: see ``Rounding``."""
        position, rotation = self.errors(state)
        q, rounding = state.q.abs(), self.rounding
        doubt = ROUNDING * (rounding.constant + 2.0 * q @ rounding.turns)
        extent = rounding.length + q @ rounding.slides
        if state.base is not None:
            extent = extent + torch.linalg.vector_norm(state.base[:, :3, 3], dim=-1)
        return position + doubt * extent, rotation + doubt

    def met(self, state: State) -> Tensor:
        """Whether both tolerances are met, (n,); never where an error is NaN."""
        position, rotation = self.errors_at_most(state)
        return (position <= self.position_tolerance) & (rotation <= self.rotation_tolerance)

    def move(self, state: State, step: Tensor) -> State:
        """Take a step (n, dof + free base), stopping at the limits."""
        dof = self.tree.dof
        q = torch.minimum(torch.maximum(state.q + step[:, :dof], self.lower), self.upper)
        base = None if state.base is None else self.moved_base(state.base, step)
        return State(q, base, state.problem, state.grace)

    def moved_base(self, base: Tensor, step: Tensor) -> Tensor:
        """Base poses (n, 4, 4) after a step (n, dof + free base)."""
        return self.moves.moved(base, step[:, self.tree.dof :])

    def near(self, q: Tensor, reference: Tensor) -> Tensor:
        """Coordinates (n, dof) moved by whole turns, as near to a reference as limits and rounding allow."""
        return nearest_turn(q, reference, self.lower, self.upper, self.turns, self.farthest)

    def far(self, cost: Tensor) -> Tensor:
        """(n,) whether the target is farther than turning alone might ever reach, from half the squared residual."""
        return 2.0 * cost > self.near2

    @property
    def near2(self) -> float:
        """The squared residual beyond which a target is far."""
        heaviest = max((float(torch.as_tensor(task.weight, device="cpu").max()) for task in self.tasks), default=1.0)
        return NEAR2 * max(1.0, heaviest) ** 2

    def strides(self, cost: Tensor) -> Tensor:
        """The longest steps (n, dof + free base) to be taken at once [rad or m]: 1; of a slide all the way where it is far.

        Turning, a step is only worth as much as the tangent is near to the circle; sliding, they are one.
        """
        slides = torch.cat((self.slides, self.slides.new_zeros(self.free_base)))
        slides[self.tree.dof : self.tree.dof + len(self.moves.shifts)] = True
        whole = torch.where(self.far(cost), (2.0 * cost).sqrt(), torch.ones_like(cost))
        return torch.where(slides, whole.unsqueeze(-1), torch.ones_like(whole).unsqueeze(-1))

    def free(self, state: State, gradient: Tensor) -> Tensor:
        """Which coordinates may move downhill, (n, dof + free base): not those on a limit and pushed outward."""
        dof = self.tree.dof
        slope = gradient[:, :dof]
        blocked = ((state.q <= self.lower) & (slope > 0)) | ((state.q >= self.upper) & (slope < 0))
        free = ~blocked & self.movable
        return torch.cat((free, free.new_ones(free.shape[0], self.free_base)), dim=-1)

    def _with_base_columns(self, task: Task, derivative: Tensor) -> Tensor:
        """The derivative (n, rows, dof + free base) of a task that may have given that by ``q`` alone."""
        missing = self.tree.dof + self.free_base - derivative.shape[-1]
        if missing == 0:
            return derivative
        if missing == self.free_base and not task.links:  # of q alone, so the base does not matter
            return torch.cat((derivative, derivative.new_zeros(*derivative.shape[:-1], missing)), dim=-1)
        raise ShapeError(
            f"jacobian of {type(task).__name__} must have {self.tree.dof + self.free_base} columns, the "
            f"{self.tree.dof} of q and {self.free_base} of the free base, got {derivative.shape[-1]}. Make it from the "
            "jacobians that it is given, which have them all, or leave it out: autograd will do."
        )

    def _weight(self, task: Task, like: Tensor) -> Tensor:
        weight = torch.as_tensor(task.weight, dtype=like.dtype, device=like.device)
        return weight if weight.ndim else weight[None]

    def _by_autograd(self, task: Task, poses: Tensor, jacobians: Tensor, state: State) -> tuple[Tensor, Tensor]:
        """Residual and derivative of a task that gives none: one backward pass a row, for the whole batch at once."""
        with torch.enable_grad():
            twist = poses.new_zeros(*poses.shape[:2], 6, requires_grad=True)
            q = state.q.detach().requires_grad_()
            rotation = poses[..., :3, :3] + rotations.hat(twist[..., 3:]) @ poses[..., :3, :3]
            moved = torch.cat((rotation, (poses[..., :3, 3] + twist[..., :3]).unsqueeze(-1)), dim=-1)
            moved = torch.cat((moved, poses[..., 3:, :]), dim=-2)
            residual = task.residual(moved, q, state.problem)
            rows, graph = [], False
            for column in residual.unbind(-1):
                by_twist, by_q = _grads(column.sum(), twist, q)
                graph |= by_twist is not None or by_q is not None
                row = jacobians.new_zeros(len(q), jacobians.shape[-1])
                if by_twist is not None:
                    row = row + apply(jacobians.mT, by_twist).sum(1)
                if by_q is not None:
                    row = row + torch.nn.functional.pad(by_q, (0, self.free_base))
                rows.append(row)
            if residual.numel() and not graph:
                raise _no_graph(task)
        return residual.detach(), torch.stack(rows, dim=-2)


def _slopes(task: Task, poses: Tensor, state: State) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """A task's residual, and the gradients of its sum by poses and ``q``, None where it does not depend on them."""
    poses, q = poses.detach().requires_grad_(), state.q.detach().requires_grad_()
    with torch.enable_grad():
        residual = task.residual(poses, q, state.problem)
        return residual, *_grads(residual.sum(), poses, q)


def _grads(total: Tensor, first: Tensor, second: Tensor) -> tuple[Tensor | None, Tensor | None]:
    if not total.requires_grad:
        return None, None
    by_first, by_second = torch.autograd.grad(total, (first, second), retain_graph=True, allow_unused=True)
    return by_first, by_second


def _no_graph(task: Task) -> GradientError:
    """What cannot be told from a mistake by its graph is taken as meant: constant rows, and poses or ``q`` unused."""
    return GradientError(
        f"The residual of {type(task).__name__} depends on neither poses nor q as far as autograd can see, so its "
        "derivative is not known. Compute it by operations of torch on them: without detach(), .data, item(), numpy(), "
        "torch.tensor(...) and torch.no_grad()."
    )


def make_problem(
    robot: Robot,
    tasks: Sequence[Task],
    batch: torch.Size,
    movable: Tensor,
    free_base: str | None = None,
    position_tolerance: float = 1.0,
    rotation_tolerance: float = 1.0,
    farthest: float = torch.inf,
) -> Problem:
    """The problems of a robot in float64, their targets expanded to a batch and flattened.

    Args:
        robot: The robot.
        tasks: The tasks as the caller gave them.
        batch: Leading axes of the problems.
        movable: (dof,) False for locked coordinates.
        free_base: A name of ``FREE_BASE``.
        position_tolerance: [m].
        rotation_tolerance: [rad].
        farthest: The largest coordinate [rad] that whole turns may lead to.

    Returns:
        The problems.
    """
    tree, lower, upper = robot.tree.in_dtype(torch.float64), robot.lower.double(), robot.upper.double()
    tasks = [task.for_robot(robot) for task in tasks]
    links = [tuple(robot.link_index(link) for link in task.links) for task in tasks]
    on_the_way = _ways(tree, links)
    ways = [_ways(tree, [each]) for each in links]
    return Problem(
        tree=tree,
        lower=lower,
        upper=upper,
        tasks=[task.for_batch(batch, torch.float64, robot.device) for task in tasks],
        links=links,
        movable=movable,
        uses=[(_sizes(tree, way, REVOLUTE) + _sizes(tree, way, PRISMATIC)) > 0 for way in ways],
        rounding=_rounding(tree, links, on_the_way),
        slides=_sizes(tree, range(tree.joints), PRISMATIC) > 0,
        turns=turning(tree, lower, upper) & movable & ~_wound(tasks, movable),
        farthest=farthest,
        moves=BASES[free_base],
        position_tolerance=position_tolerance,
        rotation_tolerance=rotation_tolerance,
        cache=robot.cache,
        keeps=not (tree.has_gradient or lower.requires_grad or upper.requires_grad),
    )


def _wound(tasks: Sequence[Task], like: Tensor) -> Tensor:
    """(dof,) which coordinates some task tells from themselves a whole turn on."""
    found = torch.zeros_like(like)
    for task in tasks:
        wound = task.wound(len(like))
        if wound is not None:
            found |= wound.to(like.device)
    return found


def _sizes(tree: KinematicTree, joints: Iterable[int], kind: int) -> Tensor:
    """(dof,) how much a coordinate moves joints of a kind, in all."""
    sizes = [0.0] * tree.dof
    for joint in joints:
        if tree.kinds[joint] == kind:
            sizes[tree.coordinate[joint]] += abs(tree.multiplier[joint])
    return torch.tensor(sizes, dtype=torch.float64, device=tree.device)


def _ways(tree: KinematicTree, links: Sequence[tuple[int, ...]]) -> list[int]:
    """All joints that move some of the links."""
    carriers = {tree.link_joint[link] for each in links for link in each}
    return sorted({joint for carrier in carriers for joint in tree.path(carrier)})


def _rounding(tree: KinematicTree, links: Sequence[tuple[int, ...]], joints: list[int]) -> Rounding:
    """Of the ways to some links."""
    way = tree.origins[joints, :3, 3].detach().norm(dim=-1).sum() if joints else 0.0
    mounts = [float(tree.link_offsets[link, :3, 3].detach().norm()) for each in links for link in each]
    return Rounding(
        turns=_sizes(tree, joints, REVOLUTE),
        slides=_sizes(tree, joints, PRISMATIC),
        constant=16.0 * (len(joints) + 1) + 2.0 * sum(abs(tree.offset[joint]) for joint in joints),
        length=float(way) + max(mounts, default=0.0),
    )
