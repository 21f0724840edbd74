"""Tasks: what inverse kinematics is asked to bring to zero, as residuals of link poses."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar, TypeVar

import torch
from torch import Tensor

from diffkin import rotations
from diffkin._checks import check_finite, check_last, check_pose, check_rotation
from diffkin.errors import OptionError, ShapeError

__all__ = ["OrientationTask", "PoseTask", "PositionTask", "Task"]

TaskT = TypeVar("TaskT", bound="Task")


@dataclass(frozen=True, eq=False, kw_only=True)
class Task:
    """Base of all tasks. A task of your own gives ``links``, ``unit`` and ``residual``.

    Attributes:
        weight: Factor on the residual, one number or one for each row. Rows of weight 0 are free: they count neither
            for the step nor for ``success``.
        priority: 0 must be met for success; tasks of priority 1 are brought as near to zero as those of 0 allow.
        links: Names of the links whose poses the residual needs; None names the tip.
        unit: "m" if the norm of the residual is a position error, "rad" if it is a rotation error.
    """

    weight: float | Tensor = 1.0
    priority: int = 0
    links: ClassVar[tuple[str | None, ...]] = ()
    unit: ClassVar[str] = "m"

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
        size = torch.linalg.vector_norm(self.residual(poses, q, problem) * self._asked(q), dim=-1)
        return (size, None) if self.unit == "m" else (None, size)

    @property
    def batch_shape(self) -> torch.Size:
        """Leading axes of the task's targets."""
        return torch.Size()

    def for_batch(self: TaskT, batch: torch.Size, dtype: torch.dtype, device: torch.device) -> TaskT:
        """The task with its targets expanded to ``batch``, flattened, in the solver's dtype."""
        return self

    def _asked(self, like: Tensor) -> Tensor:
        return (torch.as_tensor(self.weight, dtype=like.dtype, device=like.device) != 0).to(like.dtype)


@dataclass(frozen=True, eq=False)
class _LinkTask(Task):
    """A task with one link and a batched target."""

    link: str | None
    target: Tensor
    core: ClassVar[int] = 1  # axes of one target
    rows: ClassVar[int] = 3

    def __post_init__(self) -> None:
        object.__setattr__(self, "links", (self.link,))
        weight = torch.as_tensor(self.weight)
        if weight.ndim > 1 or (weight.ndim == 1 and weight.shape[0] != self.rows):
            raise ShapeError(f"weight must be one number or ({self.rows},), got {tuple(weight.shape)}.")
        if bool((weight < 0).any()) or not bool(torch.isfinite(weight).all()) or not bool((weight > 0).any()):
            raise OptionError(f"weight must be at least 0, finite, and above 0 somewhere, got {weight.tolist()}.")

    @property
    def batch_shape(self) -> torch.Size:
        return self.target.shape[: self.target.ndim - self.core]

    def for_batch(self: TaskT, batch: torch.Size, dtype: torch.dtype, device: torch.device) -> TaskT:
        target: Tensor = self.target.to(dtype=dtype, device=device)  # type: ignore[attr-defined]
        core = target.shape[len(self.batch_shape) :]
        return dataclasses.replace(self, target=target.expand(*batch, *core).reshape(-1, *core))  # type: ignore[call-arg]


@dataclass(frozen=True, eq=False)
class PoseTask(_LinkTask):
    """Bring a link to a pose.

    The residual is ``(R_t^T (p - p_t), log(R_t^T R))``: translation and rotation vector in the target's axes, so that a
    weight of 0 on the last row leaves the link free to turn about the target's z axis.

    Attributes:
        link: Name of the link; None for the tip.
        target: (*batch, 4, 4) pose in the world.
        weight: One number, or (6,): translation then rotation along the target's axes.
    """

    core: ClassVar[int] = 2
    rows: ClassVar[int] = 6

    def __post_init__(self) -> None:
        check_pose(self.target, "target")
        super().__post_init__()

    def residual(self, poses: Tensor, q: Tensor, problem: Tensor) -> Tensor:
        target = self.target[problem]
        back = target[:, :3, :3].transpose(-1, -2)
        shift = (back @ (poses[:, 0, :3, 3:] - target[:, :3, 3:])).squeeze(-1)
        return torch.cat((shift, rotations.matrix_to_rotvec(back @ poses[:, 0, :3, :3], check=False)), dim=-1)

    def jacobian(self, poses: Tensor, jacobians: Tensor, q: Tensor, problem: Tensor) -> Tensor:
        back = self.target[problem][:, :3, :3].transpose(-1, -2)
        turn = rotations.matrix_to_rotvec(back @ poses[:, 0, :3, :3], check=False)
        linear = back @ jacobians[:, 0, :3]
        angular = rotations.left_jacobian_inverse(turn) @ (back @ jacobians[:, 0, 3:])
        return torch.cat((linear, angular), dim=-2)

    def errors(self, poses: Tensor, q: Tensor, problem: Tensor) -> tuple[Tensor | None, Tensor | None]:
        residual = self.residual(poses, q, problem) * self._asked(q)
        return torch.linalg.vector_norm(residual[:, :3], dim=-1), torch.linalg.vector_norm(residual[:, 3:], dim=-1)


@dataclass(frozen=True, eq=False)
class PositionTask(_LinkTask):
    """Bring a link's origin to a point: ``p - p_t``.

    Attributes:
        link: Name of the link; None for the tip.
        target: (*batch, 3) point in the world [m].
        weight: One number, or (3,) along the world's axes.
    """

    def __post_init__(self) -> None:
        check_last(self.target, (3,), "target")
        check_finite(self.target, "target")
        super().__post_init__()

    def residual(self, poses: Tensor, q: Tensor, problem: Tensor) -> Tensor:
        return poses[:, 0, :3, 3] - self.target[problem]

    def jacobian(self, poses: Tensor, jacobians: Tensor, q: Tensor, problem: Tensor) -> Tensor:
        return jacobians[:, 0, :3]


@dataclass(frozen=True, eq=False)
class OrientationTask(_LinkTask):
    """Bring a link to an orientation: ``log(R_t^T R)``, in the target's axes.

    Attributes:
        link: Name of the link; None for the tip.
        target: (*batch, 3, 3) rotation in the world.
        weight: One number, or (3,) along the target's axes.
    """

    core: ClassVar[int] = 2
    unit: ClassVar[str] = "rad"

    def __post_init__(self) -> None:
        check_rotation(self.target, "target")
        super().__post_init__()

    def residual(self, poses: Tensor, q: Tensor, problem: Tensor) -> Tensor:
        back = self.target[problem].transpose(-1, -2)
        return rotations.matrix_to_rotvec(back @ poses[:, 0, :3, :3], check=False)

    def jacobian(self, poses: Tensor, jacobians: Tensor, q: Tensor, problem: Tensor) -> Tensor:
        back = self.target[problem].transpose(-1, -2)
        turn = rotations.matrix_to_rotvec(back @ poses[:, 0, :3, :3], check=False)
        return rotations.left_jacobian_inverse(turn) @ (back @ jacobians[:, 0, 3:])
