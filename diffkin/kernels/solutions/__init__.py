"""Kernels that find every solution of a pose, and order them by their distance."""
