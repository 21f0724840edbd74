"""Under autocast to half precision networks may be coarse; what carries metres and angles is not."""

import pytest
import torch

import diffkin as dk
from diffkin import calibration, rotations
from diffkin.learning import IKProblem, held_out, make_network, mmd, pose_errors
from diffkin.learning.filter import SimulationSettings, rms_deg, run_records, simulate_records
from diffkin.learning.inverse.joint_order import JointOrder
from diffkin.learning.policy import FlightState, evaluate_policy, flight, held_out_starts, make_policy, trial_craft
from tests.learning.inverse.small_networks import KINDS

torch.set_num_threads(1)
HALF = torch.bfloat16


def half():
    return torch.autocast("cpu", dtype=HALF)


def test_autocast_would_round_a_plain_product():
    a = torch.rand(8, 4, 4)
    with half():
        assert (a @ a).dtype == HALF  # else the tests here would show nothing


def test_targets_in_joint_frames_are_exact():
    robot = dk.load_robot("kuka_iiwa").to(dtype=torch.float32)
    q, T = held_out(robot, 50)
    order = JointOrder(robot)
    want = order.targets(q, T, order.turns)
    with half():
        found = order.targets(q, T, order.turns)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, want, atol=2e-6, rtol=0.0)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind["name"] + kind.get("head", ""))
def test_answers_and_losses_of_networks(kind):
    robot = dk.load_robot("kuka_iiwa")
    network = make_network(robot, kind, seed=1)
    q, T = held_out(network.single, 64)
    gen = torch.Generator()
    batch = network.augment(q, T, gen)
    want = float(network.loss(*batch).detach())
    with half():
        loss, answers = network.loss(*batch), network.sample(T, 2)
        scores = IKProblem(network, held_out_count=20).validate(network)
    assert loss.dtype == answers.dtype == torch.float32
    assert float(loss.detach()) == pytest.approx(want, rel=0.05, abs=0.05)
    lower, upper = network.single.lower, network.single.upper
    assert bool(((answers >= lower) & (answers <= upper)).all())
    on_grid = answers == answers.to(HALF).float()
    assert float(on_grid.float().mean()) < 0.2  # angles are not rounded to half precision
    assert all(value == value for value in scores.values())
    loss.backward()
    assert all(part.grad is None or part.grad.dtype == torch.float32 for part in network.parameters())


def test_errors_of_poses():
    robot = dk.load_robot("kuka_iiwa").to(dtype=torch.float32)
    q, T = held_out(robot, 50)
    want = pose_errors(robot, T, q + 0.01)
    with half():
        found = pose_errors(robot, T, q + 0.01)
        same = mmd(q[None], q[None] + 0.1, torch.ones(7))
    for a, b in zip(found, want, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=0.0)
    torch.testing.assert_close(same, mmd(q[None], q[None] + 0.1, torch.ones(7)), atol=1e-4, rtol=0.0)


@pytest.mark.parametrize("kind", ["pd", "cascade"])
def test_classical_flights_are_exact(kind):
    policy, craft = make_policy(kind), trial_craft()
    starts = held_out_starts(craft, 20)
    want = flight(policy, starts, craft, 50)
    with half():
        found = flight(policy, starts, craft, 50)
    for a, b in zip(found[:4], want[:4], strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=0.0)


@pytest.mark.parametrize("kind", ["network", "residual"])
def test_flights_of_networks_keep_their_state_whole(kind):
    policy, craft = make_policy(kind, seed=2), trial_craft()
    starts = held_out_starts(craft, 20)
    with half():
        flown = flight(policy, starts, craft, 20)
        scores = evaluate_policy(policy, craft, starts, 0.4, 0.2)
    assert {part.dtype for part in flown[:4]} == {torch.float32}
    torch.testing.assert_close(flown.quat_xyzw.norm(dim=1), torch.ones(21, 20), atol=1e-5, rtol=0.0)
    assert scores["cost"] > 0 and issubclass(FlightState, tuple)


@pytest.mark.parametrize(("name", "gains"), [("mahony", [1.0, 1.0, 0.1]), ("madgwick", [0.1, 0.01])])
def test_filters_are_exact(name, gains):
    records = simulate_records(3, SimulationSettings(seconds=2.0, settle=0.5))
    want = run_records(name, torch.tensor(gains), records)
    with half():
        found = run_records(name, torch.tensor(gains), records)
        again = simulate_records(3, SimulationSettings(seconds=2.0, settle=0.5))
        angle = rms_deg(found, records)
    assert torch.equal(found, want) and torch.equal(again.gyro, records.gyro)
    assert float(angle) == pytest.approx(float(rms_deg(want, records)), rel=1e-5)


def test_calibration_is_exact():
    robot = dk.load_robot("kuka_iiwa")
    arm = calibration.calibration_model(robot)
    q = robot.sample(30)
    data = calibration.Measurements.of_poses(q, arm.poses(arm.zero(), q), 1e-4, 1e-3, seed=1)
    want = calibration.fit_calibration(arm, data)
    with half():
        found = calibration.fit_calibration(arm, data)
    torch.testing.assert_close(found.x, want.x, atol=1e-12, rtol=0.0)
    assert rotations.angle_between(arm.poses(found.x, q)[:, :3, :3], data.rotation).max() < 0.01
