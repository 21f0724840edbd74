"""Arms that PyBullet plays: URDFs with errors of their own on disk, and noisy measurements of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import diffkin as dk
from diffkin import rotations, transforms
from diffkin.calibration.measurements import Measurements
from diffkin.calibration.model import CalibrationModel
from diffkin.calibration.write_urdf import TOOL_LINK, write_calibrated_urdf
from diffkin.simulation.world import bullet, is_installed, load, open_world, to_pose

__all__ = ["Arm", "make_arm", "perturbed", "spoil"]


@dataclass(frozen=True)
class Arm:
    """A simulated arm: a URDF on disk, of which only measurements are used."""

    path: Path

    def measure(self, q: Tensor) -> Tensor:
        """(n, 4, 4) poses of the tool at these readings, as PyBullet has them."""
        robot = dk.Robot.from_urdf(self.path, tip=TOOL_LINK)
        if not is_installed():
            return robot.forward_kinematics(q)
        p = bullet()
        placed = []
        with open_world() as client:
            arm = load(client, robot)
            index, to_link = arm.links[TOOL_LINK], transforms.inverse(arm.inertial_frame(TOOL_LINK))
            for each in q:
                arm.reset(each)
                placed.append(
                    p.getLinkState(arm.body, index, computeForwardKinematics=True, physicsClientId=client)[:2]
                )
            from_base = transforms.inverse(arm.base_pose())
        return torch.stack([from_base @ to_pose(*state) @ to_link for state in placed])


def perturbed(model: CalibrationModel, errors: Any, generator: torch.Generator) -> Tensor:
    """Parameters of one simulated arm."""
    sizes = {"o": math.radians(errors.offset_deg), "t": errors.translation_m, "r": math.radians(errors.rotation_deg)}
    noise = torch.randn(model.size, generator=generator, dtype=torch.float64)
    return noise * torch.tensor([sizes[name[0]] for name in model.names], dtype=torch.float64)


def make_arm(config: Any, truth: CalibrationModel, folder: Path, index: int) -> Arm:
    """Write the URDF of a simulated arm."""
    generator = torch.Generator().manual_seed(1_000_003 * config.seed + index)
    path = folder / "arms" / f"arm_{index:03d}.urdf"
    path.parent.mkdir(exist_ok=True)
    write_calibrated_urdf(truth, perturbed(truth, config.errors, generator), path, shapes=False)
    return Arm(path)


def spoil(poses: Tensor, q: Tensor, config: Any, generator: torch.Generator) -> Measurements:
    """Measurements with noise, and with outliers and gaps where the configuration asks for them."""
    kind = config.measurement
    position_sigma, rotation_sigma = kind.position_sigma_m, math.radians(kind.rotation_sigma_deg)
    data = Measurements.of_poses(q, poses, position_sigma, rotation_sigma, seed=generator)
    draw = torch.rand(len(q), 4, generator=generator, dtype=torch.float64)
    far = torch.randn(len(q), 6, generator=generator, dtype=torch.float64)
    position = torch.where(draw[:, :1] < kind.outliers, data.position + 0.02 * far[:, :3], data.position)
    turned = rotations.rotvec_to_matrix(0.05 * far[:, 3:]) @ data.rotation
    rotation = torch.where(draw[:, 1, None, None] < kind.outliers, turned, data.rotation)
    position = torch.where(draw[:, 2:3] < kind.missing, torch.nan, position)
    rotation = torch.where(draw[:, 3, None, None] < kind.missing, torch.nan, rotation)
    return Measurements(data.q, position, rotation, position_sigma, rotation_sigma).only(kind.kind)
