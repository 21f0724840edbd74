"""Files of networks: what comes back, files of earlier versions, and files that are no networks."""

import json
import pickle

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import diffkin as dk
from diffkin import learning
from diffkin.errors import ModelFileError
from diffkin.learning import held_out, make_network
from tests.learning.inverse.odd_robot import odd_robot
from tests.learning.inverse.small_networks import KINDS


def contents(path):
    """Tensors and header of a file, the header as it was in format 1, which had no checksum."""
    with safe_open(path, "pt") as opened:
        header = json.loads(opened.metadata()["diffkin"])
    assert header.pop("format") == 2 and isinstance(header.pop("checksum"), int)
    return load_file(path), {"format": 1, **header}


def rewrite(path, tensors, header):
    save_file(tensors, path, metadata={"diffkin": json.dumps(header)})


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind["name"] + kind.get("head", ""))
@pytest.mark.parametrize("name", ["kuka_iiwa", "scara", "odd"])
def test_a_network_comes_back_with_its_robot(kind, name, tmp_path):
    robot = odd_robot() if name == "odd" else dk.load_robot(name)
    network = make_network(robot, kind, seed=3)
    learning.save(network, tmp_path / "network.safetensors")
    again = learning.load(tmp_path)
    q, T = held_out(robot, 40)
    assert torch.equal(again.sample(T, 3, seed=1), network.sample(T, 3, seed=1))
    torch.testing.assert_close(again.robot.forward_kinematics(q), robot.forward_kinematics(q), rtol=0.0, atol=0.0)
    assert again.robot.joint_names == robot.joint_names and again.robot.tip == robot.tip
    assert not any(parameter.requires_grad for parameter in again.parameters())


def test_the_robot_keeps_its_speeds_efforts_masses_and_named_postures(tmp_path):
    robot = dk.load_robot("franka_panda")
    home = robot.sample(1)[0]
    robot = robot.replace(configurations={"home": home}, disabled_pairs=frozenset({("panda_link1", "panda_link2")}))
    path = tmp_path / "network.safetensors"
    learning.save(make_network(robot, {"name": "through_fk", "width": 8}), path)
    again = learning.load(path).robot
    assert bool(torch.isfinite(robot.max_velocity).all()) and float(robot.mass) > 1.0
    for name in ("max_velocity", "max_effort", "link_masses", "link_centers"):
        torch.testing.assert_close(getattr(again, name), getattr(robot, name), rtol=0.0, atol=0.0, equal_nan=True)
    torch.testing.assert_close(again.center_of_mass(home), robot.center_of_mass(home), rtol=0.0, atol=0.0)
    assert torch.equal(again.configurations["home"], home) and again.disabled_pairs == robot.disabled_pairs


def test_files_from_before_masses_were_kept_still_load(tmp_path):
    robot = dk.load_robot("franka_panda")
    path = tmp_path / "network.safetensors"
    network = make_network(robot, {"name": "through_fk", "width": 8}, seed=1)
    learning.save(network, path)
    tensors, header = contents(path)
    later = ("robot.max_", "robot.link_masses", "robot.link_centers")
    del header["robot"]["disabled_pairs"]
    rewrite(path, {name: value for name, value in tensors.items() if not name.startswith(later)}, header)
    again = learning.load(path)
    T = robot.forward_kinematics(robot.sample(5))
    assert torch.equal(again.sample(T, 2, seed=1), network.sample(T, 2, seed=1))
    assert bool(torch.isinf(again.robot.max_velocity).all()) and float(again.robot.mass) == 0.0
    half = {name: value for name, value in tensors.items() if name != "robot.link_centers"}
    rewrite(path, half, header)
    with pytest.raises(ModelFileError, match="cannot be read as a network"):
        learning.load(path)


@pytest.mark.parametrize("kind", KINDS[:5], ids=lambda kind: kind["name"] + kind.get("head", ""))
def test_files_without_a_span_answer_as_they_did_within_limits(kind, tmp_path):
    """Before files held the span it was the limits, and -pi and pi where there are none."""
    robot = odd_robot()
    robot = robot.replace(lower=torch.tensor([-torch.inf, -1.0, -7.0, 0.0], dtype=torch.float64))
    low = torch.tensor([-torch.pi, -1.0, -7.0, 0.0])
    high = torch.tensor([torch.pi, torch.pi, 7.5, 0.4])
    network = make_network(robot, kind, seed=3, span=(low, high))
    path = tmp_path / "network.safetensors"
    learning.save(network, path)
    tensors, header = contents(path)
    rewrite(path, {name: value for name, value in tensors.items() if not name.startswith("span.")}, header)
    again = learning.load(path)
    T = robot.forward_kinematics(robot.sample(200, seed=2))
    q = again.sample(T, 4, seed=1)
    assert torch.equal(q, network.sample(T, 4, seed=1))
    assert bool(((q >= robot.lower) & (q <= robot.upper)).all())


def test_files_that_are_no_networks_are_refused_and_nothing_in_them_runs(tmp_path):
    robot = dk.load_robot("planar_2r")
    path = tmp_path / "network.safetensors"
    with pytest.raises(ModelFileError, match="cannot be read as a network"):
        learning.load(path)
    path.write_bytes(pickle.dumps(print))
    with pytest.raises(ModelFileError, match="cannot be read as a network"):
        learning.load(path)
    learning.save(make_network(robot, {"name": "through_fk", "width": 8}), path)
    tensors, header = contents(path)
    assert header["diffkin"] == dk.__version__ and header["robot"]["name"] == "planar_2r"
    for change in ({"format": 99}, {"network": {"name": "through_fk", "width": 9}}, {"network": {"name": "os.system"}}):
        rewrite(path, tensors, {**header, **change})
        with pytest.raises(ModelFileError, match="cannot be read as a network"):
            learning.load(path)
    for span in (torch.zeros(3), torch.tensor([0.0, torch.nan])):
        rewrite(path, tensors | {"span.lower": span}, header)
        with pytest.raises(ModelFileError, match=r"cannot be read as a network.*span\.lower"):
            learning.load(path)
    save_file(tensors, path)
    with pytest.raises(ModelFileError, match="cannot be read as a network"):
        learning.load(path)
