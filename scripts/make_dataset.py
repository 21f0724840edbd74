"""Write pairs of coordinates and poses to sharded files, for training from disk.

python scripts/make_dataset.py folder=data/iiwa count=1000000
python scripts/make_dataset.py robot.path=my_arm.urdf robot.tip=hand
python scripts/make_dataset.py --multirun folder=data/iiwa shards=8 'shard=range(8)' hydra/launcher=joblib
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from common.folders import in_sweep
from common.robots import RobotConfig, load_robot
from common.run import run_main
from common.settings import typed
from common.tables import say
from omegaconf import DictConfig

from diffkin.kernels import threads
from diffkin.learning.inverse import DatasetSettings, write_shard


@dataclass(frozen=True)
class MakeDatasetConfig:
    """All there is to choose."""

    robot: RobotConfig
    folder: Optional[str]
    kind: str
    count: int
    shards: int
    shard: Optional[int]
    seed: int
    threads: int


def main(cfg: DictConfig) -> float:
    """Write the shards that are missing; the seconds it took."""
    config = typed(MakeDatasetConfig, cfg)
    settings = DatasetSettings(kind=config.kind, count=config.count, shards=config.shards, seed=config.seed)
    if config.threads or in_sweep():
        threads.set_num_threads(max(1, config.threads))
    robot = load_robot(config.robot)
    folder = Path(config.folder or f"data/{robot.name}")
    start = time.perf_counter()
    for shard in range(settings.shards) if config.shard is None else [config.shard]:
        written = write_shard(robot, settings, shard, folder)
        say(f"shard {shard} of {settings.shards}: {'written' if written else 'was there'}")
    seconds = time.perf_counter() - start
    say(f"{seconds:.2f} s, {folder}")
    return seconds


if __name__ == "__main__":
    run_main(main, "make_dataset")
