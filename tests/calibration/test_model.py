"""The calibration model: its parameters, its derivative, and what measurements of each kind can tell."""

import math

import pytest
import torch

import diffkin as dk
from diffkin import rotations, transforms
from diffkin.calibration.model import calibration_model
from diffkin.errors import OptionError, TopologyError, UnknownNameError


def shaken(model, seed=0, size=5e-3):
    """Random parameters of this size."""
    generator = torch.Generator().manual_seed(seed)
    return size * torch.randn(model.size, generator=generator, dtype=torch.float64)


@pytest.fixture(scope="module")
def tool():
    pose = torch.eye(4, dtype=torch.float64)
    pose[:3, :3] = rotations.rotvec_to_matrix(torch.tensor([0.2, -0.3, 0.1], dtype=torch.float64))
    pose[:3, 3] = torch.tensor([0.03, 0.02, 0.1])
    return pose


def test_iiwa_has_55_parameters_and_zero_is_the_nominal_arm(iiwa, tool):
    model = calibration_model(iiwa, tool)
    assert model.size == 7 + 8 * 6 == len(set(model.names))
    q = iiwa.sample(5)
    assert torch.allclose(model.poses(model.zero(), q), iiwa.forward_kinematics(q) @ tool, atol=1e-14)


def test_an_offset_is_added_to_the_reading(iiwa, tool):
    model = calibration_model(iiwa, tool, groups=["offsets"])
    x = shaken(model)
    q = iiwa.sample(5)
    assert torch.allclose(model.poses(x, q), iiwa.forward_kinematics(q + x) @ tool, atol=1e-14)


def test_offsets_reach_mimic_joints_and_slides(mixed):
    robot = dk.Robot.from_urdf(mixed.source, tip="hand")
    model = calibration_model(robot, groups=["offsets"])
    x, q = shaken(model), 0.3 * robot.sample(5)
    assert torch.allclose(model.poses(x, q), robot.forward_kinematics(q + x), atol=1e-14)


def test_origin_and_tool_are_moved_in_their_own_frames(iiwa, tool):
    model = calibration_model(iiwa, tool)
    x = model.zero()
    first = model.names.index("tx of origin of lbr_iiwa_joint_4")
    twist = torch.tensor([1e-3, 2e-3, -3e-3, 0.01, -0.02, 0.03], dtype=torch.float64)
    x[first : first + 6] = twist
    x[-6:] = -twist
    origins = iiwa.tree.origins.clone()
    origins[3] = origins[3] @ transforms.exp(twist)
    q = iiwa.sample(4)
    expected = iiwa.replace(origins=origins).forward_kinematics(q) @ tool @ transforms.exp(-twist)
    assert torch.allclose(model.poses(x, q), expected, atol=1e-14)


@pytest.mark.parametrize("name", ["kuka_iiwa", "scara", "mixed"])
def test_jacobian_matches_differences_and_backward_seeds(name, mixed):
    robot = dk.Robot.from_urdf(mixed.source, tip="hand") if name == "mixed" else dk.load_robot(name)
    model = calibration_model(robot)
    x, q = shaken(model), 0.5 * robot.sample(3)
    jacobian = model.jacobian(x, q)
    step = 1e-6
    for index in range(model.size):
        moved = torch.zeros_like(x)
        moved[index] = step
        ahead, behind = model.poses(x + moved, q), model.poses(x - moved, q)
        linear = (ahead - behind)[:, :3, 3] / (2 * step)
        angular = rotations.matrix_to_rotvec(ahead[:, :3, :3] @ behind[:, :3, :3].transpose(-1, -2)) / (2 * step)
        assert torch.allclose(jacobian[:, :, index], torch.cat((linear, angular), -1), atol=1e-8)
    seeds = dk.autograd.jacobian(lambda at: model.poses(at, q)[:, :3, 3], x, method="backward_seeds")
    assert torch.allclose(jacobian[:, :3], seeds, atol=1e-13)
    assert torch.allclose(jacobian, model.jacobian(x, q, chunk=2), atol=1e-15)


def test_gradients_are_right_to_second_order(scara):
    model = calibration_model(scara)
    q = scara.sample(1)
    assert torch.autograd.gradcheck(lambda at: model.poses(at, q), shaken(model).requires_grad_())
    weight = torch.randn(1, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert torch.autograd.gradgradcheck(lambda at: (weight * model.poses(at, q)).sum(), shaken(model).requires_grad_())


def test_mistakes(iiwa, mixed):
    with pytest.raises(UnknownNameError, match="offsets"):
        calibration_model(iiwa, groups=["offset"])
    with pytest.raises(OptionError, match="nothing to calibrate"):
        calibration_model(iiwa, groups=[])
    with pytest.raises(TopologyError, match="tip"):
        calibration_model(mixed)
    with pytest.raises(dk.errors.ShapeError, match="55"):
        calibration_model(iiwa).poses(torch.zeros(54, dtype=torch.float64), iiwa.sample(1))
    assert math.isfinite(
        float(calibration_model(iiwa).jacobian(torch.zeros(55, dtype=torch.float64), iiwa.sample(0)).sum())
    )
