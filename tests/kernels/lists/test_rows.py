"""Rows and Jacobians of all pieces against the torch formulas of the tasks, and against differences."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch

from diffkin import ik, rotations, transforms
from diffkin.ik.problem import State
from tests.ik.tasks.differences import COUNT, randn
from tests.ik.tasks.test_center_of_mass import talos
from tests.ik.tasks.test_relative import LEFT, RIGHT, baxter
from tests.kernels.lists.asked import ask, evaluated

R = rotations.random_rotation(COUNT, seed=4, dtype=torch.float64)
T = transforms.pose(R, randn(COUNT, 3, seed=5))
BASE = transforms.pose(rotations.random_rotation(COUNT, seed=2, dtype=torch.float64), randn(COUNT, 3, seed=3))
SIX = torch.tensor([1.0, 0.5, 2.0, 0.0, 1.0, 0.3])
AXIS = (0.2, 1.0, -0.3)

LISTS = {
    "pose": [ik.PoseTask("hand", T)],
    "pose, weighed": [ik.PoseTask("hand", T, weight=SIX)],
    "position in a plane": [ik.PositionTask("hand", T[:, :3, 3], weight=torch.tensor([1.0, 0.0, 2.0]))],
    "orientation": [ik.OrientationTask("hand", R, weight=0.7)],
    "pose and elbow": [ik.PoseTask("hand", T), ik.PositionTask("c", T[0, :3, 3], weight=0.3)],
    "direction": [ik.RayDirectionTask("hand", AXIS, 3.0 * T[:, :3, 3])],
    "direction in a cone": [ik.RayDirectionTask("hand", AXIS, T[:, :3, 3], within=0.4)],
    "at a point": [ik.RayAtPointTask("hand", AXIS, 3.0 * T[:, :3, 3], (0.1, 0.0, 0.2), weight=SIX[:3])],
    "at a point, in a cone": [ik.RayAtPointTask("hand", AXIS, 3.0 * T[:, :3, 3], (0.1, 0.0, 0.2), within=0.3)],
    "out of a cone": [ik.KeepOutConeTask("hand", (1.0, 0.0, 0.0), R[:, 0], half_angle=2.0)],
    "relative pose": [ik.PoseTask("hand", T, reference="e", weight=SIX)],
    "relative, one branch": [ik.PoseTask("hand", T, reference="a")],
    "relative position": [ik.PositionTask("hand", T[:, :3, 3], reference="e", weight=SIX[:3])],
    "relative orientation": [ik.OrientationTask("hand", R, reference="e")],
    "relative direction": [ik.RayDirectionTask("hand", AXIS, T[:, :3, 3], within=0.2, reference="e")],
    "relative point": [ik.RayAtPointTask("hand", AXIS, 3.0 * T[:, :3, 3], (0.1, 0.0, 0.2), reference="e")],
    "relative cone": [ik.KeepOutConeTask("hand", (1.0, 0.0, 0.0), R[:, 0], half_angle=2.0, reference="e")],
    "wings level": [ik.WingsLevelTask("hand", weight=0.6)],
    "bank and pitch": [ik.BankPitchLimitTask("hand", 0.3, 0.2, weight=torch.tensor([1.0, 0.5, 2.0, 0.0]))],
    "bank": [ik.BankPitchLimitTask("hand", max_bank=0.01), ik.PositionTask("hand", T[:, :3, 3])],
    "pitch": [ik.BankPitchLimitTask("hand", max_pitch=0.01, margin=0.3), ik.WingsLevelTask("hand")],
    "distance": [ik.DistanceTask("hand", "e", 0.5, (0.1, 0.2, 0.3), (0.0, -0.1, 0.0), weight=2.0)],
    "coupling": [ik.CouplingTask(randn(2, 3, seed=9), randn(COUNT, 2)), ik.PositionTask("hand", T[:, :3, 3])],
}


def compare(robot, tasks, base=None, free_base=None, movable=None, count=COUNT):
    """The kernel's rows and derivatives beside those of the tasks in torch."""
    asked = ask(robot, tasks, count, base, free_base, movable)
    q = robot.sample(count, seed=1)
    kept = (
        torch.cat([torch.as_tensor(task.weight).expand(_rows(task, asked.problem)) for task in asked.problem.tasks]) > 0
    )
    residual, derivative = asked.problem.linearize(asked.state(q))
    found, jac, errors = evaluated(asked, q.numpy())
    np.testing.assert_allclose(found, residual[:, kept].numpy(), atol=1e-12)
    moving = asked.parts.moving.tolist()
    columns = [*moving, *range(robot.dof, robot.dof + asked.problem.free_base)]
    np.testing.assert_allclose(jac, derivative[:, kept][..., columns].numpy(), rtol=1e-11, atol=1e-11)
    others = [c for c in range(robot.dof) if c not in moving and asked.problem.movable[c]]
    assert float(derivative[..., others].abs().sum()) < 1e-10  # what is left out moves nothing
    expected = torch.stack(asked.problem.errors(asked.state(q)), dim=-1).square()
    np.testing.assert_allclose(errors, expected.numpy(), rtol=1e-10, atol=1e-13)
    return asked, q, jac


def _rows(task, problem):
    if task.rows is not None:
        return task.rows
    return sum(len(piece.weights) for piece in task.kernel_pieces())


@pytest.mark.parametrize("tasks", LISTS.values(), ids=LISTS)
def test_against_the_tasks(mixed, tasks):
    compare(mixed, tasks)
    compare(mixed, tasks, BASE)
    for free_base in ("pose", "rotation", "planar"):
        compare(mixed, tasks, BASE, free_base)


TURNS = (1e-9, 1e-3, 1.0, 2.0, math.pi - 1e-3, math.pi - 1e-9)


@pytest.mark.parametrize("bank", [*TURNS, *(-turn for turn in TURNS), 0.0])
@pytest.mark.parametrize("pitch", [0.0, 1.2, 0.5 * math.pi - 1e-6, 0.5 * math.pi, -0.5 * math.pi])
def test_wings_at_every_attitude(mixed, bank, pitch):
    """Level, inverted, and with the nose straight up, where the bank angle is lost; the base is turned so that they are."""
    q = mixed.sample(COUNT, seed=1)
    hand = mixed.forward_kinematics(q, ["hand"])[:, 0, :3, :3]
    attitude = rotations.euler_to_matrix(torch.tensor([0.4, -pitch, bank], dtype=torch.float64), "ZYX")
    base = transforms.pose(attitude @ hand.mT, randn(COUNT, 3, seed=3))
    tasks = [ik.WingsLevelTask("hand"), ik.BankPitchLimitTask("hand", 0.5, 0.5)]
    asked = ask(mixed, tasks, COUNT, base, "rotation")
    residual, derivative = asked.problem.linearize(asked.state(q))
    found, jac, _ = evaluated(asked, q.numpy())
    # the derivative of bank grows as one over the cosine of the pitch, and rounding with it
    steep = 1.0 / max(math.cos(pitch), 1e-6)
    np.testing.assert_allclose(found, residual.numpy(), atol=1e-15 * steep + 1e-14)
    columns = [*asked.parts.moving.tolist(), *range(mixed.dof, mixed.dof + 3)]
    np.testing.assert_allclose(jac, derivative[..., columns].numpy(), atol=1e-14 * steep + 1e-13)


def test_locked_coordinates_have_no_column(mixed):
    movable = torch.tensor([True, False, True])
    asked, _, jac = compare(mixed, LISTS["pose and elbow"], BASE, None, movable)
    assert asked.parts.held.tolist() == [1]
    assert jac.shape[2] == 2


def test_against_differences(mixed):
    asked = ask(mixed, LISTS["pose and elbow"] + LISTS["at a point"], COUNT, BASE)
    q = mixed.sample(COUNT, seed=1).numpy()
    _, jac, _ = evaluated(asked, q)
    for k, c in enumerate(asked.parts.moving):
        step = np.zeros_like(q)
        step[:, c] = 1e-6
        ahead, behind = (evaluated(asked, q + sign * step)[0] for sign in (1.0, -1.0))
        np.testing.assert_allclose(jac[..., k], (ahead - behind) / 2e-6, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", ["iiwa", "mixed"])
def test_postures_and_distances_from_limits(request, name):
    robot = request.getfixturevalue(name)
    target = 5.0 * randn(COUNT, robot.dof, seed=4)
    weight = torch.arange(robot.dof) / 3.0
    limited = torch.isfinite(robot.upper - robot.lower).double()  # the kernel leaves out the rows of other joints
    compare(
        robot,
        [
            ik.PostureTask(target, weight=weight, priority=0),
            ik.LimitMarginTask(0.9, weight=2.0 * limited, priority=0),
            ik.PostureTask(0.1 * target, priority=0),
        ],
        BASE,
        "planar",
    )


def test_two_hands():
    robot = baxter()
    compare(robot, [ik.PoseTask(LEFT, T), ik.PoseTask(RIGHT, T.flip(0)), ik.PoseTask(LEFT, T, reference=RIGHT)], BASE)


@pytest.mark.parametrize("free_base", [None, "pose", "rotation", "planar"])
def test_the_centre_of_mass_of_a_whole_body(free_base):
    robot = talos()
    feet = [ik.PoseTask(f"{side}_sole_link", T) for side in ("left", "right")]
    compare(robot, [*feet, ik.CenterOfMassTask(T[:, :3, 3], weight=SIX[2:5])], BASE, free_base)


def test_the_centre_of_mass_with_slides_and_mimics(mixed):
    links = len(mixed.link_names)
    heavy = mixed.replace(link_masses=randn(links).abs() + 0.1, link_centers=randn(links, 3, seed=2))
    compare(heavy, [ik.CenterOfMassTask(T[:, :3, 3]), ik.PositionTask("e", T[:, :3, 3])], BASE, "pose")


def test_half_a_turn_and_opposite_directions(iiwa):
    q = iiwa.sample(COUNT, seed=7)
    here = iiwa.forward_kinematics(q)
    axis = randn(COUNT, 3, seed=8)
    half = rotations.rotvec_to_matrix(np.pi * (1.0 - 1e-9) * axis / axis.norm(dim=-1, keepdim=True))
    tasks = [
        ik.OrientationTask(None, here[:, :3, :3] @ half),
        ik.RayDirectionTask(None, (0.0, 0.0, 1.0), -here[:, :3, 2]),
        ik.RayDirectionTask(None, (1.0, 0.0, 0.0), here[:, :3, 0]),
    ]
    asked = ask(iiwa, tasks, COUNT)
    found, jac, _ = evaluated(asked, q.numpy())
    np.testing.assert_allclose(np.linalg.norm(found[:, :3], axis=1), np.pi, rtol=1e-8)
    np.testing.assert_allclose(np.linalg.norm(found[:, 3:6], axis=1), np.pi, rtol=1e-7)
    np.testing.assert_allclose(found[:, 6:], 0.0, atol=1e-15)
    assert np.isfinite(jac).all()
    state = State(q, None, torch.arange(COUNT))
    residual, _ = asked.problem.linearize(state)
    away = np.minimum(np.abs(found - residual.numpy()), np.abs(found + residual.numpy()))  # either sign is an answer
    np.testing.assert_allclose(away[:, :3], 0.0, atol=1e-6)


def test_numbers_that_are_none_are_seen(iiwa):
    asked = ask(iiwa, [ik.PositionTask(None, T[:, :3, 3])], COUNT)
    q = iiwa.sample(COUNT, seed=1)
    q[2] = torch.nan
    _, _, errors = evaluated(asked, q.numpy())
    assert np.isnan(errors[2, 0])
    assert np.isfinite(np.delete(errors, 2, axis=0)).all()


def test_rounded_targets_stand_for_the_nearest(iiwa):
    close = dataclasses.replace(ik.PoseTask(None, T), target=T + 1e-6 * randn(COUNT, 4, 4) * (T.abs() > 0) * (T != 1.0))
    compare(iiwa.to(torch.float64), [ik.PoseTask(None, close.target).exact_at(slice(None))])
    asked = ask(iiwa, [close], COUNT)
    exact = asked.problem.tasks[0].exact_at(slice(None)).kernel_numbers().numpy()
    np.testing.assert_allclose(asked.targets, exact, atol=1e-14)
