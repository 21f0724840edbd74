"""What callers hand to solve_ik: arrays, lists, mistakes, and modes of torch that they are in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch

import diffkin as dk
from diffkin import ik
from diffkin.errors import DiffkinError, OptionError, ShapeError, UnknownNameError

SOLVERS = ("levenberg_marquardt", "gauss_newton", "gradient_descent", "adam", "lbfgs")
STILL = (
    '<robot name="n"><link name="a"/><link name="b"/><joint name="f" type="fixed"><parent link="a"/><child link="b"/>\
<origin xyz="1 0 0"/></joint></robot>'
)


def test_arrays_and_lists_are_taken(iiwa):
    q = iiwa.sample(3)
    T = iiwa.forward_kinematics(q)
    plain = dk.solve_ik(iiwa, T, q0=q)
    for target, q0 in ((T.numpy(), q.numpy()), (T.tolist(), q.tolist()), (list(T), tuple(q))):
        assert torch.equal(dk.solve_ik(iiwa, target, q0=q0).q, plain.q)
        assert torch.equal(dk.solve_ik(iiwa, target, q0=q0, base=np.eye(4)).q, plain.q)
    point = T[0, :3, 3]
    by_tensor = dk.solve_ik(iiwa, ik.PositionTask(None, point)).q
    for given in (point.numpy(), point.tolist()):
        assert torch.equal(dk.solve_ik(iiwa, ik.PositionTask(None, given, weight=[1, 1, 1])).q, by_tensor)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (None, "nothing to reach"), ("x", "nothing to reach"), ([], "nothing to reach"), (3.0, "Derive your own"),
        (([1, 0, 0], [0, 0, 0, 1]), "PositionTask"), ([1.0, 0.0], "z = 0"), (torch.zeros(2), "z = 0"),
        (np.zeros((5, 3)), "PositionTask"), ([ik.PositionTask(None, [0.0, 0.0, 1.0]), 3], "got int"), (object(), "object"),
    ],
)  # fmt: skip
def test_targets_that_are_none(target, said):
    with pytest.raises(DiffkinError, match=said):
        dk.solve_ik(dk.load_robot("planar_3r"), target)


@pytest.mark.parametrize(
    "mistake",
    [
        {"position_tolerance": "a"}, {"rotation_tolerance": "1e-6"}, {"rotation_tolerance": True},
        {"position_tolerance": [1e-6]}, {"max_restarts": 2**31}, {"max_restarts": True}, {"max_iterations": np.bool_(True)},
        {"max_iterations": 1.5}, {"seed": "0"}, {"nearest_of": "2"}, {"solver": ik.LevenbergMarquardt}, {"solver": None},
        {"progress": 3}, {"free_base": True}, {"free_base": [1]}, {"q0": "a"}, {"q0": torch.zeros(7, dtype=torch.long)},
        {"base": "a"}, {"backend": 3},
    ],
    ids=str,
)  # fmt: skip
def test_mistakes_are_told(iiwa, mistake):
    with pytest.raises(DiffkinError, match=next(iter(mistake)) if "backend" not in mistake else "backend"):
        dk.solve_ik(iiwa, iiwa.forward_kinematics(iiwa.sample(1)), **mistake)


def test_names_are_listed_and_numbers_of_other_kinds_taken(iiwa):
    q = iiwa.sample(3)
    T = iiwa.forward_kinematics(q)
    with pytest.raises(UnknownNameError) as told:
        dk.solve_ik(iiwa, T, solver="newton")
    assert all(name in str(told.value) for name in SOLVERS)
    with pytest.raises(OptionError, match="locked=\\["):
        dk.solve_ik(iiwa, T, q0=q, locked=iiwa.joint_names[0])
    for taken in (
        {"seed": 2**70},
        {"seed": np.int64(3)},
        {"max_restarts": np.int32(4)},
        {"position_tolerance": np.float32(1e-5)},
    ):
        assert dk.solve_ik(iiwa, T, **taken).success.all()
    many = dk.solve_ik(iiwa, T, q0=q, nearest_of=10**9, max_restarts=7)
    assert torch.equal(many.q, dk.solve_ik(iiwa, T, q0=q, nearest_of=8, max_restarts=7).q)


@pytest.mark.parametrize("options", [{}, {"backend": "reference"}, {"solver": "adam"}, {"differentiable": True},
                                     {"q0": torch.zeros(0, dtype=torch.float64)}, {"history": True}], ids=str)  # fmt: skip
def test_a_robot_without_joints_is_where_it_is(options):
    robot = dk.Robot.from_urdf(STILL)
    here = torch.eye(4, dtype=torch.float64).repeat(2, 1, 1)
    here[0, 0, 3], here[1, 0, 3] = 1.0, 1.25
    result = dk.solve_ik(robot, here, **options)
    assert result.q.shape == (2, 0)
    assert result.success.tolist() == [True, False]
    assert result.position_error.tolist() == [0.0, 0.25]


@dataclass(frozen=True, eq=False, kw_only=True)
class Six(ik.Task):
    target: torch.Tensor
    links = (None,)

    def residual(self, poses, q, problem):
        turn = dk.rotations.matrix_to_rotvec(self.target[:3, :3].mT @ poses[:, 0, :3, :3])
        return torch.cat((poses[:, 0, :3, 3] - self.target[:3, 3], turn), dim=-1)


class SixOfTwo(Six):
    unit = ("m", "m", "m", "rad", "rad", "rad")


class Wrong(Six):
    unit = ("m", "rad")


def test_units_of_six_rows_are_said(iiwa):
    T = iiwa.forward_kinematics(iiwa.sample(1))[0]
    with pytest.raises(OptionError, match="unit = "):
        dk.solve_ik(iiwa, Six(target=T))
    with pytest.raises(OptionError, match="for each of 6 rows"):
        dk.solve_ik(iiwa, Wrong(target=T))
    result = dk.solve_ik(iiwa, SixOfTwo(target=T), rotation_tolerance=1e-3)
    assert result.success
    pose = dk.solve_ik(iiwa, T, q0=result.q, max_restarts=0, max_iterations=1)
    assert pose.position_error <= 2e-6
    assert 0.0 < result.rotation_error <= 1e-3


@pytest.mark.parametrize("priority", [1.5, -1, True, "1"])
def test_other_priorities_are_refused(priority):
    with pytest.raises(OptionError, match="priority"):
        ik.PositionTask(None, [0.0, 0.0, 1.0], priority=priority)


class Rest(ik.Task):
    def residual(self, poses, q, problem):
        return q - 0.1

    def jacobian(self, poses, jacobians, q, problem):
        return torch.eye(7, dtype=q.dtype).expand(len(q), 7, 7)


class RestOfTip(Rest):
    links = (None,)


def test_a_derivative_by_q_alone_under_a_free_base(iiwa):
    q = iiwa.sample(1)[0]
    T = iiwa.forward_kinematics(q)
    found = dk.solve_ik(iiwa, [ik.PoseTask(None, T), Rest(priority=1)], q0=q, free_base="pose")
    assert found.success
    assert (found.q - 0.1).abs().max() < 1e-6  # the base takes the whole way
    with pytest.raises(ShapeError, match="13 columns"):
        dk.solve_ik(iiwa, [ik.PoseTask(None, T), RestOfTip(priority=1)], q0=q, free_base="pose")


def test_joints_that_no_task_needs_stay(iiwa):
    """The wrist stays where it is while the upper arm searches from one start after another."""
    q0 = iiwa.sample(1, seed=3)[0]
    link = "lbr_iiwa_link_4"
    there = iiwa.forward_kinematics(iiwa.sample(20, seed=4), links=[link])[:, 0, :3, 3]
    for solver in ("levenberg_marquardt", "gauss_newton"):
        result = dk.solve_ik(iiwa, ik.PositionTask(link, there), q0=q0, solver=solver, backend="reference")
        assert (result.restarts > 0).any()
        assert torch.equal(result.q[:, 4:], q0[4:].expand(20, 3))
    free = dk.solve_ik(iiwa, ik.PositionTask(link, there), backend="reference")
    assert not free.q[:, 4:].any()


@pytest.mark.parametrize("solver", SOLVERS)
def test_modes_of_the_caller_change_nothing(solver):
    robot = dk.load_robot("kuka_iiwa").to(dtype=torch.float32)
    T = robot.forward_kinematics(robot.sample(2))
    options = {"solver": solver, "backend": "reference", "max_restarts": 1, "max_iterations": 60}
    plain = dk.solve_ik(robot, T, **options)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(dk.solve_ik(robot, T, **options).q, plain.q)
    with torch.inference_mode():
        assert torch.equal(dk.solve_ik(robot, T.clone(), **options).q, plain.q)
    torch.set_default_device("meta")
    try:
        assert torch.equal(dk.solve_ik(robot, T, **options).q, plain.q)
    finally:
        torch.set_default_device(None)  # a default, even "cpu", would stay a mode that torch.compile minds


def test_tasks_of_ones_own_in_inference_mode(iiwa):
    T = iiwa.forward_kinematics(iiwa.sample(1))[0]
    plain = dk.solve_ik(iiwa, SixOfTwo(target=T)).q
    with torch.inference_mode():
        assert torch.equal(dk.solve_ik(iiwa, SixOfTwo(target=T.clone())).q, plain)
