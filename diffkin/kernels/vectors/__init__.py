"""Vector types for kernels: the types, their arithmetic and memory, the three families, and sine and cosine."""
