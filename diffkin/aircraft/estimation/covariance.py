"""How far attitudes from vector observations may be off: covariances of ``solve_wahba`` and ``triad``."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin._algebra import dot, inverse, matmul, promote, unit
from diffkin._checks import broadcast, check_broadcast, check_finite, check_floating, has_values
from diffkin.aircraft._inputs import check_same_device, numbers_of
from diffkin.aircraft.estimation.observations import (
    check_determined,
    check_observations,
    check_pair,
    exceeds,
    negligible,
    unit_observations,
)
from diffkin.aircraft.frames.two_vectors import check_not_parallel
from diffkin.errors import OptionError, ShapeError

__all__ = ["triad_covariance", "wahba_covariance"]


def wahba_covariance(
    v_body: Float[Tensor, "*batch n 3"],
    sigma: Float[Tensor, "*batch n"],
    weights: Float[Tensor, "*batch n"] | None = None,
) -> Float[Tensor, "*batch 3 3"]:
    """Covariance of the attitude that ``solve_wahba`` finds, for small noise.

    The error is the rotation vector e in body axes with ``R_found = R_true exp(hat(e))``. Each unit body vector b
    carries noise of standard deviation sigma along each of the two directions across it (the QUEST measurement model;
    Shuster and Oh, 1981); noise of reference vectors adds to it, sigma^2 = sigma_body^2 + sigma_reference^2::

        P = A^-1 (sum w_i^2 sigma_i^2 (I - b_i b_i^T)) A^-1,   A = sum w_i (I - b_i b_i^T)

    and ``P = A^-1`` with the best weights, 1 / sigma^2.

    Args:
        v_body: (*batch, n, 3) vectors in body axes.
        sigma: (*batch, n) standard deviations [rad].
        weights: (*batch, n) as given to ``solve_wahba``; 1 / sigma^2 if None. All leading axes broadcast.

    Returns:
        (*batch, 3, 3) [rad^2].

    Raises:
        ShapeError: Shapes do not fit each other.
        OptionError: A weight or standard deviation is negative, or a standard deviation zero without weights.
        AttitudeError: The vectors do not determine an attitude.
    """
    check_floating(sigma, "sigma")
    check_finite(sigma, "sigma")
    if sigma.ndim == 0:
        raise ShapeError("sigma must have shape (*batch, n), got ().")
    if has_values(sigma) and bool((sigma.detach() < 0).any() or (weights is None and (sigma.detach() == 0).any())):
        raise OptionError(f"sigma must be positive, got {float(sigma.min()):.3g}.")
    weights = 1.0 / sigma.square() if weights is None else weights
    check_observations(v_body, v_body, weights)
    check_same_device(v_body=v_body, sigma=sigma)
    if sigma.shape[-1] not in (1, v_body.shape[-2]):
        raise ShapeError(f"sigma must have shape (*batch, {v_body.shape[-2]}), got {tuple(sigma.shape)}.")
    broadcast(v_body=v_body.shape[:-1], sigma=sigma.shape)
    body, _, weight = unit_observations(v_body, v_body, weights)
    weight = weight / weight.sum(-1, keepdim=True)
    eye = torch.eye(3, dtype=body.dtype, device=body.device)
    across = eye - body.unsqueeze(-1) * body.unsqueeze(-2)
    information = (weight[..., None, None] * across).sum(-3)
    held = exceeds(information, negligible(body.dtype))
    check_determined(information, held, "they are parallel, or only one counts")
    noise = ((weight * sigma.to(body.dtype)).square()[..., None, None] * across).sum(-3)
    spread = inverse(information)[0]
    return matmul(matmul(spread, noise), spread)


def triad_covariance(
    first_body: Float[Tensor, "*batch 3"],
    second_body: Float[Tensor, "*batch 3"],
    sigma_first: float | Tensor,
    sigma_second: float | Tensor,
) -> Float[Tensor, "*batch 3 3"]:
    """Covariance of the attitude that ``triad`` finds, for small noise.

    With unit vectors a and b, noise as in ``wahba_covariance`` (Shuster and Oh, 1981)::

        P = s1^2 I + (s1^2 (a.b) (a b^T + b a^T) + (s2^2 - s1^2) a a^T) / |a x b|^2

    Args:
        first_body: (*batch, 3) the direction met exactly, in body axes.
        second_body: (*batch, 3) the other one. Leading axes broadcast.
        sigma_first: Standard deviation of the first [rad], a number or (*batch,).
        sigma_second: Standard deviation of the second [rad].

    Returns:
        (*batch, 3, 3) [rad^2], of the rotation vector in body axes.

    Raises:
        ShapeError: A last axis is not 3, or the leading axes do not broadcast.
        OptionError: A standard deviation is negative.
        AttitudeError: A direction is zero, or they are parallel.
    """
    pair = check_pair(first_body, second_body, "body")
    check_broadcast(**{name: vector.shape[:-1] for name, vector in pair.items()})
    a, b = torch.broadcast_tensors(*promote(*map(unit, pair.values())))
    cross = torch.linalg.cross(a, b)
    square, cosine = dot(cross, cross), dot(a, b).unsqueeze(-1)
    check_not_parallel(pair, square.sqrt(), negligible(a.dtype), "Give two directions that differ.")
    sigmas = []
    for name, given in {"sigma_first": sigma_first, "sigma_second": sigma_second}.items():
        sigma = numbers_of(given, name, a)
        broadcast(**{name: sigma.shape, "directions": a.shape[:-1]})
        check_finite(sigma, name)
        if has_values(sigma) and bool((sigma.detach() < 0).any()):
            raise OptionError(f"{name} must not be negative, got {float(sigma.min()):.3g}.")
        sigmas.append(sigma[..., None, None])
    s1, s2 = sigmas
    aa, ab = a.unsqueeze(-1) * a.unsqueeze(-2), a.unsqueeze(-1) * b.unsqueeze(-2)
    eye = torch.eye(3, dtype=a.dtype, device=a.device)
    spread = s1.square() * cosine * (ab + ab.mT) + (s2.square() - s1.square()) * aa
    return s1.square() * eye + spread / square.unsqueeze(-1)
