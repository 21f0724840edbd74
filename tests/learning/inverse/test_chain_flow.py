"""The density along the chain: its integral, and the planar arm against its closed form."""

import math

import pytest
import torch

import diffkin as dk
from diffkin.errors import OptionError, UnknownNameError
from diffkin.learning import held_out, make_network, pose_errors
from diffkin.learning.inverse.chain_flow import ChainFlowSettings
from tests.learning.inverse.small_networks import trained


def planar_branches(robot, T):
    """(n, 2, 3) the closed-form solutions of a planar arm of three revolute joints, elbow one way and the other."""
    zero = robot.forward_kinematics(torch.zeros(3, dtype=T.dtype), links=list(robot.link_names))
    places = zero[:, 0, 3].unique()  # joints and tip lie on the x axis
    a, b, c = places.diff().tolist()
    heading = torch.atan2(T[:, 1, 0], T[:, 0, 0])
    x, y = T[:, 0, 3] - c * heading.cos(), T[:, 1, 3] - c * heading.sin()
    elbow = ((x.square() + y.square() - a * a - b * b) / (2.0 * a * b)).clamp(-1.0, 1.0).acos()
    ways = []
    for q2 in (elbow, -elbow):
        q1 = torch.atan2(y, x) - torch.atan2(b * q2.sin(), a + b * q2.cos())
        ways.append(torch.stack((q1, q2, heading - q1 - q2), dim=-1))
    return torch.remainder(torch.stack(ways, dim=1) + math.pi, 2.0 * math.pi) - math.pi


@pytest.mark.parametrize("head", ["mixture", "spline"])
def test_chain_flow_finds_both_closed_form_branches_of_the_planar_arm(head, tmp_path):
    robot = dk.load_robot("planar_3r")
    network = trained(robot, tmp_path, steps=1500, name="chain_flow", width=48, depth=2, head=head)
    _, T = held_out(robot, 300, seed=7)
    truth = planar_branches(robot, T)
    valid = ((truth >= robot.lower) & (truth <= robot.upper)).all(-1)
    errors = pose_errors(robot, T[:, None].expand(-1, 2, -1, -1)[valid], truth[valid])
    assert errors[0].max() < 1e-9  # the closed form is right
    drawn = network.sample(T, 32, seed=1)
    gap = torch.remainder(drawn[:, :, None] - truth[:, None] + math.pi, 2.0 * math.pi) - math.pi
    distance = gap.abs().amax(-1)
    hit = (distance < 0.2).any(1)
    assert float(hit[valid].double().mean()) > 0.95  # every branch that is within limits is drawn
    near_one = torch.where(valid[:, None], distance, torch.full_like(distance, torch.inf)).amin(-1) < 0.5
    assert float(near_one.double().mean()) > 0.6  # by most draws; chance would be 1 %
    found = dk.solve_ik(robot, T, q0=network.starts(T), max_restarts=0)
    assert float(found.success.double().mean()) > 0.97


def test_density_of_the_chain_flow_integrates_to_one():
    robot = dk.load_robot("planar_2r")
    network = make_network(robot, {"name": "chain_flow", "width": 16})
    steps = 300
    share = (torch.arange(steps) + 0.5) / steps
    q = torch.stack(torch.meshgrid(share, share, indexing="ij"), dim=-1).reshape(-1, 2)
    span = (robot.upper - robot.lower).float()
    T = robot.forward_kinematics(robot.sample(1)).float().expand(len(q), 4, 4)
    with torch.no_grad():
        density = network.log_density(robot.lower.float() + q * span, T).exp().double()
    assert float(density.mean() * span.prod()) == pytest.approx(1.0, rel=1e-3)


def test_joints_before_are_disturbed_and_targets_are_not():
    network = make_network(dk.load_robot("kuka_iiwa"), {"name": "chain_flow", "width": 8, "noise": 0.01})
    q, T = (part.float() for part in held_out(network.robot, 200))
    same_q, same_T, before = network.augment(q, T, torch.Generator().manual_seed(0))
    assert torch.equal(same_q, q) and torch.equal(same_T, T)
    noise = (before - q).abs().amax(-1)
    assert float(noise.max()) < 5 * 0.01 and float(noise.min()) < 1e-4  # sizes from a thousandth up to the largest


@pytest.mark.parametrize(
    ("wrong", "error", "word"),
    [
        ({"head": "mixtur"}, UnknownNameError, "'mixture'"),
        ({"pieces": 1}, OptionError, "pieces"),
        ({"octaves": -1}, OptionError, "octaves"),
        ({"noise": -0.1}, OptionError, "noise"),
        ({"temperature": 0.0}, OptionError, "temperature"),
    ],
)
def test_settings_out_of_range(wrong, error, word):
    with pytest.raises(error, match=word):
        ChainFlowSettings(**wrong)
