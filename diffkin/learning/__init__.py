"""Learning through kinematics: training, IK networks, data."""

from diffkin.learning.evaluate import branches_found, evaluate_network, mmd, one_descent
from diffkin.learning.fit import fit
from diffkin.learning.ik_network import IKNetwork
from diffkin.learning.ik_problem import FreshPairs, IKProblem, held_out
from diffkin.learning.networks import NETWORKS, load, make_network, save
from diffkin.learning.problem import FitReport, FitSettings, Problem
from diffkin.learning.starts import NearestSample, best_by_pose, mid_range, pose_errors, uniform

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
