"""Arms that PyBullet plays: URDFs with errors of their own on disk, and noisy measurements of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin import rotations, transforms
from diffkin.calibration.measurements import Measurements
from diffkin.calibration.model import CalibrationModel
from diffkin.calibration.write_urdf import TOOL_LINK, write_calibrated_urdf
from diffkin.robot import Robot
from diffkin.simulation.bullet_robot import load, to_pose
from diffkin.simulation.library import bullet, is_installed
from diffkin.simulation.world import open_world

__all__ = [
    "ArmErrors",
    "MeasurementNoise",
    "SimulatedArm",
    "SimulatedArms",
    "compare_calibrated_file",
    "make_arm",
    "random_errors",
    "spoil",
]

_FAR_POSITION, _FAR_ROTATION = 0.02, 0.05  # standard deviations of outliers [m] and [rad]


@dataclass(frozen=True)
class ArmErrors:
    """Standard deviations of a simulated arm's errors.

    Attributes:
        offset: Of joint readings [rad, m for a slide].
        translation: Of each coordinate of a joint's origin and of the tool [m].
        rotation: About each axis of a joint's origin and of the tool [rad].
    """

    offset: float
    translation: float
    rotation: float


@dataclass(frozen=True)
class MeasurementNoise:
    """What is measured, and how well.

    Attributes:
        kind: One of ``diffkin.calibration.KINDS``.
        position_sigma: Standard deviation of each coordinate [m].
        rotation_sigma: Standard deviation about each axis [rad].
        outliers: Share of positions, and of rotations, that are spoilt.
        missing: Share of positions, and of rotations, that are missing.
    """

    kind: str
    position_sigma: float
    rotation_sigma: float
    outliers: float = 0.0
    missing: float = 0.0


@dataclass(frozen=True)
class SimulatedArm:
    """A simulated arm: a URDF on disk, of which only measurements are used.

    Attributes:
        path: The URDF; its last link is ``diffkin.calibration.TOOL_LINK``.
    """

    path: Path

    def measure(self, q: Float[Tensor, "n dof"]) -> Float[Tensor, "n 4 4"]:
        """Poses of the tool at these readings, as PyBullet has them; without pybullet, as diffkin has them."""
        robot = Robot.from_urdf(self.path, tip=TOOL_LINK)
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


def random_errors(
    model: CalibrationModel, errors: ArmErrors, generator: torch.Generator
) -> Float[Tensor, " parameters"]:
    """Parameters of one arm that is off its nominal model, normally distributed."""
    sizes = {"o": errors.offset, "t": errors.translation, "r": errors.rotation}  # by the first letter of their names
    noise = torch.randn(model.size, generator=generator, device="cpu", dtype=torch.float64)
    return noise * torch.tensor([sizes[name[0]] for name in model.names], dtype=torch.float64, device="cpu")


def make_arm(truth: CalibrationModel, errors: ArmErrors, path: Path, seed: int) -> SimulatedArm:
    """Write the URDF of a simulated arm.

    Args:
        truth: The model whose parameters are in error.
        errors: How far.
        path: Where to write; the folder is made if it is not there.
        seed: Of the errors.

    Returns:
        The arm.
    """
    generator = torch.Generator().manual_seed(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_calibrated_urdf(truth, random_errors(truth, errors, generator), path, shapes=False)
    return SimulatedArm(path)


def spoil(
    poses: Float[Tensor, "n 4 4"], q: Float[Tensor, "n dof"], noise: MeasurementNoise, generator: torch.Generator
) -> Measurements:
    """Measurements of these poses with noise, and with outliers and gaps where they are asked for.

    Args:
        poses: (n, 4, 4) true poses.
        q: (n, dof) readings of the joints.
        noise: What is measured, and how well.
        generator: Of all randomness.

    Returns:
        The measurements.
    """
    data = Measurements.of_poses(q, poses, noise.position_sigma, noise.rotation_sigma, seed=generator)
    draw = torch.rand(len(q), 4, generator=generator, device="cpu", dtype=torch.float64)
    far = torch.randn(len(q), 6, generator=generator, device="cpu", dtype=torch.float64)
    position = torch.where(draw[:, :1] < noise.outliers, data.position + _FAR_POSITION * far[:, :3], data.position)
    turned = rotations.rotvec_to_matrix(_FAR_ROTATION * far[:, 3:]) @ data.rotation
    rotation = torch.where(draw[:, 1, None, None] < noise.outliers, turned, data.rotation)
    position = torch.where(draw[:, 2:3] < noise.missing, torch.nan, position)
    rotation = torch.where(draw[:, 3, None, None] < noise.missing, torch.nan, rotation)
    return Measurements(data.q, position, rotation, noise.position_sigma, noise.rotation_sigma).only(noise.kind)


@dataclass(frozen=True, eq=False)
class SimulatedArms:
    """Arms of one make, each with errors of its own, and what measures them.

    Attributes:
        truth: The model whose parameters are in error.
        errors: How far.
        noise: Of the measurements.
        held_out: (m, dof) configurations at which calibrated arms are judged.
        folder: Where their URDFs are written.
        seed: Of the errors.
    """

    truth: CalibrationModel
    errors: ArmErrors
    noise: MeasurementNoise
    held_out: Float[Tensor, "m dof"]
    folder: Path
    seed: int = 0

    def measure(
        self, index: int, q: Float[Tensor, "n dof"], generator: torch.Generator
    ) -> tuple[Measurements, Float[Tensor, "m 4 4"]]:
        """Noisy measurements of an arm at ``q``, and its true poses at ``held_out``; a ``calibration.study.Measure``."""
        path = self.folder / f"arm_{index:03d}.urdf"
        arm = make_arm(self.truth, self.errors, path, 1_000_003 * self.seed + index)
        poses = arm.measure(torch.cat((q, self.held_out)))
        return spoil(poses[: len(q)], q, self.noise, generator), poses[len(q) :]


def compare_calibrated_file(
    path: Path, model: CalibrationModel, x: Float[Tensor, " parameters"]
) -> dict[str, float | None]:
    """What our loader and PyBullet read from the URDF of a calibrated arm, beside the fitted arm.

    Args:
        path: The file, as ``write_calibrated_urdf`` wrote it.
        model: The model.
        x: (parameters,) the fit.

    Returns:
        ``loader_difference`` and ``pybullet_difference``: the largest difference of any entry of the tool's pose over 20
        configurations; None without pybullet.
    """
    q = model.robot.sample(20, seed=1)
    expected = model.poses(x, q)
    ours = Robot.from_urdf(path, tip=TOOL_LINK).forward_kinematics(q)
    theirs = SimulatedArm(path).measure(q) if is_installed() else None
    return {
        "loader_difference": float((ours - expected).abs().max()),
        "pybullet_difference": None if theirs is None else float((theirs - expected).abs().max()),
    }
