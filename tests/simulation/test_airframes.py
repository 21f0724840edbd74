"""Airframes in PyBullet: points, rays and Jacobians at 1e-9, and pictures."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from diffkin import rotations
from diffkin.aircraft import RayTarget, load_airframe, point, turn_to
from diffkin.errors import ModelFileError

pytest.importorskip("pybullet")

from diffkin.simulation.airframes import compare_airframe, measure_pointing, open_airframe, picture  # noqa: E402


@pytest.mark.parametrize("name", ["fixed_wing", "quadrotor"])
def test_points_rays_and_jacobians(name: str) -> None:
    airframe = load_airframe(name)
    generator = torch.Generator().manual_seed(0)
    rotation = rotations.random_rotation(12, seed=generator)
    position = torch.randn(12, 3, generator=generator, dtype=torch.float64)
    with open_airframe(airframe) as flying:
        report = compare_airframe(flying, rotation, position, airframe.robot.sample(12, seed=1), jacobians=2)
    assert report.point_difference_m < 1e-9
    assert report.ray_difference_rad < 1e-9
    assert report.jacobian_difference < 1e-9


def test_answers_measured_in_bullet() -> None:
    airframe = load_airframe("fixed_wing")
    ground = torch.tensor([[0.0, 0.0, 0.0], [80.0, -30.0, 0.0], [-50.0, 200.0, 0.0]], dtype=torch.float64)
    position = torch.tensor([0.0, 0.0, -120.0], dtype=torch.float64)
    target = RayTarget("boresight", point=ground)
    found = point(airframe, target, position=position, max_bank=0.5, max_pitch=0.4)
    assert bool(found.success.all())
    with open_airframe(airframe) as flying:
        for k in range(3):
            flying.reset(found.R_ned_body[k], None, found.q[k])
            origin, axis = flying.ray("boresight")
            goal = ground[k] - origin - position
            assert float(turn_to(goal / goal.norm(), axis).norm()) < 2e-6
        errors = measure_pointing(flying, target, found.R_ned_body, position, found.q)
        away = measure_pointing(flying, target, found.R_ned_body.roll(1, 0), position, found.q)
    assert errors.shape == (3,) and float(errors.max()) < 2e-6
    assert float(away.min()) > 0.05  # answers of other targets miss


def test_mimic_joints_follow() -> None:
    airframe = load_airframe("fixed_wing")
    q = airframe.neutral()
    q[airframe.robot.joint_names.index("elevator")] = 0.3
    with open_airframe(airframe) as flying:
        flying.reset(torch.eye(3, dtype=torch.float64), None, q)
        poses = [flying.body.link_pose(link) for link in ("left_elevator", "right_elevator", "body")]
    for half in poses[:2]:
        assert float(rotations.angle_between(half[:3, :3], poses[2][:3, :3])) == pytest.approx(0.3, abs=1e-9)


def test_picture_shows_the_aircraft_and_its_ray() -> None:
    with open_airframe(load_airframe("quadrotor")) as flying:
        level = torch.eye(3, dtype=torch.float64)
        plain = picture(flying, level, size=(160, 120))
        with_ray = picture(flying, level, ray="boresight", size=(160, 120))
        turned = picture(
            flying, rotations.euler_to_matrix(torch.tensor([1.0, 0.3, 0.2]).double(), "ZYX"), size=(160, 120)
        )
    assert plain.shape == (120, 160, 3)
    assert plain.dtype == np.uint8
    assert plain.std() > 10
    assert (plain != with_ray).any()
    assert (plain != turned).any()
    red = (with_ray[..., 0] > 90) & (with_ray[..., 1] < 60) & (with_ray[..., 2] < 60)
    assert red.sum() > 5


@pytest.mark.parametrize("yaw_deg", [163.0, -151.0])
def test_a_ray_is_seen_as_a_whole(yaw_deg: float) -> None:
    angles = torch.deg2rad(torch.tensor([yaw_deg, -18.0, 0.0], dtype=torch.float64))
    with open_airframe(load_airframe("fixed_wing")) as flying:
        q = flying.airframe.neutral()
        shown = picture(flying, rotations.euler_to_matrix(angles, "ZYX"), q, ray="boresight")
    rows, columns = np.nonzero((shown < 245).any(-1))
    assert rows.min() > 0 and rows.max() < 359 and columns.min() > 0 and columns.max() < 479
    assert max((rows.max() - rows.min()) / 360, (columns.max() - columns.min()) / 480) > 0.8


def test_the_base_must_be_the_root() -> None:
    from diffkin.robot import load_robot

    inner = load_airframe(load_robot("fixed_wing", base="gimbal_yaw"))
    with pytest.raises(ModelFileError, match="root"), open_airframe(inner):
        pass
