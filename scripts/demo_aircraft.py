"""Play with an aircraft: turn it, lock its angles, let its camera follow a car, let a controller turn it.

    python scripts/demo_aircraft.py aircraft=quadrotor
    python scripts/demo_aircraft.py mode=gimbal_lock sequence=ZXZ
    python scripts/demo_aircraft.py mode=track viewer=browser viewer.language=zh
    python scripts/demo_aircraft.py mode=fly viewer=film seconds=10 record=flight.mp4

PyBullet's window opens; where there is no display, a film is made. Esc, closing the window, Ctrl-C and seconds=5 end it.
The run folder holds results.json, the film where no name was given for it and, in .hydra, the configuration.
"""

from dataclasses import dataclass
from functools import partial
from typing import Optional

from common.aircraft import AircraftConfig, check_body_alone, load_airframe
from common.demos import ViewerConfig, check_stage, run_demo
from common.folders import run_folder
from common.given import unused
from common.run import run_main
from common.settings import check_not_negative, choose, typed
from omegaconf import DictConfig

from diffkin.demos.aircraft import AIRCRAFT_MODES, aircraft_demo
from diffkin.demos.scene import Demo
from diffkin.rotations import EULER_SEQUENCES

_USED = {"sequence": ("attitude", "gimbal_lock"), "seed": ("fly",)}  # modes that look at a setting


@dataclass(frozen=True)
class DemoAircraftConfig:
    """All there is to choose."""

    aircraft: AircraftConfig
    viewer: ViewerConfig
    mode: str
    sequence: str
    seconds: Optional[float]
    record: Optional[str]
    seed: int


def check_config(config: DemoAircraftConfig) -> None:
    """Raise for values out of range."""
    check_stage(config)
    choose(config.mode, AIRCRAFT_MODES, "mode")
    choose(config.sequence, EULER_SEQUENCES, "sequence")
    check_not_negative(config, "seed")
    check_body_alone(config.aircraft, "the demo has limits of its own")
    for key, modes in _USED.items():
        if config.mode not in modes:
            unused(key, f"mode={config.mode} does not use it, but {', '.join(modes)}", none=True)


def main(cfg: DictConfig) -> None:
    """Play, and say how it went."""
    config = typed(DemoAircraftConfig, cfg)
    check_config(config)
    run_demo(partial(make, config), config.viewer, run_folder(), config.seconds, config.record)


def make(config: DemoAircraftConfig) -> Demo:
    """The demo; made in the window's own process, where there is one."""
    airframe = load_airframe(config.aircraft)
    return aircraft_demo(config.mode, airframe, sequence=config.sequence, seed=config.seed)


if __name__ == "__main__":
    run_main(main, "demo_aircraft")
