"""Attitude dynamics of rigid bodies, simulated with gradients.

``simulate_attitude`` is the call; ``INTEGRATORS`` holds its integrators by name.
"""

from diffkin.aircraft.dynamics.integrators import INTEGRATORS
from diffkin.aircraft.dynamics.rigid_body import angular_momentum, check_inertia, rotational_energy
from diffkin.aircraft.dynamics.simulate import simulate_attitude

__all__ = ["INTEGRATORS", "angular_momentum", "check_inertia", "rotational_energy", "simulate_attitude"]
