"""The route by kernel: when it applies, that it gives what plain torch gives, its slices and what it keeps."""

from __future__ import annotations

import gc
import weakref

import pytest
import torch

import diffkin as dk
from diffkin import ik
from diffkin.errors import ChangedError
from diffkin.ik import kernel_route
from diffkin.ik.options import make_options
from diffkin.ik.problem import make_problem
from diffkin.ik.solvers.newton import FAR, FLOOR, LevenbergMarquardt

T0 = torch.eye(4, dtype=torch.float64)


def taken(robot, tasks, based=False, free_base=None, movable=None, dtype=torch.float64, **options):
    movable = torch.ones(robot.dof, dtype=torch.bool) if movable is None else movable
    problem = make_problem(robot, tasks, torch.Size((1,)), movable, free_base)
    return kernel_route.takes(make_options(dtype, **options), problem, robot, based)


def test_what_the_kernel_takes(iiwa):
    pose, point = ik.PoseTask(None, T0), ik.PositionTask("lbr_iiwa_link_4", T0[:3, 3])
    assert taken(iiwa, [pose])
    assert taken(iiwa, [point], based=True)
    assert taken(iiwa, [pose], solver=LevenbergMarquardt(max_iterations=7, patience=1))
    assert taken(iiwa.to(torch.float32), [pose], dtype=torch.float32)
    plane = ik.PositionTask(None, T0[:3, 3], weight=torch.tensor([1.0, 1.0, 0.0]))
    assert taken(iiwa, [plane])
    assert not taken(iiwa, [plane], based=True)
    assert not taken(iiwa, [pose, point])
    assert not taken(iiwa, [ik.RayDirectionTask("lbr_iiwa_link_4", (1.0, 0.0, 0.0), T0[0, :3])])
    assert not taken(iiwa, [pose], free_base="rotation")
    assert not taken(iiwa, [pose], movable=torch.arange(7) > 0)
    assert not taken(iiwa, [pose], history=True)
    assert not taken(iiwa, [pose], backend="reference")
    assert not taken(iiwa, [pose], solver="gauss_newton")

    class Mine(LevenbergMarquardt):
        pass

    assert not taken(iiwa, [pose], solver=Mine())


def test_settings_are_those_of_the_options():
    method = LevenbergMarquardt(damping=0.1, patience=3, grow=2.0, shrink=0.7, early_iterations=5)
    options = make_options(torch.float32, method, 1e-3, 1e-2, 4, None, 6, 2)
    made = kernel_route.settings_of(options, (1.0,) * 6, True)
    assert (made.damping, made.patience, made.grow, made.shrink) == (0.1, 3, 2.0, 0.7)
    assert (made.max_iterations, made.early_iterations, made.starts) == (64, 5, 5)
    assert (made.position_tolerance, made.rotation_tolerance, made.margin) == (1e-3, 1e-2, options.margin)
    assert (made.seed, made.nearest, made.has_q0, made.single) == (6, 2, True, True)
    assert (made.floor, made.far) == (FLOOR, FAR)
    with pytest.raises(TypeError, match="Adam"):
        kernel_route.settings_of(make_options(torch.float32, "adam"), (1.0,) * 6, True)


def test_the_short_way_and_the_long_one_agree(iiwa):
    q0 = iiwa.sample(20, seed=2)
    T = iiwa.forward_kinematics(iiwa.sample(20, seed=1))
    T[3, :3, 3] *= 4.0
    short = dk.solve_ik(iiwa, T, q0)
    long = dk.solve_ik(iiwa, ik.PoseTask(None, T), q0)
    assert short.success.sum() == 19
    assert torch.equal(short.success, long.success)
    solved = short.success  # the rotations are made exact in two ways, so they agree to rounding
    assert torch.equal(short.iterations[solved], long.iterations[solved])
    assert torch.equal(short.restarts[solved], long.restarts[solved])
    torch.testing.assert_close(short.q[solved], long.q[solved], rtol=0, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_slices_change_nothing(iiwa, monkeypatch, dtype):
    robot = iiwa.to(dtype)
    q0 = robot.sample(50, seed=2)
    T = robot.forward_kinematics(robot.sample(50, seed=1))
    tasks = (T, ik.PositionTask(None, T[:, :3, 3]))
    whole = [dk.solve_ik(robot, task, q0) for task in tasks]
    monkeypatch.setattr(kernel_route, "SLICE", 16)
    for task, before in zip(tasks, whole, strict=True):
        told = []
        after = dk.solve_ik(robot, task, q0, progress=lambda done, total, told=told: told.append((done, total)))
        for name in ("q", "success", "iterations", "restarts", "position_error", "rotation_error"):
            assert torch.equal(getattr(before, name), getattr(after, name))
        assert told == [(16, 50), (32, 50), (48, 50), (50, 50)]


def test_calls_are_kept_but_not_for_ever(iiwa):
    robot = iiwa.replace(lower=iiwa.lower.clone())
    T = robot.forward_kinematics(robot.sample(1))
    for seed in range(kernel_route._CALLS + 3):
        dk.solve_ik(robot, T, seed=seed)
    ready = kernel_route._ready(robot, robot.link_index(None))
    assert 0 < len(ready.calls) <= kernel_route._CALLS
    assert kernel_route.program_of(iiwa, 7) is kernel_route.program_of(iiwa, 7)
    tight = iiwa.replace(lower=iiwa.lower + 0.1)
    assert kernel_route.program_of(tight, 7) is not kernel_route.program_of(iiwa, 7)


def test_a_limit_on_one_side_alone(iiwa):
    lower, upper = iiwa.lower.clone(), iiwa.upper.clone()
    lower[0], upper[2] = -torch.inf, torch.inf
    lower[6], upper[6] = 4.0, torch.inf  # a range that pi is not in
    robot = iiwa.replace(lower=lower, upper=upper)
    T = robot.forward_kinematics(iiwa.sample(50, seed=1))
    for route in (None, "reference"):
        result = dk.solve_ik(robot, T, backend=route)
        assert result.success.all()
        assert ((result.q >= lower) & (result.q <= upper)).all()


def test_what_is_kept_of_changed_robots_goes_with_them(iiwa):
    T = iiwa.forward_kinematics(iiwa.sample(1))
    dk.solve_ik(iiwa, T)
    before = len(iiwa.tree.cache)
    for k in range(10):
        robot = iiwa.replace(lower=iiwa.lower + 1e-3 * k)
        dk.solve_ik(robot, T)
    assert len(iiwa.tree.cache) <= before + 1
    gone = weakref.ref(robot.cache["ik program", robot.link_index(None)])
    del robot
    gc.collect()
    assert gone() is None


def test_limits_changed_in_place_are_noticed(iiwa):
    robot = iiwa.replace(lower=iiwa.lower.clone())
    T = robot.forward_kinematics(robot.sample(3))
    dk.solve_ik(robot, T)
    robot.lower.mul_(0.3)
    for backend in (None, "reference"):
        with pytest.raises(ChangedError, match="robot.replace"):
            dk.solve_ik(robot, T, backend=backend)


@pytest.mark.parametrize("name", ["kuka_iiwa", "xarm6", "scara"])
def test_poses_in_turn_are_those_of_one_call_each(name):
    robot = dk.load_robot(name)
    ways = torch.linspace(0.35, 0.45, 30, dtype=torch.float64)[:, None]
    poses = robot.forward_kinematics(robot.lower + ways * (robot.upper - robot.lower).clamp(max=6.0))
    firsts = robot.lower + 0.35 * (robot.upper - robot.lower) + 0.05 * torch.tensor([[0.0], [1.0], [-1.0]]).double()
    options = make_options(torch.float64, max_restarts=0)
    found, success = kernel_route.solve_in_turn(options, robot, poses, firsts)
    q = firsts
    for tick, pose in enumerate(poses):
        expected = dk.solve_ik(robot, pose.expand(3, 4, 4), q0=q, max_restarts=0)
        q = expected.q
        assert torch.equal(found[tick], q)
        assert torch.equal(success[tick], expected.success)
    assert bool(success[:, 0].all())
    poses = poses.clone()
    poses[7, :3, 3] = 100.0
    found, success = kernel_route.solve_in_turn(options, robot, poses, firsts)
    assert found.shape == (8, 3, robot.dof) and bool(success[6].any()) and not bool(success[7].any())
    poses[9, 0, 0] = 5.0
    assert kernel_route.solve_in_turn(options, robot, poses, firsts) is None
    assert kernel_route.solve_in_turn(options, robot.to(torch.float32), poses, firsts) is None
