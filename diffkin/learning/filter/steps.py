"""One step of each attitude filter, with the component on the first axis: gradients and many gains at once are cheap.

The filters are ``aircraft.mahony_step`` and ``aircraft.madgwick_step``. Vectors are (3, *many), quaternions (4, *many) and
every product is one small matrix product, so that a step costs few operations and thousands of gains run beside each
other. The algebra that the rest of the package shares takes components on the last axis; with it every operation of a step
would have to transpose, so ``_unit`` and ``_cross`` stand here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from diffkin._given import one_of

__all__ = ["FILTERS", "FilterStep", "filter_named"]

FilterStep = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, float, Tensor], tuple[Tensor, Tensor]]
"""``(quaternion, bias, rate, down, field, dt, gains) -> (quaternion, bias)``."""


@cache
def _products(dtype: torch.dtype, device: str) -> tuple[Tensor, Tensor, Tensor]:
    """Constants: (4, 16) quaternion product, (9, 16) rotation matrix, (9, 4, 4) derivative of Madgwick's matrix.

    The first two act on the outer products of quaternions xyzw. Madgwick writes the matrix with ``1 - 2 (y^2 + z^2)``
    on its diagonal; its derivative by the quaternion is linear.
    """
    x, y, z, w = range(4)
    product = torch.zeros(4, 4, 4, device="cpu")
    for row, terms in enumerate(
        (
            ((w, x, 1), (x, w, 1), (y, z, 1), (z, y, -1)),
            ((w, y, 1), (x, z, -1), (y, w, 1), (z, x, 1)),
            ((w, z, 1), (x, y, 1), (y, x, -1), (z, w, 1)),
            ((w, w, 1), (x, x, -1), (y, y, -1), (z, z, -1)),
        )
    ):
        for a, b, sign in terms:
            product[row, a, b] = sign
    matrix = torch.zeros(3, 3, 4, 4, device="cpu")
    printed = torch.zeros(
        3, 3, 4, 4, device="cpu"
    )  # quadratic part of the printed matrix, without the 1 on the diagonal
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        for axis, sign in ((i, 1), (j, -1), (k, -1), (w, 1)):
            matrix[i, i, axis, axis] = sign
        printed[i, i, j, j] = printed[i, i, k, k] = -2.0
        matrix[i, j, i, j] = matrix[j, i, i, j] = 2.0
        matrix[i, j, k, w], matrix[j, i, k, w] = -2.0, 2.0
        printed[i, j], printed[j, i] = matrix[i, j], matrix[j, i]
    slope = (printed + printed.mT).reshape(9, 4, 4)
    constants = product.reshape(4, 16), matrix.reshape(9, 16), slope.reshape(36, 4)
    return tuple(part.to(dtype=dtype, device=device) for part in constants)  # type: ignore[return-value]


def _outer(matrix: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """A constant matrix on the outer product of two (4, *many)."""
    many = (a.unsqueeze(1) * b.unsqueeze(0)).flatten(0, 1)
    return (matrix @ many.flatten(1)).unflatten(1, many.shape[1:])


def _turned(product: Tensor, quat: Tensor, turn: Tensor) -> Tensor:
    """``quat * exp(turn)`` but for its length, with ``(tan(t/2) axis, 1)`` for the turn [rad]; turns stay small."""
    half = 0.5 * turn
    square = half.square().sum(0)
    vector = half * (1.0 + square * (1.0 / 3.0 + square * (2.0 / 15.0 + square * (17.0 / 315.0))))
    return _outer(product, quat, torch.cat([vector, torch.ones_like(vector[:1])]))


def _unit(quat: Tensor) -> Tensor:
    return quat * quat.square().sum(0).rsqrt()


def _cross(a: Tensor, b: Tensor) -> Tensor:
    return torch.linalg.cross(*torch.broadcast_tensors(a, b), dim=0)


def _mahony(
    quat: Tensor, bias: Tensor, gyro: Tensor, down: Tensor, field: Tensor, dt: float, gains: Tensor
) -> tuple[Tensor, Tensor]:
    """``aircraft.mahony_step``; gains accelerometer, magnetometer, integral."""
    product, matrix, _ = _products(quat.dtype, str(quat.device))
    quat = _unit(_turned(product, quat, dt * (gyro - bias)))
    R = _outer(matrix, quat, quat).unflatten(0, (3, 3))
    seen = (R * field).sum(1)
    north = (seen[0].square() + seen[1].square() + 1e-20).sqrt()
    expected = north * R[0] + seen[2] * R[2]
    correction = gains[0] * _cross(down, R[2]) + gains[1] * _cross(field, expected)
    return _unit(_turned(product, quat, dt * correction)), bias - (dt * gains[2]) * correction


def _madgwick(
    quat: Tensor, bias: Tensor, gyro: Tensor, down: Tensor, field: Tensor, dt: float, gains: Tensor
) -> tuple[Tensor, Tensor]:
    """``aircraft.madgwick_step``; gains beta, zeta."""
    product, matrix, slope = _products(quat.dtype, str(quat.device))
    R = _outer(matrix, quat, quat).unflatten(0, (3, 3))
    seen = (R * field).sum(1)
    north = (seen[0].square() + seen[1].square() + 1e-20).sqrt()
    short = north * R[0] + seen[2] * R[2] - field
    rows = (slope @ quat.flatten(1)).unflatten(0, (3, 3, 4)).unflatten(-1, quat.shape[1:])
    first, third = north * short, seen[2] * short + R[2] - down
    gradient = (rows[0] * first.unsqueeze(1) + rows[2] * third.unsqueeze(1)).sum(0)
    direction = gradient * (gradient.square().sum(0) + 1e-14).rsqrt()  # at no error it has no direction
    back = torch.cat([-quat[:3], quat[3:]])
    bias = bias + (2.0 * dt * gains[1]) * _outer(product, back, direction)[:3]
    rate = gyro - bias
    spin = _outer(product, quat, torch.cat([rate, torch.zeros_like(rate[:1])]))
    return _unit(quat + dt * (0.5 * spin - gains[0] * direction)), bias


FILTERS: dict[str, tuple[FilterStep, tuple[str, ...]]] = {
    "mahony": (_mahony, ("accelerometer", "magnetometer", "integral")),
    "madgwick": (_madgwick, ("beta", "zeta")),
}
"""By name: the step, and the names of its gains."""


def filter_named(name: str) -> tuple[FilterStep, tuple[str, ...]]:
    """The step of a filter and the names of its gains.

    Raises:
        diffkin.errors.UnknownNameError: There is no such filter.
    """
    return FILTERS[one_of(name, FILTERS, "filter")]
