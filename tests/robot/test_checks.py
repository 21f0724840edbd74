"""Robots that are not whole: each is refused when it is put together, however that is done."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch

import diffkin as dk
from diffkin.errors import (
    DtypeError,
    JointError,
    LimitsError,
    ModelFileError,
    NonFiniteError,
    OptionError,
    RotationError,
    ShapeError,
    TopologyError,
    UnknownNameError,
)
from diffkin.robot.checks import LARGEST
from tests.robot.models import urdf

NAN = math.nan


def geometry(iiwa: dk.Robot, field: str, change) -> dict[str, torch.Tensor]:
    value = getattr(iiwa.tree, field).clone()
    return {field: change(value)}


def scaled_rotation(poses: torch.Tensor) -> torch.Tensor:
    poses[2, :3, :3] *= 1.001
    return poses


def reflected(poses: torch.Tensor) -> torch.Tensor:
    poses[2, :3, 0] *= -1.0
    return poses


def last_row(poses: torch.Tensor) -> torch.Tensor:
    poses[2, 3, 0] = 0.1
    return poses


@pytest.mark.parametrize(
    ("field", "change", "error", "said"),
    [
        ("axes", lambda axes: 2 * axes, RotationError, "joint 'lbr_iiwa_joint_1'.*length one"),
        ("axes", lambda axes: 0 * axes, RotationError, "length one"),
        ("axes", lambda axes: NAN * axes, RotationError, "length one"),
        ("origins", scaled_rotation, RotationError, "origin of joint 'lbr_iiwa_joint_3'.*rigid"),
        ("origins", reflected, RotationError, "reflection"),
        ("origins", last_row, RotationError, "last row"),
        ("origins", lambda poses: poses * NAN, NonFiniteError, "origin of joint 'lbr_iiwa_joint_1'"),
        ("origins", lambda poses: poses + math.inf, NonFiniteError, "not finite"),
        ("origins", lambda poses: poses + 2 * LARGEST, NonFiniteError, "above"),
        ("link_offsets", reflected, RotationError, "link offset of link 'lbr_iiwa_link_2'"),
        ("link_offsets", lambda poses: poses * NAN, NonFiniteError, "link 'lbr_iiwa_link_0'"),
        ("origins", lambda poses: poses[:3], ShapeError, r"\(7, 4, 4\), got \(3, 4, 4\)"),
        ("axes", lambda axes: axes.int(), DtypeError, "axes"),
        ("axes", lambda axes: "z", DtypeError, "axes must be a tensor"),
    ],
)
def test_geometry(iiwa: dk.Robot, field: str, change, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        iiwa.replace(**geometry(iiwa, field, change))


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"base": "nowhere"}, UnknownNameError, "'nowhere'"),
        ({"base": "lbr_iiwa_link_3"}, TopologyError, "base"),
        ({"base": None}, OptionError, "base"),
        ({"tip": "nowhere"}, UnknownNameError, "'nowhere'"),
        ({"tip": 3}, OptionError, "tip"),
        ({"leaves": ("nowhere",)}, UnknownNameError, "'nowhere'"),
        ({"joint_names": ("a", "b")}, ShapeError, "7 names, got 2"),
        ({"joint_names": ("a",) * 7}, TopologyError, "'a' twice"),
        ({"joint_names": "abcdefg"}, OptionError, "tuple of names"),
        ({"joint_names": tuple(range(7))}, OptionError, "tuple of names"),
        ({"link_names": ("a",) * 8}, TopologyError, "'a' twice"),
        ({"name": None}, OptionError, "name"),
        ({"source": 3}, OptionError, "source"),
        ({"tree": None}, OptionError, "tree"),
        ({"lower": torch.full((7,), 4.0)}, LimitsError, "'lbr_iiwa_joint_1'.*4 and 2.96706"),
        ({"lower": torch.full((7,), NAN)}, LimitsError, "nan"),
        ({"lower": torch.full((7,), math.inf), "upper": torch.full((7,), math.inf)}, LimitsError, "inf"),
        ({"upper": torch.full((7,), -math.inf), "lower": torch.full((7,), -math.inf)}, LimitsError, "-inf"),
        ({"max_velocity": -torch.ones(7)}, LimitsError, "-1 of speed"),
        ({"max_effort": torch.full((7,), NAN)}, LimitsError, "nan of effort"),
        ({"lower": torch.zeros(2, 7)}, ShapeError, r"\(7,\)"),
        ({"link_masses": -torch.ones(8)}, ModelFileError, "'lbr_iiwa_link_0'.*mass -1"),
        ({"link_masses": torch.full((8,), math.inf)}, ModelFileError, "mass inf"),
        ({"link_centers": torch.full((8, 3), NAN)}, NonFiniteError, "centre of mass of link 'lbr_iiwa_link_0'"),
        ({"link_centers": torch.zeros(8)}, ShapeError, r"\(8, 3\)"),
        ({"configurations": {"home": torch.zeros(3)}}, ShapeError, "home"),
        ({"configurations": 3}, OptionError, "configurations"),
        ({"disabled_pairs": frozenset({"ab"})}, OptionError, "pairs"),
        ({"cache": {}}, UnknownNameError, "attribute"),
        ({"colour": "red"}, UnknownNameError, "attribute"),
    ],
)
def test_names_limits_and_masses(iiwa: dk.Robot, changes: dict, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        iiwa.replace(**changes)


def test_every_way_of_making_one_is_checked(iiwa: dk.Robot) -> None:
    tree = dataclasses.replace(iiwa.tree, axes=2 * iiwa.tree.axes)
    with pytest.raises(RotationError):
        dataclasses.replace(iiwa, tree=tree)
    with pytest.raises(RotationError):
        iiwa.replace(tree=tree)
    with pytest.raises(LimitsError):
        dataclasses.replace(iiwa, lower=iiwa.upper + 1)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"parents": (0, 0, 1, 2, 3, 4, 5)}, TopologyError),
        ({"parents": (-1, 0, 1)}, ShapeError),
        ({"kinds": (0, 0, 0, 0, 0, 0, 5)}, TopologyError),
        ({"coordinate": (0, 1, 2, 3, 4, 5, 7)}, TopologyError),
        ({"link_joint": (-1, 0, 1, 2, 3, 4, 5, 9)}, TopologyError),
        ({"multiplier": (math.inf,) * 7}, NonFiniteError),
        ({"offset": (0.0, NAN, 0.0, 0.0, 0.0, 0.0, 0.0)}, NonFiniteError),
        ({"multiplier": (1.0,)}, ShapeError),
    ],
)
def test_trees_whose_lists_do_not_fit(iiwa: dk.Robot, changes: dict, error: type[Exception]) -> None:
    # derived constants need lists that fit, so they are left out: where gradients flow there are none
    tree = dataclasses.replace(iiwa.tree, origins=iiwa.tree.origins.clone().requires_grad_(), **changes)
    with pytest.raises(error):
        iiwa.replace(tree=tree)


def test_mimics_that_are_too_much_together_are_refused_at_load() -> None:
    chained = urdf("a revolute r l1", "b revolute l1 l2 a 1e300 0", "c revolute l2 l3 b 1e300 0")
    with pytest.raises(JointError, match="factor"):
        dk.Robot.from_urdf(chained)
    far = urdf("a revolute r l1").replace('xyz="1 0 0"', 'xyz="1e200 0 0"')
    with pytest.raises(JointError, match="above"):
        dk.Robot.from_urdf(far)


def test_an_axis_that_vanishes_in_mujoco_is_refused_at_load() -> None:
    text = '<mujoco><worldbody><body><joint name="j" axis="{}"/></body></worldbody></mujoco>'
    with pytest.raises(ModelFileError):
        dk.Robot.from_mjcf(text.format("1e200 0 0"))
    assert dk.Robot.from_mjcf(text.format("2 0 0")).tree.axes.tolist() == [[1.0, 0.0, 0.0]]


def test_what_is_right_passes(iiwa: dk.Robot) -> None:
    changed = iiwa.replace(
        lower=iiwa.lower.numpy() - 0.1,
        upper=(iiwa.upper + 0.1).tolist(),
        axes=-iiwa.tree.axes.float(),
        max_velocity=[math.inf] * 7,
        configurations={"home": torch.zeros(7, dtype=torch.float64)},
        disabled_pairs=frozenset({("lbr_iiwa_link_0", "lbr_iiwa_link_1")}),
    )
    torch.testing.assert_close(changed.lower, iiwa.lower - 0.1)
    assert changed.tree.dtype == torch.float64
    equal = iiwa.replace(lower=iiwa.upper)
    assert torch.equal(equal.lower, equal.upper)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_rounding_to_another_dtype_is_no_mistake(panda: dk.Robot, dtype: torch.dtype) -> None:
    assert panda.to(dtype).dtype == dtype


def test_values_are_not_looked_at_in_a_transform_and_gradients_flow(iiwa: dk.Robot) -> None:
    q = iiwa.sample(1, seed=3)[0]

    def height(shift: torch.Tensor) -> torch.Tensor:
        origins = iiwa.tree.origins.clone()
        origins = torch.cat((origins[:1, :, :3], (origins[:1, :, 3] + shift)[..., None]), -1), origins[1:]
        return iiwa.replace(origins=torch.cat(origins)).forward_kinematics(q)[:3, 3]

    shift = torch.zeros(4, dtype=torch.float64)
    first_axis = torch.eye(4, dtype=torch.float64)[:3]
    expected = iiwa.tree.origins.new_tensor(np.eye(3))  # the first joint's origin moves all that follows
    for jacobian in (torch.func.jacrev(height)(shift), torch.func.jacfwd(height)(shift)):
        torch.testing.assert_close(jacobian, expected @ first_axis)
    jacobian = torch.autograd.functional.jacobian(height, shift)
    torch.testing.assert_close(jacobian[:, :3], expected)
