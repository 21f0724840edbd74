"""All solutions of a pose: branches, and the curves of self-motion."""

from diffkin.ik.solutions.branches import SIGNS, all_solutions, cluster, local_dimension, purity, sign_labels, synergies
from diffkin.ik.solutions.self_motion import Arc, assign, null_directions, stays_within, trace_arcs, wrapped

__all__ = [
    "Arc",
    "SIGNS",
    "all_solutions",
    "assign",
    "cluster",
    "local_dimension",
    "null_directions",
    "purity",
    "sign_labels",
    "stays_within",
    "synergies",
    "trace_arcs",
    "wrapped",
]
