"""The training loop, for anything that draws batches, has a loss and can be validated."""

from diffkin._files import write_atomically
from diffkin.learning.training.log import read_metrics
from diffkin.learning.training.loop import fit
from diffkin.learning.training.seeds import held_out_seed
from diffkin.learning.training.settings import FitProblem, FitReport, FitSettings

__all__ = [
    "FitProblem",
    "FitReport",
    "FitSettings",
    "fit",
    "held_out_seed",
    "read_metrics",
    "write_atomically",
]
