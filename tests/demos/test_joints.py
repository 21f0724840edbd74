"""The smallest demo: joints follow sliders, tip and numbers follow joints."""

import pytest
import torch

import diffkin as dk
from diffkin.demos import joints
from diffkin.demos.scene import Demo, Moment, first_values


@pytest.fixture
def demo(panda: dk.Robot) -> joints.JointsDemo:
    return joints.JointsDemo(panda)


def test_a_touched_slider_moves_its_joint_alone(demo: joints.JointsDemo, panda: dk.Robot) -> None:
    played: Demo = demo  # it is one
    before = played.begin()
    name = panda.joint_names[3]
    values = {**first_values(played.controls), name: -1.0, panda.joint_names[0]: 0.5}
    after = played.step(Moment(0.1, 0.1, values, frozenset({name})))
    changed = (after.bodies[0].q - before.bodies[0].q).nonzero().flatten().tolist()
    assert changed == [3] and float(after.bodies[0].q[3]) == -1.0
    tip = panda.forward_kinematics(after.bodies[0].q)
    torch.testing.assert_close(after.frames[0].pose, tip)
    assert after.reading("tip x").value == pytest.approx(float(tip[0, 3]))
    assert after.shows[name] == -1.0
    assert demo.results()["moves"] == 1


def test_reset_returns_to_the_middle(demo: joints.JointsDemo, panda: dk.Robot) -> None:
    demo.begin()
    values = dict(demo.rehearsal(1.0))
    moved = demo.step(Moment(0.1, 0.1, values, frozenset(values)))
    assert float((moved.bodies[0].q - joints.middle_of(panda)).abs().max()) > 0.1
    back = demo.step(Moment(0.2, 0.1, values, frozenset({"reset"})))
    torch.testing.assert_close(back.bodies[0].q, (panda.lower + panda.upper) / 2)


@pytest.mark.parametrize("name", ["franka_panda", "scara", "planar_2r"])
def test_rehearsals_stay_within_the_sliders(name: str) -> None:
    demo = joints.JointsDemo(dk.load_robot(name))
    sliders = {each.name: each for each in joints.joint_sliders(demo.robot)}
    for t in torch.linspace(0.0, 10.0, 21).tolist():
        for key, value in demo.rehearsal(t).items():
            assert sliders[key].low <= value <= sliders[key].high


def test_sliders_have_the_units_of_their_joints(scara: dk.Robot) -> None:
    units = {each.unit for each in joints.joint_sliders(scara)}
    assert units == {"rad", "m"}  # it has a slide


@pytest.mark.parametrize("name", ["franka_panda", "kuka_iiwa", "planar_3r"])
def test_the_view_holds_what_the_arm_reaches_above_the_floor(name: str) -> None:
    robot = dk.load_robot(name)
    view = joints.view_of(robot)
    tips = robot.forward_kinematics(robot.sample(300, seed=5))[:, :3, 3]
    heights = tips[tips[:, 2] > view.floor][:, 2] - view.center[2]
    if name == "planar_3r":
        assert view.pitch_deg == -60.0  # flat, so seen from above
    else:
        assert float(heights.abs().max()) < 1.1 * view.radius
    assert float((tips[:, :2] - torch.tensor(view.center[:2])).abs().max()) < 3.0 * view.radius
