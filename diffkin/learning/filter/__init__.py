"""Gains of attitude filters trained by gradient through records."""

from diffkin.learning.filter.records import (
    CSV_COLUMNS,
    Records,
    SimulationSettings,
    cut,
    read_broad,
    read_csv,
    simulate_records,
    stack,
)
from diffkin.learning.filter.steps import FILTERS, FilterProblem, LearnedGains, fine_grid, rms_deg, run_records

__all__ = [
    "CSV_COLUMNS",
    "FILTERS",
    "FilterProblem",
    "LearnedGains",
    "Records",
    "SimulationSettings",
    "cut",
    "fine_grid",
    "read_broad",
    "read_csv",
    "rms_deg",
    "run_records",
    "simulate_records",
    "stack",
]
