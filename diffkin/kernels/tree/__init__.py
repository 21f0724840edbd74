"""Kernels on trees of joints: poses, Jacobians, and gradients pulled back to the coordinates."""
