"""Out of reach is only what no configuration comes to, by whatever tasks it is asked for."""

from __future__ import annotations

import pytest
import torch

import diffkin as dk
from diffkin import rotations, transforms
from diffkin.ik.reach import out_of_reach, reach

EVERY = torch.Size((3000,))


def drawn(robot):
    """Coordinates, many of them on limits."""
    q = robot.sample(3000, seed=8)
    generator = torch.Generator().manual_seed(0)
    ends = torch.where(torch.rand(q.shape, generator=generator) < 0.5, robot.lower, robot.upper)
    return torch.where((torch.rand(q.shape, generator=generator) < 0.4) & ends.isfinite(), ends, q)


def asked(T, name):
    """The poses as tasks."""
    spin = torch.tensor([1.0, 1.0, 1.0, 1.0, 1.0, 0.0])
    position, down = (
        dk.ik.PositionTask(None, T[..., :3, 3]),
        dk.ik.RayDirectionTask(None, (0.0, 0.0, 2.0), T[..., :3, 2]),
    )
    return {
        "pose": [dk.ik.PoseTask(None, T)],
        "position": [position],
        "free spin": [dk.ik.PoseTask(None, T, weight=spin)],
        "pointing": [position, down],
        "orientation": [dk.ik.OrientationTask(None, T[..., :3, :3]), position],
        "cone": [dk.ik.RayDirectionTask(None, (0.0, 0.0, 1.0), T[..., :3, 2], within=0.3), position],
    }[name]


WAYS = ("pose", "position", "free spin", "pointing", "orientation", "cone")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["kuka_iiwa", "franka_panda", "xarm6", "scara", "planar_3r"])
def test_what_is_reached_is_not_out_of_reach(name, way):
    robot = dk.load_robot(name)
    T = robot.forward_kinematics(drawn(robot))
    if way == "cone":  # somewhere in the cone
        turn = torch.rand(len(T), 3, generator=torch.Generator().manual_seed(1), dtype=T.dtype) - 0.5
        T[:, :3, :3] = rotations.rotvec_to_matrix(0.3 * turn / turn.norm(dim=-1, keepdim=True)) @ T[:, :3, :3]
    base = transforms.exp(torch.tensor([0.3, -0.2, 0.5, 0.4, 0.2, -1.0], dtype=T.dtype))
    assert not out_of_reach(robot, asked(T, way), None, EVERY).any()
    assert not out_of_reach(robot, asked(base @ T, way), base, EVERY).any()


def test_the_more_is_asked_the_more_is_known(iiwa):
    T = iiwa.forward_kinematics(iiwa.sample(3000, seed=1))
    T[:, :3, :3] = torch.diag(torch.tensor([1.0, -1.0, -1.0], dtype=T.dtype))
    T[:, :3, 3] *= 1.2
    counts = [
        int(out_of_reach(iiwa, asked(T, way), None, EVERY).sum())
        for way in ("position", "cone", "pointing", "free spin", "orientation", "pose")
    ]
    assert counts == sorted(counts)
    assert 0 < counts[0] < counts[1] < counts[2]
    assert counts[2] == counts[-1]  # the iiwa's tool lies on its last axis: its turn about that does not matter


def test_the_wrist_of_the_iiwa_is_at_most_upper_arm_and_forearm_from_its_shoulder(iiwa):
    fixed, carried, least, most = reach(iiwa, iiwa.link_index(None), rigid=True)
    torch.testing.assert_close(fixed, torch.tensor([0.0, 0.0, 0.36], dtype=fixed.dtype), rtol=0, atol=1e-6)
    torch.testing.assert_close(carried.norm(), torch.tensor(0.081, dtype=fixed.dtype), rtol=0, atol=2e-2)
    assert abs(most - 0.82) < 1e-6
    assert 0.3 < least < 0.5


def test_what_is_told_of_tasks(iiwa):
    points = torch.tensor([[0.3, 0.2, 0.5], [3.0, 0.0, 0.0]], dtype=torch.float64)
    batch = torch.Size((2,))
    task = dk.ik.PositionTask(None, points)
    assert out_of_reach(iiwa, [task], None, batch).tolist() == [False, True]
    away = transforms.pose(torch.eye(3, dtype=torch.float64), torch.tensor([3.0, 0.0, 0.0], dtype=torch.float64))
    assert out_of_reach(iiwa, [task], away, batch).tolist() == [True, False]
    for told in ({"weight": [0.0, 1.0, 1.0]}, {"priority": 1}):
        assert not out_of_reach(iiwa, [dk.ik.PositionTask(None, points, **told)], None, batch).any()
    tolerant = out_of_reach(iiwa, [task], None, batch, position_tolerance=5.0)
    assert not tolerant.any()

    class Hint(dk.ik.PositionTask):
        """Its placement is where to start from, and no more."""

    assert not out_of_reach(iiwa, [Hint(None, points)], None, batch).any()


def test_the_kernel_and_the_reference_know_the_same(iiwa):
    T = iiwa.forward_kinematics(iiwa.sample(30, seed=1))
    T[::2, :3, 3] *= 1.5
    results = [dk.solve_ik(iiwa, T, max_restarts=30, backend=backend) for backend in (None, "reference")]
    far = results[0].out_of_reach()
    assert torch.equal(far, results[1].out_of_reach())
    assert 0 < far.sum() < 30
    for result in results:
        assert not result.success[far].any()
        assert (result.restarts[far] < 4).all()
    assert "out of reach" in repr(results[0])
