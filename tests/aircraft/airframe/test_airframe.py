"""Airframes: points and rays by the robot's own poses, and where the hinges turn them."""

from __future__ import annotations

import math

import pytest
import torch

import diffkin as dk
from diffkin import rotations
from diffkin.aircraft import (
    Airframe,
    BodyPoint,
    BodyRay,
    enu_to_ned,
    load_airframe,
    pose_ned_frd_to_enu_flu,
)
from diffkin.errors import DtypeError, OptionError, RotationError, ShapeError, UnknownNameError

NAMES = ("fixed_wing", "quadrotor")


@pytest.fixture(scope="module", params=[*NAMES, "kuka_iiwa"])
def airframe(request) -> Airframe:
    return load_airframe(request.param)


def states(airframe: Airframe, *batch: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    rotation = rotations.random_rotation(batch, seed=generator)
    position = torch.randn(*batch, 3, generator=generator, dtype=torch.float64)
    q = airframe.robot.sample(math.prod(batch), seed=generator).reshape(*batch, airframe.dof)
    return rotation, position, q


def test_hinges_turn_as_the_file_says() -> None:
    airframe = load_airframe("fixed_wing")
    robot, names = airframe.robot, airframe.robot.joint_names
    trailing = {"left_aileron": "left_aileron", "right_aileron": "right_aileron", "elevator": "right_elevator"}
    behind = torch.tensor([-0.05, 0.0, 0.0], dtype=torch.float64)  # the trailing edge, in the link's axes
    for joint, link in {**trailing, "rudder": "rudder"}.items():
        q = torch.zeros(7, dtype=torch.float64)
        q[names.index(joint)] = 0.1
        there, before = (robot.forward_kinematics(at, links=[link])[0] for at in (q, 0.0 * q))
        moved = (there[:3, :3] - before[:3, :3]) @ behind
        if joint == "rudder":
            assert float(moved[1]) > 0.004  # left in FLU axes
        else:
            assert float(moved[2]) < -0.004  # down
        J = robot.jacobian(q, link=link)[3:, names.index(joint)]
        assert min(abs(float(J[0])), abs(float(J[1])) + abs(float(J[2]))) > 0.05  # the hinge line is swept
    # Both halves of the elevator follow one joint.
    q = torch.zeros(7, dtype=torch.float64)
    q[names.index("elevator")] = 0.2
    halves = robot.forward_kinematics(q, links=["left_elevator", "right_elevator"])
    angles = rotations.angle_between(halves[:, :3, :3], torch.eye(3, dtype=torch.float64))
    torch.testing.assert_close(angles, torch.full((2,), 0.2, dtype=torch.float64))
    # Gimbal: yaw to the right, pitch up, roll with the right side down.
    for joint, ray in (("gimbal_yaw", (0, 1, 0)), ("gimbal_pitch", (0, 0, -1))):
        q = torch.zeros(7, dtype=torch.float64)
        q[names.index(joint)] = -1.2 if joint == "gimbal_pitch" else 1.2
        sign = -1.0 if joint == "gimbal_pitch" else 1.0
        direction = airframe.rays_body(q, ["boresight"])[1][0]
        expected = math.cos(1.2) * torch.tensor([1.0, 0, 0]) + sign * math.sin(1.2) * torch.tensor(ray)
        torch.testing.assert_close(direction, expected.double(), rtol=0, atol=1e-7)


def test_points_and_rays_are_those_of_the_robot_with_a_base(airframe: Airframe) -> None:
    rotation, position, q = states(airframe, 3, 2)
    base = pose_ned_frd_to_enu_flu(dk.transforms.pose(rotation, position))
    marks = [airframe.points[name] for name in airframe.points]
    poses = airframe.robot.forward_kinematics(q, links=[mark.link for mark in marks], base=base)
    torch.testing.assert_close(
        airframe.points_ned(rotation, position, q), enu_to_ned(poses[..., :3, 3]), rtol=0, atol=1e-13
    )
    rays = [airframe.rays[name] for name in airframe.rays]
    poses = airframe.robot.forward_kinematics(q, links=[ray.link for ray in rays], base=base)
    axes = torch.tensor([ray.axis for ray in rays], dtype=torch.float64)
    expected = enu_to_ned((poses[..., :3, :3] @ axes.unsqueeze(-1)).squeeze(-1))
    torch.testing.assert_close(airframe.rays_ned(rotation, position, q)[1], expected, rtol=0, atol=1e-13)


def test_offsets_and_axes_are_in_link_axes() -> None:
    robot = dk.load_robot("fixed_wing")
    airframe = load_airframe(
        robot, {"p": BodyPoint("camera", (0.1, 0.2, 0.3))}, {"r": BodyRay("camera", (0.0, 2.0, 0.0), (0.1, 0.2, 0.3))}
    )
    camera = robot.forward_kinematics(airframe.neutral(), links=["camera"])[0]
    place = camera[:3, 3] + torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64)
    torch.testing.assert_close(airframe.points_body()[0], place * torch.tensor([1.0, -1.0, -1.0]))
    origins, directions = airframe.rays_body()
    torch.testing.assert_close(origins, airframe.points_body())
    torch.testing.assert_close(directions[0], torch.tensor([0.0, -1.0, 0.0], dtype=torch.float64))


def test_broadcasting_dtypes_and_defaults() -> None:
    airframe = load_airframe("quadrotor")
    rotation, position, q = states(airframe, 5, seed=8)
    assert airframe.points_ned(rotation[0], position, q[:1]).shape == (5, len(airframe.points), 3)
    single = airframe.to(dtype=torch.float32)
    found = single.points_ned(rotation.float(), position.float(), q.float())
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), airframe.points_ned(rotation, position, q), rtol=0, atol=1e-5)


def test_bad_input() -> None:
    airframe = load_airframe("fixed_wing")
    eye = torch.eye(3, dtype=torch.float64)
    with pytest.raises(UnknownNameError, match="Closest: 'left_wingtip'"):
        airframe.points_ned(eye, names=["left_wingtp"])
    with pytest.raises(UnknownNameError, match="boresight"):
        airframe.rays_ned(eye, names=["boresigt"])
    with pytest.raises(RotationError, match=r"\|R\^T R - I\| is 3"):
        airframe.points_ned(2.0 * eye)
    with pytest.raises(ShapeError, match="do not broadcast"):
        airframe.points_ned(eye.expand(2, 3, 3), torch.zeros(3, 3, dtype=torch.float64))
    with pytest.raises(ShapeError, match=r"\(\*batch, 7\)"):
        airframe.points_ned(eye, q=torch.zeros(3, dtype=torch.float64))
    with pytest.raises(UnknownNameError, match="link"):
        Airframe(airframe.robot, {"x": BodyPoint("wing")})
    with pytest.raises(RotationError, match="zero"):
        Airframe(airframe.robot, {}, {"x": BodyRay("camera", (0.0, 0.0, 0.0))})


def test_an_airframe_says_what_it_is() -> None:
    shown = repr(load_airframe("fixed_wing"))
    mass = float(load_airframe("fixed_wing").mass_properties().mass)
    assert shown.startswith(f"Airframe('fixed_wing', {mass:.4g} kg, 7 joints: left_aileron, ")
    assert "points: nose, left_wingtip, right_wingtip, tail, camera, antenna; rays: nose, boresight, antenna" in shown
    assert shown.endswith("float64 on cpu)") and "\n" not in shown
    robot = load_airframe("fixed_wing").robot
    many = repr(load_airframe(robot, points={link: BodyPoint(link) for link in robot.link_names}))
    assert "gimbal_pitch and 7 more; rays" in many or "gimbal_yaw and 7 more; rays" in many
    bare = dk.Robot.from_urdf('<robot name="bare"><link name="body"/></robot>')
    assert repr(load_airframe(bare)) == ("Airframe('bare', 0 joints: none; points: body; rays: body; float64 on cpu)")


def test_points_and_rays_of_another_kind() -> None:
    robot = load_airframe("quadrotor").robot
    for points, error, words in (
        ({"mark": "camera"}, OptionError, "must be of the kind BodyPoint"),
        ({"mark": BodyPoint("camera", (1.0, 2.0))}, ShapeError, "offset"),
        ({"mark": BodyPoint("camera", (1.0, 2.0, float("nan")))}, OptionError, "offset"),
        ({"mark": BodyPoint(None)}, UnknownNameError, "link"),
        ("camera", OptionError, "points"),
    ):
        with pytest.raises(error, match=words):
            Airframe(robot, points)
    with pytest.raises(OptionError, match="robot must be of the kind Robot"):
        Airframe("quadrotor")
    with pytest.raises(OptionError, match=r"names must be a list of names, \['nose'\]"):
        load_airframe("quadrotor").points_body(names="nose")
    moved = Airframe(robot, {"mark": BodyPoint("camera", [0.1, 0.2, 0.3])}).points_body()
    torch.testing.assert_close(moved, Airframe(robot, {"mark": BodyPoint("camera", (0.1, 0.2, 0.3))}).points_body())


def test_tensors_on_another_device() -> None:
    airframe = load_airframe("quadrotor")
    R = torch.eye(3, dtype=torch.float64)
    with pytest.raises(DtypeError, match="one device, got airframe on cpu, R_ned_body on meta"):
        airframe.points_ned(R.to("meta"))
    with pytest.raises(DtypeError, match="q on meta"):
        airframe.points_body(torch.zeros(2, dtype=torch.float64, device="meta"))
