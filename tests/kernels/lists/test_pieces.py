"""Pieces say the same of tasks as these do: a task's kind, not its targets, decides."""

from __future__ import annotations

import torch

from diffkin import ik
from diffkin.kernels.lists import pieces


def test_equal_tasks_have_equal_pieces():
    one, two = (
        ik.PoseTask("hand", (1.0 + k) * torch.eye(4) - k * torch.diag(torch.tensor([1.0, 1, 1, 1]))) for k in (0, 1)
    )
    assert hash(one.kernel_pieces()) == hash(two.kernel_pieces())
    assert one.kernel_pieces() == two.kernel_pieces()
    assert one.kernel_pieces() != ik.PoseTask("hand", torch.eye(4), weight=2.0).kernel_pieces()
    relative = ik.PoseTask("hand", torch.eye(4), reference="a").kernel_pieces()
    assert [piece.reference for piece in relative] == [1, 1]


def test_a_pose_is_two_pieces_unless_a_half_of_it_is_free():
    kinds = {}
    for name, weight in (("all", 1.0), ("place", (1.0, 1, 1, 0, 0, 0)), ("turn", (0.0, 0, 0, 1, 1, 0))):
        task = ik.PoseTask("hand", torch.eye(4), weight=torch.tensor(weight))
        kinds[name] = [(piece.kind, piece.closes) for piece in task.kernel_pieces()]
    assert kinds["all"] == [(pieces.PLACE, False), (pieces.TURN, True)]
    assert kinds["place"] == [(pieces.PLACE, True)]
    assert kinds["turn"] == [(pieces.TURN, True)]


def test_postures_say_their_kind_before_the_robot_is_known_and_all_after(iiwa):
    posture, margin = ik.PostureTask(torch.zeros(7)), ik.LimitMarginTask(0.2)
    assert posture.kernel_pieces() == ik.PostureTask(torch.ones(7)).kernel_pieces()
    assert margin.kernel_pieces() != ik.LimitMarginTask(0.3).kernel_pieces()
    for task, kind in ((posture, pieces.NEAR), (margin, pieces.MARGIN)):
        found = task.for_robot(iiwa).kernel_pieces()
        assert [(piece.kind, piece.coordinate, piece.closes) for piece in found] == [
            (kind, k, k == 6) for k in range(7)
        ]
        last = max(piece.target + pieces.NUMBERS[piece.kind] for piece in found)
        assert last == task.kernel_numbers().shape[-1]


def test_numbers_are_as_many_as_the_kernel_takes():
    tasks = [
        ik.PoseTask("a", torch.eye(4)), ik.PositionTask("a", torch.ones(3)), ik.OrientationTask("a", torch.eye(3)),
        ik.RayDirectionTask("a", (1.0, 0, 0), torch.ones(3)), ik.RayAtPointTask("a", (1.0, 0, 0), torch.ones(3)),
        ik.KeepOutConeTask("a", (1.0, 0, 0), torch.ones(3), half_angle=0.3), ik.DistanceTask("a", "b", 0.3),
        ik.CenterOfMassTask(torch.ones(3)), ik.CouplingTask(torch.ones(2, 4), torch.ones(5, 2)),
    ]  # fmt: skip
    for task in tasks:
        found = task.kernel_pieces()
        assert task.kernel_numbers().shape[-1] == max(piece.target + pieces.NUMBERS[piece.kind] for piece in found)
        assert [piece.closes for piece in found] == [False] * (len(found) - 1) + [True]
