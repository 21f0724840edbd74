"""Gains of attitude filters, learned by gradient through records of inertial sensors."""

from diffkin.learning.filter.grid import fine_grid
from diffkin.learning.filter.record_files import CSV_COLUMNS, read_broad, read_csv
from diffkin.learning.filter.records import Records, cut, stack
from diffkin.learning.filter.run import rms_deg, run_records
from diffkin.learning.filter.simulated import SimulationSettings, simulate_records
from diffkin.learning.filter.steps import FILTERS
from diffkin.learning.filter.train import FilterProblem, LearnedGains

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
