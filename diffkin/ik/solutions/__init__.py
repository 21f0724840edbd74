"""All solutions of a pose: its branches, and the curves of self-motion."""

from diffkin.ik.solutions.branches import SIGNS, all_solutions, cluster, local_dimension, purity, sign_labels, synergies
from diffkin.ik.solutions.distinct import AllSolutions, solve_all
from diffkin.ik.solutions.explore import Explored, explore_pose, explore_postures, summarise
from diffkin.ik.solutions.self_motion import Arc, null_directions, trace_arcs

__all__ = [
    "SIGNS",
    "AllSolutions",
    "Arc",
    "Explored",
    "all_solutions",
    "cluster",
    "explore_pose",
    "explore_postures",
    "local_dimension",
    "null_directions",
    "purity",
    "sign_labels",
    "solve_all",
    "summarise",
    "synergies",
    "trace_arcs",
]
