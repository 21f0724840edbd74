"""Pointing in closed form: attitudes that turn a body axis onto a direction, with the free roll resolved."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin._algebra import apply, check_nonzero, dot, matmul, perpendicular, promote, safe_norm, unit
from diffkin._checks import broadcast, check_finite, check_last, check_rotation
from diffkin.aircraft._inputs import check_same_device, numbers_of, table
from diffkin.aircraft.frames.two_vectors import attitude_from_two, axes_of_two, sine_between
from diffkin.rotations import hat, rotvec_to_matrix

__all__ = ["PARALLEL", "align_vectors", "least_turn", "point_axis"]

PARALLEL = 1e-6
"""Sine of the angle up to which two directions that shall be pointed count as parallel.

Nearer than that, a command says nothing about roll: the roll changes by a radian as a direction moves by 1e-6 rad.
"""


def point_axis(
    axis_body: Float[Tensor, "*batch 3"],
    direction: Float[Tensor, "*batch 3"],
    *,
    current: Float[Tensor, "*batch 3 3"] | None = None,
    up_body: Float[Tensor, "*batch 3"] | None = None,
    up: Float[Tensor, "*batch 3"] | None = None,
    roll: Float[Tensor, "*batch"] | float = 0.0,
) -> Float[Tensor, "*batch 3 3"]:
    """The attitude that points a body axis along a direction, ``R @ axis_body = direction / |direction|``.

    The roll about the axis is free. It is resolved in one of two ways, and ``roll`` is then added about the direction:

    - ``current`` given: by the least turn from that attitude.
    - else: ``up_body`` comes as close to ``up`` as it can. By default the aircraft's back (-z of FRD body axes) is
      held up (-z of NED axes), so the wings stay as level as they can. Where the axis is along ``up_body``, or the
      direction along ``up``, to 1e-6, that says nothing, and the least turn from level flight to the north is taken.

    Args:
        axis_body: (*batch, 3) axis in body axes, of any non-zero length.
        direction: (*batch, 3) where it shall point, in reference axes (NED), of any non-zero length.
        current: (*batch, 3, 3) attitude to start from.
        up_body: (*batch, 3) second axis in body axes.
        up: (*batch, 3) where the second axis shall point as nearly as it can, in reference axes.
        roll: (*batch,) further turn about the direction [rad]. All leading axes broadcast.

    Returns:
        (*batch, 3, 3) attitude ``R_reference_body``, differentiable in every argument.

    Raises:
        diffkin.errors.ShapeError: A wrong shape, or leading axes that do not broadcast.
        diffkin.errors.NonFiniteError: NaN or infinity.
        diffkin.errors.RotationError: A zero vector, or ``current`` is no rotation.
    """
    hints = [(up_body, "up_body"), (up, "up")]
    _check_vector(axis_body, "axis_body")
    _check_vector(direction, "direction")
    for vector, name in hints:
        if vector is not None:
            _check_vector(vector, name)
    check_same_device(axis_body=axis_body, direction=direction, up_body=up_body, up=up, current=current)
    roll = numbers_of(roll, "roll", direction)
    check_finite(roll, "roll")
    back = table([(0.0, 0.0, -1.0)], direction)[0]
    second_body, second = (back if vector is None else vector for vector, _ in hints)
    start = torch.eye(3, dtype=direction.dtype, device=direction.device) if current is None else current
    if current is not None:
        check_rotation(current, "current")
    batch = broadcast(
        axis_body=axis_body.shape[:-1],
        direction=direction.shape[:-1],
        up_body=second_body.shape[:-1],
        up=second.shape[:-1],
        roll=roll.shape,
        current=start.shape[:-2],
    )
    axis, toward = unit(axis_body).expand(*batch, 3), unit(direction).expand(*batch, 3)
    rotation = matmul(least_turn(apply(start, axis), toward), start)
    if current is None:
        second_body, second = second_body.expand(*batch, 3), second.expand(*batch, 3)
        free_body, free = sine_between(axis, second_body), sine_between(toward, second)
        told = (torch.minimum(free_body, free) > PARALLEL).unsqueeze(-1)
        # Where the hint says nothing any other second vector keeps the branch not taken finite.
        safe_body = torch.where(told, second_body, perpendicular(axis))
        safe = torch.where(told, second, perpendicular(toward))
        level = matmul(axes_of_two(toward, safe)[0], axes_of_two(axis, safe_body)[0].mT)
        rotation = torch.where(told.unsqueeze(-1), level, rotation)
    return matmul(rotvec_to_matrix(roll.expand(batch).unsqueeze(-1) * toward), rotation)


def align_vectors(
    first_body: Float[Tensor, "*batch 3"],
    second_body: Float[Tensor, "*batch 3"],
    first: Float[Tensor, "*batch 3"],
    second: Float[Tensor, "*batch 3"],
) -> Float[Tensor, "*batch 3 3"]:
    """The attitude that points one body axis exactly, and a second one as nearly as the first allows.

    The geometry is that of TRIAD (Black, 1964), which ``aircraft.triad`` applies to measured directions.

    Args:
        first_body: (*batch, 3) axis that is pointed exactly, in body axes.
        second_body: (*batch, 3) axis that is pointed as nearly as it can be, in body axes.
        first: (*batch, 3) where the first shall point, in reference axes.
        second: (*batch, 3) where the second shall point, in reference axes. All leading axes broadcast; lengths are
            free.

    Returns:
        (*batch, 3, 3) attitude ``R_reference_body``, differentiable in every argument.

    Raises:
        diffkin.errors.AttitudeError: The two body axes, or the two directions, are parallel to 1e-6 rad.
        diffkin.errors.ShapeError: A wrong shape, or leading axes that do not broadcast.
        diffkin.errors.NonFiniteError: NaN or infinity.
        diffkin.errors.RotationError: A zero vector.
    """
    vectors = {"first_body": first_body, "second_body": second_body, "first": first, "second": second}
    for name, vector in vectors.items():
        _check_vector(vector, name)
    check_same_device(**vectors)
    advice = "Give two different directions, or use point_axis(...), which points one."
    body = {"first_body": first_body, "second_body": second_body}
    return attitude_from_two(body, {"first": first, "second": second}, parallel=PARALLEL, advice=advice)


def least_turn(start: Float[Tensor, "*batch 3"], end: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """The smallest rotation that turns one unit vector onto another, ``R @ start = end``.

    ``R = 1 + hat(v) + hat(v)^2 / (1 + c)`` with ``v = start x end`` and ``c = start . end``; beyond a right angle it
    is made of a half turn and the least turn that remains, so it keeps its precision. For opposite vectors the axis is
    not determined: a half turn about some axis across them comes back.

    Args:
        start: (*batch, 3) unit vectors.
        end: (*batch, 3) unit vectors; leading axes broadcast.

    Returns:
        (*batch, 3, 3).

    Raises:
        diffkin.errors.ShapeError: A last axis is not 3, or the leading axes do not broadcast.
        diffkin.errors.DtypeError: A tensor is not floating point, or they lie on two devices.
    """
    check_last(start, (3,), "start")
    check_last(end, (3,), "end")
    check_same_device(start=start, end=end)
    broadcast(start=start.shape[:-1], end=end.shape[:-1])
    start, end = torch.broadcast_tensors(*promote(start, end))
    far = (dot(start, end) < 0).detach()
    # A half turn about any axis across ``start`` carries it to ``-start`` exactly. About the common normal it is part
    # of the least turn, and the rest is a turn about the same normal.
    across = torch.linalg.cross(start, end)
    length = safe_norm(across)
    lost = length < 8.0 * torch.finfo(start.dtype).eps
    normal = torch.where(lost, perpendicular(start), across / torch.where(lost, 1.0, length))
    normal = unit(normal - dot(normal, start) * start)
    eye = torch.eye(3, dtype=start.dtype, device=start.device)
    half = 2.0 * normal.unsqueeze(-1) * normal.unsqueeze(-2) - eye
    begun = torch.where(far, -start, start)
    v = torch.linalg.cross(begun, end)
    c = dot(begun, end).unsqueeze(-1)
    k = hat(v)
    rest = eye + k + matmul(k, k) / (1.0 + torch.where(c < 0, 0.0, c))
    return torch.where(far.unsqueeze(-1), matmul(rest, half), rest)


def _check_vector(vector: Tensor, name: str) -> None:
    check_last(vector, (3,), name)
    check_finite(vector, name)
    check_nonzero(vector, name)
