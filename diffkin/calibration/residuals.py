"""The residuals of a calibration and their derivative, in units of the noise."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin import rotations
from diffkin._algebra import matmul
from diffkin.calibration.measurements import Measurements, check_measurements
from diffkin.calibration.model import CalibrationModel, check_model

__all__ = ["residuals_at", "system"]


def residuals_at(model: CalibrationModel, x: Float[Tensor, " parameters"], data: Measurements) -> Float[Tensor, "n 6"]:
    """Measured minus predicted, in units of the noise: positions, then the rotation vector of ``R_measured R^T``.

    Args:
        model: The model.
        x: (parameters,) parameters.
        data: The measurements.

    Returns:
        (n, 6), 0 where nothing was measured.
    """
    check_model(model)
    check_measurements(data)
    return _residuals(model.poses(x, data.q), data)[0]


def system(
    model: CalibrationModel, x: Float[Tensor, " parameters"], data: Measurements
) -> tuple[Float[Tensor, "n 6"], Float[Tensor, "n 6 parameters"]]:
    """``residuals_at`` and the derivative of the prediction, both in units of the noise.

    The derivative of the rotation residual against an angular velocity of the prediction is minus the inverse right
    Jacobian of its rotation vector. Rows of what was not measured are 0.

    Args:
        model: The model.
        x: (parameters,) parameters.
        data: The measurements.

    Returns:
        (n, 6) residuals and (n, 6, parameters) derivative.
    """
    check_model(model)
    check_measurements(data)
    residuals, turn = _residuals(model.poses(x, data.q), data)
    jacobian = model.jacobian(x, data.q)
    angular = matmul(rotations.right_jacobian_inverse(turn), jacobian[:, 3:])
    rows = torch.cat((jacobian[:, :3] / data.position_sigma, angular / data.rotation_sigma), dim=1)
    return residuals, torch.where(data.valid()[..., None], rows, 0.0)


def _residuals(poses: Tensor, data: Measurements) -> tuple[Tensor, Tensor]:
    """(n, 6) residuals, and (n, 3) rotation vectors from the prediction to what was measured [rad]."""
    valid = data.valid()
    measured = torch.where(valid[:, 3, None, None], data.rotation, poses[:, :3, :3])
    turn = rotations.matrix_to_rotvec(matmul(measured, poses[:, :3, :3].transpose(-1, -2)), check=False)
    moved = (data.position - poses[:, :3, 3]) / data.position_sigma
    return torch.where(valid, torch.cat((moved, turn / data.rotation_sigma), dim=-1), 0.0), turn
