"""Rigid bodies: inertia that a body can have, angular momentum and energy of rotation."""

from __future__ import annotations

import torch
from torch import Tensor

from diffkin._algebra import apply
from diffkin._checks import broadcast, check_finite, check_floating, check_last, has_values
from diffkin.aircraft._inputs import check_same_device
from diffkin.errors import AttitudeError, ShapeError

__all__ = ["angular_momentum", "check_inertia", "inertia_matrix", "rotational_energy"]


def check_inertia(inertia: Tensor, name: str = "inertia") -> Tensor:
    """The inertia as a matrix, checked to be that of a body that can exist.

    Args:
        inertia: (3,) principal moments, or (*batch, 3, 3) [kg m^2].
        name: What to call it in messages.

    Returns:
        (3, 3) or (*batch, 3, 3).

    Raises:
        ShapeError: Another shape.
        NonFiniteError: It holds NaN or infinity.
        AttitudeError: Not symmetric, not positive definite, or the triangle inequality is broken.
    """
    inertia = inertia_matrix(inertia, name)
    check_finite(inertia, name)
    if not has_values(inertia) or inertia.numel() == 0:
        return inertia
    exact = inertia.detach().double()
    scale = exact.abs().amax((-2, -1))
    slack = 1e-6 * scale
    skew = (exact - exact.mT).abs().amax((-2, -1))
    if bool((skew > slack).any()):
        raise AttitudeError(
            f"{name} is not symmetric: |J - J^T| is {float(skew.max()):.3g}. Products of inertia come in equal pairs."
        )
    moments = torch.linalg.eigvalsh(exact)
    if bool((moments[..., 0] <= 0).any()):
        raise AttitudeError(
            f"{name} is not positive definite: its smallest principal moment is {float(moments[..., 0].min()):.3g}. "
            "Every principal moment must be positive."
        )
    excess = moments[..., 2] - moments[..., 0] - moments[..., 1]
    if bool((excess > slack).any()):
        worst = moments.reshape(-1, 3)[int(excess.argmax())].tolist()
        shown = ", ".join(f"{moment:.4g}" for moment in worst)
        raise AttitudeError(
            f"{name} breaks the triangle inequality: of the principal moments ({shown}) one exceeds the sum of the two "
            "others. No distribution of mass has it; check units and products of inertia."
        )
    return inertia


def inertia_matrix(inertia: Tensor, name: str = "inertia") -> Tensor:
    """The inertia as a matrix; its shape is checked, its values are not."""
    check_floating(inertia, name)
    if inertia.ndim == 1:
        check_last(inertia, (3,), name)
        inertia = torch.diag_embed(inertia)
    elif inertia.ndim == 0 or inertia.shape[-2:] != (3, 3):
        raise ShapeError(
            f"{name} must have shape (3,) (principal moments) or (*batch, 3, 3), got {tuple(inertia.shape)}. "
            "For one set of principal moments per body use torch.diag_embed(...)."
        )
    return inertia


def rotational_energy(omega: Tensor, inertia: Tensor) -> Tensor:
    """Kinetic energy of rotation, ``w . J w / 2`` (rotors aside).

    Args:
        omega: (*batch, 3) in body axes [rad/s].
        inertia: (3,) principal moments or (*batch, 3, 3); leading axes broadcast [kg m^2].

    Returns:
        (*batch,) [J].

    Raises:
        ShapeError: Shapes do not fit.
    """
    check_last(omega, (3,), "omega")
    J = inertia_matrix(inertia)
    check_same_device(omega=omega, inertia=J)
    broadcast(omega=omega.shape[:-1], inertia=J.shape[:-2])
    return 0.5 * (omega * apply(J, omega)).sum(-1)


def angular_momentum(R: Tensor, omega: Tensor, inertia: Tensor, rotor_momentum: Tensor | None = None) -> Tensor:
    """Angular momentum in inertial axes, ``R (J w + h)``: constant where no torque acts.

    Args:
        R: (*batch, 3, 3) attitude, body to inertial.
        omega: (*batch, 3) in body axes [rad/s].
        inertia: (3,) principal moments or (*batch, 3, 3); leading axes broadcast [kg m^2].
        rotor_momentum: (*batch, 3) spin angular momentum of rotors in body axes [N m s].

    Returns:
        (*batch, 3) [N m s].

    Raises:
        ShapeError: Shapes do not fit.
    """
    check_last(R, (3, 3), "R")
    check_last(omega, (3,), "omega")
    J = inertia_matrix(inertia)
    check_same_device(R=R, omega=omega, inertia=J)
    broadcast(R=R.shape[:-2], omega=omega.shape[:-1], inertia=J.shape[:-2])
    spin = apply(J, omega)
    if rotor_momentum is not None:
        check_last(rotor_momentum, (3,), "rotor_momentum")
        check_same_device(R=R, rotor_momentum=rotor_momentum)
        broadcast(R=R.shape[:-2], spin=spin.shape[:-1], rotor_momentum=rotor_momentum.shape[:-1])
        spin = spin + rotor_momentum
    return apply(R, spin)
