"""From torques to actuators: rotors of a multicopter and control surfaces, both within their limits."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin._checks import check_finite, check_floating, check_last, has_values, is_transformed
from diffkin.errors import OptionError, ShapeError

__all__ = ["QuadrotorMixer", "allocate_surfaces", "bounded_least_squares"]


@dataclass(frozen=True, eq=False)
class QuadrotorMixer:
    """Thrust and torques of a multicopter's rotors, and back. FRD axes; thrust acts along -z.

    Rotor i at (x_i, y_i) with thrust f_i and spin s_i (+1: seen from above it turns clockwise, so the body is turned
    anticlockwise) gives the torques ``(-y_i f_i, x_i f_i, -s_i k f_i)``; the thrust is ``f_i = c n_i^2``.

    Attributes:
        matrix: (4, rotors) from rotor thrusts to (thrust, torque x, y, z).
        thrust_coefficient: c [N s^2].
        max_thrust: Of one rotor [N].
        min_thrust: Of one rotor [N].
    """

    matrix: Tensor
    thrust_coefficient: float
    max_thrust: float
    min_thrust: float = 0.0

    @classmethod
    def from_rotors(
        cls,
        positions: Tensor,
        spins: Tensor,
        thrust_coefficient: float,
        torque_ratio: float,
        max_thrust: float,
        min_thrust: float = 0.0,
    ) -> QuadrotorMixer:
        """Build the mixer from the rotors' places.

        Args:
            positions: (rotors, 2) or (rotors, 3) places in FRD axes from the centre of mass [m].
            spins: (rotors,) +1 for clockwise seen from above, -1 for anticlockwise.
            thrust_coefficient: c in ``f = c n^2`` [N s^2].
            torque_ratio: k, drag torque over thrust of one rotor [m].
            max_thrust: Largest thrust of one rotor [N].
            min_thrust: Smallest thrust of one rotor [N].

        Returns:
            The mixer.

        Raises:
            ShapeError: The arrays do not fit.
            OptionError: A coefficient or the range of thrust is not positive.
        """
        check_floating(positions, "positions")
        if positions.ndim != 2 or positions.shape[-1] not in (2, 3) or spins.shape != positions.shape[:1]:
            raise ShapeError(
                f"positions must be (rotors, 2) or (rotors, 3) and spins (rotors,), got {tuple(positions.shape)} and "
                f"{tuple(spins.shape)}."
            )
        if not (thrust_coefficient > 0 and torque_ratio > 0 and 0 <= min_thrust < max_thrust):
            raise OptionError(
                "thrust_coefficient, torque_ratio and the range of thrust must be positive, got "
                f"{thrust_coefficient}, {torque_ratio} and {min_thrust} ... {max_thrust}."
            )
        spin = spins.to(positions.dtype)
        ones = torch.ones_like(spin)
        matrix = torch.stack([ones, -positions[:, 1], positions[:, 0], -torque_ratio * spin])
        return cls(matrix, thrust_coefficient, max_thrust, min_thrust)

    def wrench(self, speeds: Float[Tensor, "*batch rotors"]) -> Float[Tensor, "*batch 4"]:
        """Thrust and torques at given rotor speeds.

        Args:
            speeds: (*batch, rotors) [rad/s].

        Returns:
            (*batch, 4) thrust [N], torque x, y, z [N m].
        """
        check_last(speeds, (self.matrix.shape[1],), "speeds")
        return (self.matrix * (self.thrust_coefficient * speeds.square()).unsqueeze(-2)).sum(-1)

    def speeds(self, thrust: Tensor, torque: Tensor) -> Tensor:
        """Rotor speeds for a thrust and a torque; see ``thrusts``.

        Args:
            thrust: (*batch,) [N].
            torque: (*batch, 3) [N m].

        Returns:
            (*batch, rotors) [rad/s].
        """
        thrusts = self.thrusts(thrust, torque)
        still = thrusts <= 0
        return torch.where(still, 0.0, torch.sqrt(torch.where(still, 1.0, thrusts) / self.thrust_coefficient))

    def thrusts(self, thrust: Tensor, torque: Tensor) -> Tensor:
        """Rotor thrusts within limits for a thrust and a torque; torque comes first, of it roll and pitch.

        If roll and pitch need a wider range of thrusts than a rotor has, they are scaled down; yaw gets what room is
        left, and the thrust moves to where the torque fits.

        Args:
            thrust: (*batch,) total along -z [N].
            torque: (*batch, 3) in body axes [N m].

        Returns:
            (*batch, rotors) [N], each within its limits.

        Raises:
            ShapeError: Shapes do not fit.
        """
        check_last(torque, (3,), "torque")
        check_floating(thrust, "thrust")
        inverse = torch.linalg.pinv(self.matrix.to(torque.dtype))
        room = self.max_thrust - self.min_thrust
        tilt = (inverse[:, 1:3] * torque[..., None, :2]).sum(-1)
        tilt = tilt * _fit(tilt, torch.zeros_like(tilt), room)
        yaw = inverse[:, 3] * torque[..., 2:]
        turn = tilt + yaw * _fit(yaw, tilt, room)
        lift = inverse[:, 0] * thrust.unsqueeze(-1)
        low = (self.min_thrust - turn).amax(-1, keepdim=True)
        high = (self.max_thrust - turn).amin(-1, keepdim=True)
        equal = lift.mean(-1, keepdim=True)  # what is left after shifting all rotors alike
        shift = torch.minimum(torch.maximum(equal, low), high)
        return (turn + shift + (lift - equal)).clamp(self.min_thrust, self.max_thrust)


def _fit(change: Tensor, base: Tensor, room: float) -> Tensor:
    """The largest factor in [0, 1] at which ``base + factor * change`` spreads over at most ``room``."""
    gap = base.unsqueeze(-1) - base.unsqueeze(-2)
    grow = change.unsqueeze(-1) - change.unsqueeze(-2)
    up = grow > 0
    factor = torch.where(up, (room - gap) / torch.where(up, grow, 1.0), torch.inf)
    return factor.flatten(-2).amin(-1, keepdim=True).clamp(0.0, 1.0)


def bounded_least_squares(
    matrix: Float[Tensor, "*batch m n"],
    target: Float[Tensor, "*batch m"],
    lower: Float[Tensor, "*batch n"],
    upper: Float[Tensor, "*batch n"],
    *,
    max_iterations: int = 100,
) -> Float[Tensor, "*batch n"]:
    """The x within bounds that minimises ``|A x - b|^2``, for many problems at once.

    A primal active-set method (Lawson and Hanson, "Solving Least Squares Problems", 1974; Stark and Parker, 1995):
    solve among the free variables, stop at the first bound in the way and hold that variable, and at the best point let
    go of the variable that pushes inwards most. It ends at the exact solution; one solve there carries the gradients.

    Args:
        matrix: (*batch, m, n), of full column rank.
        target: (*batch, m).
        lower: (*batch, n).
        upper: (*batch, n). Leading axes broadcast.
        max_iterations: Changes of the held set at most.

    Returns:
        (*batch, n).

    Raises:
        ShapeError: Shapes do not fit.
        OptionError: A lower bound exceeds the upper one.
    """
    check_floating(matrix, "matrix")
    if matrix.ndim < 2:
        raise ShapeError(f"matrix must have shape (*batch, m, n), got {tuple(matrix.shape)}.")
    rows, columns = matrix.shape[-2:]
    check_last(target, (rows,), "target")
    for name, bound in {"lower": lower, "upper": upper}.items():
        check_last(bound, (columns,), name)
    check_finite(matrix, "matrix")
    check_finite(target, "target")
    if has_values(lower, upper) and bool((lower > upper).any()):
        raise OptionError("A lower bound exceeds its upper bound.")
    batch = torch.broadcast_shapes(matrix.shape[:-2], target.shape[:-1], lower.shape[:-1], upper.shape[:-1])
    hessian = matrix.mT @ matrix
    slope = (matrix * target.unsqueeze(-1)).sum(-2)
    lower, upper = lower.to(matrix.dtype).expand(*batch, columns), upper.to(matrix.dtype).expand(*batch, columns)
    with torch.no_grad():
        held = _active_set(hessian.detach(), slope.detach(), lower.detach(), upper.detach(), max_iterations)
    at_lower, at_upper = held < 0, held > 0
    free = held == 0
    x = torch.where(at_lower, lower, torch.where(at_upper, upper, 0.0))
    rest = torch.where(free, slope - _times(hessian, x), 0.0)
    x = x + _solve_free(hessian, rest, free)
    return torch.minimum(torch.maximum(x, lower), upper)


def _times(matrix: Tensor, vector: Tensor) -> Tensor:
    return (matrix * vector.unsqueeze(-2)).sum(-1)


def _solve_free(hessian: Tensor, right: Tensor, free: Tensor) -> Tensor:
    """Solve among the free variables; zero for the others."""
    both = free.unsqueeze(-1) & free.unsqueeze(-2)
    eye = torch.eye(free.shape[-1], dtype=hessian.dtype, device=hessian.device)
    return torch.linalg.solve(torch.where(both, hessian, eye), right)


def _active_set(hessian: Tensor, slope: Tensor, lower: Tensor, upper: Tensor, max_iterations: int) -> Tensor:
    """-1 where the lower bound holds the solution, 1 where the upper does, 0 where it is free."""
    x = torch.linalg.solve(hessian.expand(*slope.shape, slope.shape[-1]), slope)
    held = (x > upper).to(x.dtype) - (x < lower).to(x.dtype)
    fixed = lower == upper
    held = torch.where(fixed, -1.0, held)
    x = torch.minimum(torch.maximum(x, lower), upper)
    tolerance = 64 * torch.finfo(x.dtype).eps * (slope.abs() + _times(hessian.abs(), x.abs())).amax(-1, keepdim=True)
    for _ in range(max_iterations):
        step = _solve_free(hessian, torch.where(held == 0, slope - _times(hessian, x), 0.0), held == 0)
        wall = torch.where(step > 0, upper, lower)
        share = torch.where(step == 0, torch.inf, (wall - x) / torch.where(step == 0, 1.0, step)).clamp(min=0.0)
        part, first = share.min(-1, keepdim=True)
        blocked = part < 1
        x = torch.minimum(torch.maximum(x + part.clamp(max=1.0) * step, lower), upper)
        hit = torch.zeros_like(fixed).scatter(-1, first, blocked)
        held = torch.where(hit, torch.sign(step), held)
        x = torch.where(hit, wall, x)
        # at the best point with these held: let go of the one that is held against its will most
        pull = (slope - _times(hessian, x)) * -held  # positive: away from the bound, into the range
        worst, which = torch.where((held == 0) | fixed, -torch.inf, pull).max(-1, keepdim=True)
        release = ~blocked & (worst > tolerance)
        held = torch.where(torch.zeros_like(fixed).scatter(-1, which, release), 0.0, held)
        if not is_transformed() and not bool((blocked | release).any()):
            break
    return held


def allocate_surfaces(
    effectiveness: Float[Tensor, "*batch 3 n"],
    torque: Float[Tensor, "*batch 3"],
    lower: Float[Tensor, "*batch n"],
    upper: Float[Tensor, "*batch n"],
    *,
    preferred: Tensor | None = None,
    torque_weights: Tensor | None = None,
    effort: float = 1e-3,
) -> Float[Tensor, "*batch n"]:
    """Deflections of control surfaces that give a torque best within their limits.

    Weighted least squares with bounds (Harkegard, "Efficient active set algorithms for solving constrained least
    squares problems in aircraft control allocation", 2002)::

        minimise |W (B u - t)|^2 + e^2 s^2 |u - u_p|^2    within limits

    with s the largest singular value of W B, so that ``effort`` e has no unit. It settles what several surfaces could
    share, and biases the torque by a part of about e^2.

    Args:
        effectiveness: (*batch, 3, n) torque per deflection B at this flight state [N m/rad].
        torque: (*batch, 3) in body axes [N m].
        lower: (*batch, n) limits [rad].
        upper: (*batch, n) limits [rad].
        preferred: (*batch, n) deflections u_p to stay near; zero if None [rad].
        torque_weights: (*batch, 3) importance of the axes; 1 if None.
        effort: e, positive.

    Returns:
        (*batch, n) deflections within limits [rad].

    Raises:
        ShapeError: Shapes do not fit.
        OptionError: ``effort`` is not positive, or a lower limit exceeds the upper one.
    """
    check_floating(effectiveness, "effectiveness")
    if effectiveness.ndim < 2 or effectiveness.shape[-2] != 3:
        raise ShapeError(f"effectiveness must have shape (*batch, 3, n), got {tuple(effectiveness.shape)}.")
    check_last(torque, (3,), "torque")
    if not effort > 0:
        raise OptionError(f"effort must be positive, got {effort!r}.")
    count = effectiveness.shape[-1]
    B, t = effectiveness, torque
    if torque_weights is not None:
        check_last(torque_weights, (3,), "torque_weights")
        B, t = torque_weights.unsqueeze(-1) * B, torque_weights * t
    size = torch.linalg.matrix_norm(B.detach(), 2)[..., None, None] * effort
    wish = torch.zeros(count, dtype=B.dtype, device=B.device) if preferred is None else preferred
    check_last(wish, (count,), "preferred")
    pull = size * torch.eye(count, dtype=B.dtype, device=B.device)
    wishes = size.squeeze(-1) * wish
    batch = torch.broadcast_shapes(B.shape[:-2], t.shape[:-1], wishes.shape[:-1])
    stacked = torch.cat([B.expand(*batch, 3, count), pull.expand(*batch, count, count)], -2)
    wanted = torch.cat([t.expand(*batch, 3), wishes.expand(*batch, count)], -1)
    return bounded_least_squares(stacked, wanted, lower, upper)
