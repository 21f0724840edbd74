"""A default device set by the user must not catch what belongs on the CPU: tried with one that holds no numbers."""

from tests.fresh import run_code

CODE = """
import sys, tempfile, torch, diffkin as dk
from diffkin import calibration, learning
from diffkin.learning import filter as filters, inverse, policy
robot = dk.load_robot("planar_3r")
torch.set_num_threads(1)
torch.set_default_device("meta")

def numbers(*values):
    for value in values:
        assert value.device.type == "cpu", value
        float(value.detach().sum())

folder = tempfile.mkdtemp()
q, T = learning.held_out(robot, 20)
numbers(q, T)
for kind in ({"name": "regression"}, {"name": "through_fk"}, {"name": "chain_flow"}, {"name": "chain_flow", "head": "spline"}, {"name": "flow"}):
    network = learning.make_network(robot, {**kind, "width": 8})
    numbers(network.sample(T, 2), network.starts(T), *network.parameters(), *network.buffers())
    learning.save(network, f"{folder}/{len(kind)}.safetensors")
    numbers(learning.load(f"{folder}/{len(kind)}.safetensors").sample(T))
    problem = learning.IKProblem(network, held_out_count=10)
    report = learning.fit(problem, learning.FitSettings(steps=4, batch=8, validate_every=2, checkpoint_every=2, progress=False), folder)
    learning.fit(problem, learning.FitSettings(steps=6, batch=8, progress=False), folder, resume=True)
    assert report.best_step > 0
numbers(learning.uniform(robot, T), learning.mid_range(robot, T), learning.NearestSample(robot, 30)(T))
_, solutions = learning.one_descent(robot, T, q)
numbers(learning.branches_found(robot, solutions), learning.mmd(q, q, q.new_ones(3)))
inverse.write_shard(robot, inverse.DatasetSettings(kind="ik", count=30, shards=1), 0, folder + "/data")
pairs = inverse.StoredPairs(folder + "/data", robot)
numbers(*pairs.draw(5, torch.Generator()), *pairs[3])
craft = policy.trial_craft()
starts = policy.held_out_starts(craft, 5)
for kind in policy.POLICIES:
    made = policy.make_policy(kind)
    numbers(*made.parameters(), *policy.flight(made, starts, craft, 5)[:4])
    policy.save_policy(made, craft, folder + "/policy.safetensors")
    numbers(learning.load(folder + "/policy.safetensors").craft.inertia)
    learning.fit(policy.PolicyProblem(made, craft, steps=5, held_out_count=4), learning.FitSettings(steps=2, batch=4, progress=False), folder)
records = filters.simulate_records(2, filters.SimulationSettings(seconds=1.0, settle=0.2))
for name, gains in (("mahony", [1.0, 1.0, 0.1]), ("madgwick", [0.1, 0.01])):
    learned = filters.LearnedGains(name, gains)
    learning.fit(filters.FilterProblem(learned, records, records), learning.FitSettings(steps=2, batch=2, progress=False), folder)
    numbers(filters.fine_grid(name, records, [0.1] * len(gains), [0.2] * len(gains), points=2, refinements=1)[0])
numbers(filters.cut(records, 0.5, 0.1).gyro)
arm = calibration.calibration_model(robot)
numbers(arm.zero(), arm.selector, arm.tool)
data = calibration.Measurements.of_poses(q, T, 1e-3, 1e-3, seed=1)
calibration.write_measurements(folder + "/m.csv", robot, data)
data = calibration.read_measurements(folder + "/m.csv", robot, 1e-3, 1e-3)
for loss in calibration.LOSSES:
    fit = calibration.fit_calibration(arm, data, loss=loss)
    numbers(fit.x, fit.covariance, fit.outliers)
_, rows = calibration.system(arm, arm.zero(), data)
numbers(calibration.choose_poses(rows, rows, 12), *(blind.direction for blind in calibration.unidentifiable(arm, rows.flatten(0, 1))))
print("all on the CPU")
"""


def test_nothing_lands_on_the_default_device():
    done = run_code(CODE, timeout=250)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.endswith("all on the CPU\n")
