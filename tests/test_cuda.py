"""Every public call on a GPU, on the plain torch path. Skipped, and said so, where there is none."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
import subprocess
import sys
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


@pytest.fixture
def arm6():
    robot = dk.load_robot("xarm6")
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


def test_all_solutions(arm6):
    here, there = arm6
    T = here.forward_kinematics(here.sample(3, seed=4))
    one, other = (dk.ik.solve_all(each, pose) for each, pose in ((here, T), (there, T.cuda())))
    assert other.q.device.type == other.valid.device.type == "cuda"
    for row in range(len(T)):
        expected, found = one.q[row][one.valid[row]], other.q[row][other.valid[row]].cpu()
        torch.testing.assert_close(
            there.forward_kinematics(found.cuda()).cpu(), T[row].expand(len(found), 4, 4), rtol=0, atol=2e-6
        )
        missed = torch.cdist(expected, found).amin(dim=-1) > 1e-4
        assert not missed.any(), f"{int(missed.sum())} of {len(expected)} solutions are missing on the GPU"


def test_paths_and_servo(pair):
    here, there = pair
    q = here.lower + (here.upper - here.lower) * torch.linspace(0.4, 0.55, 40, dtype=torch.float64)[:, None]
    T = here.forward_kinematics(q)
    path = dk.motion.solve_path(there, T.cuda(), q_start=q[0].cuda())
    assert path.q.device.type == "cuda"
    assert path.success, path
    torch.testing.assert_close(here.forward_kinematics(path.q.cpu()), T, rtol=0, atol=2e-6)
    steps = [
        dk.motion.servo_step(
            each, q[:8].to(each.device), torch.zeros_like(q[:8], device=each.device), T[1:9].to(each.device), 0.01
        )
        for each in (here, there)
    ]
    assert steps[1].q.device.type == "cuda"
    torch.testing.assert_close(steps[1].q.cpu(), steps[0].q, rtol=0, atol=1e-8)


def test_lists_of_tasks_with_gradients(pair):
    _, there = pair
    hand = there.forward_kinematics(there.sample(6, seed=3))
    target = hand[:, :3, 3].clone().requires_grad_()
    tasks = [dk.ik.PositionTask(None, target), dk.ik.PostureTask(there.sample(1, seed=5)[0], priority=1)]
    result = dk.solve_ik(there, tasks, differentiable=True)
    assert result.q.device.type == "cuda"
    assert result.success.all()
    (slope,) = torch.autograd.grad(result.q.sum(), target)
    assert slope.device.type == "cuda"
    assert torch.isfinite(slope).all()


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", public_calls.CALLS)
def test_autocast_changes_nothing(name, half):
    function, inputs = public_calls.CALLS[name]
    inputs = tuple(each.to("cuda", torch.float32) for each in inputs)
    expected = function(*inputs)
    with torch.autocast("cuda", half):
        found = function(*inputs)
    assert found.dtype == expected.dtype
    scale = max(1.0, expected.abs().max().item())
    torch.testing.assert_close(found, expected, rtol=0, atol=4e-6 * scale)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_compiled_by_torch(dtype):
    robot = dk.load_robot("kuka_iiwa").to(dtype, device="cuda")
    q = robot.sample(100)
    for call in (robot.forward_kinematics, robot.jacobian):
        found = torch.compile(call, fullgraph=True)(q)
        torch.testing.assert_close(found, call(q), rtol=0, atol=1e-5 if dtype == torch.float32 else 1e-12)


def test_a_copy_on_the_gpu_is_pickled(pair):
    here, there = pair
    dk.solve_ik(there, there.forward_kinematics(there.sample(1)))
    again = pickle.loads(pickle.dumps(copy.deepcopy(there)))
    assert again.device.type == "cuda"
    q = here.sample(4)
    torch.testing.assert_close(again.forward_kinematics(q.cuda()).cpu(), here.forward_kinematics(q), rtol=0, atol=1e-12)


@dataclasses.dataclass(frozen=True)
class OwnTask(dk.ik.Task):
    """A task of the user's own, which holds a tensor that the library does not know of."""

    links = (None,)
    hidden: tuple = ()

    def residual(self, poses, q, problem):
        return poses[:, 0, :3, 3] - self.hidden[0]


def test_paths_and_all_solutions_of_tasks(pair):
    here, there = pair
    q = here.lower + (here.upper - here.lower) * torch.linspace(0.4, 0.5, 10, dtype=torch.float64)[:, None]
    points = here.forward_kinematics(q)[:, :3, 3].cuda()
    for tasks in (dk.ik.PositionTask(None, points), [dk.ik.PositionTask(None, points, weight=torch.ones(3).cuda())]):
        path = dk.motion.solve_path(there, tasks, q_start=q[0].cuda())
        assert path.success, path
        assert path.q.device.type == "cuda"
    for task in (dk.ik.PositionTask(None, points[3]), OwnTask(hidden=(points[3],))):
        some = dk.ik.solve_all(there, task, q0=q[2].cuda(), max_solutions=3)
        assert some.count > 0
        assert some.q.device.type == some.count.device.type == "cuda"
        torch.testing.assert_close(
            there.forward_kinematics(some.q)[:, :3, 3], points[3].expand(some.q.shape[0], 3), rtol=0, atol=2e-6
        )


def test_all_solutions_of_redundant_arms():
    robot = dk.load_robot("kuka_iiwa").to(device="cuda")
    pose = robot.forward_kinematics(robot.sample(1, seed=2))[0]
    found = dk.ik.solutions.all_solutions(robot, pose, starts=200, spacing=0.1)
    assert found.device.type == "cuda"
    torch.testing.assert_close(robot.forward_kinematics(found), pose.expand(len(found), 4, 4), rtol=0, atol=2e-6)


def test_other_devices_are_refused_by_name(pair):
    here, there = pair
    T = here.forward_kinematics(here.sample(3))
    for call in (dk.solve_ik, dk.ik.solve_all, dk.motion.solve_path):
        with pytest.raises(dk.errors.DeviceError, match="cuda"):
            call(there, T)
    with pytest.raises(dk.errors.DeviceError, match="q0"):
        dk.solve_ik(there, T.cuda(), q0=here.sample(3))
    assert dk.solve_ik(there, T.cuda(), backend="reference").success.all()


TRAININGS = {
    **{network: f"train_ik network={network} robot=planar_3r trainer.batch=256 evaluation.targets=50 "
       "evaluation.bullet_targets=0" for network in ("flow", "regression", "through_fk", "chain_flow")},
    **{controller: f"train_attitude controller={controller} trainer.batch=64 score.flights=0 score.starts=20"
       for controller in ("tuned_pd", "tuned_cascade", "network", "residual")},
    **{name: f"train_filter filter={name} trainer.batch=4 grid.points=3 grid.refinements=0 records.training=6 "
       "records.held_out=3 records.seconds=3 records.settle_s=1" for name in ("mahony", "madgwick")},
}  # fmt: skip


@pytest.mark.parametrize("name", TRAININGS)
def test_training(name, tmp_path):
    pytest.importorskip("lightning_fabric")
    pytest.importorskip("hydra")
    script, *words = TRAININGS[name].split()
    line = [*words, "experiment=demo", "trainer=gpu", *words, "trainer.steps=20", "trainer.validate_every=10"]
    line = [*dict.fromkeys(line), f"hydra.run.dir={tmp_path}/run"]
    run = subprocess.run([sys.executable, f"scripts/{script}.py", *line], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-2000:]
    results = json.loads((tmp_path / "run" / "results.json").read_text(encoding="utf-8"))
    assert results
