"""Ways to go downhill."""

from diffkin.ik.solvers.first_order import LBFGS, Adam, GradientDescent
from diffkin.ik.solvers.newton import GaussNewton, LevenbergMarquardt, damped_step
from diffkin.ik.solvers.priority import SelfMotion

__all__ = ["Adam", "GaussNewton", "GradientDescent", "LBFGS", "LevenbergMarquardt", "SelfMotion", "damped_step"]
