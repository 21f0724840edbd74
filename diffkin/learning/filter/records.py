"""Records of inertial sensors with known attitudes, in the layout that filters run over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from diffkin._checks import check_floating, check_last
from diffkin._given import real, steps_in
from diffkin.aircraft import triad
from diffkin.errors import DtypeError, OptionError, ShapeError
from diffkin.rotations import matrix_to_quat_xyzw, rotvec_to_matrix

__all__ = ["Records", "cut", "from_samples", "stack"]

_PARTS = ("gyro", "down", "field", "truth", "counts", "first")


@dataclass(frozen=True, eq=False)
class Records:
    """Records of one length, component before record: what filters run over. FRD body axes, NED local axes.

    Attributes:
        gyro: (steps, 3, n) angular velocity over the step to each sample [rad/s].
        down: (steps, 3, n) minus the measured specific force, normalised.
        field: (steps, 3, n) measured magnetic field, normalised; north is magnetic north. Zero where there is no reading.
        truth: (steps, 4, n) attitude body to NED, xyzw.
        counts: (steps, n) 1 where the truth is known and errors count, else 0.
        first: (4, n) attitude that the first sample's measurements say.
        dt: Time between samples [s].
    """

    gyro: Tensor
    down: Tensor
    field: Tensor
    truth: Tensor
    counts: Tensor
    first: Tensor
    dt: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "dt", real(self.dt, "dt", above=0.0))
        widths = {"gyro": (3,), "down": (3,), "field": (3,), "truth": (4,), "counts": (), "first": (4,)}
        check_floating(self.gyro, "gyro")
        steps, n = (self.gyro.shape[0], self.gyro.shape[-1]) if self.gyro.ndim else (0, 0)
        for name, width in widths.items():
            check_floating(getattr(self, name), name)
            shape = (*width, n) if name == "first" else (steps, *width, n)
            if tuple(getattr(self, name).shape) != shape:
                raise ShapeError(f"{name} of records must have shape {shape}, got {tuple(getattr(self, name).shape)}.")

    @property
    def count(self) -> int:
        """Number of records."""
        return self.gyro.shape[-1]

    def chosen(self, index: Tensor) -> Records:
        """Some of the records."""
        return self._each(lambda part: part[..., index])

    def to(self, like: Tensor) -> Records:
        """The same with the dtype and device of a tensor."""
        return self._each(lambda part: part.to(like))

    def _each(self, change: Callable[[Tensor], Tensor]) -> Records:
        return Records(**{name: change(getattr(self, name)) for name in _PARTS}, dt=self.dt)


def from_samples(samples: Sequence[Tensor], dt: float, dtype: torch.dtype) -> Records:
    """Records from samples as they are stored.

    Args:
        samples: Gyroscope (n, steps, 3) [rad/s]; specific force (n, steps, 3) and magnetic field (n, steps, 3), any
            unit, the field NaN or zero where there is no reading of it; true attitude (n, steps, 4) body to NED, xyzw,
            anything where it does not count; (n, steps) whether errors count.
        dt: Time between samples [s].
        dtype: Of the records.

    Returns:
        The records.
    """
    dt = real(dt, "dt", above=0.0)
    gyro, accel, mag, truth, counts = samples
    for name, part, width in zip(("gyro", "accel", "mag", "truth"), samples, (3, 3, 3, 4)):
        check_last(part, (width,), name)
        if tuple(part.shape[:2]) != tuple(gyro.shape[:2]) or part.ndim != 3 or part.shape[1] == 0:
            raise ShapeError(
                f"{name} must have shape (records, steps, {width}) with one step at least, as gyro {tuple(gyro.shape)}; got "
                f"{tuple(part.shape)}."
            )
    if tuple(counts.shape) != tuple(gyro.shape[:2]):
        raise ShapeError(f"counts must have shape (records, steps), got {tuple(counts.shape)}.")
    if not dtype.is_floating_point:
        raise DtypeError(f"Records are of a floating dtype, got {dtype}.")
    down = torch.nn.functional.normalize(-accel.double(), dim=-1)
    mag = torch.where(mag.isnan().any(-1, keepdim=True), 0.0, mag.double())
    field = torch.nn.functional.normalize(mag, dim=-1)
    first = matrix_to_quat_xyzw(_first_attitude(gyro.double(), down, field, dt))
    parts = {"gyro": gyro, "down": down, "field": field, "truth": truth, "counts": counts, "first": first}
    return Records(**{name: part.movedim(0, -1).to(dtype).contiguous() for name, part in parts.items()}, dt=dt)


def _first_attitude(gyro: Tensor, down: Tensor, field: Tensor, dt: float) -> Tensor:
    """(n, 3, 3) attitudes at the first samples: by the first reading of the field, turned back along the gyroscope."""
    there = (field != 0.0).any(-1)
    if not bool(there.any(1).all()):
        raise OptionError("A record needs one reading of the magnetic field at least, to know where north is.")
    begin, rows = there.long().argmax(1), torch.arange(len(gyro), device=gyro.device)
    # only the plane of both measurements matters beside the vertical, so any field that points north and down will do
    reference = down.new_tensor([0.0, 0.0, 1.0]), down.new_tensor([1.0, 0.0, 1.0])
    R = triad(down[rows, begin], field[rows, begin], *reference)
    for k in range(int(begin.max()), 0, -1):
        R = torch.where((k <= begin)[:, None, None], R @ rotvec_to_matrix(-dt * gyro[:, k]), R)
    return R


def cut(records: Records, seconds: float, settle: float = 2.0) -> Records:
    """Cut long records into windows that stand beside each other, leaving out those in which nothing counts or north is
    never measured.

    Every window begins anew, from the attitude that its first measurements say, and its first part does not count. The
    rest that fills no window is dropped.

    Args:
        records: The records.
        seconds: Length of a window.
        settle: Time at the start of a window that does not count [s].

    Returns:
        The windows as records.

    Raises:
        diffkin.errors.OptionError: The records are shorter than a window, or nothing counts.
    """
    if not isinstance(records, Records):
        raise OptionError(f"cut needs Records, got a {type(records).__name__}.")
    seconds, settle = real(seconds, "seconds", above=0.0), real(settle, "settle", least=0.0)
    steps, quiet = steps_in(seconds, records.dt), steps_in(settle, records.dt, "settle")
    windows = records.gyro.shape[0] // max(steps, 1)
    if windows < 1 or quiet >= steps:
        raise OptionError(
            f"Windows of {seconds} s with {settle} s to settle do not fit records of {records.gyro.shape[0]} samples."
        )
    parts = []
    for k in range(windows):
        piece = slice(k * steps, (k + 1) * steps)
        counts = records.counts[piece].clone()
        counts[:quiet] = 0.0
        used = counts.any(0) & (records.field[piece] != 0.0).any(1).any(0)
        if bool(used.any()):
            samples = (records.gyro, -records.down, records.field, records.truth, counts)
            chosen = [(part if part is counts else part[piece])[..., used].movedim(-1, 0) for part in samples]
            parts.append(from_samples(chosen, records.dt, records.gyro.dtype))
    if not parts:
        raise OptionError(f"In none of the {windows} windows of {seconds} s does anything count.")
    return stack(parts)


def stack(records: Sequence[Records]) -> Records:
    """Records of one length and step beside each other."""
    if not isinstance(records, Sequence) or not records or not all(isinstance(part, Records) for part in records):
        raise OptionError("stack needs a list of Records, one at least.")
    shapes = {(part.gyro.shape[0], round(1e9 * part.dt)) for part in records}
    if len(shapes) != 1:
        raise ShapeError(f"Records to stack must have one length and step; got (samples, step [ns]) {sorted(shapes)}.")
    return Records(**{name: torch.cat([getattr(r, name) for r in records], -1) for name in _PARTS}, dt=records[0].dt)
