"""Mistakes in every public call of learning and calibration end in an error of diffkin, never in a foreign one."""

import inspect
import math

import numpy as np
import pytest
import torch

import diffkin as dk
from diffkin import calibration, learning
from diffkin.calibration import Measurements
from diffkin.errors import DiffkinError
from diffkin.learning import filter as filters
from diffkin.learning import inverse, policy, training
from diffkin.learning.filter import FilterProblem, LearnedGains, SimulationSettings
from diffkin.learning.inverse import DatasetSettings

torch.set_num_threads(1)
ODD = [
    None, "x", "", -1, 0, 3.5, math.nan, math.inf, 2**70, True, [], {}, [1, 2], object(), b"x", 1j, print,
    torch.zeros(0), torch.zeros(3), torch.ones(2, 2, dtype=torch.long), torch.full((2, 4, 4), torch.nan), torch.zeros(1, 4, 4),
    torch.eye(4), torch.zeros(0, 4, 4), torch.ones((), dtype=torch.float64), np.zeros(2), torch.eye(4).expand(2, 4, 4).to(torch.complex64),
]  # fmt: skip


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    """Each call with arguments that are right."""
    robot = dk.load_robot("planar_2r")
    folder = tmp_path_factory.mktemp("mistakes")
    q = robot.sample(4)
    T = robot.forward_kinematics(q)
    network = learning.make_network(robot, {"name": "through_fk", "width": 4, "depth": 1})
    craft = policy.trial_craft()
    starts = policy.held_out_starts(craft, 3)
    pd = policy.make_policy("pd")
    flown = policy.flight(pd, starts, craft, 5)
    records = filters.simulate_records(2, SimulationSettings(seconds=1.0, settle=0.2))
    gains = torch.tensor([1.0, 1.0, 0.1])
    arm = calibration.calibration_model(robot)
    data = Measurements.of_poses(q, T, 1e-3, 1e-3)
    x = arm.zero()
    rows = arm.jacobian(x, robot.sample(30))
    gen = torch.Generator()
    save = str(folder / "file")
    inverse.write_shard(robot, DatasetSettings(count=10, shards=1), 0, folder / "data")
    return {
        learning.make_network: (robot, {"name": "through_fk", "width": 4}, 0, None),
        network.sample: (T, 2, 0),
        network.starts: (T, 2, 0),
        learning.save: (network, save),
        learning.load: (save,),
        learning.held_out: (robot, 3, 0),
        learning.uniform: (robot, T, 0),
        learning.mid_range: (robot, T),
        learning.pose_errors: (robot, T, q),
        learning.best_by_pose: (robot, T, q[:, None]),
        learning.NearestSample: (robot, 20, 0),
        learning.NearestSample(robot, 20): (T,),
        learning.one_descent: (robot, T, q),
        learning.branches_found: (robot, q),
        learning.mmd: (q, q, torch.ones(2, dtype=q.dtype)),
        learning.FreshPairs: (robot,),
        learning.FreshPairs(robot).draw: (3, gen),
        learning.IKProblem: (network, None, 5),
        learning.FitSettings: tuple(vars(learning.FitSettings()).values()),
        inverse.DatasetSettings: ("fk", 10, 1, 0),
        inverse.write_shard: (robot, DatasetSettings(count=10, shards=1), 0, folder / "data"),
        inverse.StoredPairs: (folder / "data", robot),
        inverse.StoredPairs(folder / "data", robot).draw: (3, gen),
        inverse.ChainFlowSettings: tuple(vars(inverse.ChainFlowSettings()).values()),
        inverse.FlowSettings: tuple(vars(inverse.FlowSettings()).values()),
        inverse.RegressionSettings: tuple(vars(inverse.RegressionSettings()).values()),
        inverse.ThroughFKSettings: tuple(vars(inverse.ThroughFKSettings()).values()),
        training.held_out_seed: (0,),
        training.read_metrics: (folder / "none.csv",),
        policy.make_policy: ("network", {"width": 4}, 0),
        policy.Craft: (craft.inertia, craft.limit, 0.04, 0.02),
        policy.draw_starts: (craft, 3, gen),
        policy.held_out_starts: (craft, 3),
        policy.flight: (pd, starts, craft, 3),
        policy.cost: (flown.angle, flown.omega, 0.02),
        policy.evaluate_policy: (pd, craft, starts, 0.2, 0.1),
        policy.save_policy: (pd, craft, save),
        policy.PolicyProblem: (pd, craft),
        filters.simulate_records: (2, SimulationSettings(seconds=1.0, settle=0.2), 0),
        filters.SimulationSettings: tuple(vars(SimulationSettings()).values()),
        filters.run_records: ("mahony", gains, records),
        filters.rms_deg: (filters.run_records("mahony", gains, records), records),
        filters.cut: (records, 0.5, 0.1),
        filters.stack: ([records, records],),
        filters.fine_grid: ("madgwick", records, [0.1, 0.01], [0.2, 0.02]),
        filters.read_csv: (folder / "none.csv",),
        filters.read_broad: (folder, None),
        LearnedGains: ("mahony", [1.0, 1.0, 0.1]),
        FilterProblem: (LearnedGains("mahony", [1.0, 1.0, 0.1]), records, records),
        calibration.calibration_model: (robot, torch.eye(4), ["tool"]),
        arm.poses: (x, q),
        arm.jacobian: (x, q, 500),
        arm.origins: (x,),
        arm.tool_pose: (x,),
        arm.robot_at: (x,),
        Measurements: (data.q, data.position, data.rotation, 1e-3, 1e-3),
        Measurements.of_poses: (q, T, 1e-3, 1e-3, 0),
        data.only: ("pose",),
        calibration.write_measurements: (save, robot, data),
        calibration.read_measurements: (folder / "none.csv", robot, 1e-3, 1e-3),
        calibration.fit_calibration: (arm, data),
        calibration.system: (arm, x, data),
        calibration.held_out_rms: (arm, x, q, T),
        calibration.predicted_rms: (arm, x, torch.eye(arm.size, dtype=q.dtype), q),
        calibration.identifiable: (rows, 1e-9),
        calibration.mean_variance: (rows, rows, calibration.identifiable(rows)),
        calibration.choose_poses: (rows, rows, 20, 2),
        calibration.unidentifiable: (arm, rows.flatten(0, 1), 1e-8),
        calibration.calibrated_urdf: (arm, x),
        calibration.write_calibrated_urdf: (arm, x, save),
    }  # fmt: skip


def test_only_errors_of_diffkin(cases, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # "x" is a path that can be written to
    foreign, tried, refused = [], 0, 0
    for call, right in cases.items():
        for place in range(len(right)):
            for odd in ODD:
                arguments = [*right[:place], odd, *right[place + 1 :]]
                tried += 1
                try:
                    call(*arguments)
                except DiffkinError:
                    refused += 1
                except Exception as error:
                    name = getattr(call, "__qualname__", type(call).__name__)
                    foreign.append(f"{name} argument {place} = {odd!r:.60}: {type(error).__name__} {error!s:.100}")
    print("\n".join(foreign))
    assert foreign == []
    assert tried > 2500 and refused > 0.6 * tried


def test_right_arguments_pass(cases):
    missing = {training.read_metrics, filters.read_csv, filters.read_broad, calibration.read_measurements}
    for call, right in cases.items():
        if call in missing:
            with pytest.raises(DiffkinError):
                call(*right)
        else:
            call(*right)


def test_numpy_integers_and_large_seeds(tmp_path):
    robot = dk.load_robot("planar_2r")
    a, b = (
        learning.make_network(robot, {"name": "through_fk", "width": np.int64(4)}, seed=seed)
        for seed in (3, np.int64(3))
    )
    assert all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))
    learning.save(b, tmp_path / "network.safetensors")
    assert learning.load(tmp_path).settings == a.settings
    T = robot.forward_kinematics(robot.sample(2))
    assert a.sample(T, np.int32(2), np.uint64(5)).shape == (2, 2, 2)
    for seed in (2**64 - 1, 2**63, -5):
        assert learning.held_out(robot, 2, seed)[0].shape == (2, 2)


def test_every_public_function_is_tried(cases):
    """Functions and classes that are offered, but for those that take nothing a user could mistake or are tried elsewhere."""
    elsewhere = {
        "fit", "FitProblem", "FitReport", "IKNetwork", "evaluate_network", "Policy", "Flights", "FlightStarts", "FlightState", "flight_state",
        "trial_craft", "scores", "Gains", "CascadePolicy", "PDPolicy", "NetworkPolicy", "ResidualPolicy", "write_atomically", "ChainFlow", "Flow",
        "Regression", "ThroughFK", "Records", "Blind", "CalibrationFit", "CalibrationModel",
    }  # fmt: skip
    tried = {getattr(call, "__name__", "") for call in cases}
    for part in (learning, inverse, policy, training, filters, calibration):
        offered = {
            name
            for name in part.__all__
            if inspect.isclass(getattr(part, name)) or inspect.isfunction(getattr(part, name))
        }
        assert offered - elsewhere - tried == set()
