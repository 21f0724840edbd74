"""From thrust and torques to the rotors of a multicopter, within their limits."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin._algebra import apply
from diffkin._checks import as_device, broadcast, check_dtype, check_finite, check_floating, check_last, has_values
from diffkin.aircraft._inputs import check_kind, check_same_device, number
from diffkin.errors import DtypeError, OptionError, ShapeError

__all__ = ["QuadrotorMixer"]


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
        check_kind(spins, Tensor, "spins")
        check_same_device(positions=positions, spins=spins)
        thrust_coefficient = number(thrust_coefficient, "thrust_coefficient", sign="positive", unit="in N s^2")
        torque_ratio = number(torque_ratio, "torque_ratio", sign="positive", unit="in m")
        max_thrust = number(max_thrust, "max_thrust", sign="positive", unit="in N")
        min_thrust = number(min_thrust, "min_thrust", sign="not negative", unit="in N")
        if positions.ndim != 2 or positions.shape[-1] not in (2, 3) or spins.shape != positions.shape[:1]:
            raise ShapeError(
                f"positions must be (rotors, 2) or (rotors, 3) and spins (rotors,), got {tuple(positions.shape)} and "
                f"{tuple(spins.shape)}."
            )
        if min_thrust >= max_thrust:
            raise OptionError(f"The range of thrust must be positive, got {min_thrust} ... {max_thrust} N.")
        check_finite(positions, "positions")
        if spins.layout is not torch.strided or spins.is_complex() or spins.dtype == torch.bool:
            raise DtypeError(f"spins must be a dense tensor of numbers, got {spins.dtype}, {spins.layout}.")
        if has_values(spins) and not bool((spins.abs() == 1).all()):
            raise OptionError(f"Each of spins must be +1 (clockwise seen from above) or -1, got {spins.tolist()}.")
        spin = spins.to(positions.dtype)
        ones = torch.ones_like(spin)
        matrix = torch.stack([ones, -positions[:, 1], positions[:, 0], -torque_ratio * spin])
        return cls(matrix, thrust_coefficient, max_thrust, min_thrust)

    def to(self, dtype: torch.dtype | None = None, device: torch.device | str | None = None) -> QuadrotorMixer:
        """The same mixer with its matrix in another dtype or on another device.

        Raises:
            diffkin.errors.DtypeError: The dtype is no floating-point dtype of torch.
            diffkin.errors.DeviceError: There is no such device.
        """
        if dtype is not None:
            check_dtype(dtype)
        place = None if device is None else as_device(device)
        return dataclasses.replace(self, matrix=self.matrix.to(dtype=dtype, device=place))

    def wrench(self, speeds: Float[Tensor, "*batch rotors"]) -> Float[Tensor, "*batch 4"]:
        """Thrust and torques at given rotor speeds.

        Args:
            speeds: (*batch, rotors) [rad/s].

        Returns:
            (*batch, 4) thrust [N], torque x, y, z [N m].
        """
        check_last(speeds, (self.matrix.shape[1],), "speeds")
        check_same_device(mixer=self.matrix, speeds=speeds)
        return apply(self.matrix, self.thrust_coefficient * speeds.square())

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
        check_same_device(mixer=self.matrix, thrust=thrust, torque=torque)
        broadcast(thrust=thrust.shape, torque=torque.shape[:-1])
        exact = torch.promote_types(torque.dtype, torch.float32)  # half precision has no pseudo-inverse
        inverse = torch.linalg.pinv(self.matrix.to(exact)).to(torque.dtype)
        room = self.max_thrust - self.min_thrust
        tilt = apply(inverse[:, 1:3], torque[..., :2])
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
