"""Networks that propose solutions of inverse kinematics, the data they learn from, and how good they are."""

from diffkin.learning.inverse.baselines import NearestSample, best_by_pose, mid_range, pose_errors, uniform
from diffkin.learning.inverse.chain_flow import ChainFlow, ChainFlowSettings
from diffkin.learning.inverse.data.pairs import FreshPairs, held_out
from diffkin.learning.inverse.data.stored_pairs import DatasetSettings, StoredPairs, write_shard
from diffkin.learning.inverse.evaluate import branches_found, evaluate_network, mmd, one_descent
from diffkin.learning.inverse.flow import Flow, FlowSettings
from diffkin.learning.inverse.make import NETWORKS, make_network
from diffkin.learning.inverse.network import IKNetwork
from diffkin.learning.inverse.network_file import save
from diffkin.learning.inverse.regression import Regression, RegressionSettings, ThroughFK, ThroughFKSettings
from diffkin.learning.inverse.train import IKProblem

__all__ = [
    "NETWORKS",
    "ChainFlow",
    "ChainFlowSettings",
    "DatasetSettings",
    "Flow",
    "FlowSettings",
    "FreshPairs",
    "IKNetwork",
    "IKProblem",
    "NearestSample",
    "Regression",
    "RegressionSettings",
    "StoredPairs",
    "ThroughFK",
    "ThroughFKSettings",
    "best_by_pose",
    "branches_found",
    "evaluate_network",
    "held_out",
    "make_network",
    "mid_range",
    "mmd",
    "one_descent",
    "pose_errors",
    "save",
    "uniform",
    "write_shard",
]
