"""The model of an arm that is to be calibrated: its parameters, and the measured pose as a function of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin import transforms
from diffkin._algebra import apply, matmul
from diffkin._checks import check_finite, check_last, check_pose
from diffkin._given import one_of, whole
from diffkin.errors import OptionError, ShapeError
from diffkin.kinematics import PRISMATIC
from diffkin.robot import Robot

__all__ = ["GROUPS", "CalibrationModel", "calibration_model", "check_model"]

GROUPS = ("offsets", "origins", "tool")
"""What can be calibrated: joint offsets, the six numbers of every joint's origin, the six of the tool."""

_SIX = ("tx", "ty", "tz", "rx", "ry", "rz")


@dataclass(frozen=True, eq=False)
class CalibrationModel:
    """An arm whose geometry depends on parameters ``x``; ``x = 0`` is the arm as its file has it.

    Joint ``j`` on the way to the tip gets the origin ``origins[j] @ exp(xi_j)`` and turns (or slides) by the joint's
    reading plus its offset; what is measured is ``T_base_tip @ tool @ exp(xi_tool)``.

    Attributes:
        robot: The nominal arm, float64, with a tip.
        tool: (4, 4) nominal pose of the measured frame in the tip's.
        names: A name for each parameter: "offset of NAME" [rad or m], "tx of origin of NAME" [m], "rz of tool" [rad].
        joints: The tree's joints on the way to the tip.
        frames: The name of each of them.
        selector: (dof + 6 joints + 6, parameters) zeros and ones, from ``x`` to all numbers there are.
    """

    robot: Robot
    tool: Float[Tensor, "4 4"]
    names: tuple[str, ...]
    joints: tuple[int, ...]
    frames: tuple[str, ...]
    selector: Float[Tensor, "numbers parameters"]

    @property
    def size(self) -> int:
        """How many parameters there are."""
        return len(self.names)

    def zero(self) -> Float[Tensor, " parameters"]:
        """The parameters of the nominal arm."""
        return torch.zeros(self.size, dtype=torch.float64, device="cpu")

    def origins(self, x: Float[Tensor, " parameters"]) -> Float[Tensor, "joints 4 4"]:
        """Origins of all joints of the tree, the joints' offsets taken into them.

        A joint's motion by reading plus offset is the motion by the offset, then by the reading, so the offset can be
        part of the origin and a file needs no place of its own for it.
        """
        tree = self.robot.tree
        offsets, twists, _ = self._parts(x)
        readings = offsets[list(tree.coordinate)] * offsets.new_tensor(tree.multiplier)
        along = tree.axes * readings[:, None]
        slides = torch.tensor([[kind == PRISMATIC] for kind in tree.kinds], device=along.device)
        motion = torch.cat((torch.where(slides, along, 0.0), torch.where(slides, 0.0, along)), dim=-1)
        on_way = torch.zeros(tree.joints, 1, 1, dtype=torch.bool, device=along.device)
        on_way[list(self.joints)] = True
        moved = tree.origins @ transforms.exp(twists) @ transforms.exp(motion)
        return torch.where(on_way, moved, tree.origins)

    def tool_pose(self, x: Float[Tensor, " parameters"]) -> Float[Tensor, "4 4"]:
        """Pose of the measured frame in the tip's."""
        return self.tool @ transforms.exp(self._parts(x)[2])

    def robot_at(self, x: Float[Tensor, " parameters"]) -> Robot:
        """The robot with these parameters, a differentiable function of them; its tool is ``tool_pose(x)``."""
        return self.robot.replace(origins=self.origins(x))

    def poses(self, x: Float[Tensor, " parameters"], q: Float[Tensor, "n dof"]) -> Float[Tensor, "n 4 4"]:
        """What would be measured.

        Args:
            x: (parameters,) parameters [rad and m].
            q: (n, dof) readings of the joints [rad or m].

        Returns:
            (n, 4, 4) poses of the measured frame in the robot's base.
        """
        check_last(q, (self.robot.dof,), "q")
        if q.ndim != 2:
            raise ShapeError(f"q must have shape (n, {self.robot.dof}), got {tuple(q.shape)}.")
        return matmul(self.robot_at(x).forward_kinematics(q), self.tool_pose(x))

    def jacobian(
        self, x: Float[Tensor, " parameters"], q: Float[Tensor, "n dof"], chunk: int = 500
    ) -> Float[Tensor, "n 6 parameters"]:
        """Derivative of the measured pose with respect to the parameters, by forward mode through the kinematics.

        Args:
            x: (parameters,) parameters.
            q: (n, dof) readings.
            chunk: How many readings are differentiated at a time.

        Returns:
            (n, 6, parameters): velocity of the measured point, then angular velocity ``vee(dR R^T)``, in base axes.
        """
        self._check(x)
        check_last(q, (self.robot.dof,), "q")
        parts = [self._jacobian(x, some) for some in q.split(whole(chunk, "chunk", 1, 2**31))]
        return torch.cat(parts) if parts else x.new_zeros(0, 6, self.size)

    def _jacobian(self, x: Tensor, q: Tensor) -> Tensor:
        derivative = torch.func.jacfwd(lambda at: self.poses(at, q)[:, :3])(x)  # (n, 3, 4, parameters)
        rotation = self.poses(x, q)[:, :3, :3]
        spin = torch.einsum("nijp,nkj->nikp", derivative[:, :, :3], rotation)  # dR R^T
        angular = torch.stack((spin[:, 2, 1], spin[:, 0, 2], spin[:, 1, 0]), dim=1)
        return torch.cat((derivative[:, :, 3], angular), dim=1)

    def _check(self, x: Tensor) -> None:
        check_last(x, (self.size,), "x")
        if x.ndim != 1:
            raise ShapeError(f"x must have shape ({self.size},), got {tuple(x.shape)}.")
        check_finite(x, "x")

    def _parts(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Offsets (dof,), twists of the origins (joints, 6), twist of the tool (6,); 0 where not calibrated."""
        self._check(x)
        dof = self.robot.dof
        numbers = apply(self.selector.to(x), x)
        return numbers[:dof], numbers[dof:-6].reshape(-1, 6), numbers[-6:]


def calibration_model(
    robot: Robot, tool: Float[Tensor, "4 4"] | None = None, groups: Sequence[str] = GROUPS
) -> CalibrationModel:
    """The calibration model of an arm.

    Args:
        robot: The nominal arm, with a tip.
        tool: (4, 4) nominal pose of the measured frame in the tip's; the identity if None.
        groups: Which of "offsets", "origins" and "tool" are parameters.

    Returns:
        The model.

    Raises:
        diffkin.errors.TopologyError: The robot has no tip.
        diffkin.errors.UnknownNameError: There is no such group.
        diffkin.errors.OptionError: No group, or no joint on the way to the tip.
    """
    if not isinstance(robot, Robot):
        raise OptionError(f"A calibration needs a diffkin Robot, got a {type(robot).__name__}.")
    robot = robot.to(dtype=torch.float64, device="cpu")
    tree = robot.tree
    if tool is None:
        tool = torch.eye(4, dtype=torch.float64, device="cpu")
    check_pose(tool, "tool")
    if tool.ndim != 2:
        raise ShapeError(f"tool must have shape (4, 4), got {tuple(tool.shape)}.")
    tool = tool.detach().cpu().double()
    if isinstance(groups, (str, Tensor)) or not isinstance(groups, Iterable):
        raise OptionError(f"groups must be a list of names out of {', '.join(GROUPS)}, got {groups!r}.")
    groups = [one_of(group, GROUPS, "group of calibration parameters") for group in groups]
    joints = tree.path(tree.link_joint[robot.link_index(None)])
    if not joints or not groups:
        raise OptionError(f"There is nothing to calibrate: {len(joints)} joints move the tip, groups={list(groups)}.")
    names: list[str] = []
    rows: list[int] = []
    frames = tuple(_frame_name(robot, joint) for joint in joints)
    if "offsets" in groups:
        coordinates = sorted({tree.coordinate[joint] for joint in joints})
        names += [f"offset of {robot.joint_names[c]}" for c in coordinates]
        rows += coordinates
    if "origins" in groups:
        names += [f"{number} of origin of {frame}" for frame in frames for number in _SIX]
        rows += [robot.dof + 6 * joint + k for joint in joints for k in range(6)]
    if "tool" in groups:
        names += [f"{number} of tool" for number in _SIX]
        rows += [robot.dof + 6 * tree.joints + k for k in range(6)]
    selector = torch.zeros(robot.dof + 6 * tree.joints + 6, len(names), dtype=torch.float64, device="cpu")
    selector[rows, range(len(names))] = 1.0
    return CalibrationModel(robot, tool, tuple(names), joints, frames, selector)


def check_model(model: object) -> None:
    """Raise unless this is a calibration model."""
    if not isinstance(model, CalibrationModel):
        raise OptionError(f"model must be a CalibrationModel (see calibration_model), got a {type(model).__name__}.")


def _frame_name(robot: Robot, joint: int) -> str:
    """Name of a joint of the tree: its coordinate's, or that of the link it carries where it mimics."""
    tree = robot.tree
    name = robot.joint_names[tree.coordinate[joint]]
    first = tree.coordinate.index(tree.coordinate[joint]) == joint
    if first and (tree.multiplier[joint], tree.offset[joint]) == (1.0, 0.0):
        return name
    return f"the joint of {robot.link_names[tree.link_joint.index(joint)]}"
