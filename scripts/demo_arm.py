"""Play with an arm: its tip follows a target that you move, and the numbers that decide trust stand beside it.

    python scripts/demo_arm.py robot=franka_panda
    python scripts/demo_arm.py mode=circle seconds=10 record=film.mp4
    python scripts/demo_arm.py mode=learned checkpoint=outputs/train_ik/.../network.safetensors
    python scripts/demo_arm.py viewer=browser

PyBullet's window opens; where there is no display, a film is made. Esc, closing the window, Ctrl-C and seconds=5 end it.
The run folder holds results.json, the film where no name was given for it and, in .hydra, the configuration.
"""

from dataclasses import dataclass
from functools import partial
from typing import Optional

from common.demos import ViewerConfig, check_stage, run_demo
from common.folders import run_folder
from common.given import unused
from common.robots import RobotConfig, load_robot
from common.run import run_main
from common.settings import check_not_negative, choose, typed
from omegaconf import DictConfig

from diffkin.demos.arm import MODES, SOLVER_NAMES, bullet_opinion, make_arm_demo
from diffkin.demos.arm.surroundings import Surroundings
from diffkin.demos.scene import Demo

_USED = {
    "first_solver": ("follow", "circle", "lissajous", "reach"),
    "bullet": ("follow", "circle", "lissajous", "reach"),
    "checkpoint": ("learned",),
    "seed": ("follow", "reach", "learned"),
}  # modes that look at a setting


@dataclass(frozen=True)
class DemoArmConfig:
    """All there is to choose."""

    robot: RobotConfig
    viewer: ViewerConfig
    mode: str
    first_solver: str
    checkpoint: Optional[str]
    bullet: bool
    seconds: Optional[float]
    record: Optional[str]
    seed: int


def check_config(config: DemoArmConfig) -> None:
    """Raise for values out of range."""
    check_stage(config)
    choose(config.mode, MODES, "mode")
    choose(config.first_solver, SOLVER_NAMES, "first_solver")
    check_not_negative(config, "seed")
    for key, modes in _USED.items():
        if config.mode not in modes:
            unused(key, f"mode={config.mode} does not use it, but {', '.join(modes)}", none=True)
    if config.mode == "follow" and config.viewer.name == "film":
        unused("seed", "it is for random targets, which nobody asks for in a film of mode=follow")


def main(cfg: DictConfig) -> None:
    """Play, and say how it went."""
    config = typed(DemoArmConfig, cfg)
    check_config(config)
    run_demo(partial(make, config), config.viewer, run_folder(), config.seconds, config.record)


def make(config: DemoArmConfig) -> Demo:
    """The demo; made in the window's own process, where there is one."""
    robot = load_robot(config.robot)
    opinion = bullet_opinion(robot) if config.bullet else None
    demo = make_arm_demo(
        robot, config.mode, opinion=opinion, solver=config.first_solver, checkpoint=config.checkpoint, seed=config.seed
    )
    return Surroundings(demo, robot) if config.viewer.name == "browser" else demo


if __name__ == "__main__":
    run_main(main, "demo_arm")
