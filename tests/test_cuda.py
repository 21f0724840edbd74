"""Every public call on a GPU, on the plain torch path. Skipped, and said so, where there is none."""

from __future__ import annotations

import pytest
import torch

import diffkin as dk

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


@pytest.fixture(params=["kuka_iiwa", "scara"])
def pair(request):
    robot = dk.load_robot(request.param)
    return robot, robot.to(device="cuda")


def test_poses_and_derivatives(pair):
    here, there = pair
    q = here.sample(20)
    for call in ("forward_kinematics", "jacobian", "hessian", "manipulability"):
        expected = getattr(here, call)(q)
        result = getattr(there, call)(q.cuda())
        assert result.device.type == "cuda"
        torch.testing.assert_close(result.cpu(), expected, rtol=1e-11, atol=1e-11)
    for method in ("backward_seeds", "reverse", "forward"):
        torch.testing.assert_close(there.jacobian(q.cuda(), method=method).cpu(), here.jacobian(q), rtol=0, atol=1e-11)
    leaf = q.cuda().requires_grad_()
    there.forward_kinematics(leaf, base=torch.eye(4, device="cuda", dtype=torch.float64)).sum().backward()
    assert torch.isfinite(leaf.grad).all()


@pytest.mark.parametrize("solver", ["levenberg_marquardt", "gauss_newton", "lbfgs"])
def test_inverse_kinematics(pair, solver):
    here, there = pair
    T = here.forward_kinematics(here.sample(50))
    target = T.cuda().requires_grad_()
    result = dk.solve_ik(there, target, solver=solver, differentiable=True)
    assert result.q.device.type == "cuda"
    assert result.success.all()
    torch.testing.assert_close(here.forward_kinematics(result.q.detach().cpu()), T, rtol=0, atol=2e-6)
    result.q.sum().backward()
    assert torch.isfinite(target.grad).all()


def test_tasks_with_a_free_base(pair):
    here, there = pair
    T = there.forward_kinematics(there.sample(5))
    T[:, :3, 3] += 2.0
    result = dk.solve_ik(there, [dk.ik.PositionTask(None, T[:, :3, 3])], free_base="pose")
    assert result.success.all()
