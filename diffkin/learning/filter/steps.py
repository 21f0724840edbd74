"""Gains of attitude filters by gradient through whole records, and a fine grid as the judge.

The filters are ``aircraft.mahony_step`` and ``aircraft.madgwick_step`` with the component on the first axis and every
product as one small matrix product, (4, *many), so that a step costs few operations and thousands of gains run beside
each other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import torch
from torch import Tensor, nn

from diffkin.errors import OptionError, closest
from diffkin.learning.filter.records import Records

__all__ = ["FILTERS", "FilterProblem", "LearnedGains", "fine_grid", "rms_deg", "run_records"]

Step = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, float, Tensor], tuple[Tensor, Tensor]]

_STRETCH = 10.0  # logarithms of gains move this much faster than the optimiser's numbers


@cache
def _products(dtype: torch.dtype, device: str) -> tuple[Tensor, Tensor, Tensor]:
    """Constants: (4, 16) quaternion product, (9, 16) rotation matrix, (9, 4, 4) derivative of Madgwick's matrix.

    The first two act on the outer products of quaternions xyzw. Madgwick writes the matrix with ``1 - 2 (y^2 + z^2)``
    on its diagonal; its derivative by the quaternion is linear.
    """
    x, y, z, w = range(4)
    product = torch.zeros(4, 4, 4)
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
    matrix = torch.zeros(3, 3, 4, 4)
    printed = torch.zeros(3, 3, 4, 4)  # quadratic part of the printed matrix, without the 1 on the diagonal
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


FILTERS: dict[str, tuple[Step, tuple[str, ...]]] = {
    "mahony": (_mahony, ("accelerometer", "magnetometer", "integral")),
    "madgwick": (_madgwick, ("beta", "zeta")),
}
"""By name: the step, and the names of its gains."""


def run_records(name: str, gains: Tensor, records: Records) -> Tensor:
    """Run a filter over whole records, each from the attitude of its first measurements, bias zero.

    Args:
        name: One of ``FILTERS``.
        gains: (count,) gains, or (count, many) to run as many settings beside each other; gradients flow to them.
        records: The measurements.

    Returns:
        (steps, 4, [many,] n) quaternions body to NED, xyzw, after each sample; the first is the attitude to begin with.

    Raises:
        diffkin.errors.UnknownNameError: There is no such filter.
        diffkin.errors.OptionError: The filter has another number of gains.
    """
    step, names = _filter(name)
    if gains.shape[0] != len(names):
        raise OptionError(f"{name} has {len(names)} gains ({', '.join(names)}), got {gains.shape[0]}.")
    many = gains.ndim == 2
    gains = gains.unsqueeze(-1)
    gyro, down, field = (part.unsqueeze(2) if many else part for part in (records.gyro, records.down, records.field))
    quat = records.first.unsqueeze(1).expand(-1, gains.shape[1], -1) if many else records.first
    bias = torch.zeros_like(quat[:3])
    history = [quat]
    for rate, vertical, north in zip(gyro[1:], down[1:], field[1:], strict=True):
        quat, bias = step(quat, bias, rate, vertical, north, records.dt, gains)
        history.append(quat)
    return torch.stack(history)


def rms_deg(quat_xyzw: Tensor, records: Records) -> Tensor:
    """Root mean square of the angle to the truth over the samples that count.

    Args:
        quat_xyzw: (steps, 4, [many,] n) estimates.
        records: With the truth.

    Returns:
        A scalar, or (many,) [deg].
    """
    truth, counts = records.truth, records.counts
    if quat_xyzw.ndim == 4:
        truth, counts = truth.unsqueeze(2), counts.unsqueeze(1)
    square = _squared_angle(quat_xyzw, truth) * counts
    axes = (0, -1)
    mean = square.sum(axes) / counts.sum(axes).squeeze()
    return (mean + 1e-20).sqrt().rad2deg()


def _squared_angle(a: Tensor, b: Tensor) -> Tensor:
    """Squared angle between unit quaternions: ``4 atan2(|a - b|, |a + b|)^2`` of the nearer twins, doubled."""
    inner = (a * b).sum(1)
    nearer = torch.where((inner < 0).unsqueeze(1), -a, a)
    apart = ((nearer - b).square().sum(1) + 1e-20).sqrt()
    along = ((nearer + b).square().sum(1)).sqrt()
    return (4.0 * torch.atan2(apart, along)).square()


def _filter(name: str) -> tuple[Step, tuple[str, ...]]:
    if name not in FILTERS:
        raise closest(name, FILTERS, "filter")
    return FILTERS[name]


class LearnedGains(nn.Module):
    """Positive gains of a filter, ``initial * exp(10 theta)``, theta from zero.

    Args:
        name: One of ``FILTERS``.
        initial: Gains to begin with, in the order of their names.
    """

    start: Tensor

    def __init__(self, name: str, initial: Sequence[float]) -> None:
        super().__init__()
        self.name, (_, self.names) = name, _filter(name)
        start = torch.tensor([float(value) for value in initial])
        if len(start) != len(self.names) or not bool((start > 0).all() and start.isfinite().all()):
            raise OptionError(
                f"{name} needs {len(self.names)} positive gains ({', '.join(self.names)}) to begin with, got "
                f"{list(initial)}."
            )
        self.theta = nn.Parameter(torch.zeros(len(start)))
        self.register_buffer("start", start)

    def forward(self) -> Tensor:
        """(count,) gains."""
        return self.start * torch.exp(_STRETCH * self.theta)

    def table(self) -> dict[str, float]:
        """The gains by name."""
        return dict(zip(self.names, self().tolist(), strict=True))


class FilterProblem:
    """Learn the gains of a filter on whole records.

    Args:
        network: The gains.
        training: Records to learn from; a step takes a random share of them.
        held_out: Records for validation.
    """

    def __init__(self, network: LearnedGains, training: Records, held_out: Records) -> None:
        self.network: nn.Module = network
        self.training, self.held_out = training, held_out

    def batch(self, count: int, generator: torch.Generator) -> tuple[Tensor, ...]:
        return (torch.randperm(self.training.count, generator=generator)[:count],)

    def loss(self, network: nn.Module, *batch: Tensor) -> Tensor:
        return self._rms(network, self.training.chosen(batch[0].cpu()))

    @torch.no_grad()
    def validate(self, network: nn.Module) -> dict[str, float]:
        """Root mean square of the angle on both sets, and the gains."""
        row = {
            "loss": float(self._rms(network, self.held_out)),
            "training_rms": float(self._rms(network, self.training)),
        }
        return row | _gains(network).table()

    @staticmethod
    def _rms(network: nn.Module, records: Records) -> Tensor:
        gains = _gains(network)
        values = gains()
        records = records.to(values)
        return rms_deg(run_records(gains.name, values, records), records)


def _gains(network: nn.Module) -> LearnedGains:
    if not isinstance(network, LearnedGains):
        raise OptionError(f"FilterProblem trains LearnedGains, got {type(network).__name__}.")
    return network


@torch.no_grad()
def fine_grid(
    name: str,
    records: Records,
    lower: Sequence[float],
    upper: Sequence[float],
    *,
    points: int = 9,
    refinements: int = 3,
    lanes: int = 16384,
) -> tuple[Tensor, float]:
    """The best gains of a grid, even in the logarithm, refined around its best point.

    Each refinement has the same number of points over two steps of the one before to either side.

    Args:
        name: One of ``FILTERS``.
        records: What to score on.
        lower: Smallest gains, in the order of their names.
        upper: Largest gains.
        points: Along each gain.
        refinements: How many.
        lanes: Runs of the filter beside each other, which bounds the memory.

    Returns:
        (count,) gains and their root mean square [deg].

    Raises:
        diffkin.errors.OptionError: Bounds do not fit.
    """
    _, names = _filter(name)
    if not (len(lower) == len(upper) == len(names)) or not all(0 < a < b for a, b in zip(lower, upper)):
        raise OptionError(f"The grid of {name} needs bounds 0 < lower < upper for {', '.join(names)}.")
    low, high = torch.tensor([list(lower), list(upper)], dtype=records.gyro.dtype).log()
    best, best_rms = low, float("inf")
    for _ in range(refinements + 1):
        axes = [torch.linspace(float(a), float(b), points, dtype=low.dtype) for a, b in zip(low, high)]
        grid = torch.cartesian_prod(*axes).reshape(-1, len(names))
        step = (high - low) / (points - 1)
        for part in grid.split(max(1, lanes // records.count)):
            found = rms_deg(run_records(name, part.exp().T, records), records)
            index = int(found.argmin())
            if float(found[index]) < best_rms:
                best, best_rms = part[index], float(found[index])
        low, high = best - 2.0 * step, best + 2.0 * step
    return best.exp(), best_rms
