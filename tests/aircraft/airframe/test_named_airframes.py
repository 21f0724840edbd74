"""Airframes by name: what they carry, and what any other robot gets."""

from __future__ import annotations

import pytest
import torch

import diffkin as dk
from diffkin.aircraft import BodyPoint, BodyRay, load_airframe
from diffkin.errors import UnknownNameError

NAMES = ("fixed_wing", "quadrotor")


@pytest.mark.parametrize("name", NAMES)
def test_what_the_aircraft_have(name: str) -> None:
    airframe = load_airframe(name)
    assert {"nose", "left_wingtip", "right_wingtip", "tail", "camera", "antenna"} <= set(airframe.points)
    assert set(airframe.rays) == {"nose", "boresight", "antenna"}
    assert airframe.robot.base == "body"
    points = dict(zip(airframe.points, airframe.points_body().tolist()))
    assert points["nose"][0] > 0.1 > 0.0 > points["tail"][0]  # x is forward
    assert points["right_wingtip"][1] == -points["left_wingtip"][1] > 0.3  # y is right
    assert points["camera"][2] > 0.0 > points["antenna"][2]  # z is down
    _, rays = airframe.rays_body()
    expected = {"nose": [1, 0, 0], "boresight": [1, 0, 0], "antenna": [0, 0, -1]}
    torch.testing.assert_close(rays, torch.tensor([expected[ray] for ray in airframe.rays], dtype=torch.float64))


def test_span_of_the_aerosonde() -> None:
    airframe = load_airframe("fixed_wing")
    left, right = airframe.points_body(names=["left_wingtip", "right_wingtip"])
    assert float(right[1] - left[1]) == pytest.approx(2.8956, abs=1e-9)


def test_rotors_abeam_are_the_tips_of_a_quadrotor() -> None:
    airframe = load_airframe("quadrotor")
    tips = airframe.points_body(names=["left_wingtip", "right_wingtip"])
    torch.testing.assert_close(tips, airframe.points_body(names=["left_rotor", "right_rotor"]), rtol=0, atol=0)
    assert not any("rotor" in name for name in load_airframe("fixed_wing").points)


def test_any_robot_has_its_links_for_points_and_rays() -> None:
    airframe = load_airframe("kuka_iiwa")
    assert tuple(airframe.points) == tuple(airframe.rays) == airframe.robot.link_names
    poses = airframe.robot.forward_kinematics(airframe.neutral(), links=list(airframe.robot.link_names))
    turn = torch.tensor([1.0, -1.0, -1.0], dtype=torch.float64)
    torch.testing.assert_close(airframe.points_body(), poses[:, :3, 3] * turn, rtol=0, atol=1e-14)
    torch.testing.assert_close(airframe.rays_body()[1], poses[:, :3, 0] * turn, rtol=0, atol=1e-14)


def test_points_and_rays_of_the_caller_come_first() -> None:
    points, rays = {"tip": BodyPoint("camera")}, {"eye": BodyRay("camera")}
    mine = load_airframe("fixed_wing", points, rays)
    assert mine.points == points
    assert mine.rays == rays
    assert set(load_airframe("fixed_wing", points).rays) == {"nose", "boresight", "antenna"}
    points["late"] = BodyPoint("camera")  # the airframe keeps what it was given
    assert set(mine.points) == {"tip"}


def test_a_robot_that_only_shares_the_name_gets_its_own_links() -> None:
    airframe = load_airframe("<robot name='fixed_wing'><link name='body'/></robot>")
    assert set(airframe.points) == set(airframe.rays) == {"body"}


def test_a_loaded_robot_is_kept() -> None:
    robot = dk.load_robot("quadrotor").to(dtype=torch.float32)
    airframe = load_airframe(robot)
    assert airframe.robot is robot
    assert airframe.points_body().dtype == torch.float32


def test_bad_input() -> None:
    with pytest.raises(UnknownNameError, match="quadrotor"):
        load_airframe("quadroter")
    with pytest.raises(UnknownNameError, match="link"):
        load_airframe("quadrotor", {"x": BodyPoint("wing")})
