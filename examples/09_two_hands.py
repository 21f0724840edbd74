"""Two hands on one box, and what a whole robot is asked for at once: tasks in a list.

Each task says one thing, of one link or of two. Those of priority 0 are met together or the answer is no success; those
of priority 1 decide what the others leave open.
"""

import torch

import diffkin as dk
from diffkin import ik, transforms


def arm(side: str, y: float) -> str:
    """Six joints and a hand, as URDF, on a post that both arms share."""
    axes = ("0 0 1", "0 1 0", "1 0 0", "0 1 0", "1 0 0", "0 1 0", "1 0 0")
    text = ""
    for k, axis in enumerate(axes):
        place = f"0 {y} 0.5" if k == 0 else "0.15 0 0"
        text += f"""<link name="{side}_{k}"><inertial><origin xyz="0.07 0 0"/><mass value="1"/>
          <inertia ixx="1" ixy="0" ixz="0" iyy="1" iyz="0" izz="1"/></inertial></link>
          <joint name="{side}_joint_{k}" type="revolute"><parent link="{f"{side}_{k - 1}" if k else "post"}"/>
          <child link="{side}_{k}"/><origin xyz="{place}"/><axis xyz="{axis}"/>
          <limit lower="-2.6" upper="2.6" effort="1" velocity="1"/></joint>"""
    return text


robot = dk.Robot.from_urdf(f'<robot name="two arms"><link name="post"/>{arm("left", 0.2)}{arm("right", -0.2)}</robot>')
q0 = torch.tensor([-0.3, 0.8, 0.1, 0.7, -0.2, -1.0, 0.2, 0.3, 0.8, -0.1, 0.7, 0.2, -1.0, -0.2], dtype=torch.float64)
left, right = robot.forward_kinematics(q0, links=["left_6", "right_6"])

# The box moves: the left hand is told where to be, the right one to stay as it is in the left one's frame.
grip = transforms.inverse(left) @ right
moves = 0.05 * torch.eye(3, dtype=torch.float64)  # 5 cm along x, y and z
box = left.expand(3, 4, 4).clone()
box[:, :3, 3] += moves
hold = [ik.PoseTask("left_6", box), ik.PoseTask("right_6", grip, reference="left_6")]
carried = dk.solve_ik(robot, hold, q0=q0)
T = robot.forward_kinematics(carried.q, links=["left_6", "right_6"])
slip = (transforms.inverse(T[:, 0]) @ T[:, 1] - grip)[:, :3, 3].norm(dim=-1)
print("carried:", int(carried.success.sum()), "of 3, slips by at most", f"{float(slip.max()):.1e} m")

# Two arms have joints to spare. As a wish they stay near a posture; as a demand, 0.2 rad from every limit.
easy = dk.solve_ik(robot, [*hold, ik.PostureTask(q0), ik.LimitMarginTask(margin=0.2, priority=0)], q0=q0)
room = torch.minimum(easy.q - robot.lower, robot.upper - easy.q)
print("in comfort:", int(easy.success.sum()), "of 3, nearest to a limit", f"{float(room.min()):.2f} rad")

# A rod of 45 cm between the hands, the left one pointing forward to 20 degrees, the mass above the middle of the foot.
balance = ik.CenterOfMassTask(torch.tensor([0.25, 0.0, 0.0]), weight=torch.tensor([1.0, 1.0, 0.0]))
rod = ik.DistanceTask("left_6", "right_6", 0.45)
ahead = ik.RayDirectionTask("left_6", (1.0, 0.0, 0.0), torch.tensor([1.0, 0.0, 0.0]), within=0.349)
held = dk.solve_ik(robot, [rod, ahead, balance], q0=q0)
print("rod held:", bool(held.success), "mass at", [round(float(x), 4) for x in robot.center_of_mass(held.q)[:2]])
