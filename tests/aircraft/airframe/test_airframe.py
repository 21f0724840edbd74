"""Airframes: points, rays, mass, and Jacobians by every route."""

from __future__ import annotations

import math

import numpy as np
import pinocchio
import pytest
import torch
from torch.autograd import gradcheck

import diffkin as dk
from diffkin import rotations
from diffkin.aircraft import (
    Airframe,
    BodyPoint,
    BodyRay,
    enu_to_ned,
    load_airframe,
    point_jacobian,
    pose_ned_frd_to_enu_flu,
    ray_jacobian,
)
from diffkin.errors import ModelFileError, RotationError, ShapeError, UnknownNameError

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


@pytest.mark.parametrize(
    ("name", "mass", "inertia"),
    [
        # Beard & McLain, Small Unmanned Aircraft, table E.1; the products of inertia with the signs of FRD axes.
        ("fixed_wing", 13.5, [[0.8244, 0.0, -0.1204], [0.0, 1.135, 0.0], [-0.1204, 0.0, 1.759]]),
        # Lee, Leok & McClamroch, CDC 2010, section V.
        ("quadrotor", 4.34, [[0.0820, 0.0, 0.0], [0.0, 0.0845, 0.0], [0.0, 0.0, 0.1377]]),
    ],
)
def test_mass_properties_are_the_published_ones(name: str, mass: float, inertia: list[list[float]]) -> None:
    found = load_airframe(name).mass_properties()
    assert float(found.mass) == pytest.approx(mass, rel=1e-12)
    torch.testing.assert_close(found.center, torch.zeros(3, dtype=torch.float64), rtol=0, atol=1e-9)
    torch.testing.assert_close(found.inertia, torch.tensor(inertia, dtype=torch.float64), rtol=0, atol=1e-8)


@pytest.mark.parametrize("name", NAMES)
def test_mass_properties_against_pinocchio(name: str) -> None:
    airframe = load_airframe(name)
    model = pinocchio.buildModelFromUrdf(airframe.robot.source, pinocchio.JointModelFreeFlyer(), mimic=True)
    data = model.createData()
    turn = np.diag([1.0, -1.0, -1.0])
    for q in airframe.robot.sample(5, seed=3):
        configuration = pinocchio.neutral(model)
        for value, joint in zip(q.tolist(), airframe.robot.joint_names):
            configuration[model.joints[model.getJointId(joint)].idx_q] = value
        pinocchio.ccrba(model, data, configuration, np.zeros(model.nv))
        found = airframe.mass_properties(q)
        np.testing.assert_allclose(found.center.numpy(), turn @ data.com[0], rtol=0, atol=1e-12)
        np.testing.assert_allclose(found.inertia.numpy(), turn @ data.Ig.inertia @ turn, rtol=0, atol=1e-12)


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


@pytest.mark.parametrize("method", ["backward_seeds", "reverse", "forward"])
def test_jacobians_by_every_route_agree(airframe: Airframe, method: str) -> None:
    rotation, position, q = states(airframe, 4, 2, seed=5)
    for name in airframe.points:
        closed = point_jacobian(airframe, name, rotation, position, q)
        other = point_jacobian(airframe, name, rotation, position, q, method)
        torch.testing.assert_close(other, closed, rtol=0, atol=1e-12)
    for name in airframe.rays:
        closed = ray_jacobian(airframe, name, rotation, position, q)
        other = ray_jacobian(airframe, name, rotation, position, q, method)
        torch.testing.assert_close(other, closed, rtol=0, atol=1e-12)


def test_jacobian_against_finite_differences(airframe: Airframe) -> None:
    rotation, position, q = states(airframe, 3, seed=6)
    name, step = list(airframe.rays)[1], 1e-6
    J = ray_jacobian(airframe, name, rotation, position, q)
    for column in range(6 + airframe.dof):
        ends = []
        for sign in (-step, step):
            move = torch.zeros(3, 6 + airframe.dof, dtype=torch.float64)
            move[:, column] = sign
            turned = rotation @ rotations.rotvec_to_matrix(move[:, :3])
            ends.append(
                torch.cat(airframe.rays_ned(turned, position + move[:, 3:6], q + move[:, 6:], [name]), -1)[:, 0]
            )
        torch.testing.assert_close((ends[1] - ends[0]) / (2 * step), J[..., column], rtol=0, atol=1e-8)


def test_jacobians_are_differentiable_and_transform() -> None:
    airframe = load_airframe("fixed_wing")
    rotation, position, q = states(airframe, 2, seed=7)

    def turned(rotvec: torch.Tensor, q: torch.Tensor, method: str) -> torch.Tensor:
        return ray_jacobian(airframe, "boresight", rotation @ rotations.rotvec_to_matrix(rotvec), position, q, method)

    start = torch.zeros(2, 3, dtype=torch.float64, requires_grad=True)
    for method in ("geometric", "backward_seeds"):
        assert gradcheck(lambda v, a, m=method: turned(v, a, m), (start, q.clone().requires_grad_()))
    closed = point_jacobian(airframe, "camera", rotation, position, q)
    mapped = torch.func.vmap(lambda R, p, a: point_jacobian(airframe, "camera", R, p, a, "backward_seeds"))
    torch.testing.assert_close(mapped(rotation, position, q), closed, rtol=0, atol=1e-12)


def test_any_chart() -> None:
    airframe = load_airframe("quadrotor")
    angles = torch.tensor([0.3, -0.2, 0.5], dtype=torch.float64)

    def tip(angles: torch.Tensor) -> torch.Tensor:
        return airframe.points_ned(rotations.euler_to_matrix(angles, "ZYX"), names=["right_wingtip"])[0]

    by_angles = torch.func.jacrev(tip)(angles)
    R = rotations.euler_to_matrix(angles, "ZYX")
    closed = point_jacobian(airframe, "right_wingtip", R)[:, :3] @ rotations.body_rate_matrix(angles, "ZYX")
    torch.testing.assert_close(by_angles, closed, rtol=0, atol=1e-13)


def test_broadcasting_dtypes_and_defaults() -> None:
    airframe = load_airframe("quadrotor")
    rotation, position, q = states(airframe, 5, seed=8)
    assert airframe.points_ned(rotation[0], position, q[:1]).shape == (5, len(airframe.points), 3)
    assert point_jacobian(airframe, "nose", rotation[0]).shape == (3, 8)
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
    with pytest.raises(UnknownNameError, match="method"):
        point_jacobian(airframe, "nose", eye, method="backward_seds")
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
    with pytest.raises(ModelFileError, match="inertial"):
        load_airframe("<robot name='x'><link name='a'/></robot>").mass_properties()
