"""The preference for configurations from which a link can move in all directions."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from diffkin.errors import OptionError
from diffkin.ik.tasks.base import Task
from diffkin.kinematics import KinematicTree
from diffkin.kinematics.hessians import hessian
from diffkin.kinematics.jacobians import jacobian

if TYPE_CHECKING:
    from diffkin.robot import Robot

__all__ = ["ManipulabilityTask"]

_LEAST = 1e-9  # manipulability that counts as none


@dataclass(frozen=True, eq=False)
class ManipulabilityTask(Task):
    """Have much manipulability: ``1 / w`` with Yoshikawa's ``w = sqrt(det(J J^T))``, or ``J^T J`` where fewer than six
    coordinates move the link; J has the columns of those that do.

    ``dw/dq_k = w tr(J^+ dJ/dq_k)`` (Park, Chung & Youm, 1999), with the closed-form derivative of the Jacobian.

    Attributes:
        link: Name of the link; None for the tip.
        priority: From 1 on: it has no value at which it would be met.
        tree: The mechanism, taken from the robot; its geometry are the next three.
        index: Of the link.
        origins: As in the tree.
        axes: As in the tree.
        link_offsets: As in the tree.
    """

    link: str | None = None
    priority: int = field(default=1, kw_only=True)
    tree: KinematicTree | None = field(default=None, init=False)
    index: int = field(default=-1, init=False)
    origins: Tensor | None = field(default=None, init=False)
    axes: Tensor | None = field(default=None, init=False)
    link_offsets: Tensor | None = field(default=None, init=False)
    unit: ClassVar[str | tuple[str, ...]] = "rad"
    rows: ClassVar[int | None] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.priority == 0:
            raise OptionError(
                "ManipulabilityTask is a preference, of priority 1 or more: there is no manipulability at which it would "
                "be met. Leave priority out."
            )

    def for_robot(self, robot: Robot) -> ManipulabilityTask:
        tree = robot.tree.in_dtype(torch.float64)
        geometry = {"origins": tree.origins, "axes": tree.axes, "link_offsets": tree.link_offsets}
        return self._with({"tree": tree, "index": robot.link_index(self.link), **geometry})

    def taken(self, dof: int) -> Tensor:
        return torch.isin(
            *(torch.tensor(part, dtype=torch.long, device="cpu") for part in (range(dof), self._way(self._tree())))
        )

    def residual(self, poses: Tensor, q: Tensor, problem: Tensor) -> Tensor:
        return 1.0 / self._volume(q).clamp_min(_LEAST).unsqueeze(-1)

    def jacobian(self, poses: Tensor, jacobians: Tensor, q: Tensor, problem: Tensor) -> Tensor:
        tree = self._tree()
        way = self._way(tree)
        inverse = torch.linalg.pinv(jacobian(tree, q, self.index)[..., way])
        slope = torch.einsum("nji,nijk->nk", inverse, hessian(tree, q, self.index)[..., way, :])
        volume = self._volume(q).unsqueeze(-1)
        return (-slope / volume.clamp_min(_LEAST) * (volume > _LEAST)).unsqueeze(-2)

    def _volume(self, q: Tensor) -> Tensor:
        """(n,) manipulability; its root has no gradient at zero, hence the double where."""
        tree = self._tree()
        rows = jacobian(tree, q, self.index)[..., self._way(tree)]
        square = torch.linalg.det(rows.mT @ rows if rows.shape[-1] < 6 else rows @ rows.mT)
        some = square > 0
        return torch.where(some, torch.where(some, square, 1.0).sqrt(), 0.0)

    def _way(self, tree: KinematicTree) -> list[int]:
        """The coordinates that move the link."""
        return sorted({tree.coordinate[joint] for joint in tree.path(tree.link_joint[self.index])})

    def _tree(self) -> KinematicTree:
        """The mechanism with the geometry that stands in the attributes, which gradients flow to."""
        tree, origins, axes, offsets = self.tree, self.origins, self.axes, self.link_offsets
        if tree is None or origins is None or axes is None or offsets is None:
            raise OptionError("ManipulabilityTask takes its arm from a robot: solve it, or ask for_robot(robot) first.")
        if origins is tree.origins and axes is tree.axes and offsets is tree.link_offsets:
            return tree
        return dataclasses.replace(tree, origins=origins, axes=axes, link_offsets=offsets)
