"""Learning through kinematics: a training loop, networks for inverse kinematics, attitude policies, filter gains.

Policies and filters have their calls in ``diffkin.learning.policy`` and ``diffkin.learning.filter``.
"""

from diffkin.learning.inverse.baselines import NearestSample, best_by_pose, mid_range, pose_errors, uniform
from diffkin.learning.inverse.data.pairs import FreshPairs, held_out
from diffkin.learning.inverse.evaluate import branches_found, evaluate_network, mmd, one_descent
from diffkin.learning.inverse.make import NETWORKS, make_network
from diffkin.learning.inverse.network import IKNetwork
from diffkin.learning.inverse.network_file import save
from diffkin.learning.inverse.train import IKProblem
from diffkin.learning.model_file import load
from diffkin.learning.training.loop import fit
from diffkin.learning.training.settings import FitProblem, FitReport, FitSettings

__all__ = [
    "NETWORKS",
    "FitProblem",
    "FitReport",
    "FitSettings",
    "FreshPairs",
    "IKNetwork",
    "IKProblem",
    "NearestSample",
    "best_by_pose",
    "branches_found",
    "evaluate_network",
    "fit",
    "held_out",
    "load",
    "make_network",
    "mid_range",
    "mmd",
    "one_descent",
    "pose_errors",
    "save",
    "uniform",
]
