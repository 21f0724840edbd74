"""Learning through kinematics: training, IK networks, data."""

from diffkin.learning.fit import fit
from diffkin.learning.problem import FitReport, FitSettings, Problem

__all__ = ["FitReport", "FitSettings", "Problem", "fit"]
