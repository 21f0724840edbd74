"""The task of the centre of mass: derivatives, what is reached against Pinocchio, gradients to masses."""

from __future__ import annotations

import sysconfig
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

import diffkin as dk
from diffkin import ik
from diffkin.errors import ModelFileError, OptionError
from tests.ik.tasks.differences import COUNT, check_derivatives, randn

FILE = (
    Path(sysconfig.get_paths()["purelib"])
    / "cmeel.prefix/share/example-robot-data/robots/talos_data/robots/talos_reduced.urdf"
)
HORIZONTAL = torch.tensor([1.0, 1.0, 0.0])


@cache
def talos() -> dk.Robot:
    if not FILE.exists():
        pytest.skip("example-robot-data is not installed")
    return dk.Robot.from_urdf(FILE)


@pytest.mark.parametrize("weight", [0.7, HORIZONTAL])
def test_derivatives(mixed, weight):
    links = len(mixed.link_names)
    masses = torch.rand(links, generator=torch.Generator().manual_seed(1), dtype=torch.float64) + 0.2
    masses[2] = 0.0
    heavy = mixed.replace(link_masses=masses, link_centers=randn(links, 3, seed=2))
    check_derivatives(heavy, ik.CenterOfMassTask(randn(COUNT, 3), weight=weight))
    check_derivatives(heavy, ik.CenterOfMassTask(randn(3), weight=weight))


def test_talos_leans_with_its_base_free_as_pinocchio_sees_it():
    pin = pytest.importorskip("pinocchio")
    robot = talos()
    model = pin.buildModelFromUrdf(str(FILE), pin.JointModelFreeFlyer())
    data = model.createData()
    order = [robot.joint_names.index(name) for name in model.names[2:]]
    feet = ["left_sole_link", "right_sole_link"]
    rest = torch.zeros(robot.dof, dtype=torch.float64).clamp(robot.lower, robot.upper)
    bent = {"leg_left_3_joint": -0.4, "leg_left_4_joint": 0.8, "leg_left_5_joint": -0.4}
    for name, angle in bent.items():
        for side in ("left", "right"):
            rest[robot.joint_names.index(name.replace("left", side))] = angle
    soles = robot.forward_kinematics(rest, links=feet)
    base = torch.linalg.inv(soles[0])  # the left foot stands in the origin of the world
    stand = base @ soles
    goal = stand[:, :3, 3].mean(0) + torch.tensor([[0.02, 0.03, 0.0], [0.0, -0.04, 0.0]], dtype=torch.float64)
    tasks = [
        *(ik.PoseTask(foot, pose) for foot, pose in zip(feet, stand, strict=True)),
        ik.CenterOfMassTask(goal, weight=HORIZONTAL),
    ]
    result = dk.solve_ik(robot, tasks, q0=rest, base=base, free_base="pose")
    assert result.success.all()
    for k in range(2):
        place = np.concatenate((result.base[k, :3, 3].numpy(), _quaternion(result.base[k, :3, :3])))
        center = pin.centerOfMass(model, data, np.concatenate((place, result.q[k, order].numpy())))
        np.testing.assert_allclose(center[:2], goal[k, :2].numpy(), atol=1.1e-6)


def _quaternion(rotation: torch.Tensor) -> np.ndarray:
    return dk.rotations.matrix_to_quat_xyzw(rotation).numpy()


def test_gradients_flow_to_masses(panda):
    robot = dk.Robot.from_urdf(panda.source)
    robot = robot.to(dtype=torch.float64)
    q = robot.sample(20, seed=3)[7]
    goal = robot.center_of_mass(q)
    tight = {"position_tolerance": 1e-12, "rotation_tolerance": 1e-12}
    heavy = int(robot.link_masses.argmax())

    def solved(more: torch.Tensor, differentiable: bool = False) -> torch.Tensor:
        change = torch.zeros_like(robot.link_masses).index_put((torch.tensor(heavy),), more)
        loaded = robot.replace(link_masses=robot.link_masses + change)
        return dk.solve_ik(loaded, ik.CenterOfMassTask(goal), q0=q, differentiable=differentiable, **tight).q

    more = torch.zeros((), dtype=torch.float64, requires_grad=True)
    rows = torch.stack([torch.autograd.grad(row, more, retain_graph=True)[0] for row in solved(more, True)])
    step = torch.tensor(1e-4, dtype=torch.float64)
    difference = (solved(step) - solved(-step)) / 2e-4
    assert rows.abs().max() > 1e-3
    torch.testing.assert_close(rows, difference, rtol=1e-5, atol=1e-6)


def test_a_robot_without_masses_is_told(mixed):
    weightless = mixed.replace(link_masses=torch.zeros_like(mixed.link_masses))
    with pytest.raises(ModelFileError, match="no mass|has a mass"):
        dk.solve_ik(weightless, ik.CenterOfMassTask(torch.zeros(3)))
    with pytest.raises(OptionError, match="for_robot"):
        ik.CenterOfMassTask(torch.zeros(3)).residual(randn(1, 1, 4, 4), randn(1, 3), torch.zeros(1, dtype=torch.long))


def test_links_on_one_joint_are_one_body():
    robot = talos()
    task = ik.CenterOfMassTask(torch.zeros(3)).for_robot(robot)
    assert len(task.links) <= robot.tree.joints + 1
    assert float(task.masses.sum()) == pytest.approx(float(robot.mass))
    q = robot.sample(COUNT, seed=4)
    found = task.for_batch(torch.Size((COUNT,)), torch.float64, torch.device("cpu")).residual(
        robot.forward_kinematics(q, links=list(task.links)), q, torch.arange(COUNT)
    )
    torch.testing.assert_close(found, robot.center_of_mass(q), rtol=0, atol=1e-12)
