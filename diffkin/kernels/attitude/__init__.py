"""Kernels of attitude: rigid bodies over many steps, their adjoint, and Wahba's problem."""
