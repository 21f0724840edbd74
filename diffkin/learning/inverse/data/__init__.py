"""Pairs of coordinates and poses to learn from: fresh, held out, or in files."""

from diffkin.learning.inverse.data.pairs import FreshPairs, Pairs, held_out
from diffkin.learning.inverse.data.stored_pairs import DatasetSettings, StoredPairs, make_shard, shard_path, write_shard

__all__ = [
    "DatasetSettings",
    "FreshPairs",
    "Pairs",
    "StoredPairs",
    "held_out",
    "make_shard",
    "shard_path",
    "write_shard",
]
