"""Paths of poses made from joint motions, so that an answer exists; poses judged by Pinocchio."""

import dataclasses
import math

import pytest
import torch

import diffkin as dk
from diffkin.errors import DtypeError, NonFiniteError, OptionError, RotationError, ShapeError
from diffkin.ik import PoseTask, PositionTask
from diffkin.motion import solve_path

DOUBLE = torch.float64


def motion(robot: dk.Robot, seed: int, count: int) -> torch.Tensor:
    """(count, dof) a smooth closed motion of all joints within limits, of three waves each."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=generator, dtype=DOUBLE)

    time = torch.linspace(0.0, 2.0 * math.pi, count, dtype=DOUBLE)[:, None]
    low, high = robot.lower.clamp(min=-math.pi), robot.upper.clamp(max=math.pi)
    middle = low + (0.3 + 0.4 * draw(robot.dof)) * (high - low)
    room = 0.9 * torch.minimum(middle - low, high - middle)
    size = draw(3, robot.dof) - 0.5
    size = size / size.abs().sum(0) * room * draw(robot.dof)
    phase = 2.0 * math.pi * draw(3, robot.dof)
    return middle + sum(size[k] * torch.sin((k + 1) * time + phase[k]) for k in range(3))


def largest(q: torch.Tensor) -> float:
    return float(q.diff(dim=0).abs().max())


def followed(robot: dk.Robot, T: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """What solving every pose from the last answer gives."""
    path = [q]
    for pose in T[1:]:
        path.append(dk.solve_ik(robot, pose, q0=path[-1], max_restarts=0).q)
    return torch.stack(path)


def pinocchio_poses(robot: dk.Robot, q: torch.Tensor) -> torch.Tensor:
    """The tip's poses by Pinocchio, from the robot's own file."""
    pinocchio = pytest.importorskip("pinocchio")
    model = pinocchio.buildModelFromUrdf(robot.source)
    data, frame, base = model.createData(), model.getFrameId(robot.tip), model.getFrameId(robot.base)
    where = [model.joints[model.getJointId(name)].idx_q for name in robot.joint_names]
    poses = []
    for row in q:
        full = pinocchio.neutral(model)
        full[where] = row.numpy()
        pinocchio.framesForwardKinematics(model, data, full)
        poses.append(torch.from_numpy((data.oMf[base].inverse() * data.oMf[frame]).homogeneous.copy()))
    return torch.stack(poses)


# seeds where following alone jumps or strides are marked by True
@pytest.mark.parametrize(
    ("name", "seed", "strides"),
    [
        ("kuka_iiwa", 5, True),
        ("kuka_iiwa", 10, True),
        ("franka_panda", 5, True),
        ("xarm6", 4, False),
    ],
)
def test_a_motion_that_exists_is_matched(name: str, seed: int, strides: bool) -> None:
    robot = dk.load_robot(name)
    q = motion(robot, seed, 500)
    T, own = robot.forward_kinematics(q), largest(q)
    found = solve_path(robot, T, q_start=q[0])
    assert found.success and found.reconfigurations == ()
    assert found.largest_step == largest(found.q) <= 3.0 * own
    assert bool(((found.q >= robot.lower) & (found.q <= robot.upper)).all())
    reached = pinocchio_poses(robot, found.q)
    assert float((reached - T)[:, :3, 3].norm(dim=-1).max()) < 2e-6
    assert float((reached - T)[:, :3, :3].abs().max()) < 2e-6
    assert float(found.position_error.max()) <= 1e-6 and float(found.rotation_error.max()) <= 1e-6
    assert (largest(followed(robot, T, q[0])) > 3.0 * own) == strides
    if not strides:
        torch.testing.assert_close(found.q[0], q[0], atol=1e-6, rtol=0.0)


def test_a_closed_path_ends_where_it_began_and_starts_where_it_likes() -> None:
    robot = dk.load_robot("kuka_iiwa")
    q = motion(robot, 3, 200)
    T = robot.forward_kinematics(q)
    T[-1] = T[0]
    found = solve_path(robot, T, closed=True)
    assert found.success and torch.equal(found.q[0], found.q[-1])
    assert found.largest_step <= 3.0 * largest(q)
    with pytest.raises(OptionError, match="closed"):
        solve_path(robot, T[:100], closed=True)


def margin(robot: dk.Robot, q: torch.Tensor) -> torch.Tensor:
    """(n,) the least room to a limit as a share of half the range."""
    room = torch.minimum(q - robot.lower, robot.upper - q)
    return (2.0 * room / (robot.upper - robot.lower)).amin(-1)


@pytest.mark.parametrize(("name", "seed"), [("kuka_iiwa", 5), ("franka_panda", 7)])
def test_a_limit_weight_keeps_away_from_limits(name: str, seed: int) -> None:
    robot = dk.load_robot(name)
    q = motion(robot, seed, 200)
    T = robot.forward_kinematics(q)
    plain, none = solve_path(robot, T), solve_path(robot, T, limit_weight=0.0)
    assert torch.equal(plain.q, none.q)
    wary = solve_path(robot, T, limit_weight=1.0)
    assert plain.success and wary.success
    assert wary.largest_step <= 3.0 * largest(q)
    before, after = margin(robot, plain.q), margin(robot, wary.q)
    assert float(after.mean()) > float(before.mean())
    assert float(after.min()) > float(before.min()) + 0.1


def test_heavy_joints_move_less() -> None:
    robot = dk.load_robot("kuka_iiwa")
    q = motion(robot, 5, 200)
    T = robot.forward_kinematics(q)
    weights = torch.ones(7, dtype=DOUBLE)
    weights[2] = 20.0
    plain, ones = solve_path(robot, T, q_start=q[0]), solve_path(robot, T, q_start=q[0], joint_weights=torch.ones(7))
    assert torch.equal(plain.q, ones.q)
    heavy = solve_path(robot, T, q_start=q[0], joint_weights=weights)
    assert heavy.success and heavy.largest_step <= 3.0 * largest(q)
    travel = [float(path.q[:, 2].diff().abs().sum()) for path in (plain, heavy)]
    assert travel[1] < 0.8 * travel[0]


def test_a_jump_that_cannot_be_avoided_is_named() -> None:
    robot = dk.load_robot("planar_2r")
    first = torch.stack((torch.full((12,), 0.3), torch.linspace(0.4, 0.8, 12)), dim=-1).double()
    second = torch.stack((torch.full((12,), 0.4), torch.linspace(-1.0, -0.6, 12)), dim=-1).double()
    T = robot.forward_kinematics(torch.cat((first, second)))
    for allow in (False, True):
        found = solve_path(robot, T, allow_reconfigurations=allow)
        assert not found.success and found.reconfigurations == (11,)
        assert float(found.position_error.max()) <= 1e-6
        torch.testing.assert_close(found.q, torch.cat((first, second)), atol=1e-5, rtol=0.0)


def test_a_pose_out_of_reach_is_no_success_but_no_error() -> None:
    robot = dk.load_robot("xarm6")
    T = robot.forward_kinematics(motion(robot, 2, 40))
    T[20, 0, 3] += 5.0
    found = solve_path(robot, T)
    assert not found.success and found.q.shape == (40, 6)
    assert float(found.position_error[20]) > 1.0


def test_tasks_one_pose_and_float32() -> None:
    robot = dk.load_robot("franka_panda")
    q = motion(robot, 6, 100)
    T = robot.forward_kinematics(q)
    point = solve_path(robot, PositionTask(None, T[:, :3, 3]), q_start=q[0])
    assert point.success and point.largest_step <= 3.0 * largest(q)
    by_task = solve_path(robot, [PoseTask(None, T)], q_start=q[0])
    torch.testing.assert_close(by_task.q, solve_path(robot, T, q_start=q[0]).q, atol=1e-5, rtol=0.0)
    one = solve_path(robot, T[:1])
    assert one.success and one.largest_step == 0.0 and one.q.shape == (1, 7)
    single = solve_path(robot.to(torch.float32), T.float(), q_start=q[0].float())
    assert single.success and single.q.dtype == torch.float32


def test_bad_inputs_are_named() -> None:
    robot = dk.load_robot("franka_panda")
    T = robot.forward_kinematics(robot.sample(3))
    with pytest.raises(ShapeError, match=r"\(n, 4, 4\)"):
        solve_path(robot, T[0])
    with pytest.raises(ShapeError):
        solve_path(robot, T[:0])
    with pytest.raises(RotationError):
        solve_path(robot, 2.0 * T)
    with pytest.raises(ShapeError, match="q_start"):
        solve_path(robot, T, q_start=torch.zeros(6))
    with pytest.raises(NonFiniteError, match="q_start"):
        solve_path(robot, T, q_start=torch.full((7,), torch.nan))
    with pytest.raises(OptionError, match="joint_weights"):
        solve_path(robot, T, joint_weights=torch.zeros(7))
    with pytest.raises(OptionError, match="limit_weight"):
        solve_path(robot, T, limit_weight=-1.0)


def test_it_says_what_came_of_it(iiwa):
    q = torch.linspace(0.3, 0.6, 12, dtype=torch.float64)[:, None] * torch.ones(7, dtype=torch.float64)
    T = iiwa.forward_kinematics(q)
    said = repr(solve_path(iiwa, T, q_start=q[0]))
    assert said.startswith("PathResult(solved, q (12, 7), errors up to ") and "largest step 0.0" in said
    T[5:, :3, 3] += 9.0
    assert repr(solve_path(iiwa, T, q_start=q[0])).startswith("PathResult(not solved, q (12, 7), errors up to ")
    found = dataclasses.replace(solve_path(iiwa, T[:3]), reconfigurations=tuple(range(10)))
    assert repr(found).endswith("reconfigurations at 0, 1, 2, 3, 4, 5, 6, 7 and 2 more)")


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"T": torch.eye(4, dtype=torch.complex128)[None]}, DtypeError, "T must be floating point"),
        ({"joint_weights": torch.ones(7, dtype=torch.bool)}, DtypeError, "joint_weights must be floating point"),
        ({"q_start": torch.zeros(7, dtype=torch.complex128)}, DtypeError, "q_start must be floating point"),
        ({"closed": "yes"}, OptionError, "closed must be True or False, got 'yes'"),
        ({"allow_reconfigurations": 3}, OptionError, "allow_reconfigurations must be True or False"),
        (
            {"T": [PositionTask(None, torch.zeros(n, 3, dtype=torch.float64)) for n in (3, 2)]},
            ShapeError,
            r"target of PositionTask 0 \(3,\), target of PositionTask 1 \(2,\)",
        ),
    ],
)
def test_what_can_be_told_at_once(iiwa, change, error, said):
    T = torch.eye(4, dtype=torch.float64).repeat(3, 1, 1)
    with pytest.raises(error, match=said):
        solve_path(iiwa, **{"T": T, **change})
