"""The attitude that carries two directions of the body onto two of a reference frame, and the angle between two."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from diffkin._algebra import matmul, promote, unit
from diffkin._checks import check_broadcast, has_values
from diffkin.aircraft._inputs import check_same_device
from diffkin.errors import AttitudeError

__all__ = ["attitude_from_two", "axes_of_two", "check_not_parallel", "sine_between"]


def attitude_from_two(
    body: Mapping[str, Tensor], reference: Mapping[str, Tensor], *, parallel: float, advice: str
) -> Tensor:
    """The attitude that carries the first body direction exactly onto the first of reference, the second as nearly.

    Each pair makes the right-handed axes of ``axes_of_two``; the rotation carries one set onto the other (Black, A
    passive system for determining the attitude of a satellite, AIAA Journal, 1964).

    Args:
        body: The two directions (*batch, 3) in body axes, non-zero, by the names under which the caller knows them.
        reference: Where they are in reference axes, likewise. All leading axes broadcast.
        parallel: Sine of the angle up to which two directions count as parallel: how small an angle still says
            something about the turn round the first direction is for the caller to judge.
        advice: What to do where they are parallel, for the message.

    Returns:
        (*batch, 3, 3) ``R_reference_body``, differentiable in every argument.

    Raises:
        diffkin.errors.ShapeError: The leading axes do not broadcast.
        diffkin.errors.AttitudeError: Two directions of a pair are parallel.
    """
    check_broadcast(**{name: vector.shape[:-1] for name, vector in {**body, **reference}.items()})
    check_same_device(**body, **reference)
    found = []
    for pair in (body, reference):
        axes, sine = axes_of_two(*pair.values())
        check_not_parallel(pair, sine, parallel, advice)
        found.append(axes)
    return matmul(found[1], found[0].mT)


def check_not_parallel(names: Iterable[str], sine: Tensor, parallel: float, advice: str) -> None:
    """Raise unless the sine of the angle between the two directions of these names exceeds ``parallel`` everywhere."""
    if has_values(sine) and not bool((sine.detach() > parallel).all()):
        raise AttitudeError(f"{' and '.join(names)} are parallel, so they do not determine an attitude. {advice}")


def axes_of_two(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Right-handed axes of two directions: along the first, across both, and across these two.

    Args:
        first: (*batch, 3), of any non-zero length.
        second: (*batch, 3), of any non-zero length; leading axes broadcast.

    Returns:
        (*batch, 3, 3) the axes as columns, the last two zero where the directions are parallel, and (*batch,) the sine
        of the angle between the directions, without gradient.
    """
    first, second = torch.broadcast_tensors(*promote(unit(first), unit(second)))
    across = torch.linalg.cross(first, second)
    normal = unit(across)
    axes = torch.stack((first, normal, torch.linalg.cross(first, normal)), dim=-1)
    return axes, torch.linalg.vector_norm(across.detach(), dim=-1)


def sine_between(first: Tensor, second: Tensor) -> Tensor:
    """Sine of the angle between two directions (*batch, 3) of any length, (*batch,), without gradient."""
    with torch.no_grad():
        a, b = torch.broadcast_tensors(*promote(unit(first), unit(second)))
        return torch.linalg.vector_norm(torch.linalg.cross(a, b), dim=-1)
