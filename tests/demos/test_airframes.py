"""Airframes in scenes: axes, circles, and surfaces whose torques have the sign that they have in the air."""

import numpy as np
import pytest
import torch

from diffkin import aircraft
from diffkin.demos.airframes import Surfaces, attitude_law, circle, exact, frame_of, reach_of, torque_limit
from diffkin.rotations import euler_to_matrix


def test_surfaces_push_as_in_flight() -> None:
    airframe = exact(aircraft.load_airframe("fixed_wing"))
    surfaces = Surfaces.of(airframe)
    names = [airframe.robot.joint_names[k] for k in surfaces.coordinates]
    assert names == ["left_aileron", "right_aileron", "elevator", "rudder"]  # and no joint of the gimbal
    columns = dict(zip(names, surfaces.effectiveness.mT))
    assert columns["left_aileron"][0] > 0.0 > columns["right_aileron"][0]  # trailing edge down: that wing goes up
    assert columns["elevator"][1] < 0.0  # trailing edge down: the nose goes down
    assert columns["rudder"][2] < 0.0  # trailing edge left: the nose goes left
    most = (surfaces.effectiveness.abs() * surfaces.upper).sum(-1)
    torch.testing.assert_close(most, torch.tensor([16.0, 12.0, 12.0], dtype=torch.float64))


@pytest.mark.parametrize("torque", [(6.0, 0.0, 0.0), (0.0, 5.0, 0.0), (0.0, 0.0, -4.0), (3.0, -2.0, 2.0)])
def test_deflections_give_the_torque(torque: tuple[float, float, float]) -> None:
    airframe = exact(aircraft.load_airframe("fixed_wing"))
    surfaces = Surfaces.of(airframe)
    wanted = torch.tensor(torque, dtype=torch.float64)
    q = surfaces.deflected(airframe.neutral(), wanted)
    given = surfaces.effectiveness @ q[list(surfaces.coordinates)]
    torch.testing.assert_close(given, wanted, rtol=0.0, atol=1e-3)


def test_a_quadrotor_has_no_surfaces() -> None:
    airframe = exact(aircraft.load_airframe("quadrotor"))
    q = airframe.neutral()
    assert Surfaces.of(airframe).deflected(q, torch.ones(3).double()) is q
    assert reach_of(airframe) == pytest.approx(0.32, abs=0.01)


def test_the_law_is_saturated() -> None:
    airframe = exact(aircraft.load_airframe("quadrotor"))
    R = euler_to_matrix(torch.tensor([2.0, 0.5, 2.0], dtype=torch.float64), "ZYX")
    torque = attitude_law(airframe)(torch.eye(3).double(), torch.zeros(3).double(), R)
    assert bool((torque.abs() <= torque_limit(airframe)).all())
    assert float((torque.abs() / torque_limit(airframe)).max()) == 1.0


def test_a_circle_lies_across_its_axis() -> None:
    center, axis = torch.tensor([1.0, 2.0, 3.0]).double(), torch.tensor([0.3, -2.0, 0.4]).double()
    points = circle(center, axis, 0.7) - center
    np.testing.assert_allclose(points.norm(dim=1).numpy(), 0.7, atol=1e-12)
    np.testing.assert_allclose((points @ axis).numpy(), 0.0, atol=1e-12)
    torch.testing.assert_close(points[0], points[-1])


def test_body_axes_point_forward_right_and_down() -> None:
    north = frame_of("body", torch.eye(3).double(), torch.tensor([1.0, 2.0, -3.0]).double(), 1.0).pose
    assert north[:3, 0].tolist() == [0.0, 1.0, 0.0]  # north
    assert north[:3, 1].tolist() == [1.0, 0.0, 0.0]  # east
    assert north[:3, 2].tolist() == [0.0, 0.0, -1.0]  # down
    assert north[:3, 3].tolist() == [2.0, 1.0, 3.0]
