"""Tasks that place a link: what they reach, weights, what a kernel and a table of samples are told."""

from __future__ import annotations

import dataclasses

import pytest
import torch

import diffkin as dk
from diffkin import ik
from diffkin.errors import NonFiniteError, OptionError, RotationError, ShapeError, UnknownNameError


@pytest.mark.parametrize("backend", [None, "reference"])
def test_position_only_and_orientation_only(iiwa, backend):
    T = iiwa.forward_kinematics(iiwa.sample(30))
    there = dk.solve_ik(iiwa, ik.PositionTask(None, T[:, :3, 3]), backend=backend)
    assert there.success.all()
    reached = iiwa.forward_kinematics(there.q)
    assert (reached - T)[:, :3, 3].norm(dim=-1).max() <= 1e-6
    turned = dk.solve_ik(iiwa, ik.OrientationTask("lbr_iiwa_link_7", T[:, :3, :3]), backend=backend)
    assert turned.success.all()
    reached = iiwa.forward_kinematics(turned.q)
    assert dk.rotations.angle_between(reached[:, :3, :3], T[:, :3, :3]).max() <= 1e-6


def test_a_free_axis_of_the_target(iiwa):
    T = iiwa.forward_kinematics(iiwa.sample(20))
    spun = T @ dk.transforms.pose(
        dk.rotations.rotvec_to_matrix(torch.tensor([0.0, 0.0, 2.0]).double()), torch.zeros(3).double()
    )
    weight = torch.tensor([1.0, 1, 1, 1, 1, 0])
    result = dk.solve_ik(iiwa, ik.PoseTask(None, spun, weight=weight))
    assert result.success.all()
    reached = iiwa.forward_kinematics(result.q)
    torch.testing.assert_close(reached[:, :3, 2:], T[:, :3, 2:], rtol=0, atol=2e-6)  # same place, same z axis


@pytest.mark.parametrize("weights", [(1.0, 0.0), (0.0, 1.0), (2.0, 0.1)])
@pytest.mark.parametrize("backend", [None, "reference"])
def test_weights_by_block(panda, weights, backend):
    T = panda.forward_kinematics(panda.sample(20))
    weight = torch.tensor([weights[0]] * 3 + [weights[1]] * 3)
    result = dk.solve_ik(panda, ik.PoseTask(None, T, weight=weight), backend=backend)
    assert result.success.all()
    reached = panda.forward_kinematics(result.q)
    if weights[0]:
        assert (reached - T)[:, :3, 3].norm(dim=-1).max() <= 1e-6
    if weights[1]:
        assert dk.rotations.angle_between(reached[:, :3, :3], T[:, :3, :3]).max() <= 1e-6


def test_two_hands(mixed):
    T = mixed.forward_kinematics(mixed.sample(20, seed=3), links=["hand", "e"])
    tasks = [ik.PoseTask("hand", T[:, 0]), ik.PositionTask("e", T[:, 1, :3, 3])]
    result = dk.solve_ik(mixed, tasks)
    assert result.success.all()
    torch.testing.assert_close(
        mixed.forward_kinematics(result.q, links=["hand", "e"])[:, 0], T[:, 0], rtol=0, atol=3e-6
    )


def flat(robot, count=3):
    T = robot.forward_kinematics(robot.sample(count, seed=4))
    return T, [ik.PoseTask(None, T), ik.PositionTask(None, T[:, :3, 3]), ik.OrientationTask(None, T[:, :3, :3])]


def test_placement_as_seen_from_a_base(iiwa):
    T, tasks = flat(iiwa)
    base = dk.transforms.pose(dk.rotations.random_rotation(3, seed=2, dtype=torch.float64), torch.rand(3, 3).double())
    seen = torch.linalg.inv(base) @ T
    for task, position, rotation in zip(tasks, (True, True, False), (True, False, True), strict=True):
        place = task.seen_from(base).placement()
        assert (place.position is not None, place.rotation is not None) == (position, rotation)
        if position:
            torch.testing.assert_close(place.position, seen[:, :3, 3], rtol=0, atol=1e-14)
        if rotation:
            torch.testing.assert_close(place.rotation, seen[:, :3, :3], rtol=0, atol=1e-14)


def test_what_a_kernel_may_serve(iiwa):
    T, (pose, position, orientation) = flat(iiwa)
    assert pose.kernel_weights(turned=True) == (1.0,) * 6
    assert position.kernel_weights(turned=True) == (1.0, 1.0, 1.0, 0.0, 0.0, 0.0)
    assert orientation.kernel_weights(turned=True) == (0.0, 0.0, 0.0, 1.0, 1.0, 1.0)
    block = dataclasses.replace(pose, weight=torch.tensor([2.0, 2, 2, 0.5, 0.5, 0.5]))
    assert block.kernel_weights(turned=False) == (2.0, 2.0, 2.0, 0.5, 0.5, 0.5)
    # axes of the target are not those of the base; axes of the world are, unless the base is turned
    for free in (ik.PoseTask(None, T, weight=torch.tensor([1.0, 1, 1, 1, 1, 0])),
                 ik.OrientationTask(None, T[:, :3, :3], weight=torch.tensor([1.0, 1, 0]))):  # fmt: skip
        assert free.kernel_weights(turned=False) is None
    plane = ik.PositionTask(None, T[:, :3, 3], weight=torch.tensor([1.0, 0, 1]))
    assert plane.kernel_weights(turned=False) == (1.0, 0.0, 1.0, 0.0, 0.0, 0.0)
    assert plane.kernel_weights(turned=True) is None


def test_a_pose_task_made_into_another_is_not_the_kernels(iiwa):
    class Above(ik.PoseTask):
        def residual(self, poses, q, problem):
            return super().residual(poses, q, problem) - torch.tensor([0.0, 0.0, 0.1, 0.0, 0.0, 0.0]).double()

    q = iiwa.sample(5, seed=3)
    T = iiwa.forward_kinematics(q)
    lifted = T @ dk.transforms.pose(torch.eye(3).double(), torch.tensor([0.0, 0.0, -0.1]).double())
    task = Above(None, lifted)
    assert task.kernel_weights(turned=False) is None
    result = dk.solve_ik(iiwa, task, q0=q)
    assert result.success.all()
    torch.testing.assert_close(iiwa.forward_kinematics(result.q), T, rtol=0, atol=2e-6)


def test_bad_tasks(iiwa):
    T = iiwa.forward_kinematics(iiwa.sample(2))
    with pytest.raises(ShapeError, match="weight"):
        ik.PoseTask(None, T, weight=torch.ones(3))
    for weight in (-1.0, float("nan"), 0.0):
        with pytest.raises(OptionError, match="weight"):
            ik.PoseTask(None, T, weight=weight)
    with pytest.raises(RotationError):
        ik.OrientationTask(None, 2 * T[:, :3, :3])
    with pytest.raises(NonFiniteError):
        ik.PositionTask(None, torch.tensor([0.0, 0.0, float("inf")]))
    with pytest.raises(UnknownNameError, match="lbr_iiwa_link_7"):
        dk.solve_ik(iiwa, ik.PoseTask("link_7", T))
    with pytest.raises(NotImplementedError, match="residual"):
        ik.Task().residual(T, T, T)


def test_what_a_pose_holds_is_what_its_weights_hold(iiwa):
    T = iiwa.forward_kinematics(iiwa.sample(4))
    whole = ik.PoseTask(None, T).held()
    assert torch.equal(whole.position, T[:, :3, 3])
    assert torch.equal(whole.rotation, T[:, :3, :3])
    spin = ik.PoseTask(None, T, weight=torch.tensor([1.0, 1, 0, 1, 0, 1])).held()
    assert spin.position is None and spin.rotation is None
    assert spin.axis.tolist() == [0, 1, 0]
    assert torch.equal(spin.direction, T[:, :3, 1])
    loose = ik.PoseTask(None, T, weight=torch.tensor([1.0, 1, 1, 1, 0, 0])).held()
    assert (loose.rotation, loose.axis) == (None, None)
    assert torch.equal(loose.position, T[:, :3, 3])
    assert torch.equal(ik.OrientationTask(None, T[:, :3, :3]).held().rotation, T[:, :3, :3])
    assert torch.equal(ik.PositionTask(None, T[:, :3, 3]).held().position, T[:, :3, 3])
    down = ik.RayDirectionTask(None, (0.0, 3.0, 0.0), 2.0 * T[:, :3, 0], within=0.1).held()
    assert down.axis.tolist() == [0, 1, 0]
    torch.testing.assert_close(down.direction, T[:, :3, 0])
    assert down.spread == 0.1

    class Own(ik.PoseTask):
        """Might mean anything."""

    link = iiwa.link_names[3]
    nothing = [
        Own(None, T),
        ik.PoseTask(None, T, reference=link),
        ik.PositionTask(None, T[:, :3, 3], weight=torch.tensor([1.0, 1, 0])),
        ik.PositionTask(None, T[:, :3, 3], reference=link),
        ik.OrientationTask(None, T[:, :3, :3], reference=link),
        ik.RayDirectionTask(None, (0.0, 0.0, 1.0), T[:, :3, 0], weight=torch.tensor([1.0, 1, 0])),
        ik.PostureTask(iiwa.sample(4)),
    ]
    assert [task.held() for task in nothing] == [None] * len(nothing)
