"""Records of inertial sensors with known attitudes: simulated, from BROAD, or from a user's own CSV."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from diffkin.aircraft import attitude_enu_flu_to_ned_frd, flu_to_frd, triad
from diffkin.errors import ModelFileError, OptionError, ShapeError
from diffkin.rotations import (
    matrix_to_quat_xyzw,
    quat_xyzw_multiply,
    quat_xyzw_to_matrix,
    random_rotation,
    rotvec_to_quat_xyzw,
)

__all__ = ["CSV_COLUMNS", "Records", "SimulationSettings", "cut", "read_broad", "read_csv", "simulate_records", "stack"]

GRAVITY = 9.81
_PARTS = ("gyro", "down", "field", "truth", "counts", "first")
CSV_COLUMNS = tuple(
    f"{name}_{axis}"
    for name, axes in (("gyro", "xyz"), ("accel", "xyz"), ("mag", "xyz"), ("quat", "xyzw"))
    for axis in axes
)
"""Columns of a CSV beside ``time_s``."""


@dataclass(frozen=True, eq=False)
class Records:
    """Records of one length, component before record: what filters run over. FRD body axes, NED local axes.

    Attributes:
        gyro: (steps, 3, n) angular velocity over the step to each sample [rad/s].
        down: (steps, 3, n) minus the measured specific force, normalised.
        field: (steps, 3, n) measured magnetic field, normalised; north is magnetic north.
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
            unit; true attitude (n, steps, 4) body to NED, xyzw, anything where it does not count; (n, steps) whether
            errors count.
        dt: Time between samples [s].
        dtype: Of the records.

    Returns:
        The records.
    """
    if not dt > 0:
        raise OptionError(f"dt must be a positive time in seconds, got {dt!r}.")
    gyro, accel, mag, truth, counts = samples
    down = torch.nn.functional.normalize(-accel.double(), dim=-1)
    field = torch.nn.functional.normalize(mag.double(), dim=-1)
    # only the plane of both measurements matters beside the vertical, so any field that points north and down will do
    reference = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64), torch.tensor([1.0, 0.0, 1.0], dtype=torch.float64)
    first = matrix_to_quat_xyzw(triad(down[:, 0], field[:, 0], *reference))
    parts = {"gyro": gyro, "down": down, "field": field, "truth": truth, "counts": counts, "first": first}
    return Records(**{name: part.movedim(0, -1).to(dtype).contiguous() for name, part in parts.items()}, dt=dt)


@dataclass(frozen=True)
class SimulationSettings:
    """How inertial records are simulated.

    Attributes:
        seconds: Length of a record.
        rate_hz: Samples a second.
        turn: Standard deviation of each component of the angular velocity [rad/s].
        bias: Standard deviation of each component of the gyroscope's bias [rad/s].
        gyro_noise: Of each sample [rad/s].
        accel_noise: Of each sample [m/s^2].
        mag_noise: Of each sample, in units of the field.
        burst: Largest acceleration of a burst [m/s^2]; each has a random size up to it.
        bursts: Bursts in a record.
        burst_s: Length of a burst (two standard deviations of a bell).
        settle: Time at the start that does not count [s].
    """

    seconds: float = 12.0
    rate_hz: float = 50.0
    turn: float = 1.0
    bias: float = 0.03
    gyro_noise: float = 0.01
    accel_noise: float = 0.1
    mag_noise: float = 0.02
    burst: float = 3.0
    bursts: int = 6
    burst_s: float = 1.0
    settle: float = 2.0


def simulate_records(
    count: int,
    settings: SimulationSettings | None = None,
    seed: int | torch.Generator = 0,
    dtype: torch.dtype = torch.float32,
) -> Records:
    """Records of bodies that tumble smoothly while their accelerations disturb the vertical.

    Args:
        count: How many.
        settings: How.
        seed: Of everything random.
        dtype: Of the records.

    Returns:
        The records.
    """
    s = settings or SimulationSettings()
    steps = round(s.seconds * s.rate_hz)
    if count < 1 or steps <= round(s.settle * s.rate_hz):
        raise OptionError(f"Records need count >= 1 and seconds > settle, got {count}, {s.seconds} and {s.settle}.")
    generator = seed if isinstance(seed, torch.Generator) else torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, dtype=torch.float64)

    dt = 1.0 / s.rate_hz
    time = dt * torch.arange(steps, dtype=torch.float64)
    waves = 4  # angular velocity: a few slow sines for each axis
    phase = 2.0 * math.pi * (uniform(count, 3, waves, 1) + (0.05 + 0.75 * uniform(count, 3, waves, 1)) * time)
    omega = (s.turn * math.sqrt(2.0 / waves) * torch.sin(phase)).sum(2).mT
    quat = matrix_to_quat_xyzw(random_rotation(count, seed=generator))
    turns = rotvec_to_quat_xyzw(dt * omega)
    attitudes = [quat]
    for k in range(1, steps):
        attitudes.append(quat_xyzw_multiply(attitudes[-1], turns[:, k]))
    truth = torch.stack(attitudes, 1)
    truth = truth / truth.norm(dim=-1, keepdim=True)
    R = quat_xyzw_to_matrix(truth)
    centre = s.seconds * uniform(count, s.bursts, 1)
    bell = torch.exp(-0.5 * ((time - centre) / (0.5 * s.burst_s)).square())
    way = torch.nn.functional.normalize(normal(count, s.bursts, 3), dim=-1) * s.burst * uniform(count, s.bursts, 1)
    acceleration = bell.mT @ way
    force = acceleration - torch.tensor([0.0, 0.0, GRAVITY], dtype=torch.float64)
    north = torch.tensor([0.5, 0.0, math.sqrt(0.75)], dtype=torch.float64)  # dips by 60 degrees
    gyro = omega + s.bias * normal(count, 1, 3) + s.gyro_noise * normal(count, steps, 3)
    accel = (R.mT @ force.unsqueeze(-1)).squeeze(-1) + s.accel_noise * normal(count, steps, 3)
    mag = R.mT @ north + s.mag_noise * normal(count, steps, 3)
    counts = (time >= s.settle).expand(count, steps)
    return from_samples((gyro, accel, mag, truth, counts), dt, dtype)


def read_csv(path: str | os.PathLike[str], dtype: torch.dtype = torch.float32) -> Records:
    """One record from a CSV file with a header line.

    Columns, in any order: ``time_s``; ``gyro_x, gyro_y, gyro_z`` [rad/s]; ``accel_x ...`` specific force, (0, 0, -9.81)
    in a level body at rest [m/s^2]; ``mag_x ...`` [any unit]; ``quat_x, quat_y, quat_z, quat_w`` the true attitude. Body
    axes are forward, right, down; the attitude is body to NED, north being magnetic north. Samples are evenly spaced.
    Where a quaternion is left empty or NaN the truth is unknown and nothing is scored.

    Args:
        path: Of the file.
        dtype: Of the record.

    Returns:
        The record.

    Raises:
        diffkin.errors.ModelFileError: The file cannot be read, columns are missing, a number is not one, or samples are
            not evenly spaced.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file)
            names = [name.strip() for name in table.fieldnames or ()]
            missing = [name for name in ("time_s", *CSV_COLUMNS) if name not in names]
            if missing:
                raise ModelFileError(f"{path} has no column {', '.join(missing)}. It has: {', '.join(names)}.")
            rows = [{(key or "").strip(): value for key, value in row.items()} for row in table]
        data = {name: [_number(row[name], name) for row in rows] for name in ("time_s", *CSV_COLUMNS)}
    except (OSError, UnicodeDecodeError, csv.Error, ValueError) as error:
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(f"{path} cannot be read as a record of an inertial sensor: {error}.") from error
    if len(rows) < 2:
        raise ModelFileError(f"{path} holds {len(rows)} samples; at least two are needed.")
    columns = torch.tensor([data[name] for name in CSV_COLUMNS], dtype=torch.float64).T
    time = torch.tensor(data["time_s"], dtype=torch.float64)
    steps = time.diff()
    dt = float(steps.median())
    if not dt > 0 or float((steps - dt).abs().max()) > 0.1 * dt:
        raise ModelFileError(
            f"{path}: samples must be evenly spaced in time_s (within 10 %), got steps from {float(steps.min()):.4g} to "
            f"{float(steps.max()):.4g} s. Resample the record."
        )
    return _checked(path, columns[:, :3], columns[:, 3:6], columns[:, 6:9], columns[:, 9:], None, dt, dtype)


def _number(text: str | None, name: str) -> float:
    text = (text or "").strip()
    if not text and name.startswith("quat"):
        return math.nan
    return float(text)


def read_broad(
    folder: str | os.PathLike[str], names: Iterable[str] | None = None, dtype: torch.dtype = torch.float32
) -> dict[str, Records]:
    """Records of the Berlin Robust Orientation Estimation Assessment Dataset (Laidig et al., Data 6(7):72, 2021).

    Reads its MATLAB files, ``data_mat/*.mat`` of the data set (or a folder that holds them itself), each with
    ``imu_gyr`` (N, 3) [rad/s], ``imu_acc`` (N, 3) [m/s^2], ``imu_mag`` (N, 3) [uT], ``opt_quat`` (N, 4) the optical
    attitude, w first, sensor to a frame with z up and y to magnetic north, NaN where unknown, ``movement`` (N,) where
    errors count, and ``sampling_rate`` [Hz]. Axes are turned to FRD and NED.

    Args:
        folder: Of the data set.
        names: Parts of file names to read; all if None.
        dtype: Of the records.

    Returns:
        One record for each file, by its name without the ending.

    Raises:
        diffkin.errors.ModelFileError: There are no such files, or one cannot be read.
    """
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    root = Path(folder)
    files = sorted((root / "data_mat").glob("*.mat")) or sorted(root.glob("*.mat"))
    wanted = None if names is None else list(names)
    files = [file for file in files if wanted is None or any(part in file.name for part in wanted)]
    if not files:
        raise ModelFileError(
            f"There are no .mat files of BROAD in {root} or {root / 'data_mat'}"
            f"{'' if wanted is None else f' with {wanted} in their names'}. Give the folder of the unpacked data set."
        )
    found = {}
    for file in files:
        try:
            raw = loadmat(file)
            gyro, accel, mag, optical = (
                torch.as_tensor(raw[key], dtype=torch.float64) for key in ("imu_gyr", "imu_acc", "imu_mag", "opt_quat")
            )
            movement = torch.as_tensor(raw["movement"].astype(bool)).flatten()
            dt = 1.0 / float(raw["sampling_rate"].item())
        except (OSError, KeyError, ValueError, TypeError, NotImplementedError, MatReadError) as error:
            raise ModelFileError(f"{file} cannot be read as a record of BROAD: {error}.") from error
        known = optical.isfinite().all(-1)
        R_enu = quat_xyzw_to_matrix(torch.where(known.unsqueeze(-1), optical.roll(-1, -1), _IDENTITY))
        truth = matrix_to_quat_xyzw(attitude_enu_flu_to_ned_frd(R_enu))
        truth = torch.where(known.unsqueeze(-1), truth, math.nan)
        found[file.stem] = _checked(
            file, flu_to_frd(gyro), flu_to_frd(accel), flu_to_frd(mag), truth, movement, dt, dtype
        )
    return found


_IDENTITY = torch.tensor([0.0, 0.0, 0.0, 1.0], dtype=torch.float64)


def _checked(
    path: object,
    gyro: Tensor,
    accel: Tensor,
    mag: Tensor,
    truth: Tensor,
    movement: Tensor | None,
    dt: float,
    dtype: torch.dtype,
) -> Records:
    """One record; sensors must be finite, and some truth known."""
    if not bool(gyro.isfinite().all() and accel.isfinite().all() and mag.isfinite().all()):
        raise ModelFileError(f"{path} holds measurements that are no numbers. Fill or cut the gaps first.")
    known = truth.isfinite().all(-1)
    counts = known if movement is None else known & movement
    if not bool(counts.any()):
        raise ModelFileError(f"{path} holds no sample with a known attitude to score.")
    length = torch.where(known, truth.norm(dim=-1), 1.0)
    if float((length - 1.0).abs().max()) > 1e-2:
        raise ModelFileError(f"{path} holds quaternions that are not of length one.")
    truth = torch.where(known.unsqueeze(-1), truth / length.unsqueeze(-1), _IDENTITY)
    return from_samples([part.unsqueeze(0) for part in (gyro, accel, mag, truth, counts)], dt, dtype)


def cut(records: Records, seconds: float, settle: float = 2.0) -> Records:
    """Cut long records into windows that stand beside each other; windows in which nothing counts are left out.

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
    steps, quiet = round(seconds / records.dt), round(settle / records.dt)
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
        samples = [part[piece].movedim(-1, 0) for part in (records.gyro, -records.down, records.field, records.truth)]
        part = from_samples([*samples, counts.movedim(-1, 0)], records.dt, records.gyro.dtype)
        used = counts.any(0)
        if bool(used.any()):
            parts.append(part.chosen(used))
    if not parts:
        raise OptionError(f"In none of the {windows} windows of {seconds} s does anything count.")
    return stack(parts)


def stack(records: Sequence[Records]) -> Records:
    """Records of one length and step beside each other."""
    shapes = {(part.gyro.shape[0], round(1e9 * part.dt)) for part in records}
    if len(shapes) != 1:
        raise ShapeError(f"Records to stack must have one length and step; got (samples, step [ns]) {sorted(shapes)}.")
    return Records(**{name: torch.cat([getattr(r, name) for r in records], -1) for name in _PARTS}, dt=records[0].dt)
