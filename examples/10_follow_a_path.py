"""Follow a path: all solutions of a pose, joints for a whole path without a jump, and ticks of control.

Solving pose after pose, each from the last answer, may lead an arm to where it cannot go on, and it jumps. solve_path looks at
the whole path first. servo_step is what runs on a robot: one small step at a time that breaks no limit of speed.
"""

import torch

import diffkin as dk

robot = dk.load_robot("xarm6")
start = torch.tensor([0.3, -0.4, -0.9, 0.2, 0.8, 0.1], dtype=torch.float64)
pose = robot.forward_kinematics(start)

# An arm with six joints has finitely many solutions of a pose; here with all their whole turns within the limits.
found = dk.ik.solve_all(robot, pose, q0=start, max_solutions=500)
print("solutions:", int(found.count), "the first is", f"{float((found.q[0] - start).norm()):.0e} rad from q0")

# A circle of 10 cm radius in the plane of x and y, the hand not turned: 201 poses that end where they began.
angle = torch.linspace(0.0, 2.0 * torch.pi, 201, dtype=torch.float64)
T = pose.repeat(201, 1, 1)
T[:, 0, 3] += 0.1 * (angle.cos() - 1.0)
T[:, 1, 3] += 0.1 * angle.sin()
path = dk.motion.solve_path(robot, T, q_start=start, closed=True)
print("without a jump:", path.success, "largest step", f"{path.largest_step:.3f} rad")
print("ends where it began:", torch.equal(path.q[-1], path.q[0]))
print("off by at most", f"{float(path.position_error.max()):.0e} m")

# The same by ticks of 20 ms. Every joint keeps its speed limit, and 5 rad/s^2; the hand lags behind a little.
q, dq, farthest, fastest = start, torch.zeros(6, dtype=torch.float64), 0.0, 0.0
for goal in T:
    step = dk.motion.servo_step(robot, q, dq, goal, dt=0.02, acceleration_limit=5.0)
    hardest = float((step.dq - dq).abs().max()) / 0.02
    assert hardest <= 5.0 + 1e-9
    q, dq = step.q, step.dq
    farthest = max(farthest, float(step.position_error))
    fastest = max(fastest, float((dq / robot.max_velocity).abs().max()))
print("servo: behind by at most", f"{1e3 * farthest:.1f} mm, speed at most", f"{fastest:.2f} of its limit")

# Five times as fast is more than the joints can do. No limit is broken: the hand falls behind, and scale says so.
q, dq = start, torch.zeros(6, dtype=torch.float64)
scale = []
for goal in T[::5]:
    step = dk.motion.servo_step(robot, q, dq, goal, dt=0.02, acceleration_limit=5.0)
    q, dq = step.q, step.dq
    scale.append(float(step.scale))
print("five times as fast: slowed in", sum(each < 0.999 for each in scale), "of", len(scale), "ticks,", end=" ")
print(f"{1e3 * float(step.position_error):.0f} mm behind at the end")
