"""A tool in the hand, and targets that leave something free.

A tool is a fixed pose behind the tip: to bring the tool to a target, bring the tip to target @ inverse(tool). And often
only a part of the pose matters: a drill may turn about its own axis, a tray may stand anywhere as long as it is level.
"""

import torch

import diffkin as dk
from diffkin import transforms

robot = dk.load_robot("xarm6")
tool = torch.eye(4, dtype=torch.float64)
tool[:3, 3] = torch.tensor([0.0, 0.0, 0.12])  # a pin of 12 cm along the flange's z axis

targets = robot.forward_kinematics(robot.sample(100, seed=0)) @ tool  # where the pin's point shall be
flange = targets @ transforms.inverse(tool)  # where the tip has to be for that
result = dk.solve_ik(robot, flange)
point = robot.forward_kinematics(result.q) @ tool
print("solved:", int(result.success.sum()), "of 100")
print("pin off by at most", float((point - targets)[:, :3, 3].norm(dim=-1).max()), "m")

# A drill may turn about its own axis, so five numbers of six are asked for: weight 0 frees the turn about the target's z.
free_turn = torch.tensor([1.0, 1.0, 1.0, 1.0, 1.0, 0.0], dtype=torch.float64)
drill = dk.solve_ik(robot, dk.ik.PoseTask(None, flange, weight=free_turn))
axis = (robot.forward_kinematics(drill.q) @ tool)[:, :3, 2]
print(
    "drill:",
    int(drill.success.sum()),
    "of 100, axis off by at most",
    float((axis - targets[:, :3, 2]).norm(dim=-1).max()),
)

# The position alone: three numbers of six, so the arm has three freedoms left. None names the tip.
position = dk.solve_ik(robot, dk.ik.PositionTask(None, flange[:, :3, 3]))
print("position alone:", int(position.success.sum()), "of 100")

# The rotation alone: anywhere, as long as the hand keeps its attitude.
level = dk.solve_ik(robot, dk.ik.OrientationTask(None, targets[:, :3, :3]))
turned = dk.rotations.angle_between(robot.forward_kinematics(level.q)[:, :3, :3], targets[:, :3, :3])
print("rotation alone:", int(level.success.sum()), "of 100, turned away by at most", float(turned.max()), "rad")
