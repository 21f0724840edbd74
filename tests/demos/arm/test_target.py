"""The target's controls show where it is, and move it there."""

import pytest
import torch

from diffkin.demos.arm.target import ANGLES, GIZMO, PLACES, Target
from diffkin.demos.scene import Moment, View, first_values
from diffkin.rotations import random_rotation
from diffkin.transforms import pose

START = pose(random_rotation(1, seed=1)[0].double(), torch.tensor([0.4, 0.1, 0.6], dtype=torch.float64))


def test_what_it_shows_puts_another_where_it_is() -> None:
    target, other = Target(START, View(), True), Target(START, View(), True)
    target.put(pose(random_rotation(1, seed=2)[0].double(), torch.tensor([0.2, -0.3, 0.5], dtype=torch.float64)))
    values = target.shows()
    other.follow(Moment(0.0, 0.1, values, frozenset((*PLACES, *ANGLES))))
    torch.testing.assert_close(other.pose, target.pose)
    third = Target(START, View(), True)
    third.follow(Moment(0.0, 0.1, values, frozenset({GIZMO})))
    torch.testing.assert_close(third.pose, target.pose)


def test_only_what_is_touched_moves() -> None:
    target = Target(START, View(), True)
    values = {**first_values(target.controls), "target x": 0.9, "target y": 0.9}
    target.follow(Moment(0.0, 0.1, values, frozenset({"target y"})))
    assert target.pose[:3, 3].tolist() == pytest.approx([0.4, 0.9, 0.6])
    torch.testing.assert_close(target.pose[:3, :3], START[:3, :3])


def test_without_rotation_there_are_no_angles() -> None:
    target = Target(START, View(), False)
    assert [each.name for each in target.controls] == [*PLACES, GIZMO] and set(target.shows()) == {*PLACES, GIZMO}
