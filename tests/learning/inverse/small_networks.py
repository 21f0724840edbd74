"""Networks small enough for tests, and short trainings of them."""

import torch

from diffkin.learning import FitSettings, IKProblem, fit, make_network

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
