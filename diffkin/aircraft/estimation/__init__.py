"""Attitude from measurements: vector observations, complementary and Kalman filters."""

from diffkin.aircraft.estimation.covariance import triad_covariance, wahba_covariance
from diffkin.aircraft.estimation.filters import (
    FilterState,
    MadgwickGains,
    MahonyGains,
    initial_state,
    madgwick_step,
    mahony_step,
)
from diffkin.aircraft.estimation.kalman import (
    MEKFNoise,
    MEKFState,
    initial_mekf_state,
    mekf_predict,
    mekf_step,
    mekf_update,
)
from diffkin.aircraft.estimation.run import run_filter
from diffkin.aircraft.estimation.triad import triad
from diffkin.aircraft.estimation.wahba import WAHBA_METHODS, solve_wahba

__all__ = [
    "FilterState",
    "MEKFNoise",
    "MEKFState",
    "MadgwickGains",
    "MahonyGains",
    "WAHBA_METHODS",
    "initial_mekf_state",
    "initial_state",
    "madgwick_step",
    "mahony_step",
    "mekf_predict",
    "mekf_step",
    "mekf_update",
    "run_filter",
    "solve_wahba",
    "triad",
    "triad_covariance",
    "wahba_covariance",
]
