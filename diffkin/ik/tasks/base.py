"""What every task is: something of link poses and coordinates to bring to zero, with weights, a priority and targets."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeVar

import torch
from torch import Tensor

from diffkin._checks import as_tensor, check_broadcast, ordinary
from diffkin.errors import OptionError, ShapeError
from diffkin.ik.tasks.kinds import Kind
from diffkin.kernels.lists.pieces import Piece

if TYPE_CHECKING:
    from diffkin.robot import Robot

__all__ = ["Held", "LinkTask", "Placement", "Task"]

TaskT = TypeVar("TaskT", bound="Task")


class Placement(NamedTuple):
    """Where a task wants its one link, as seen from the base: either may be None, not asked for.

    Attributes:
        position: (n, 3) of the link's origin [m].
        rotation: (n, 3, 3).
    """

    position: Tensor | None
    rotation: Tensor | None


class Held(NamedTuple):
    """What a task that is met holds its one link to, as seen from the base; None where that is open.

    Attributes:
        position: (n, 3) of the link's origin [m].
        rotation: (n, 3, 3).
        axis: (3,) unit axis of the link that is held to a direction.
        direction: (n, 3) that direction, of unit length.
        spread: The angle [rad] by which the axis may be off.
    """

    position: Tensor | None = None
    rotation: Tensor | None = None
    axis: Tensor | None = None
    direction: Tensor | None = None
    spread: float = 0.0


@dataclass(frozen=True, eq=False, kw_only=True)
class Task:
    """Base of all tasks. A task of your own gives ``links``, ``unit`` and ``residual``; all else has an answer here.

    Attributes:
        weight: Factor on the residual, one number or one for each row. Rows of weight 0 are free: they count neither
            for the step nor for ``success``.
        priority: 0 must be met for success; tasks of priority 1 are brought as near to zero as those of 0 allow, those
            of 2 as near as both allow, and so on.
        links: Names of the links whose poses the residual needs; None names the tip.
        unit: "m" if the norm of the residual is a position error, "rad" if it is a rotation error; or one of both for
            each row.
        rows: Rows of the residual, where they are known beforehand; None leaves the length of weights to be checked
            when the task is solved.
        batched: The attributes that hold one target a problem, and of what kind they are: they are checked, expanded
            to the batch and used as ``target[problem]``.
    """

    weight: float | Tensor = 1.0
    priority: int = 0
    links: ClassVar[tuple[str | None, ...]] = ()
    unit: ClassVar[str | tuple[str, ...]] = "m"
    rows: ClassVar[int | None] = None
    batched: ClassVar[Mapping[str, Kind]] = MappingProxyType({})

    def __post_init__(self) -> None:
        for name, kind in self.batched.items():
            object.__setattr__(self, name, as_tensor(getattr(self, name), name))
            kind.check(getattr(self, name), name)
        self.check_weight(self.rows)

    # -- what a task must say, or may say better -------------------------------------------------------------------

    def residual(self, poses: Tensor, q: Tensor, problem: Tensor) -> Tensor:
        """What to bring to zero.

        Args:
            poses: (n, len(links), 4, 4) poses of the task's links in the world.
            q: (n, dof) coordinates [rad or m].
            problem: (n,) which problem of the (flattened) batch each row belongs to; a batched target is used as
                ``target[problem]``.

        Returns:
            (n, rows) residual, smooth in the poses and in ``q``.
        """
        raise NotImplementedError(f"{type(self).__name__} must define residual(poses, q, problem).")

    def jacobian(self, poses: Tensor, jacobians: Tensor, q: Tensor, problem: Tensor) -> Tensor | None:
        """Derivative of the residual where it is known in closed form; None (the default) leaves it to autograd.

        Args:
            poses: As in ``residual``.
            jacobians: (n, len(links), 6, free) geometric Jacobians of the links in world axes.
            q: As in ``residual``.
            problem: As in ``residual``.

        Returns:
            (n, rows, free) derivative, or None.
        """
        return None

    def errors(self, poses: Tensor, q: Tensor, problem: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Position error [m] and rotation error [rad], each (n,) or None if the task has none of that kind."""
        asked = self.residual(poses, q, problem) * self._asked(q)
        if isinstance(self.unit, str):
            size = torch.linalg.vector_norm(asked, dim=-1)
            return (size, None) if self.unit == "m" else (None, size)
        turned = torch.tensor([unit == "rad" for unit in self.unit], device=asked.device)
        return torch.linalg.vector_norm(asked * ~turned, dim=-1), torch.linalg.vector_norm(asked * turned, dim=-1)

    def held(self) -> Held | None:
        """What the task holds its link to, by which it may be proven to be impossible; None if it says nothing.

        Asked as ``placement`` is, which only says where to search: this must follow from the task's being met.
        """
        return None

    def placement(self) -> Placement | None:
        """Where the task wants its link, by which stored samples are searched for starts; None if it says nothing.

        Only asked of tasks whose targets are flat and seen from the base, see ``for_batch`` and ``seen_from``.
        """
        return None

    def kernel_weights(self, turned: bool) -> tuple[float, ...] | None:
        """Six weights with which a kernel that places one frame solves this very task, or None if it cannot.

        Args:
            turned: Whether the base may be turned in the world.

        Returns:
            Weights along the base axes of the link's position error and of the rotation vector of
            ``R_target R^T``; 0 leaves an axis free. The pose to reach is that of ``placement``.
        """
        return None

    def kernel_pieces(self) -> tuple[Piece, ...] | None:
        """What a kernel for lists of tasks has to bring to zero for this very task, or None if it cannot.

        Links are numbered by their places in ``links``, targets begin where they do in ``kernel_numbers``. Two tasks of
        the same pieces and links are the same but for their targets.
        """
        return None

    def kernel_numbers(self) -> Tensor:
        """(*batch, numbers) the targets of ``kernel_pieces``."""
        raise NotImplementedError(f"{type(self).__name__} has kernel_pieces, but no kernel_numbers.")

    def kernel_bodies(self) -> list[tuple[int, float, tuple[float, ...]]]:
        """Masses whose centre ``kernel_pieces`` ask for: place in ``links``, share of all mass, centre in the link [m]."""
        return []

    def for_robot(self: TaskT, robot: Robot) -> TaskT:
        """The task with what it takes from the robot that it is solved for, such as limits or masses; itself if nothing.

        What is taken is kept as attributes of their own, so that gradients flow to it.

        Raises:
            diffkin.errors.DiffkinError: The task does not fit the robot.
        """
        return self

    def taken(self, dof: int) -> Tensor | None:
        """(dof,) True for the coordinates of ``q`` that the residual takes by themselves, beside the poses.

        None (the default): not known; all of them if autograd finds that it takes any.
        """
        return None

    def wound(self, dof: int) -> Tensor | None:
        """(dof,) True for the coordinates that a whole turn may not be added to, as it changes the residual; or None."""
        return None

    # -- targets and weights ---------------------------------------------------------------------------------------

    def check_weight(self, rows: int | None = None) -> None:
        """Raise unless the weight is one number, or one for each of ``rows``: finite, from 0 on, not all 0."""
        if isinstance(self.priority, bool) or not isinstance(self.priority, int) or self.priority < 0:
            raise OptionError(
                f"priority of {type(self).__name__} must be 0, to be met, or 1, 2, ..., as near as those before allow; "
                f"got {self.priority!r}. Tasks of one priority are weighed against each other by their weight."
            )
        if type(self.weight) is float and 0.0 < self.weight < math.inf:
            return
        weight = as_tensor(self.weight, f"weight of {type(self).__name__}").detach()
        if not isinstance(self.weight, Tensor):
            object.__setattr__(self, "weight", weight if weight.ndim else float(weight))
        if weight.ndim > 1 or (weight.ndim == 1 and rows is not None and len(weight) != rows):
            wanted = "(rows,)" if rows is None else f"({rows},)"
            raise ShapeError(
                f"weight of {type(self).__name__} must be one number or {wanted}, got shape {tuple(weight.shape)}."
            )
        if bool((weight < 0).any()) or not bool(torch.isfinite(weight).all()) or not bool((weight > 0).any()):
            raise OptionError(
                f"weight of {type(self).__name__} must be at least 0, finite, and above 0 somewhere, "
                f"got {weight.tolist()}."
            )

    def check_rows(self, residual: Tensor, count: int) -> None:
        """Raise unless a residual has one row for each of ``count`` states, and weight and unit fit its length."""
        name = type(self).__name__
        if residual.ndim != 2 or len(residual) != count:
            raise ShapeError(f"residual of {name} must be (n, rows), got {tuple(residual.shape)} for n = {count}.")
        rows = residual.shape[-1]
        self.check_weight(rows)
        if type(self).errors is not Task.errors:
            return
        if isinstance(self.unit, str) and rows == 6 and not _says_unit(type(self)):
            raise OptionError(
                f"{name} has six rows and does not say their units: metres and radians cannot be judged as one number. "
                "Write unit = ('m', 'm', 'm', 'rad', 'rad', 'rad') in the class, or unit = 'm' or 'rad' if all six are "
                "of one, or define errors(poses, q, problem)."
            )
        units = (self.unit,) * rows if isinstance(self.unit, str) else tuple(self.unit)
        if len(units) != rows or not set(units) <= {"m", "rad"}:
            raise OptionError(
                f"unit of {name} must be 'm', 'rad', or one of both for each of {rows} rows; got {units!r}."
            )

    @property
    def batch_shape(self) -> torch.Size:
        """Leading axes of the task's targets."""
        targets = {name: self._target(name) for name in self.batched}
        leading = {name: targets[name].shape[: targets[name].ndim - kind.axes] for name, kind in self.batched.items()}
        if len(leading) < 2:
            return next(iter(leading.values()), torch.Size())
        check_broadcast(**leading)
        return torch.broadcast_shapes(*leading.values())

    def for_batch(self: TaskT, batch: torch.Size, dtype: torch.dtype, device: torch.device) -> TaskT:
        """The task with its targets expanded to ``batch``, flattened, in the solver's dtype."""
        flat = {}
        for name, kind in self.batched.items():
            target = ordinary(self._target(name)).to(dtype=dtype, device=device)
            core = target.shape[target.ndim - kind.axes :]
            flat[name] = target.expand((*batch, *core)).reshape((-1, *core))
        kept = {name: part for name, part in vars(self).items() if isinstance(part, Tensor) and name not in flat}
        made = {name: ordinary(part) for name, part in kept.items() if part.is_inference()}
        return self._with({**made, **flat})

    def for_rows(self: TaskT, some: Callable[[Tensor, int], Tensor]) -> TaskT:
        """The task with some of its targets: ``some`` picks them from a target, of which the last axes are no batch."""
        return self._with({name: some(self._target(name), kind.axes) for name, kind in self.batched.items()})

    def exact_at(self: TaskT, rows: slice | Tensor) -> TaskT:
        """The task for some rows of its flat targets, these made exact: rounded rotations mean the nearest ones."""
        return self._with({name: kind.exact(self._target(name)[rows]) for name, kind in self.batched.items()})

    def seen_from(self: TaskT, base: Tensor) -> TaskT:
        """The task with its flat targets as seen from bases (n, 4, 4)."""
        return self._with({name: kind.seen_from(self._target(name), base) for name, kind in self.batched.items()})

    def _row_weights(self, rows: int) -> tuple[float, ...]:
        """The weight as one number a row."""
        if not isinstance(self.weight, Tensor):
            return (float(self.weight),) * rows
        weights = self.weight.tolist()
        return tuple(weights) if isinstance(weights, list) else (weights,) * rows

    def _target(self, name: str) -> Tensor:
        target: Tensor = getattr(self, name)
        return target

    def _with(self: TaskT, parts: Mapping[str, Any]) -> TaskT:
        """A copy with other attributes, such as targets, which were checked when the task was made."""
        if not parts:
            return self
        made = copy.copy(self)
        for name, part in parts.items():
            object.__setattr__(made, name, part)
        return made

    def _asked(self, like: Tensor) -> Tensor:
        """1 for rows that count, 0 for free ones."""
        return (torch.as_tensor(self.weight, dtype=like.dtype, device=like.device) != 0).to(like.dtype)


def _says_unit(kind: type) -> bool:
    """Whether a class of tasks, or one between it and ``Task``, says its unit."""
    return any("unit" in vars(each) for each in kind.__mro__ if issubclass(each, Task) and each is not Task)


@dataclass(frozen=True, eq=False)
class LinkTask(Task):
    """Base of tasks of one link.

    Attributes:
        link: Name of the link; None for the tip.
    """

    link: str | None

    def __post_init__(self) -> None:
        object.__setattr__(self, "links", (self.link,))
        super().__post_init__()
