"""Train a network that answers poses with joint angles, in a few seconds.

The loss is the error of the pose that the answer leads to: gradients flow back through forward kinematics. A network's
answer is never exact; as the start of inverse kinematics it does not have to be.
"""

import tempfile
from pathlib import Path

import diffkin as dk
from diffkin import learning

robot = dk.load_robot("planar_3r")
network = learning.make_network(robot, {"name": "through_fk", "width": 64, "depth": 2}, seed=0)
_, targets = learning.held_out(robot, 500, seed=0)  # poses that training never sees


def show(when: str) -> float:
    """Print the median distance of the network's answers from their targets [m]."""
    position, _ = learning.pose_errors(robot, targets, network.starts(targets))
    print(f"{when}: answers are off by {float(position.median()):.3f} m (median)")
    return float(position.median())


before = show("before training")
problem = learning.IKProblem(network, learning.FreshPairs(robot))  # fresh random configurations at every step
settings = learning.FitSettings(steps=400, batch=128, learning_rate=3e-3, validate_every=200, progress=False)
with tempfile.TemporaryDirectory() as folder:  # checkpoints and a log of the training
    report = learning.fit(problem, settings, Path(folder))
print(f"trained {report.step} steps")
after = show("after training")
print(f"improved {before / after:.0f} times")

# Its answers as the start of inverse kinematics, which makes them exact.
result = dk.solve_ik(robot, targets, q0=network.starts(targets))
print(f"finished by inverse kinematics: {int(result.success.sum())} of 500")
print(f"off by at most {float(result.position_error.max()):.0e} m")
