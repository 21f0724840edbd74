"""Vector types for kernels, and what is computed in them."""
