"""A task of your own in ten lines: keep the hand on a cylinder.

A task says what is to become zero, from poses of links and joint angles. Its Jacobian comes from autograd; limits, restarts
and the honest success flag come with the solver.
"""

from dataclasses import dataclass

from torch import Tensor

import diffkin as dk


@dataclass(frozen=True, eq=False, kw_only=True)
class OnCylinder(dk.ik.Task):
    """The tip's distance from the z axis of the base is to be ``radius`` [m]."""

    radius: float
    links = (None,)  # the links whose poses are needed; None is the tip
    unit = "m"  # the residual is a length

    def residual(self, poses: Tensor, q: Tensor, problem: Tensor) -> Tensor:
        """(n, rows): here one row, the distance still to go."""
        return poses[:, 0, :2, 3].norm(dim=-1, keepdim=True) - self.radius


robot = dk.load_robot("kuka_iiwa")
hands = robot.forward_kinematics(robot.sample(50, seed=2))

# Alone: one number is asked for, seven joints are free.
alone = dk.solve_ik(robot, OnCylinder(radius=0.5))
distance = robot.forward_kinematics(alone.q)[:2, 3].norm()
print("on the cylinder:", bool(alone.success), "distance", round(float(distance), 6), "m")

# Together with tasks that are there: 50 attitudes of the hand, each held while it moves onto the cylinder.
attitude = dk.ik.OrientationTask(None, hands[:, :3, :3])
both = dk.solve_ik(robot, [OnCylinder(radius=0.5), attitude])
T = robot.forward_kinematics(both.q)
off = (T[:, :2, 3].norm(dim=-1) - 0.5).abs()[both.success].max()
turned = dk.rotations.angle_between(T[:, :3, :3], hands[:, :3, :3])[both.success].max()
print("both:", int(both.success.sum()), "of 50; farthest off", f"{float(off):.1e} m, {float(turned):.1e} rad")

# As a wish (priority 1) it only decides what the first task leaves open.
poses = dk.solve_ik(robot, [dk.ik.PositionTask(None, hands[:, :3, 3]), OnCylinder(radius=9.0, priority=1)])
print("with a wish that cannot be had:", int(poses.success.sum()), "of 50 positions reached")
