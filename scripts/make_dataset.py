"""Write pairs of coordinates and poses to sharded files, for training from disk.

python scripts/make_dataset.py folder=data/iiwa count=1000000
python scripts/make_dataset.py --multirun folder=data/iiwa shards=8 'shard=range(8)' hydra/launcher=joblib
"""

from __future__ import annotations

import time
from pathlib import Path

from common import run_main
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig
from training import load_robot, say, typed

from diffkin.errors import OptionError
from diffkin.kernels import threads
from diffkin.learning.inverse import DatasetSettings, write_shard


def main(cfg: DictConfig) -> float:
    """Write the shards that are missing; the seconds it took."""
    names = ("kind", "count", "shards", "seed")
    settings = typed(DatasetSettings, {name: cfg[name] for name in names}, "make_dataset")
    if cfg.shard is not None and type(cfg.shard) is not int:
        raise OptionError(f"shard must be a whole number or null, got {cfg.shard!r}.")
    alone = HydraConfig.get().mode == RunMode.RUN
    if cfg.threads or not alone:
        threads.set_num_threads(max(1, int(cfg.threads)))
    robot = load_robot(cfg.robot)
    start = time.perf_counter()
    for shard in range(settings.shards) if cfg.shard is None else [cfg.shard]:
        written = write_shard(robot, settings, shard, Path(cfg.folder))
        say(f"shard {shard} of {settings.shards}: {'written' if written else 'was there'}")
    seconds = time.perf_counter() - start
    say(f"{seconds:.2f} s, {cfg.folder}")
    return seconds


if __name__ == "__main__":
    run_main(main, "make_dataset")
