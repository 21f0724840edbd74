"""Training: one loop, what it is given, checkpoints, logs, and data sets on disk."""

from diffkin.learning.inverse.stored_pairs import DatasetSettings, StoredPairs, make_shard, shard_path, write_shard
from diffkin.learning.training.checkpoint import (
    load_checkpoint,
    load_tensors,
    load_weights,
    save_checkpoint,
    save_tensors,
    weights_of,
    write_atomically,
)
from diffkin.learning.training.log import MetricsLog, read_metrics
from diffkin.learning.training.loop import fit
from diffkin.learning.training.settings import FitReport, FitSettings, Problem

__all__ = [
    "DatasetSettings",
    "FitReport",
    "FitSettings",
    "MetricsLog",
    "Problem",
    "StoredPairs",
    "fit",
    "load_checkpoint",
    "load_tensors",
    "load_weights",
    "make_shard",
    "read_metrics",
    "save_checkpoint",
    "save_tensors",
    "shard_path",
    "weights_of",
    "write_atomically",
    "write_shard",
]
