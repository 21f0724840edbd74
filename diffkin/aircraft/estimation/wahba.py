"""Attitude from vector observations: TRIAD and Wahba's problem, with covariances.

Body vectors are what the aircraft measures, reference vectors what they are in the reference frame (NED, say):
``v_reference = R v_body`` with ``R = R_reference_body``.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from diffkin._algebra import dot, matmul, solve3
from diffkin._checks import check_finite, check_floating, check_last, has_values
from diffkin.aircraft.dynamics.by_kernel import fused_applies
from diffkin.errors import AttitudeError, OptionError, ShapeError, closest
from diffkin.rotations import quat_xyzw_to_matrix, rotvec_to_matrix, vee

__all__ = ["WAHBA_METHODS", "solve_wahba", "triad", "triad_covariance", "wahba_covariance"]

WAHBA_METHODS = ("quest", "davenport", "svd")


def solve_wahba(
    v_body: Float[Tensor, "*batch n 3"],
    v_reference: Float[Tensor, "*batch n 3"],
    weights: Float[Tensor, "*batch n"] | None = None,
    *,
    method: str = "quest",
) -> Float[Tensor, "*batch 3 3"]:
    """Attitude that fits two or more vector observations best.

    Wahba's problem ("A least squares estimate of satellite attitude", 1965): R minimises
    ``1/2 sum_i w_i |v_body_i - R^T v_reference_i|^2`` of the normalised vectors, that is, maximises ``tr(R^T B)`` with
    ``B = sum_i w_i v_reference_i v_body_i^T``. All methods give the same attitude to rounding; their answer is polished
    by Newton steps ``R <- R exp((tr(K) I - K)^-1 2 vee(K))``, ``K = R^T B``, which also carry the derivatives: exact to
    second order, for noise-free data (equal singular values) too.

    Args:
        v_body: (*batch, n, 3) vectors in body axes, any length but zero.
        v_reference: (*batch, n, 3) the same vectors in reference axes.
        weights: (*batch, n) not negative, all 1 if None; 1 / sigma^2 is best for noise sigma. Those of weight zero do
            not count, whatever they are. All leading axes broadcast.
        method: "quest" (largest root of the characteristic polynomial; Shuster and Oh, 1981; where it is
            ill-conditioned, "svd" takes over), "davenport" (the q-method: an eigenvector of the 4x4 matrix) or "svd"
            (Markley, 1988).

    Returns:
        (*batch, 3, 3) R_reference_body.

    Raises:
        ShapeError: Shapes do not fit each other.
        OptionError: A negative weight.
        AttitudeError: A vector that counts is zero, or the vectors do not determine an attitude: a single one, all
            parallel, or a set whose best attitude is not unique.
        UnknownNameError: Unknown method.
    """
    if method not in WAHBA_METHODS:
        raise closest(method, WAHBA_METHODS, "method")
    _check_shapes(v_body, v_reference, weights)
    found = _by_kernel(v_body, v_reference, weights) if method == "quest" else None
    if found is not None and not _needs_gradient(v_body, v_reference, weights):
        return found
    body, reference, weight = _observations(v_body, v_reference, weights)
    total = weight.sum(-1, keepdim=True)
    _check(total, total > 0, "every weight is zero")
    # (3, n) @ (n, 3): the attitude profile matrix, scaled so that its singular values add up to one at most
    profile = matmul((reference * (weight / total).unsqueeze(-1)).mT, body)
    with torch.no_grad():
        fixed = profile.detach()
        if method == "svd":
            start = _svd(fixed)
        elif method == "davenport":
            start = quat_xyzw_to_matrix(torch.linalg.eigh(_davenport(fixed))[1][..., -1])
        else:
            start = _quest(fixed) if found is None else found
    rotation, curvature = _polish(start, profile)
    held = _exceeds(curvature.detach(), 64 * torch.finfo(profile.dtype).eps)
    _check(profile, held, "they are parallel, or only one counts, or the best attitude is not unique")
    return rotation


def _check_shapes(v_body: Tensor, v_reference: Tensor, weights: Tensor | None) -> None:
    check_last(v_body, (3,), "v_body")
    check_last(v_reference, (3,), "v_reference")
    for name, vectors in {"v_body": v_body, "v_reference": v_reference}.items():
        if vectors.ndim < 2:
            raise ShapeError(f"{name} must have shape (*batch, n, 3), got {tuple(vectors.shape)}.")
    shapes = [v_body.shape[:-1], v_reference.shape[:-1]]
    if weights is not None:
        check_floating(weights, "weights")
        shapes.append(weights.shape)
    given = f"v_body {tuple(v_body.shape)}, v_reference {tuple(v_reference.shape)}" + (
        "" if weights is None else f" and weights {tuple(weights.shape)}"
    )
    if any(len(shape) < 1 or shape[-1] != shapes[0][-1] for shape in shapes):
        raise ShapeError(
            f"{given} must hold the same number n of vectors: (*batch, n, 3), (*batch, n, 3), (*batch, n)."
        )
    try:
        torch.broadcast_shapes(*shapes)
    except RuntimeError:
        raise ShapeError(f"Leading axes do not broadcast: {given}.") from None


def _needs_gradient(*tensors: Tensor | None) -> bool:
    return torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors)


def _by_kernel(v_body: Tensor, v_reference: Tensor, weights: Tensor | None) -> Tensor | None:
    """The answer by the fused kernel, without gradients; None where it does not apply or meets anything unusual."""
    given = [t for t in (v_body, v_reference, weights) if t is not None]
    if not fused_applies(*given) or v_body.numel() == 0:
        return None
    from diffkin.kernels.attitude import wahba
    from diffkin.kernels.threads import run_chunks

    dtype = given[0].dtype
    for tensor in given[1:]:
        dtype = torch.promote_types(dtype, tensor.dtype)
    shape = torch.broadcast_shapes(*(t.shape[:-1] for t in given[:2]), *(t.shape for t in given[2:]))
    count, n = shape[:-1].numel(), shape[-1]
    if count == 0:
        return None
    arrays = [t.detach().double().expand(*shape, 3).reshape(count, n, 3).contiguous().numpy() for t in given[:2]]
    heft = weights.detach().double() if weights is not None else torch.ones(n, dtype=torch.float64)
    arrays.append(heft.expand(shape).reshape(count, n).contiguous().numpy())
    out, poor = np.empty((count, 3, 3)), np.empty(count, np.uint8)
    tolerance = 64 * torch.finfo(dtype).eps
    run_chunks(lambda start, stop: wahba.solve(*arrays, tolerance, out, poor, start, stop), count, 256)
    if poor.any():
        return None
    return torch.from_numpy(out).to(dtype).view(*shape[:-1], 3, 3)


def _observations(v_body: Tensor, v_reference: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Unit vectors and weights, their values checked; shapes have been."""
    if weights is None:
        weights = torch.ones(v_body.shape[-2], dtype=v_body.dtype, device=v_body.device)
    for name, tensor in {"v_body": v_body, "v_reference": v_reference, "weights": weights}.items():
        check_finite(tensor, name)
    if has_values(weights) and bool((weights.detach() < 0).any()):
        raise OptionError(f"weights must not be negative, got {float(weights.min()):.3g}.")
    batch = torch.broadcast_shapes(v_body.shape[:-1], v_reference.shape[:-1], weights.shape)
    dtype = torch.promote_types(torch.promote_types(v_body.dtype, v_reference.dtype), weights.dtype)
    weights = weights.to(dtype).expand(batch)
    counts = weights.detach() > 0
    return _unit(v_body.to(dtype), counts, "v_body"), _unit(v_reference.to(dtype), counts, "v_reference"), weights


def _unit(vectors: Tensor, counts: Tensor, name: str) -> Tensor:
    """Vectors of length one; those of length zero (allowed where they do not count) stay zero."""
    scale = vectors.detach().abs().amax(-1, keepdim=True)
    zero = scale == 0
    if has_values(vectors) and bool((zero.squeeze(-1) & counts).any()):
        raise AttitudeError(f"{name} holds a zero vector, which has no direction. Leave it out or give it weight zero.")
    vectors = vectors / torch.where(zero, 1.0, scale)  # squares neither overflow nor vanish
    square = dot(vectors, vectors)
    return vectors / torch.sqrt(torch.where(zero, 1.0, square))


def _check(value: Tensor, good: Tensor, why: str) -> None:
    if has_values(value) and not bool(good.all()):
        bad = int((~good).sum())
        raise AttitudeError(
            f"The vectors do not determine an attitude in {bad} of {good.numel()} problems: {why}. "
            "Give at least two directions that differ, in both frames, with positive weights."
        )


def _polish(rotation: Tensor, profile: Tensor) -> tuple[Tensor, Tensor]:
    """Two steps of Newton's method on the group, and the curvature ``tr(K) I - K`` at the last."""
    for _ in range(2):
        step, curvature = _newton(rotation, profile)
        rotation = matmul(rotation, rotvec_to_matrix(step))
    return rotation, curvature


def _newton(rotation: Tensor, profile: Tensor) -> tuple[Tensor, Tensor]:
    k = matmul(rotation.mT, profile)
    trace = k.diagonal(dim1=-2, dim2=-1).sum(-1)[..., None, None]
    eye = torch.eye(3, dtype=profile.dtype, device=profile.device)
    curvature = trace * eye - 0.5 * (k + k.mT)
    return solve3(curvature, 2.0 * vee(k)), curvature


def _exceeds(matrix: Tensor, bound: float) -> Tensor:
    """Whether the smallest eigenvalue of a symmetric matrix exceeds a bound, by leading minors."""
    a, b, c = (matrix - bound * torch.eye(3, dtype=matrix.dtype, device=matrix.device)).unbind(-1)
    second = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    return (a[..., 0] > 0) & (second > 0) & (dot(a, torch.linalg.cross(b, c)).squeeze(-1) > 0)


def _svd(profile: Tensor) -> Tensor:
    u, _, vh = torch.linalg.svd(profile)
    last = torch.linalg.det(u) * torch.linalg.det(vh)
    scale = torch.stack([torch.ones_like(last), torch.ones_like(last), last], -1)
    return matmul(u * scale.unsqueeze(-2), vh)


def _davenport(profile: Tensor) -> Tensor:
    """The matrix with ``q^T K q = tr(R(q)^T B)``, q in xyzw."""
    trace = profile.diagonal(dim1=-2, dim2=-1).sum(-1)[..., None, None]
    eye = torch.eye(3, dtype=profile.dtype, device=profile.device)
    z = 2.0 * vee(profile)
    top = torch.cat([profile + profile.mT - trace * eye, z.unsqueeze(-1)], -1)
    return torch.cat([top, torch.cat([z.unsqueeze(-2), trace], -1)], -2)


def _quest(profile: Tensor) -> Tensor:
    if not has_values(profile):  # no choice by value can be made there
        return _svd(profile)
    # Turn the reference frame by half a turn about an axis where that brings the answer nearer to the identity; the
    # quaternion below is 0/0 at the half turn (Shuster and Oh's sequential rotations).
    signs = profile.new_tensor([[1.0, 1.0, 1.0], [1.0, -1.0, -1.0], [-1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]])
    best = matmul(profile.diagonal(dim1=-2, dim2=-1).unsqueeze(-2), signs.mT).squeeze(-2).argmax(-1)
    flip = signs[best].unsqueeze(-1)
    b = flip * profile
    # Largest root of det(K - l I) by Newton from above, where it is convex (Markley's form, 1993)
    square = b.square().sum((-2, -1))
    x, y, z = b.unbind(-2)
    minors = torch.stack([torch.linalg.cross(y, z), torch.linalg.cross(z, x), torch.linalg.cross(x, y)], -2)
    det = dot(x, minors[..., 0, :]).squeeze(-1)
    fourth = 4.0 * minors.square().sum((-2, -1))
    root = torch.ones_like(det)
    for _ in range(5):
        gap = root * root - square
        slope = 4.0 * root * gap - 8.0 * det
        root = root - (gap * gap - 8.0 * root * det - fourth) / torch.where(slope == 0, 1.0, slope)
    # q = ((alpha I + beta S + S^2) z, gamma)
    s = b + b.mT
    vector = 2.0 * vee(b)
    sigma = b.diagonal(dim1=-2, dim2=-1).sum(-1)
    kappa = 0.5 * ((2.0 * sigma).square() - s.square().sum((-2, -1)))
    s0, s1, s2 = s.unbind(-2)
    delta = dot(s0, torch.linalg.cross(s1, s2)).squeeze(-1)
    alpha = root * root - sigma * sigma + kappa
    sv = (s * vector.unsqueeze(-2)).sum(-1)
    part = alpha.unsqueeze(-1) * vector + (root - sigma).unsqueeze(-1) * sv + (s * sv.unsqueeze(-2)).sum(-1)
    quat = torch.cat([part, ((root + sigma) * alpha - delta).unsqueeze(-1)], -1)
    length = torch.sqrt(dot(quat, quat))
    unit = torch.where(length > 0, quat / torch.where(length > 0, length, 1.0), quat.new_tensor([0.0, 0.0, 0.0, 1.0]))
    rotation = flip * quat_xyzw_to_matrix(unit)
    step, curvature = _newton(rotation, profile)
    poor = ~(_exceeds(curvature, 0.0) & (step.abs().amax(-1) < 1e-4))
    if bool(poor.any()):
        rotation[poor] = _svd(profile[poor])
    return rotation


def triad(
    first_body: Float[Tensor, "*batch 3"],
    second_body: Float[Tensor, "*batch 3"],
    first_reference: Float[Tensor, "*batch 3"],
    second_reference: Float[Tensor, "*batch 3"],
) -> Float[Tensor, "*batch 3 3"]:
    """Attitude from two directions, the first met exactly (Black, "A passive system for determining attitude", 1964).

    Args:
        first_body: (*batch, 3) the direction to trust, in body axes.
        second_body: (*batch, 3) the other one; only its part across the first counts.
        first_reference: (*batch, 3) the first direction in reference axes.
        second_reference: (*batch, 3) the second direction in reference axes. Leading axes broadcast.

    Returns:
        (*batch, 3, 3) R_reference_body.

    Raises:
        ShapeError: A last axis is not 3.
        AttitudeError: A direction is zero, or two are parallel.
    """
    body = _triad_axes(first_body, second_body, "body")
    return matmul(_triad_axes(first_reference, second_reference, "reference"), body.mT)


def _triad_axes(first: Tensor, second: Tensor, frame: str) -> Tensor:
    units = []
    for name, vector in {f"first_{frame}": first, f"second_{frame}": second}.items():
        check_last(vector, (3,), name)
        check_finite(vector, name)
        units.append(_unit(vector, torch.ones_like(vector[..., 0], dtype=torch.bool), name))
    across = torch.linalg.cross(*torch.broadcast_tensors(*units))
    square = dot(across, across)
    far = square > (64 * torch.finfo(square.dtype).eps) ** 2
    if has_values(square) and not bool(far.all()):
        raise AttitudeError(
            f"first_{frame} and second_{frame} are parallel and do not determine an attitude. Give two directions."
        )
    normal = across / torch.sqrt(torch.where(far, square, 1.0))
    head = units[0].expand_as(normal)
    return torch.stack([head, normal, torch.linalg.cross(head, normal)], -1)


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
    if has_values(sigma) and bool((sigma.detach() < 0).any() or (weights is None and (sigma.detach() == 0).any())):
        raise OptionError(f"sigma must be positive, got {float(sigma.min()):.3g}.")
    weights = 1.0 / sigma.square() if weights is None else weights
    _check_shapes(v_body, v_body, weights)
    body, _, weight = _observations(v_body, v_body, weights)
    weight = weight / weight.sum(-1, keepdim=True)
    eye = torch.eye(3, dtype=body.dtype, device=body.device)
    across = eye - body.unsqueeze(-1) * body.unsqueeze(-2)
    information = (weight[..., None, None] * across).sum(-3)
    held = _exceeds(information, 64 * torch.finfo(body.dtype).eps)
    _check(information, held, "they are parallel, or only one counts")
    noise = ((weight * sigma.to(body.dtype)).square()[..., None, None] * across).sum(-3)
    inverse = torch.linalg.inv(information)
    return matmul(matmul(inverse, noise), inverse)


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
        ShapeError: A last axis is not 3.
        AttitudeError: A direction is zero, or they are parallel.
    """
    axes = _triad_axes(first_body, second_body, "body")
    a = axes[..., 0]
    b = _unit(second_body, torch.ones_like(second_body[..., 0], dtype=torch.bool), "second_body").expand_as(a)
    s1, s2 = (torch.as_tensor(s, dtype=a.dtype, device=a.device)[..., None, None] for s in (sigma_first, sigma_second))
    cross = torch.linalg.cross(a, b)
    sine_squared, cosine = dot(cross, cross).unsqueeze(-1), dot(a, b).unsqueeze(-1)
    aa, ab = a.unsqueeze(-1) * a.unsqueeze(-2), a.unsqueeze(-1) * b.unsqueeze(-2)
    eye = torch.eye(3, dtype=a.dtype, device=a.device)
    spread = s1.square() * cosine * (ab + ab.mT) + (s2.square() - s1.square()) * aa
    return s1.square() * eye + spread / sine_squared
