"""A flight: it ends where it was to, Bullet's and ours stay together, and ours alone where there is no Bullet."""

import pytest
import torch

from diffkin import aircraft, simulation
from diffkin.demos.flying import FlyingDemo
from diffkin.demos.scene import Moment, Scene, first_values
from diffkin.rotations import angle_between


def play(demo: FlyingDemo, seconds: float, dt: float = 0.05) -> list[Scene]:
    values = first_values(demo.controls)
    return [demo.step(Moment(dt * k, dt, values)) for k in range(1, round(seconds / dt) + 1)]


@pytest.mark.parametrize("bullet", [True, False])
@pytest.mark.parametrize("name", ["fixed_wing", "quadrotor"])
def test_it_reaches_its_attitude_and_the_ghost_stays_near(name: str, bullet: bool) -> None:
    if bullet and not simulation.is_installed():
        pytest.skip("pybullet is not installed")
    demo = FlyingDemo(aircraft.load_airframe(name), bullet=bullet)
    scenes = play(demo, 3.9)
    assert scenes[0].reading("to the attitude").value > 20.0
    assert scenes[-1].reading("to the attitude").value < 0.5
    base, ghost = (body.base for body in scenes[-1].bodies)
    assert base is not None and ghost is not None
    assert float(angle_between(base[:3, :3], ghost[:3, :3])) < 0.01
    assert demo.results()["largest_difference_deg"] < 2.0
    assert demo.results()["flown_by"] == ("PyBullet" if bullet else "diffkin (PyBullet is not installed)")
    demo.close()


def test_surfaces_follow_the_torque() -> None:
    demo = FlyingDemo(aircraft.load_airframe("fixed_wing"), bullet=False)
    moved = torch.stack([scene.bodies[0].q for scene in play(demo, 1.0)])
    assert float(moved[:, :4].abs().max()) > 0.1
    assert float(moved[:, 4:].abs().max()) == 0.0  # the gimbal is held


def test_the_next_attitude_can_be_asked_for() -> None:
    demo = FlyingDemo(aircraft.load_airframe("quadrotor"), bullet=False)
    play(demo, 0.1)
    before = demo.results()["attitudes"]
    values = first_values(demo.controls) | {"controller": "geometric_pd"}
    demo.step(Moment(0.2, 0.05, values, frozenset({"next attitude"})))
    assert demo.results()["attitudes"] == before + 1
    first = FlyingDemo(aircraft.load_airframe("quadrotor"), seed=3, bullet=False).begin()
    again = FlyingDemo(aircraft.load_airframe("quadrotor"), seed=3, bullet=False).begin()
    assert torch.equal(first.frames[1].pose, again.frames[1].pose)
