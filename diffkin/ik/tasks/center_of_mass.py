"""The task of the centre of mass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from diffkin import transforms
from diffkin._algebra import apply
from diffkin.errors import ModelFileError, OptionError
from diffkin.ik.tasks.base import Task
from diffkin.ik.tasks.kinds import POINT, Kind
from diffkin.kernels.lists.pieces import MASS, Piece
from diffkin.rotations import hat

if TYPE_CHECKING:
    from diffkin.robot import Robot

__all__ = ["CenterOfMassTask"]


@dataclass(frozen=True, eq=False)
class CenterOfMassTask(Task):
    """Bring the centre of mass of all links to a point: ``sum m_i (R_i c_i + p_i) / sum m_i - p_t``.

    Its Jacobian is the mean of those of the links' centres, weighed by their masses (Sugihara, Nakamura & Inoue 2002).

    Attributes:
        target: (*batch, 3) point in the world [m].
        weight: One number, or (3,) along the world's axes: ``torch.tensor([1.0, 1.0, 0.0])`` is the horizontal alone.
        masses: (bodies,) [kg] of what moves as one, taken from the robot.
        centers: (bodies, 3) their centres of mass [m] in the frames of the task's links, taken from the robot.
    """

    target: Tensor
    masses: Tensor | None = field(default=None, init=False)
    centers: Tensor | None = field(default=None, init=False)
    unit: ClassVar[str | tuple[str, ...]] = "m"
    rows: ClassVar[int | None] = 3
    batched: ClassVar[Mapping[str, Kind]] = {"target": POINT}

    def for_robot(self, robot: Robot) -> CenterOfMassTask:
        if not float(robot.mass.detach()) > 0:
            raise ModelFileError(
                f"No link of robot {robot.name!r} has a mass, so CenterOfMassTask has nothing to bring to its target. "
                "Add <inertial> to its model, or give robot.replace(link_masses=..., link_centers=...)."
            )
        masses, centers, links = _bodies(robot)
        return self._with({"masses": masses, "centers": centers, "links": links})

    def residual(self, poses: Tensor, q: Tensor, problem: Tensor) -> Tensor:
        share, centers = self._shares(poses)
        places = apply(poses[..., :3, :3], centers) + poses[..., :3, 3]
        return (share[:, None] * places).sum(dim=-2) - self.target[problem]

    def jacobian(self, poses: Tensor, jacobians: Tensor, q: Tensor, problem: Tensor) -> Tensor:
        share, centers = self._shares(poses)
        arms = (share[:, None] * apply(poses[..., :3, :3], centers)).unsqueeze(-2)  # of weighed levers
        linear = (jacobians[..., :3, :] * share[:, None, None]).sum(1)
        turning = jacobians[..., 3:, :].flatten(1, 2)  # one product for all links: [-hat(arm_1) ... -hat(arm_k)]
        return linear - hat(arms.squeeze(-2)).transpose(1, 2).flatten(2) @ turning

    def kernel_pieces(self) -> tuple[Piece, ...] | None:
        return (Piece(MASS, self._row_weights(3)),) if type(self) is CenterOfMassTask else None

    def kernel_numbers(self) -> Tensor:
        return self.target

    def kernel_bodies(self) -> list[tuple[int, float, tuple[float, ...]]]:
        share, centers = self._shares(torch.zeros(0, dtype=torch.float64, device="cpu"))
        return [
            (k, float(part), tuple(center.tolist()))
            for k, (part, center) in enumerate(zip(share, centers, strict=True))
        ]

    def _shares(self, poses: Tensor) -> tuple[Tensor, Tensor]:
        """Each link's share (links,) of the mass, and its centre (links, 3)."""
        if self.masses is None or self.centers is None:
            raise OptionError("CenterOfMassTask takes masses from a robot: solve it, or ask for_robot(robot) first.")
        masses = self.masses.to(poses.dtype)
        return masses / masses.sum(), self.centers.to(poses.dtype)


def _bodies(robot: Robot) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    """Mass, centre and frame of all links on one joint together, for every joint that carries some."""
    tree = robot.tree
    masses, centers, offsets = (part.double() for part in (robot.link_masses, robot.link_centers, tree.link_offsets))
    light = (robot.link_masses.detach() == 0).tolist() if not robot.link_masses.requires_grad else [False] * len(masses)
    found: dict[int, list[int]] = {}
    for link, joint in enumerate(tree.link_joint):
        if not light[link]:
            found.setdefault(joint, []).append(link)
    whole, middles, names = [], [], []
    for links in found.values():
        back = transforms.inverse(offsets[links[0]])
        places = transforms.transform_points(back @ offsets[links], centers[links])
        whole.append(masses[links].sum())
        middles.append((masses[links, None] * places).sum(0) / whole[-1])
        names.append(robot.link_names[links[0]])
    return torch.stack(whole), torch.stack(middles), tuple(names)
