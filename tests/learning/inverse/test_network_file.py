"""Inverse-kinematics networks: limits, what they learn, files; the planar arm against its closed form."""

import json
import math
import pickle

import pytest
import torch

import diffkin as dk
from diffkin import learning
from diffkin.errors import ModelFileError, OptionError, RotationError, ShapeError, TopologyError, UnknownNameError
from diffkin.learning import FitSettings, IKProblem, fit, held_out, make_network, pose_errors

torch.set_num_threads(1)

KINDS = [
    {"name": "regression", "width": 32},
    {"name": "through_fk", "width": 32},
    {"name": "chain_flow", "width": 32},
    {"name": "chain_flow", "width": 32, "head": "spline", "pieces": 16},
    {"name": "flow", "width": 32, "transforms": 1},
    {"name": "flow", "width": 32, "transforms": 2, "coupling": True},
]


def trained(robot, tmp_path, steps=600, **kind):
    network = make_network(robot, kind)
    settings = FitSettings(
        steps=steps, batch=128, learning_rate=3e-3, average=0.98, validate_every=steps, progress=False, threads=1
    )
    fit(IKProblem(network, held_out_count=200), settings, tmp_path)
    return network


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind["name"] + kind.get("head", ""))
@pytest.mark.parametrize("name", ["kuka_iiwa", "franka_panda", "xarm6", "planar_2r", "planar_3r", "scara"])
def test_every_network_answers_for_every_robot_within_limits(kind, name, tmp_path):
    robot = dk.load_robot(name)
    network = make_network(robot, kind, seed=3)
    _, T = held_out(robot, 40)
    q = network.sample(T.reshape(2, 20, 4, 4), count=3, seed=1)
    assert q.shape == (2, 20, 3, robot.dof) and q.dtype == T.dtype
    assert bool(((q >= robot.lower) & (q <= robot.upper)).all())
    assert network.starts(T[0]).shape == (robot.dof,)
    loss = network.loss(*network.augment(*(part.float() for part in held_out(robot, 8)), torch.Generator()))
    loss.backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in network.parameters())
    learning.save(network, tmp_path / "network.safetensors")
    again = learning.load(tmp_path)
    assert torch.equal(again.sample(T, 3, seed=1), network.sample(T, 3, seed=1))
    torch.testing.assert_close(again.robot.forward_kinematics(q), robot.forward_kinematics(q), rtol=0.0, atol=0.0)
    assert again.robot.joint_names == robot.joint_names and again.robot.tip == robot.tip


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


def test_through_fk_learns_where_regression_cannot(tmp_path):
    robot = dk.load_robot("planar_3r")
    errors = {}
    for name in ("regression", "through_fk"):
        network = trained(robot, tmp_path / name, name=name, width=64)
        _, T = held_out(robot, 500, seed=7)
        errors[name] = float(pose_errors(robot, T, network.sample(T).squeeze(-2))[0].median())
    assert errors["through_fk"] < 0.25 * errors["regression"]


def test_samples_depend_on_the_seed_alone():
    robot = dk.load_robot("kuka_iiwa")
    network = make_network(robot, {"name": "chain_flow", "width": 16})
    _, T = held_out(robot, 5)
    first = network.sample(T, 4, seed=1)
    assert torch.equal(first, network.sample(T, 4, seed=1))
    assert not torch.equal(first, network.sample(T, 4, seed=2))
    assert len(first.reshape(-1, 7).unique(dim=0)) == 20


def test_same_seed_same_network_and_the_callers_randomness_is_left_alone():
    robot = dk.load_robot("planar_2r")
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, second, third = (make_network(robot, {"name": "through_fk"}, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    weights = [network.mlp.weights[0] for network in (first, second, third)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


def test_mistakes_are_named():
    robot = dk.load_robot("kuka_iiwa")
    with pytest.raises(UnknownNameError, match="chain_flow"):
        make_network(robot, {"name": "chain_flo"})
    with pytest.raises(UnknownNameError, match="'width'"):
        make_network(robot, {"name": "chain_flow", "widht": 3})
    with pytest.raises(UnknownNameError, match="'mixture'"):
        make_network(robot, {"name": "chain_flow", "head": "mixtur"})
    with pytest.raises(UnknownNameError, match="'tanh'"):
        make_network(robot, {"name": "through_fk", "squash": "tan"})
    with pytest.raises(OptionError, match="temperature"):
        make_network(robot, {"name": "chain_flow", "temperature": 0.0})
    with pytest.raises(TopologyError, match="tip"):
        make_network(robot.replace(tip=None), {"name": "through_fk"})
    network = make_network(robot, {"name": "through_fk", "width": 8})
    with pytest.raises(ShapeError, match="T_target"):
        network.sample(torch.zeros(3, 3))
    with pytest.raises(RotationError):
        network.sample(2.0 * torch.eye(4))
    with pytest.raises(OptionError, match="count"):
        network.sample(torch.eye(4), count=0)


def test_files_that_are_no_networks_are_refused_and_nothing_in_them_runs(tmp_path):
    robot = dk.load_robot("planar_2r")
    path = tmp_path / "network.safetensors"
    with pytest.raises(ModelFileError, match="cannot be read as a network"):
        learning.load(path)
    path.write_bytes(pickle.dumps(print))
    with pytest.raises(ModelFileError, match="cannot be read as a network"):
        learning.load(path)
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    learning.save(make_network(robot, {"name": "through_fk", "width": 8}), path)
    with safe_open(path, "pt") as opened:
        header = json.loads(opened.metadata()["diffkin"])
    assert header["diffkin"] == dk.__version__ and header["robot"]["name"] == "planar_2r"
    tensors = load_file(path)
    for change in ({"format": 99}, {"network": {"name": "through_fk", "width": 9}}, {"network": {"name": "os.system"}}):
        save_file(tensors, path, metadata={"diffkin": json.dumps({**header, **change})})
        with pytest.raises(ModelFileError, match="cannot be read as a network"):
            learning.load(path)
    save_file(tensors, path)
    with pytest.raises(ModelFileError, match="cannot be read as a network"):
        learning.load(path)
