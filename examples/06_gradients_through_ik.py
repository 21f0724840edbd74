"""Gradients through inverse kinematics: where should a workpiece stand so that the arm reaches it at ease?

The answer q of inverse kinematics changes smoothly with the target. With differentiable=True its derivative is known (by the
implicit function theorem), so anything computed from q can be improved by gradient descent on the target.
"""

import torch

import diffkin as dk

robot = dk.load_robot("xarm6")
middle = 0.5 * (robot.lower + robot.upper).nan_to_num(0.0)
start = robot.forward_kinematics(robot.sample(1, seed=3)[0])

# The derivative itself: moving the target by dx moves the joints by J^-1 dx (six joints, so J is square).
shift = torch.zeros(3, dtype=torch.float64, requires_grad=True)


def target(shift: torch.Tensor) -> torch.Tensor:
    """The workpiece, moved."""
    T = start.clone()
    T[:3, 3] = T[:3, 3] + shift
    return T


first = dk.solve_ik(robot, target(shift), differentiable=True)
(gradient,) = torch.autograd.grad(first.q[1], shift)
inverse = torch.linalg.inv(robot.jacobian(first.q.detach()))
print("dq2/dtarget by autograd:", [round(value, 4) for value in gradient.tolist()])
print("row of the inverse Jacobian:", [round(value, 4) for value in inverse[1, :3].tolist()])

# Twenty steps downhill: joints nearer to the middle of their ranges, the workpiece moved as far as that asks.
q = first.q.detach()
for step in range(21):
    result = dk.solve_ik(robot, target(shift), q0=q, differentiable=True)  # q0 keeps to the same branch
    assert bool(result.success)
    q = result.q.detach()
    strain = (result.q - middle).square().mean()
    (gradient,) = torch.autograd.grad(strain, shift)
    if step % 5 == 0:
        print(f"step {step:2d}: strain {strain.item():.4f} at", [round(value, 3) for value in shift.detach().tolist()])
    shift = (shift.detach() - 0.01 * gradient / gradient.norm()).requires_grad_()  # one centimetre
