"""The public call: success rates, limits, honesty, independence, options, bad input."""

from __future__ import annotations

import itertools
import math
import os

import numpy as np
import pinocchio as pin
import pytest
import torch

import diffkin as dk
from diffkin import ik
from diffkin.errors import (
    DtypeError,
    NonFiniteError,
    OptionError,
    RotationError,
    ShapeError,
    TopologyError,
    UnknownNameError,
)


def pinocchio_errors(robot: dk.Robot, q: torch.Tensor, T: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Position and rotation errors judged by Pinocchio in float64."""
    model = pin.buildModelFromUrdf(robot.source)
    data = model.createData()
    frame = model.getFrameId(robot.tip)
    position, rotation = [], []
    for row, goal in zip(q.double().numpy(), T.double().numpy(), strict=True):
        full = pin.neutral(model)
        for name, value in zip(robot.joint_names, row, strict=True):
            joint = model.joints[model.getJointId(name)]
            full[joint.idx_q : joint.idx_q + joint.nq] = value if joint.nq == 1 else (math.cos(value), math.sin(value))
        pin.framesForwardKinematics(model, data, full)
        place = data.oMf[frame]
        position.append(np.linalg.norm(place.translation - goal[:3, 3]))
        rotation.append(np.linalg.norm(pin.log3(goal[:3, :3].T @ place.rotation)))
    return np.array(position), np.array(rotation)


def within(robot: dk.Robot, q: torch.Tensor) -> bool:
    return bool(((q >= robot.lower) & (q <= robot.upper)).all())


@pytest.mark.parametrize(("name", "least"), [("kuka_iiwa", 0.999), ("xarm6", 0.999), ("franka_panda", 0.995)])
def test_success_rate_judged_by_pinocchio(name, least):
    robot = dk.load_robot(name)
    T = robot.forward_kinematics(robot.sample(2000, seed=11))
    result = dk.solve_ik(robot, T)
    assert result.success.double().mean() >= least
    assert within(robot, result.q)
    position, rotation = pinocchio_errors(robot, result.q, T)
    np.testing.assert_array_equal((position <= 1e-6 + 1e-12) & (rotation <= 1e-6 + 1e-12), result.success.numpy())


EXAMPLES = {
    "ur_description/urdf/ur5_robot.urdf": ("tool0", 0.999),
    "ur_description/urdf/ur10_robot.urdf": ("tool0", 0.999),
    "kinova_description/robots/kinova.urdf": (None, 0.995),
    "talos_data/robots/talos_left_arm.urdf": ("wrist_left_ft_tool_link", 0.995),
}


@pytest.mark.parametrize("path", EXAMPLES)
def test_robots_nobody_tuned_for(path):
    import sysconfig

    root = os.path.join(sysconfig.get_paths()["purelib"], "cmeel.prefix/share/example-robot-data/robots")
    file = os.path.join(root, path)
    if not os.path.exists(file):
        pytest.skip(f"example-robot-data does not ship {path}")
    tip, least = EXAMPLES[path]
    robot = dk.Robot.from_urdf(file)
    tip = tip if tip in robot.link_names else robot.tip or robot.leaves[-1]
    robot = dk.Robot.from_urdf(file, base=robot.base, tip=tip)
    T = robot.forward_kinematics(robot.sample(1000, seed=5))
    result = dk.solve_ik(robot, T)
    assert result.success.double().mean() >= least
    assert within(robot, result.q)
    q = result.q[:, robot.periodic]
    assert ((q > -math.pi) & (q <= math.pi)).all()
    again = robot.forward_kinematics(result.q, backend="reference")
    gap = (again - T)[result.success].abs().max()
    assert gap < 2e-6


# What the first-order solvers reach of 20 with 4 starts of 800 steps: 19 and 17, 19 and 15. The others reach all.
SHARES = {("kuka_iiwa", "gradient_descent"): 0.9, ("scara", "gradient_descent"): 0.8,
          ("kuka_iiwa", "adam"): 0.9, ("scara", "adam"): 0.7}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "solver"),
    [
        pytest.param(name, solver, marks=[pytest.mark.slow] if name == "scara" and (name, solver) in SHARES else [])
        for name, solver in itertools.product(["kuka_iiwa", "scara"], ik.SOLVERS)
    ],
)
def test_every_solver_on_the_plain_torch_path(name, solver):
    robot = dk.load_robot(name)
    T = robot.forward_kinematics(robot.sample(20, seed=2))
    budget = {"max_iterations": 800, "max_restarts": 3} if (name, solver) in SHARES else {}
    result = dk.solve_ik(robot, T, solver=solver, backend="reference", **budget)
    assert result.success.double().mean() >= SHARES.get((name, solver), 1.0)
    assert within(robot, result.q)
    position, rotation = pinocchio_errors(robot, result.q, T)
    assert position[result.success].max() <= 1e-6 + 1e-12
    assert rotation[result.success].max() <= 1e-6 + 1e-12
    assert (result.iterations > 0).all()


@pytest.mark.parametrize("backend", [None, "reference"])
def test_unreachable_targets_are_never_solved(iiwa, backend):
    T = iiwa.forward_kinematics(iiwa.sample(20))
    T[:, :3, 3] *= 3.0
    result = dk.solve_ik(iiwa, T, max_restarts=3, backend=backend)
    assert not result.success.any()
    assert within(iiwa, result.q)
    assert (result.position_error > 0.5).all()


@pytest.mark.parametrize("backend", [None, "reference"])
def test_errors_are_those_of_the_returned_q(panda, backend):
    T = panda.forward_kinematics(panda.sample(50))
    T[::2, 0, 3] += 0.8  # some cannot be reached
    result = dk.solve_ik(panda, T, max_restarts=5, backend=backend)
    reached = panda.forward_kinematics(result.q)
    position = (reached - T)[:, :3, 3].norm(dim=-1)
    torch.testing.assert_close(result.position_error, position, rtol=0, atol=1e-12)
    angle = dk.rotations.angle_between(reached[:, :3, :3], T[:, :3, :3])
    torch.testing.assert_close(result.rotation_error, angle, rtol=0, atol=1e-9)


def test_alone_or_in_company_to_the_bit(panda):
    T = panda.forward_kinematics(panda.sample(64, seed=4))
    q0 = panda.sample(64, seed=9)
    for start in (None, q0):
        together = dk.solve_ik(panda, T, start)
        order = torch.randperm(64, generator=torch.Generator().manual_seed(0))
        shuffled = dk.solve_ik(panda, T[order], None if start is None else start[order])
        assert torch.equal(shuffled.q, together.q[order])
        assert torch.equal(shuffled.iterations, together.iterations[order])
        for k in range(0, 64, 7):
            alone = dk.solve_ik(panda, T[k], None if start is None else start[k])
            assert torch.equal(alone.q, together.q[k])


def test_independent_of_company_on_the_plain_torch_path(panda):
    T = panda.forward_kinematics(panda.sample(12, seed=4))
    together = dk.solve_ik(panda, T, backend="reference")
    for k in range(0, 12, 3):
        alone = dk.solve_ik(panda, T[k], backend="reference")
        torch.testing.assert_close(alone.q, together.q[k], rtol=0, atol=1e-6)


@pytest.mark.parametrize("solver", ["levenberg_marquardt", "lbfgs"])
def test_seeds_repeat_to_the_bit(iiwa, solver):
    T = iiwa.forward_kinematics(iiwa.sample(10))
    first, second = (dk.solve_ik(iiwa, T, solver=solver, seed=3) for _ in range(2))
    assert torch.equal(first.q, second.q)


@pytest.mark.parametrize("backend", [None, "reference"])
def test_q0_is_tried_first_and_projected(iiwa, backend):
    q = iiwa.sample(20, seed=6)
    near = q + 0.02
    result = dk.solve_ik(iiwa, iiwa.forward_kinematics(q), near, max_restarts=0, backend=backend)
    assert result.success.all()
    assert (result.q - q).abs().max() < 0.3
    outside = dk.solve_ik(iiwa, iiwa.forward_kinematics(q), near + 100.0, max_restarts=0, backend=backend)
    assert within(iiwa, outside.q)


@pytest.mark.parametrize("backend", [None, "reference"])
def test_solutions_on_the_limits_and_of_the_stretched_arm(iiwa, backend):
    q = torch.cat((iiwa.lower[None], iiwa.upper[None], torch.zeros(1, 7).double(), iiwa.sample(10)))
    q[3:, 1] = iiwa.upper[1]
    q[3:, 5] = iiwa.lower[5]
    result = dk.solve_ik(iiwa, iiwa.forward_kinematics(q), backend=backend, max_restarts=500)
    assert result.success.all()
    assert within(iiwa, result.q)


def test_halved_ranges(panda):
    middle, half = (panda.lower + panda.upper) / 2, (panda.upper - panda.lower) / 4
    tight = panda.replace(lower=middle - half, upper=middle + half)
    T = tight.forward_kinematics(tight.sample(1000, seed=8))
    result = dk.solve_ik(tight, T)
    assert result.success.double().mean() >= 0.995
    assert within(tight, result.q)


@pytest.mark.parametrize("tolerance", [1e-4, 1e-9])
def test_tolerances_are_obeyed(iiwa, tolerance):
    T = iiwa.forward_kinematics(iiwa.sample(100))
    result = dk.solve_ik(iiwa, T, position_tolerance=tolerance, rotation_tolerance=tolerance)
    assert result.success.all()
    assert result.position_error.max() <= tolerance
    assert result.rotation_error.max() <= tolerance


@pytest.mark.parametrize("batch", [(), (0,), (1,), (2, 3)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("backend", [None, "reference"])
def test_shapes_and_dtypes(iiwa, batch, dtype, backend):
    robot = iiwa.to(dtype)
    q = robot.sample(math.prod(batch)).reshape(*batch, 7)
    result = dk.solve_ik(robot, robot.forward_kinematics(q), backend=backend)
    assert result.q.shape == (*batch, 7)
    assert result.q.dtype == dtype
    assert result.success.dtype == torch.bool
    for field in (result.success, result.position_error, result.rotation_error, result.iterations):
        assert field.shape == batch
    assert result.success.all()
    assert within(robot, result.q)


def test_targets_and_starts_broadcast(iiwa):
    T = iiwa.forward_kinematics(iiwa.sample(6).reshape(2, 3, 7))
    result = dk.solve_ik(iiwa, T, q0=iiwa.sample(3))
    assert result.q.shape == (2, 3, 7)
    many = dk.solve_ik(iiwa, T[0, 0], q0=iiwa.sample(5, seed=2))
    assert many.q.shape == (5, 7)
    assert many.success.all()
    assert (many.q[0] - many.q[1]).abs().max() > 1e-3


def test_nearest_of_several_solutions(iiwa):
    T = iiwa.forward_kinematics(iiwa.sample(40, seed=3))
    q0 = iiwa.sample(40, seed=12)
    for backend in (None, "reference"):
        first = dk.solve_ik(iiwa, T, q0, backend=backend)
        nearest = dk.solve_ik(iiwa, T, q0, nearest_of=8, backend=backend)
        assert nearest.success.all()
        far, near = (((r.q - q0) ** 2).sum(-1) for r in (first, nearest))
        assert (near <= far + 1e-9).all()
        assert (near < far - 1e-3).any()


def test_history_and_progress(iiwa):
    T = iiwa.forward_kinematics(iiwa.sample(8))
    calls = []
    result = dk.solve_ik(iiwa, T, history=True, progress=lambda done, total: calls.append((done, total)))
    assert result.history.shape[1:] == (8,)
    assert (result.history.diff(dim=0) <= 0).all()
    assert (result.history[-1] < 1e-3).all()
    assert calls[-1] == (8, 8)
    calls.clear()
    dk.solve_ik(iiwa, T, progress=lambda done, total: calls.append((done, total)))
    assert calls[-1] == (8, 8)


def test_base_pose(iiwa):
    base = dk.transforms.pose(dk.rotations.random_rotation((), seed=1, dtype=torch.float64), torch.rand(3).double())
    q = iiwa.sample(10)
    T = iiwa.forward_kinematics(q, base=base)
    for backend in (None, "reference"):
        result = dk.solve_ik(iiwa, T, base=base, backend=backend)
        assert result.success.all()
        torch.testing.assert_close(iiwa.forward_kinematics(result.q, base=base), T, rtol=0, atol=2e-6)


@pytest.mark.parametrize("backend", [None, "reference"])
def test_weights_along_the_axes_of_the_world_under_a_turned_base(iiwa, backend):
    base = dk.transforms.pose(dk.rotations.random_rotation((), seed=1, dtype=torch.float64), torch.rand(3).double())
    p = iiwa.forward_kinematics(iiwa.sample(10), base=base)[:, :3, 3]
    p[:, 2] += 9.0  # out of reach, but the height is free
    task = ik.PositionTask(None, p, weight=torch.tensor([1.0, 1.0, 0.0]))
    result = dk.solve_ik(iiwa, task, base=base, backend=backend)
    assert result.success.all()
    reached = iiwa.forward_kinematics(result.q, base=base)[:, :3, 3]
    torch.testing.assert_close(reached[:, :2], p[:, :2], rtol=0, atol=1e-6)


def test_free_base_and_locked_joints(iiwa):
    T = iiwa.forward_kinematics(iiwa.sample(5))
    T[:, :3, 3] += 4.0  # out of reach unless the base moves
    q0 = iiwa.sample(5, seed=1)
    moved = dk.solve_ik(iiwa, T, q0, free_base="pose", locked=iiwa.joint_names)
    assert moved.success.all()
    torch.testing.assert_close(moved.q, q0, rtol=0, atol=0)
    torch.testing.assert_close(iiwa.forward_kinematics(moved.q, base=moved.base), T, rtol=0, atol=2e-6)
    some = dk.solve_ik(iiwa, iiwa.forward_kinematics(q0), q0 + 0.01, locked=iiwa.joint_names[:1], max_restarts=20)
    held = (q0 + 0.01).clamp(iiwa.lower, iiwa.upper)
    torch.testing.assert_close(some.q[:, 0], held[:, 0], rtol=0, atol=0)


def test_a_target_off_by_rounding_means_the_nearest_rotation(iiwa):
    T = iiwa.forward_kinematics(iiwa.sample(5))
    rough = T.clone()
    rough[:, :3, :3] += 1e-6 * torch.randn(5, 3, 3, generator=torch.Generator().manual_seed(0)).double()
    for backend in (None, "reference"):
        result = dk.solve_ik(iiwa, rough, backend=backend)
        assert result.success.all()
        nearest = dk.rotations.nearest_rotation(rough[:, :3, :3])
        reached = iiwa.forward_kinematics(result.q)[:, :3, :3]
        assert dk.rotations.angle_between(reached, nearest).max() <= 1.1e-6


def test_bad_input(iiwa, mixed):
    T = iiwa.forward_kinematics(iiwa.sample(2))
    with pytest.raises(ShapeError, match="T_target"):
        dk.solve_ik(iiwa, T[:, :3])
    with pytest.raises(DtypeError):
        dk.solve_ik(iiwa, torch.eye(4, dtype=torch.long))
    for number in (math.nan, math.inf):
        bad = T.clone()
        bad[0, 0, 3] = number
        with pytest.raises(NonFiniteError, match="T_target"):
            dk.solve_ik(iiwa, bad)
    with pytest.raises(RotationError, match="nearest_rotation"):
        dk.solve_ik(iiwa, T * torch.tensor([[1.1], [1.0], [1.0], [1.0]]))
    flipped = T.clone()
    flipped[:, :3, 0] *= -1
    with pytest.raises(RotationError, match="reflection"):
        dk.solve_ik(iiwa, flipped)
    with pytest.raises(RotationError, match="last row"):
        dk.solve_ik(iiwa, T + torch.eye(4)[3] * torch.eye(4)[:, 3:])
    with pytest.raises(ShapeError, match="q0"):
        dk.solve_ik(iiwa, T, q0=torch.zeros(6).double())
    with pytest.raises(NonFiniteError, match="q0"):
        dk.solve_ik(iiwa, T, q0=torch.full((2, 7), math.nan).double())
    with pytest.raises(ShapeError, match="broadcast"):
        dk.solve_ik(iiwa, T, q0=iiwa.sample(3))
    with pytest.raises(DtypeError, match="q0 must be a tensor, an array or a list"):
        dk.solve_ik(iiwa, T, q0=["0"] * 7)
    with pytest.raises(UnknownNameError, match="levenberg_marquardt"):
        dk.solve_ik(iiwa, T, solver="levenberg")
    for name, value in {
        "max_restarts": -1,
        "max_iterations": 0,
        "position_tolerance": 0.0,
        "rotation_tolerance": math.nan,
        "nearest_of": 0,
        "seed": 0.5,
    }.items():
        with pytest.raises(OptionError, match=name):
            dk.solve_ik(iiwa, T, iiwa.sample(2), **{name: value})
    for value in (True, -1, "1", 2.0):
        for backend in (None, "reference"):
            with pytest.raises(OptionError, match="seed must be a whole number"):
                dk.solve_ik(iiwa, T, seed=value, backend=backend)
    assert dk.solve_ik(iiwa, T, seed=np.int64(3), max_restarts=np.int32(9)).success.all()
    for backend in (None, "reference"):
        assert dk.solve_ik(iiwa, T, seed=2**70 + 1, backend=backend).success.all()
    with pytest.raises(OptionError, match="q0"):
        dk.solve_ik(iiwa, T, nearest_of=3)
    with pytest.raises(UnknownNameError, match="rotation"):
        dk.solve_ik(iiwa, T, free_base="rotations")
    with pytest.raises(UnknownNameError, match="lbr_iiwa_joint_1"):
        dk.solve_ik(iiwa, T, q0=iiwa.sample(2), locked=["lbr_iiwa_joint1"])
    with pytest.raises(TopologyError, match="hand"):
        dk.solve_ik(mixed, T)
    with pytest.raises(OptionError, match="task"):
        dk.solve_ik(iiwa, object())
    with pytest.raises(OptionError, match="priority 0"):
        dk.solve_ik(iiwa, [ik.PoseTask(None, T, priority=1)])


@pytest.mark.parametrize("backend", [None, "reference"])
def test_a_limit_of_time_is_kept_between_rounds(iiwa, backend, monkeypatch):
    count = 100 if backend is None else 4
    T = iiwa.forward_kinematics(iiwa.sample(count, seed=3))
    T[0, 0, 3] += 9.0
    q0 = iiwa.sample(count, seed=5)
    clock = iter(range(10**6))
    monkeypatch.setattr("time.monotonic", lambda: float(next(clock)))  # each look at it takes a second
    result = dk.solve_ik(iiwa, T, q0=q0, time_limit=0.5, backend=backend)
    again = dk.solve_ik(iiwa, T, q0=q0, time_limit=1e5, backend=backend)
    assert again.success.tolist() == [False] + [True] * (count - 1)
    error = (iiwa.forward_kinematics(result.q) - T)[:, :3, 3].norm(dim=-1)
    assert (error[result.success] <= 1e-6).all()
    assert (error[~result.success] > 1e-6).all()
    if backend is None:  # of the kernel's targets, whole slices; what comes after stays at q0
        left = (result.q == q0).all(-1)
        assert 0 < int(left.sum()) < count
        assert torch.equal(result.q[~left], again.q[~left])
        assert not result.success[left].any()
    else:  # one round of starts, and no more
        assert result.restarts.max() == 0
        assert again.restarts[0] > 0


@pytest.mark.parametrize("limit", [0.0, -1.0, True, "1"])
def test_limits_of_time_that_are_none(iiwa, limit):
    with pytest.raises(OptionError, match="time_limit"):
        dk.solve_ik(iiwa, torch.eye(4), time_limit=limit)
