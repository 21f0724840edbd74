"""Wahba's problem: the attitude that fits two or more vector observations best.

Body vectors are what the aircraft measures, reference vectors what they are in the reference frame (NED, say):
``v_reference = R v_body`` with ``R = R_reference_body``.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from diffkin._algebra import matmul
from diffkin._gate import array, kernel, kernels_apply
from diffkin.aircraft._inputs import check_choice
from diffkin.aircraft.estimation.observations import (
    check_determined,
    check_observations,
    exceeds,
    negligible,
    unit_observations,
)
from diffkin.aircraft.estimation.profile_matrix import by_davenport, by_quest, by_svd, polish

__all__ = ["WAHBA_METHODS", "solve_wahba"]

_METHODS = {"quest": by_quest, "davenport": by_davenport, "svd": by_svd}

WAHBA_METHODS = tuple(_METHODS)
"""The methods of ``solve_wahba`` by name."""


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
    check_choice(method, WAHBA_METHODS, "method")
    check_observations(v_body, v_reference, weights)
    found = _by_kernel(v_body, v_reference, weights) if method == "quest" else None
    if found is not None and not _needs_gradient(v_body, v_reference, weights):
        return found
    body, reference, weight = unit_observations(v_body, v_reference, weights)
    total = weight.sum(-1, keepdim=True)
    check_determined(total, total > 0, "every weight is zero")
    # (3, n) @ (n, 3): the attitude profile matrix, scaled so that its singular values add up to one at most
    profile = matmul((reference * (weight / total).unsqueeze(-1)).mT, body)
    with torch.no_grad():
        start = _METHODS[method](profile.detach()) if found is None else found
    rotation, curvature = polish(start, profile)
    held = exceeds(curvature.detach(), negligible(profile.dtype))
    check_determined(profile, held, "they are parallel, or only one counts, or the best attitude is not unique")
    return rotation


def _needs_gradient(*tensors: Tensor | None) -> bool:
    return torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors)


def _by_kernel(v_body: Tensor, v_reference: Tensor, weights: Tensor | None) -> Tensor | None:
    """The answer by the kernel, without gradients; None where it does not apply or meets anything unusual."""
    given = [t for t in (v_body, v_reference, weights) if t is not None]
    if not kernels_apply(*given) or v_body.numel() == 0:
        return None
    dtype = given[0].dtype
    for tensor in given[1:]:
        dtype = torch.promote_types(dtype, tensor.dtype)
    shape = torch.broadcast_shapes(*(t.shape[:-1] for t in given[:2]), *(t.shape for t in given[2:]))
    count, n = shape[:-1].numel(), shape[-1]
    if count == 0:
        return None
    arrays = [array(t.detach().double().expand(*shape, 3).reshape(count, n, 3)) for t in given[:2]]
    heft = (
        weights.detach().double() if weights is not None else torch.ones(n, dtype=torch.float64, device=v_body.device)
    )
    arrays.append(array(heft.expand(shape).reshape(count, n)))
    out, poor = np.empty((count, 3, 3)), np.empty(count, np.uint8)
    least, solve = negligible(dtype), kernel("attitude.wahba.solve")
    kernel("threads.run_chunks")(lambda start, stop: solve(*arrays, least, out, poor, start, stop), count, 256)
    if poor.any():
        return None
    return torch.from_numpy(out).to(dtype).view(*shape[:-1], 3, 3)
