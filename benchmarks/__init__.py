"""Benchmarks: diffkin beside its peers, in one run. Start with ``make bench`` or ``python -m benchmarks.run``."""
