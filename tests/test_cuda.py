"""Every public call on a GPU, on the plain torch path. Skipped, and said so, where there is none."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import diffkin as dk
from diffkin import aircraft
from tests import public_calls
from tests.aircraft import public_calls as of_aircraft

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


@pytest.mark.parametrize("name", public_calls.CALLS)
def test_every_public_call_of_kinematics(name):
    function, inputs = public_calls.CALLS[name]
    expected = function(*inputs)
    found = function(*(each.cuda() for each in inputs))
    assert found.device.type == "cuda"
    scale = max(1.0, expected.abs().max().item())
    torch.testing.assert_close(found.cpu(), expected, rtol=0, atol=1e-11 * scale)


# Their entries build from numbers alone, or hold a robot or poses of their own on the CPU.
MADE_ON_THE_CPU = {
    *("Airframe", "Airframe.to", "load_airframe", "BodyPoint", "BodyRay", "RayTarget", "KeepOut"),
    *("BankPitchLimitTask", "KeepOutConeTask", "RayAtPointTask", "RayDirectionTask", "WingsLevelTask"),
    *("MadgwickGains", "MahonyGains", "MEKFNoise", "initial_state", "QuadrotorMixer", "QuadrotorMixer.to"),
}


def _there(value: Any) -> Any:
    """An argument of a call moved to the GPU: tensors, and the airframes and robots that hold them."""
    if isinstance(value, (dk.Robot, aircraft.Airframe)):
        return value.to(device="cuda")
    if isinstance(value, torch.Generator):
        return value
    if isinstance(value, Tensor):
        return value.cuda()
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        return type(value)(_there(part) for part in value)
    return of_aircraft.change(value, Tensor.cuda)


@pytest.mark.parametrize("name", [name for name in of_aircraft.CALLS if name not in MADE_ON_THE_CPU])
def test_every_public_call_of_aircraft(name):
    function, inputs = of_aircraft.call(name)
    expected = list(of_aircraft.tensors(function(**inputs)))
    bound = getattr(function, "__self__", None)
    if hasattr(bound, "to"):
        function = getattr(bound.to(device="cuda"), function.__name__)
    found = list(of_aircraft.tensors(function(**{key: _there(value) for key, value in inputs.items()})))
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.device.type == "cuda"
        if other.is_floating_point():
            scale = max(1.0, other.abs().max().item()) if other.numel() else 1.0
            torch.testing.assert_close(one.cpu(), other, rtol=0, atol=1e-9 * scale)


def test_the_same_robot_goes_there_and_back(pair):
    here, there = pair
    q = here.sample(5)
    torch.testing.assert_close(there.to(device="cpu").forward_kinematics(q), here.forward_kinematics(q), rtol=0, atol=0)
    with pytest.raises(dk.errors.DiffkinError, match="cuda"):
        there.forward_kinematics(q)


def test_tasks_of_pointing_under_a_free_base():
    plane = aircraft.load_airframe("fixed_wing")
    ahead = torch.tensor([[1.0, 0.2, 0.1], [0.5, -0.4, 0.3]], dtype=torch.float64)
    aims = [aircraft.RayTarget("boresight", direction=each) for each in (ahead, ahead.cuda())]
    here, there = (aircraft.point(each, aim) for each, aim in zip((plane, plane.to(device="cuda")), aims, strict=True))
    assert there.q.device.type == "cuda"
    assert here.success.all()
    assert there.success.all()
