"""Inverse kinematics of a batch: which joint angles bring the hand to each target?

Targets are poses of the tip, (n, 4, 4). All are solved in one call, within the limits of the joints.
"""

import diffkin as dk

robot = dk.load_robot("franka_panda")
targets = robot.forward_kinematics(robot.sample(500, seed=1))  # poses that can be reached

result = dk.solve_ik(robot, targets)
print(result)  # how many are solved, the shape of q, the worst errors left

# Never trust a solver: put the answers back into forward kinematics.
reached = robot.forward_kinematics(result.q)
print("farthest from its target:", float((reached - targets)[:, :3, 3].norm(dim=-1).max()), "m")  # at most 1e-6
print("within limits:", bool(((result.q >= robot.lower) & (result.q <= robot.upper)).all()))

# Where you start decides which of many answers you get: near q0, here the answer of a target a centimetre away.
moved = targets.clone()
moved[:, 2, 3] += 0.01
near = dk.solve_ik(robot, moved, q0=result.q)
free = dk.solve_ik(robot, moved)
both = near.success & free.success  # some targets at the edge of what the arm reaches are out of reach now
for name, each in (("with q0", near), ("without", free)):
    step = (each.q - result.q)[both].abs().amax(-1)
    print(f"{name}: of {int(both.sum())} answers {int((step > 0.5).sum())} jump by more than 0.5 rad")

# A target that no answer exists for is not an error: success is False, and q is the best that was found.
far = targets[:1].clone()
far[:, 0, 3] += 5.0
print("5 m away:", dk.solve_ik(robot, far, max_restarts=5).success.tolist())
