"""Learning through kinematics: training, IK networks, data."""

from diffkin.learning.inverse.baselines import NearestSample, best_by_pose, mid_range, pose_errors, uniform
from diffkin.learning.inverse.evaluate import branches_found, evaluate_network, mmd, one_descent
from diffkin.learning.inverse.network import IKNetwork
from diffkin.learning.inverse.network_file import NETWORKS, load, make_network, save
from diffkin.learning.inverse.pairs import FreshPairs, IKProblem, held_out
from diffkin.learning.training.loop import fit
from diffkin.learning.training.settings import FitReport, FitSettings, Problem

__all__ = [
    "NETWORKS",
    "FitReport",
    "FitSettings",
    "FreshPairs",
    "IKNetwork",
    "IKProblem",
    "NearestSample",
    "Problem",
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
