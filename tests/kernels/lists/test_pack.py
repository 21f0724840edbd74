"""What a list of tasks comes to as arrays: ways, columns, rows, masses."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from diffkin import ik
from diffkin.kernels.lists import layout, pack
from diffkin.kernels.lists.pieces import POINT, Piece
from tests.ik.tasks.test_center_of_mass import talos
from tests.ik.tasks.test_relative import LEFT, RIGHT, baxter
from tests.kernels.lists.asked import ask

T = torch.eye(4, dtype=torch.float64)


def names(robot, asked, which):
    return {robot.joint_names[c] for c in getattr(asked.parts, which)}


def test_only_what_moves_something_has_a_column():
    robot = baxter()
    one, both = (
        ask(robot, [ik.PoseTask(LEFT, T[None])], 1),
        ask(robot, [ik.PoseTask(LEFT, T[None], reference=RIGHT)], 1),
    )
    assert all(name.startswith("left_") for name in names(robot, one, "moving"))
    assert len(one.parts.moving) == 7
    assert len(both.parts.moving) == 14
    sides = dict.fromkeys(("left", "right"), 0.0)
    for way, factor in zip(both.parts.ways, both.parts.factors, strict=True):
        joint = robot.joint_names[both.parts.moving[way[layout.WAY_COLUMN]]]
        sides[joint.partition("_")[0]] += factor
    assert sides == {"left": 14.0, "right": -14.0}  # of two pieces each


def test_joints_that_carry_both_links_do_not_count(iiwa):
    task = ik.PositionTask(None, torch.ones(1, 3), reference="lbr_iiwa_link_3")
    asked = ask(iiwa, [task], 1)
    assert asked.parts.moving.tolist() == [3, 4, 5, 6]
    assert asked.parts.held.tolist() == [0, 1, 2]  # they are walked, at q0


def test_locked_coordinates_are_held(iiwa):
    movable = torch.arange(7) != 2
    asked = ask(iiwa, [ik.PoseTask(None, T[None])], 1, movable=movable)
    assert asked.parts.moving.tolist() == [0, 1, 3, 4, 5, 6]
    assert asked.parts.held.tolist() == [2]


def test_mimics_share_a_column(mixed):
    asked = ask(mixed, [ik.PositionTask("e", torch.ones(1, 3)), ik.PositionTask("hand", torch.ones(1, 3))], 1)
    for k in range(2):
        begin, end = asked.parts.pieces[k, [layout.WAY_BEGIN, layout.WAY_END]]
        columns = asked.parts.ways[begin:end, layout.WAY_COLUMN].tolist()
        first = asked.parts.ways[begin:end, layout.WAY_FIRST].tolist()
        assert first == [c not in columns[:j] for j, c in enumerate(columns)]
    assert len(asked.parts.factors) > 2 * len(asked.parts.moving) - 2


def test_rows_of_no_weight_are_left_out(iiwa):
    weight = torch.tensor([1.0, 0.0, 2.0, 0.0, 0.0, 3.0])
    asked = ask(iiwa, [ik.PoseTask(None, T[None], weight=weight)], 1)
    assert asked.parts.sizes[layout.ROWS] == 3
    assert asked.parts.pieces[:, layout.ROW0 : layout.ROW2 + 1].tolist() == [[0, -1, 1], [-1, -1, 2]]
    two = ask(
        iiwa, [ik.PositionTask(None, T[None, :3, 3]), ik.KeepOutConeTask(None, (1.0, 0, 0), T[None, 0, :3], 0.3)], 1
    )
    assert two.parts.sizes[layout.ROWS] == 6  # filled up to threes


def test_the_base_carries_all_mass():
    robot = talos()
    asked = ask(robot, [ik.CenterOfMassTask(torch.ones(1, 3))], 1, free_base="pose", base=T[None])
    carried = asked.parts.places[:, layout.CARRIED]
    assert carried[0] == pytest.approx(1.0)
    assert carried[1] == carried[0]
    assert (carried[2:] > 0).all()
    assert asked.parts.base.tolist() == [0, 0, 1, 2, 0, 1, 2]


def test_a_frame_on_the_base_moves_with_the_base_alone(iiwa):
    from diffkin.kinematics import dispatch

    mechanism = dispatch.mechanism(iiwa.tree)
    frame = iiwa.link_names.index(iiwa.base)
    for freedom, columns in (
        (pack.Freedom(np.ones(7, bool)), 0),
        (pack.Freedom(np.ones(7, bool), (0, 1), (2,), True), 3),
    ):
        _, integers = pack.pack(mechanism, [Piece(POINT, (1.0, 1.0, 1.0), frame)], [], freedom)
        assert integers[layout.FREE] == 0
        assert integers[layout.BASE] == columns
        assert integers[layout.ENTRIES] == columns
