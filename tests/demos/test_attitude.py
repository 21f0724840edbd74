"""Attitude by sliders: SciPy's rotations in every sequence, axes of rotation by differences, and what locks."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from diffkin import aircraft
from diffkin.demos.attitude import AttitudeDemo, angle_sliders, rotation_axes
from diffkin.demos.scene import Moment, Scene, Value, first_values
from diffkin.errors import UnknownNameError
from diffkin.rotations import EULER_SEQUENCES

ENU_NED = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
FLU_FRD = np.diag([1.0, -1.0, -1.0])


def play(demo: AttitudeDemo, changes: dict[str, Value], t: float = 0.1, dt: float = 0.1) -> Scene:
    values = first_values(demo.controls) | changes
    return demo.step(Moment(t, dt, values, frozenset(changes)))


@pytest.fixture(scope="module")
def fixed_wing() -> aircraft.Airframe:
    return aircraft.load_airframe("fixed_wing")


@pytest.mark.parametrize("sequence", EULER_SEQUENCES)
def test_the_aircraft_stands_as_scipy_says(fixed_wing: aircraft.Airframe, sequence: str) -> None:
    demo = AttitudeDemo(fixed_wing, sequence)
    degrees = (70.0, 40.0, -110.0)
    scene = play(demo, dict(zip([slider.name for slider in angle_sliders(sequence)], degrees)))
    expected = ENU_NED @ Rotation.from_euler(sequence, degrees, degrees=True).as_matrix() @ FLU_FRD
    base = scene.bodies[0].base
    assert base is not None
    np.testing.assert_allclose(base[:3, :3].numpy(), expected, atol=1e-12)
    yaw, pitch, roll = Rotation.from_matrix(ENU_NED.T @ expected @ FLU_FRD).as_euler("ZYX", degrees=True)
    shown = [scene.reading(name).value for name in ("yaw", "pitch", "roll")]
    np.testing.assert_allclose(shown, (yaw, pitch, roll), atol=1e-9)


@pytest.mark.parametrize("sequence", ["ZYX", "zyx", "ZXZ", "xyx"])
def test_axes_are_those_about_which_it_turns(sequence: str) -> None:
    angles = np.array([0.4, 0.7, -0.9])
    axes = rotation_axes(torch.from_numpy(angles), sequence).numpy()
    for k in range(3):
        step = np.zeros(3)
        step[k] = 1e-6
        ahead, behind = (Rotation.from_euler(sequence, angles + sign * step) for sign in (1.0, -1.0))
        np.testing.assert_allclose(axes[:, k], (ahead * behind.inv()).as_rotvec() / 2e-6, atol=1e-8)


@pytest.mark.parametrize(("sequence", "lock"), [("ZYX", 90.0), ("xyz", 90.0), ("ZXZ", 0.0), ("yzy", 0.0)])
def test_first_and_last_axis_meet_at_the_lock(fixed_wing: aircraft.Airframe, sequence: str, lock: float) -> None:
    demo = AttitudeDemo(fixed_wing, sequence, rings=True)
    names = [slider.name for slider in angle_sliders(sequence)]
    apart = []
    for middle in (lock, abs(lock - 30.0)):
        scene = play(demo, dict(zip(names, (20.0, middle, 10.0))))
        lines = {line.name: line.points for line in scene.lines}
        first, last = (np.diff(lines[f"axis {k}"].numpy(), axis=0)[0] for k in (1, 3))
        angle = np.linalg.norm(np.cross(first, last)) / np.linalg.norm(first) / np.linalg.norm(last)
        apart.append(math.degrees(math.asin(angle)))
        assert scene.reading("axes 1 and 3 apart").value == pytest.approx(apart[-1], abs=1e-5)
        ring = lines["ring 1"] - lines["ring 1"][:-1].mean(0)
        np.testing.assert_allclose(ring.numpy() @ first, 0.0, atol=1e-9)  # a ring lies across its axis
        assert scene.reading("locked").value is (middle == lock)
    assert apart[0] == pytest.approx(0.0, abs=1e-6) and apart[1] == pytest.approx(30.0, abs=1e-6)


def test_the_sweep_goes_into_the_lock_and_out(fixed_wing: aircraft.Airframe) -> None:
    demo = AttitudeDemo(fixed_wing, "ZYX", rings=True)
    assert demo.rehearsal(0.05) == {"sweep": True}
    play(demo, {"sweep": True}, t=0.0)
    apart = [play(demo, {}, t=0.2 * k, dt=0.2).reading("axes 1 and 3 apart").value for k in range(60)]
    assert min(apart) == 0.0 and apart[0] > 50.0 and apart[-1] > 20.0
    assert demo.rehearsal(1.0) == {}
    assert demo.results()["nearest_to_lock_deg"] == pytest.approx(0.0, abs=1e-9)


def test_surfaces_deflect_while_it_turns_and_come_back(fixed_wing: aircraft.Airframe) -> None:
    demo = AttitudeDemo(fixed_wing)
    names = list(fixed_wing.robot.joint_names)
    rolled = play(demo, {"3 X roll": 40.0}).bodies[0].q
    left, right = (float(rolled[names.index(f"{side}_aileron")]) for side in ("left", "right"))
    assert left > 0.1 and right < -0.1  # the left trailing edge down, the right one up: right wing down
    for _ in range(60):
        scene = play(demo, {})
    assert float(scene.bodies[0].q.abs().max()) < 1e-3
    pitched = play(demo, {"2 Y pitch": 20.0}).bodies[0].q
    assert float(pitched[names.index("elevator")]) < -0.1  # up


def test_a_hinge_stays_where_a_hand_puts_it(fixed_wing: aircraft.Airframe) -> None:
    demo = AttitudeDemo(fixed_wing)
    for changes in ({"rudder": 0.3}, {}, {}):
        scene = play(demo, changes)
        assert scene.shows["rudder"] == pytest.approx(0.3)
    assert play(demo, {"1 Z yaw": 40.0}).shows["rudder"] < -0.1  # the nose goes right


def test_a_quadrotor_shows_its_thrusts() -> None:
    demo = AttitudeDemo(aircraft.load_airframe("quadrotor"))
    level = {line.name: float((line.points[1] - line.points[0]).norm()) for line in play(demo, {}).lines}
    assert len(level) == 4 and max(level.values()) == pytest.approx(min(level.values()), rel=1e-9)
    scene = play(demo, {"3 X roll": 30.0})
    thrust = {line.name: float((line.points[1] - line.points[0]).norm()) for line in scene.lines}
    assert thrust["thrust 4"] > thrust["thrust 2"]  # the left rotor pushes more to roll right


def test_level_puts_it_back(fixed_wing: aircraft.Airframe) -> None:
    demo = AttitudeDemo(fixed_wing)
    play(demo, {"1 Z yaw": 100.0})
    assert play(demo, {"level": True}).reading("turn from level").value == pytest.approx(0.0, abs=1e-6)
    assert demo.results()["moves"] == 1
    assert demo.begin().reading("yaw").value == 0.0
    assert set(demo.rehearsal(1.0)) == {"1 Z yaw", "2 Y pitch", "3 X roll"}


def test_an_unknown_sequence_is_refused(fixed_wing: aircraft.Airframe) -> None:
    with pytest.raises(UnknownNameError, match="ZYX"):
        AttitudeDemo(fixed_wing, "ZYY")
