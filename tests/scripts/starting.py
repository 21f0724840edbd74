"""The configuration of a script as its job gets it, with Hydra's own left behind for ``HydraConfig``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from common.folders import register
from common.messages import CONFIGS
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

__all__ = ["put_back", "start"]


@pytest.fixture(autouse=True)
def put_back() -> Iterator[None]:
    """What Hydra holds is as before when a test has ended."""
    register()
    before = HydraConfig.instance().cfg
    yield
    HydraConfig.instance().cfg = before


def start(script: str, *overrides: str) -> DictConfig:
    """The configuration of a script with a command line."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(version_base="1.3", config_dir=str(CONFIGS)):
        cfg = compose(script, overrides=["hydra.mode=RUN", *overrides], return_hydra_config=True)
    HydraConfig.instance().set_config(cfg)
    cfg = cfg.copy()
    OmegaConf.set_struct(cfg, False)
    del cfg["hydra"]
    return cfg
