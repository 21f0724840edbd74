"""A camera that follows a car: the drawn ray goes through the car, whatever the aircraft does."""

import numpy as np
import pytest
import torch

from diffkin import aircraft
from diffkin.demos.scene import Moment, Scene, Value, first_values
from diffkin.demos.tracking import TrackingDemo
from diffkin.errors import UnknownNameError
from diffkin.transforms import pose

CAMERA = {"fixed_wing": "camera", "quadrotor": "camera"}


def play(demo: TrackingDemo, changes: dict[str, Value], t: float = 0.1, dt: float = 0.1) -> Scene:
    return demo.step(Moment(t, dt, first_values(demo.controls) | changes, frozenset(changes)))


def off_target(scene: Scene) -> float:
    """Angle between the camera's x axis, from the poses of the body's links, and the way to the gizmo of the car."""
    body = scene.bodies[0]
    camera = body.robot.link_poses(body.q, body.base)["camera"].numpy()
    way = torch.as_tensor(scene.shows["car"])[:3, 3].numpy() - camera[:3, 3]
    return float(np.arcsin(np.linalg.norm(np.cross(camera[:3, 0], way)) / np.linalg.norm(way)))


@pytest.mark.parametrize("name", ["fixed_wing", "quadrotor"])
def test_the_ray_goes_through_the_car(name: str) -> None:
    demo = TrackingDemo(aircraft.load_airframe(name))
    places, banks = [], []
    for k in range(40):
        scene = play(demo, {}, t=0.15 * k, dt=0.15)
        assert scene.reading("on target").value is True
        assert off_target(scene) < 1e-6
        ray = next(line for line in scene.lines if line.name == "ray").points
        car = torch.as_tensor(scene.shows["car"])[:3, 3]
        assert float((ray[1] - car).norm()) < 1e-6 * float((ray[1] - ray[0]).norm())
        places.append(car)
        banks.append(scene.reading("bank now").value)
    assert float((torch.stack(places) - places[0]).norm(dim=1).max()) > 1.0 * demo.view.radius * 0.3
    assert max(banks) > 25.0 and min(banks) < -25.0
    assert demo.results()["frames_on_target"] == 40
    assert demo.results()["worst_pointing_error_rad"] < 1e-6


def test_the_car_stays_where_it_is_dragged_until_it_drives_on() -> None:
    demo = TrackingDemo(aircraft.load_airframe("fixed_wing"))
    there = pose(torch.eye(3).double(), torch.tensor([1.5, 5.0, 0.7]).double())
    scene = play(demo, {"car": there})
    parked = torch.as_tensor(scene.shows["car"])[:3, 3].tolist()
    assert parked == pytest.approx([1.5, 5.0, 0.0])  # on the ground
    assert off_target(scene) < 1e-6
    still = play(demo, {})
    assert torch.as_tensor(still.shows["car"])[:3, 3].tolist() == pytest.approx(parked)
    on = play(demo, {"drive": True})
    assert torch.as_tensor(on.shows["car"])[:3, 3].tolist() != pytest.approx(parked)


def test_a_car_that_cannot_be_seen_is_told() -> None:
    demo = TrackingDemo(aircraft.load_airframe("quadrotor"))
    behind = pose(torch.eye(3).double(), torch.tensor([0.0, -50.0, 0.0]).double())
    scene = play(demo, {"car": behind, "bank": 0.0})
    assert scene.reading("on target").value is False
    assert off_target(scene) > 1e-3
    assert demo.results()["frames_on_target"] == 0


def test_an_unknown_ray_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="boresight"):
        TrackingDemo(aircraft.load_airframe("fixed_wing"), ray="boresite")
