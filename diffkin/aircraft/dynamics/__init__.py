"""Attitude dynamics of rigid bodies, simulated with gradients."""

from diffkin.aircraft.dynamics.integrators import (
    INTEGRATORS,
    Body,
    apply,
    bullet,
    lie_midpoint,
    momentum,
    orthonormalize,
    rk4,
)
from diffkin.aircraft.dynamics.simulate import angular_momentum, check_inertia, rotational_energy, simulate_attitude

__all__ = [
    "Body",
    "INTEGRATORS",
    "angular_momentum",
    "apply",
    "bullet",
    "check_inertia",
    "lie_midpoint",
    "momentum",
    "orthonormalize",
    "rk4",
    "rotational_energy",
    "simulate_attitude",
]
