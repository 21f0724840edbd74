"""Kinematic trees and pure functions of a tree and its coordinates: poses, Jacobians, Hessians, manipulability."""

from diffkin.kinematics.hessians import hessian
from diffkin.kinematics.jacobians import jacobian
from diffkin.kinematics.manipulability import manipulability
from diffkin.kinematics.poses import forward
from diffkin.kinematics.tree import PRISMATIC, REVOLUTE, KinematicTree

__all__ = ["PRISMATIC", "REVOLUTE", "KinematicTree", "forward", "hessian", "jacobian", "manipulability"]
