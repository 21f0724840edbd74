"""Kernels of inverse kinematics: one frame of a mechanism, many targets, ranked starts."""
