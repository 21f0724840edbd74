"""Networks with one answer: their losses by hand, and the one through forward kinematics learns."""

import pytest
import torch

import diffkin as dk
from diffkin import rotations
from diffkin.errors import UnknownNameError
from diffkin.learning import held_out, make_network, pose_errors
from tests.learning.inverse.small_networks import trained


def test_through_fk_learns_where_regression_cannot(tmp_path):
    robot = dk.load_robot("planar_3r")
    errors = {}
    for name in ("regression", "through_fk"):
        network = trained(robot, tmp_path / name, name=name, width=64)
        _, T = held_out(robot, 500, seed=7)
        errors[name] = float(pose_errors(robot, T, network.sample(T).squeeze(-2))[0].median())
    assert errors["through_fk"] < 0.25 * errors["regression"]


def batch(name, **settings):
    network = make_network(dk.load_robot("kuka_iiwa"), {"name": name, "width": 8, **settings})
    q, T = (part.float() for part in held_out(network.robot, 50))
    with torch.no_grad():
        return network, q, T, network(T), float(network.loss(q, T))


def test_regression_minds_the_joints_over_half_their_ranges():
    network, q, _, answer, loss = batch("regression")
    half = (network.robot.upper - network.robot.lower).float() / 2
    assert loss == pytest.approx(float((((answer - q) / half) ** 2).mean()), rel=1e-5)


def test_through_fk_minds_the_pose():
    network, _, T, answer, loss = batch("through_fk", turn_weight=0.2)
    poses = network.robot.forward_kinematics(answer.double())
    angle = rotations.angle_between(poses[:, :3, :3], T[:, :3, :3].double())
    turn = 2.0 * torch.sin(angle / 2)  # |R - R*|_F / sqrt 2 of two rotations
    position = (poses[:, :3, 3] - T[:, :3, 3]).norm(dim=-1)
    assert loss == pytest.approx(float((position + 0.2 * turn).mean()), rel=1e-5)


@pytest.mark.parametrize("squash", ["tanh", "sin"])
def test_answers_are_within_limits_whatever_the_weights(squash):
    network = make_network(dk.load_robot("kuka_iiwa"), {"name": "through_fk", "width": 8, "squash": squash})
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(30.0)
        answer = network(held_out(network.single, 200)[1])
    share = ((answer - network.middle) / network.radius).abs()
    assert 0.9 < float(share.max()) <= 1.0 + 1e-6


def test_unknown_squash():
    with pytest.raises(UnknownNameError, match="'tanh'"):
        make_network(dk.load_robot("planar_2r"), {"name": "through_fk", "squash": "tan"})
