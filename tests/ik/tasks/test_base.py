"""What holds for every task: weights and targets are checked, targets expand to the batch, users add their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from torch import Tensor

import diffkin as dk
from diffkin import ik
from diffkin.errors import NonFiniteError, OptionError, ShapeError
from diffkin.ik.tasks import DIRECTION, POINT, Kind, LinkTask

POINTS = torch.arange(6, dtype=torch.float64).reshape(2, 3)


@dataclass(frozen=True, eq=False)
class Bare(ik.Task):
    """Users' tasks may define no __post_init__ ..."""

    links = (None,)

    def residual(self, poses, q, problem):
        return poses[:, 0, :3, 3] - 0.3


@dataclass(frozen=True, eq=False)
class Careless(Bare):
    """... or one that does not ask that of Task."""

    def __post_init__(self) -> None:
        pass


@dataclass(frozen=True, eq=False)
class Midpoint(ik.Task):
    """A task with batched targets that are said to be so."""

    point: Tensor
    toward: Tensor
    links = ("hand", "b")
    batched: ClassVar[Mapping[str, Kind]] = {"point": POINT, "toward": DIRECTION}

    def residual(self, poses, q, problem):
        return poses[:, :, :3, 3].mean(1) - self.point[problem]


MAKERS = {
    "pose": lambda w: ik.PoseTask(None, torch.eye(4), weight=w),
    "position": lambda w: ik.PositionTask(None, torch.zeros(3), weight=w),
    "orientation": lambda w: ik.OrientationTask(None, torch.eye(3), weight=w),
    "ray": lambda w: ik.RayDirectionTask("a", (1.0, 0.0, 0.0), torch.ones(3), weight=w),
    "ray at point": lambda w: ik.RayAtPointTask("a", (1.0, 0.0, 0.0), torch.ones(3), weight=w),
    "cone": lambda w: ik.KeepOutConeTask("a", (1.0, 0.0, 0.0), torch.ones(3), half_angle=0.3, weight=w),
    "wings": lambda w: ik.WingsLevelTask("a", weight=w),
    "limits": lambda w: ik.BankPitchLimitTask("a", max_bank=0.3, weight=w),
    "centre of mass": lambda w: ik.CenterOfMassTask(torch.zeros(3), weight=w),
    "distance": lambda w: ik.DistanceTask("a", "b", 0.3, weight=w),
    "coupling": lambda w: ik.CouplingTask(torch.ones(1, 3), torch.zeros(1), weight=w),
    "manipulability": lambda w: ik.ManipulabilityTask(weight=w),
    "user's": lambda w: Bare(weight=w),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_weights_are_refused_for_every_task(make):
    for weight in (-1.0, float("nan"), float("inf"), 0.0, torch.tensor(-2.0)):
        with pytest.raises(OptionError, match="weight"):
            make(weight)
    with pytest.raises(ShapeError, match="weight"):
        make(torch.ones(2, 2))
    assert make(0.5).weight == 0.5


@pytest.mark.parametrize("make", [make for name, make in MAKERS.items() if name != "user's"])
def test_weights_of_a_wrong_length_are_refused(make):
    with pytest.raises(ShapeError, match="weight"):
        make(torch.ones(5))


@pytest.mark.parametrize("backend", [None, "reference"])
def test_weights_of_users_tasks_are_refused_when_they_are_solved(iiwa, backend):
    for weight in (-1.0, float("nan"), torch.zeros(3)):
        with pytest.raises(OptionError, match="weight of Careless"):
            dk.solve_ik(iiwa, Careless(weight=weight), backend=backend)
    for task in (Bare, Careless):
        with pytest.raises(ShapeError, match=r"weight of .* must be one number or \(3,\)"):
            dk.solve_ik(iiwa, task(weight=torch.ones(2)), backend=backend)
    assert dk.solve_ik(iiwa, Careless(weight=torch.tensor([1.0, 0.0, 2.0])), backend=backend).success


def test_targets_are_checked_by_their_kind():
    with pytest.raises(NonFiniteError, match="point"):
        Midpoint(torch.full((3,), float("nan")), torch.ones(3))
    with pytest.raises(ShapeError, match="toward"):
        Midpoint(torch.ones(3), torch.ones(2))
    with pytest.raises(dk.errors.RotationError, match="toward"):
        Midpoint(torch.ones(3), torch.zeros(3))


def test_targets_expand_to_the_batch_and_are_cut():
    task = Midpoint(POINTS, torch.ones(3))
    assert task.batch_shape == (2,)
    flat = task.for_batch(torch.Size((4, 2)), torch.float64, torch.device("cpu"))
    assert flat.point.shape == flat.toward.shape == (8, 3)
    assert flat.toward.dtype == torch.float64
    assert torch.equal(flat.point, POINTS.repeat(4, 1))
    assert torch.equal(flat.exact_at(slice(1, 3)).point, POINTS[[1, 0]])
    assert task.point is POINTS
    with pytest.raises(ShapeError, match="point \\(2,\\), toward \\(3,\\)"):
        _ = Midpoint(POINTS, torch.ones(3, 3)).batch_shape


def test_a_task_has_modest_answers_for_all_else():
    task = Bare()
    assert task.placement() is None
    assert task.kernel_weights(turned=False) is None
    assert task.jacobian(POINTS, POINTS, POINTS, POINTS) is None
    assert task.batch_shape == ()
    assert task.for_batch(torch.Size((3,)), torch.float64, torch.device("cpu")) is task
    assert LinkTask("a").links == ("a",)


def test_a_task_of_ones_own_in_a_few_lines(mixed):
    q = mixed.sample(6, seed=5)
    point = mixed.forward_kinematics(q, links=["hand", "b"])[..., :3, 3].mean(1)

    @dataclass(frozen=True, eq=False)
    class Middle(ik.Task):
        point: Tensor
        links = ("hand", "b")

        def residual(self, poses, q, problem):
            return poses[:, :, :3, 3].mean(1) - self.point[problem]

    result = dk.solve_ik(mixed, Middle(point), q0=mixed.sample(6))
    assert result.success.all()
    reached = mixed.forward_kinematics(result.q, links=["hand", "b"])[..., :3, 3].mean(1)
    torch.testing.assert_close(reached, point, rtol=0, atol=1e-6)
    assert (result.rotation_error == 0).all()


def test_batched_targets_of_a_task_of_ones_own(mixed):
    q = mixed.sample(6, seed=5)
    point = mixed.forward_kinematics(q, links=["hand", "b"])[..., :3, 3].mean(1)
    result = dk.solve_ik(mixed, Midpoint(point, torch.ones(3)))  # no q0: the batch is that of the targets
    assert result.success.all()
    reached = mixed.forward_kinematics(result.q, links=["hand", "b"])[..., :3, 3].mean(1)
    torch.testing.assert_close(reached, point, rtol=0, atol=1e-6)


def test_two_tasks_of_one_kind_may_have_batches_of_different_shapes(mixed):
    T = mixed.forward_kinematics(mixed.sample(1, seed=3)[0], links=["hand", "e"])
    tasks = [ik.PositionTask("hand", T[0, :3, 3].expand(4, 3)), ik.PositionTask("e", T[1, :3, 3])]
    for order in (tasks, tasks[::-1]):
        assert dk.solve_ik(mixed, order).success.shape == (4,)
    with pytest.raises(ShapeError, match="PositionTask 1"):
        dk.solve_ik(mixed, [tasks[0], ik.PositionTask("e", torch.zeros(3, 3))])
