"""Every mode of the arm demo plays its rehearsal, and its numbers are true."""

import pytest
import torch

import diffkin as dk
from diffkin.demos.arm import MODES, make_arm_demo
from diffkin.demos.arm.surroundings import Surroundings
from diffkin.demos.scene import Scene, first_values
from diffkin.demos.stages.film import rehearse
from diffkin.errors import UnknownNameError
from tests.demos.walk import walk


def play(demo, steps: int = 6, dt: float = 0.3) -> list[Scene]:
    """The scenes of a rehearsal."""
    scenes = [demo.begin()]
    values = first_values(demo.controls)
    for k in range(1, steps):
        moment = rehearse(demo, values, k * dt, dt, scenes[-1])
        values = dict(moment.values)
        scenes.append(demo.step(moment))
    return scenes


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode not in ("joints", "learned")])
@pytest.mark.parametrize("name", ["franka_panda", "kuka_iiwa", "xarm6", "scara", "planar_3r", "planar_2r"])
def test_modes_play_and_say_the_truth(mode: str, name: str) -> None:
    robot = dk.load_robot(name)
    demo = make_arm_demo(robot, mode)
    for scene in play(demo):
        arm = next(body for body in scene.bodies if body.name == "arm")
        assert bool(((arm.q >= robot.lower) & (arm.q <= robot.upper)).all())
        if scene.reading("success").value and mode != "reach":
            target = next(frame for frame in scene.frames if frame.name == "target").pose
            away = float((robot.forward_kinematics(arm.q)[:3, 3] - target[:3, 3]).norm())
            assert away == pytest.approx(1e-3 * scene.reading("position error").value, abs=1e-9) and away <= 1e-6
        margin = scene.reading("limit margin").value
        assert margin is None or 0.0 <= margin <= 100.0
    results = demo.results()
    assert results["robot"] == name and results["mode"] == mode
    assert results["solves"] >= 1 and results["solved"] == results["solves"]


@pytest.mark.parametrize(
    ("mode", "name"),
    [
        *((mode, "scara") for mode in MODES if mode != "learned"),
        pytest.param("learned", "franka_panda", marks=pytest.mark.slow),  # it trains a network first
    ],
)
def test_every_control_may_be_touched(mode: str, name: str) -> None:
    robot = dk.load_robot(name)
    demo = Surroundings(make_arm_demo(robot, mode), robot)
    assert walk(demo) > 2 * len(demo.controls)


def test_unknown_names_are_errors() -> None:
    robot = dk.load_robot("planar_2r")
    with pytest.raises(UnknownNameError, match="follow"):
        make_arm_demo(robot, "folow")
    with pytest.raises(UnknownNameError, match="adam"):
        make_arm_demo(robot, solver="adm")


def test_begin_starts_anew(panda: dk.Robot) -> None:
    demo = make_arm_demo(panda, "reach", seed=3)
    first, again = play(demo)[-1], play(demo)[-1]
    torch.testing.assert_close(first.frames[0].pose, again.frames[0].pose, rtol=0.0, atol=0.0)
