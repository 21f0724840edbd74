"""Networks that propose solutions of inverse kinematics."""

from diffkin.learning.inverse.baselines import NearestSample, best_by_pose, mid_range, pose_errors, uniform
from diffkin.learning.inverse.chain_flow import ChainFlow, ChainFlowSettings
from diffkin.learning.inverse.evaluate import branches_found, evaluate_network, mmd, one_descent
from diffkin.learning.inverse.flow import Flow, FlowSettings
from diffkin.learning.inverse.network import IKNetwork
from diffkin.learning.inverse.pairs import FreshPairs, IKProblem, Pairs, held_out
from diffkin.learning.inverse.regression import Regression, RegressionSettings, ThroughFK, ThroughFKSettings

__all__ = [
    "ChainFlow",
    "ChainFlowSettings",
    "Flow",
    "FlowSettings",
    "FreshPairs",
    "IKNetwork",
    "IKProblem",
    "NearestSample",
    "Pairs",
    "Regression",
    "RegressionSettings",
    "ThroughFK",
    "ThroughFKSettings",
    "best_by_pose",
    "branches_found",
    "evaluate_network",
    "held_out",
    "mid_range",
    "mmd",
    "one_descent",
    "pose_errors",
    "uniform",
]
