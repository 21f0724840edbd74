"""Mass properties of whole aircraft: the published ones, and Pinocchio's at any hinge angles."""

from __future__ import annotations

import numpy as np
import pinocchio
import pytest
import torch
from torch.autograd import gradcheck

import diffkin as dk
from diffkin.aircraft import load_airframe, mass_properties
from diffkin.errors import ModelFileError, ShapeError

NAMES = ("fixed_wing", "quadrotor")


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


def test_two_balls_on_a_hinge_by_hand() -> None:
    """Balls of 1 and 3 kg, 0.4 m apart along y: the centre and the moments of Huygens and Steiner; links are FLU."""
    ball = "<inertial><mass value='{}'/><inertia ixx='0.01' iyy='0.02' izz='0.03'/></inertial>"
    robot = dk.Robot.from_urdf(
        f"""<robot name="balls">
        <link name="a">{ball.format(1)}</link><link name="b">{ball.format(3)}</link><link name="weightless"/>
        <joint name="j" type="revolute"><parent link="a"/><child link="b"/><origin xyz="0 0.4 0"/><axis xyz="0 1 0"/>
          <limit lower="-1" upper="1" effort="1" velocity="1"/></joint>
        <joint name="k" type="fixed"><parent link="b"/><child link="weightless"/></joint></robot>"""
    )
    found = mass_properties(robot, torch.zeros(1, dtype=torch.float64))
    assert float(found.mass) == 4.0
    torch.testing.assert_close(found.center, torch.tensor([0.0, -0.3, 0.0], dtype=torch.float64), rtol=0, atol=1e-15)
    steiner = 1 * 0.3**2 + 3 * 0.1**2
    moments = torch.diag(torch.tensor([0.02 + steiner, 0.04, 0.06 + steiner], dtype=torch.float64))
    torch.testing.assert_close(found.inertia, moments, rtol=0, atol=1e-15)
    # turned about its y axis by t, b's moments about x and z mix: products of inertia appear
    turned = mass_properties(robot, torch.full((2, 1), 0.5, dtype=torch.float64))
    assert turned.inertia.shape == (2, 3, 3)
    mixed = 0.5 * (0.01 - 0.03) * np.sin(2 * 0.5)
    assert abs(float(turned.inertia[1, 0, 2])) == pytest.approx(abs(mixed), rel=1e-12)


def test_gradients_to_the_hinges() -> None:
    robot = dk.load_robot("fixed_wing")
    q = robot.sample(2, seed=1).requires_grad_()
    found = mass_properties(robot, q)
    (grad,) = torch.autograd.grad(found.center.sum() + found.inertia.sum(), q)
    assert float(grad.abs().max()) > 0
    assert gradcheck(lambda q: (mass_properties(robot, q).center, mass_properties(robot, q).inertia), (q,))


def test_bad_input() -> None:
    with pytest.raises(ModelFileError, match="inertial"):
        load_airframe("<robot name='x'><link name='a'/></robot>").mass_properties()
    with pytest.raises(ShapeError, match=r"\(\*batch, 7\)"):
        load_airframe("fixed_wing").mass_properties(torch.zeros(3, dtype=torch.float64))
    none = torch.zeros(0, dtype=torch.float64)
    for inertial, words in (
        ("<inertial/>", "no <mass"),
        ("<inertial><mass value='-1'/></inertial>", "negative"),
        ("<inertial><mass value='0'/></inertial>", "weigh nothing"),
    ):
        robot = dk.Robot.from_urdf(f"<robot name='x'><link name='a'>{inertial}</link></robot>")
        with pytest.raises(ModelFileError, match=words):
            mass_properties(robot, none)
    with pytest.raises(ModelFileError, match="not loaded from a URDF"):
        mass_properties(dk.Robot.from_dh(torch.zeros(1, 4, dtype=torch.float64)), torch.zeros(1, dtype=torch.float64))
