"""Networks, policies, problems and data after use: copied, pickled, saved by torch, sent to worker processes."""

import copy
import io
import pickle

import pytest
import torch
from torch.utils.data import DataLoader

import diffkin as dk
from diffkin import calibration, learning
from diffkin.learning import IKProblem, NearestSample, make_network
from diffkin.learning.filter import FilterProblem, LearnedGains, SimulationSettings, simulate_records
from diffkin.learning.inverse import DatasetSettings, StoredPairs, write_shard
from diffkin.learning.policy import PolicyProblem, evaluate_policy, held_out_starts, make_policy, trial_craft
from tests.learning.inverse.small_networks import KINDS

torch.set_num_threads(1)


def saved(value):
    file = io.BytesIO()
    torch.save(value, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


COPIES = [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value)), saved]
NAMES = ["copy", "deepcopy", "pickle", "torch.save"]


@pytest.fixture(scope="module")
def robot():
    return dk.load_robot("planar_3r")


@pytest.mark.parametrize("copied", COPIES, ids=NAMES)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind["name"] + kind.get("head", ""))
def test_networks_after_use(kind, copied, robot):
    network = make_network(robot, kind)
    T = robot.forward_kinematics(robot.sample(5))
    want = network.sample(T, 2)
    network.starts(T)
    IKProblem(network, held_out_count=5).validate(network)
    assert torch.equal(copied(network).sample(T, 2), want)


@pytest.mark.parametrize("copied", COPIES, ids=NAMES)
@pytest.mark.parametrize("kind", ["pd", "cascade", "network", "residual"])
def test_policies_after_use(kind, copied):
    policy, craft = make_policy(kind), trial_craft()
    starts = held_out_starts(craft, 4)
    want = evaluate_policy(policy, craft, starts, 0.4, 0.2)
    again, body = copied((policy, craft))
    assert evaluate_policy(again, body, starts, 0.4, 0.2) == want


@pytest.mark.parametrize("copied", COPIES, ids=NAMES)
def test_problems_and_data_after_use(copied, robot, tmp_path):
    records = simulate_records(2, SimulationSettings(seconds=1.0, settle=0.2))
    problems = [
        IKProblem(make_network(robot, {"name": "through_fk", "width": 4}), held_out_count=5),
        PolicyProblem(make_policy("pd"), trial_craft(), steps=5, held_out_count=3),
        FilterProblem(LearnedGains("mahony", [1.0, 1.0, 0.1]), records, records),
    ]
    for problem in problems:
        problem.validate(problem.network)
        again = copied(problem)
        assert again.validate(again.network) == problem.validate(problem.network)
    nearest = NearestSample(robot, 50)
    T = robot.forward_kinematics(robot.sample(3, seed=5))
    assert torch.equal(copied(nearest)(T), nearest(T))
    arm = calibration.calibration_model(robot)
    q = robot.sample(20)
    data = calibration.Measurements.of_poses(q, arm.poses(arm.zero(), q), 1e-3, 1e-3, seed=1)
    fit = calibration.fit_calibration(arm, data)
    again = calibration.fit_calibration(*copied((arm, data)))
    assert torch.equal(fit.x, again.x) and torch.equal(copied(fit).covariance, fit.covariance)


@pytest.fixture(scope="module")
def pairs(robot, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    for shard in range(3):
        write_shard(robot, DatasetSettings(count=50, shards=3), shard, folder)
    return StoredPairs(folder, robot)


@pytest.mark.parametrize("copied", COPIES, ids=NAMES)
def test_stored_pairs_after_use(copied, pairs):
    draw = torch.Generator().manual_seed(3)
    q, T = pairs.draw(7, draw)
    again = copied(pairs)
    assert len(again) == 50 and all(map(torch.equal, again.draw(7, draw.manual_seed(3)), (q, T)))
    assert len(pickle.dumps(pairs)) < 2000  # the files, not what is in them
    assert all(map(torch.equal, again[-1], pairs[49])) and len(list(again)) == 50


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_workers(start, pairs, robot):
    loader = DataLoader(pairs, batch_size=10, num_workers=2, multiprocessing_context=start)
    q, T = (torch.cat(parts) for parts in zip(*loader, strict=True))
    torch.testing.assert_close(robot.forward_kinematics(q.double()).float(), T, atol=1e-6, rtol=0.0)
    assert len(q) == 50 and torch.equal(q[20], pairs[20][0])
    network = make_network(robot, {"name": "chain_flow", "width": 8})
    poses = T[:3].double()
    want = network.sample(poses)
    with torch.multiprocessing.get_context(start).Pool(1) as pool:
        assert torch.equal(pool.apply(network.sample, (poses,)), want)
        assert torch.equal(pool.apply(pairs.draw, (4, torch.Generator()))[0], pairs.draw(4, torch.Generator())[0])


def test_a_network_for_a_robot_whose_geometry_learns_can_be_copied_and_trained(robot, tmp_path):
    scale = torch.ones((), dtype=torch.float64, requires_grad=True)
    network = make_network(robot.replace(origins=robot.tree.origins * scale), {"name": "through_fk", "width": 4})
    settings = learning.FitSettings(steps=3, batch=4, progress=False)
    learning.fit(IKProblem(copy.deepcopy(network), held_out_count=5), settings, tmp_path)
    assert scale.grad is None
