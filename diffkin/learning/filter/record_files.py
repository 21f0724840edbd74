"""Records read from files: a user's own CSV, and the data set BROAD."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from diffkin._files import path_of
from diffkin.aircraft import attitude_enu_flu_to_ned_frd, flu_to_frd
from diffkin.errors import DiffkinError, ModelFileError, OptionError
from diffkin.learning.filter.records import Records, from_samples
from diffkin.learning.optional import needed
from diffkin.rotations import matrix_to_quat_xyzw, quat_xyzw_to_matrix

__all__ = ["CSV_COLUMNS", "read_broad", "read_csv"]

CSV_COLUMNS = tuple(
    f"{name}_{axis}"
    for name, axes in (("gyro", "xyz"), ("accel", "xyz"), ("mag", "xyz"), ("quat", "xyzw"))
    for axis in axes
)
"""Columns of a CSV beside ``time_s``."""

_IDENTITY = torch.tensor([0.0, 0.0, 0.0, 1.0], dtype=torch.float64, device="cpu")
_BROAD = {"imu_gyr": 3, "imu_acc": 3, "imu_mag": 3, "opt_quat": 4}  # variables and their columns


def read_csv(path: str | os.PathLike[str], dtype: torch.dtype = torch.float32) -> Records:
    """One record from a CSV file with a header line.

    Columns, in any order: ``time_s``; ``gyro_x, gyro_y, gyro_z`` [rad/s]; ``accel_x ...`` specific force, (0, 0, -9.81)
    in a level body at rest [m/s^2]; ``mag_x ...`` [any unit]; ``quat_x, quat_y, quat_z, quat_w`` the true attitude. Body
    axes are forward, right, down; the attitude is body to NED, north being magnetic north. Samples are evenly spaced.
    Where a quaternion is left empty or NaN the truth is unknown and nothing is scored; where the magnetic field is, that
    sensor, often slower than the others, has no reading.

    Args:
        path: Of the file.
        dtype: Of the record.

    Returns:
        The record.

    Raises:
        diffkin.errors.ModelFileError: The file cannot be read, columns are missing, a number is not one, or samples are
            not evenly spaced.
    """
    path = path_of(path)
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file)
            names = [name.strip() for name in table.fieldnames or ()]
            twice = sorted({name for name in names if names.count(name) > 1 and name in ("time_s", *CSV_COLUMNS)})
            if twice:
                raise ModelFileError(f"{path} has the column {', '.join(twice)} more than once.")
            missing = [name for name in ("time_s", *CSV_COLUMNS) if name not in names]
            if missing:
                raise ModelFileError(f"{path} has no column {', '.join(missing)}. It has: {', '.join(names)[:400]}.")
            rows = [{(key or "").strip(): value for key, value in row.items()} for row in table]
        data = {name: [_number(row[name], name) for row in rows] for name in ("time_s", *CSV_COLUMNS)}
    except (OSError, UnicodeDecodeError, csv.Error, ValueError) as error:
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(f"{path} cannot be read as a record of an inertial sensor: {error}.") from error
    if len(rows) < 2:
        raise ModelFileError(f"{path} holds {len(rows)} samples; at least two are needed.")
    columns = torch.tensor([data[name] for name in CSV_COLUMNS], dtype=torch.float64, device="cpu").T
    time = torch.tensor(data["time_s"], dtype=torch.float64, device="cpu")
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
    if not text and name.startswith(("quat", "mag")):
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
    loadmat = needed("scipy.io", "Reading BROAD").loadmat
    root = path_of(folder, "folder")
    if isinstance(names, (str, bytes, Tensor)) or not (names is None or isinstance(names, Iterable)):
        raise OptionError(f"names must be a list of parts of file names, got {names!r}. Write names=[{names!r}].")
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
            raw = loadmat(file, variable_names=[*_BROAD, "movement", "sampling_rate"])
            gyro, accel, mag, optical = (_matrix(raw, key, width) for key, width in _BROAD.items())
            movement = torch.from_numpy(raw["movement"].astype(bool)).flatten()
            dt = 1.0 / float(raw["sampling_rate"].item())
            lengths = {len(part) for part in (gyro, accel, mag, optical, movement)}
            if len(lengths) != 1 or not 0.0 < dt < math.inf:
                raise ValueError(f"its parts are of lengths {sorted(lengths)}, a step takes {dt} s")
        except Exception as error:  # SciPy raises whatever the bytes of a broken file lead to
            raise ModelFileError(
                f"{file} cannot be read as a record of BROAD ({type(error).__name__}: {str(error):.300})."
            ) from error
        known = optical.isfinite().all(-1)
        length = optical.norm(dim=-1)
        if bool(((length - 1.0).abs() > 1e-2)[known].any()):
            raise ModelFileError(f"{file} holds quaternions that are not of length one.")
        R_enu = quat_xyzw_to_matrix(torch.where(known.unsqueeze(-1), optical.roll(-1, -1), _IDENTITY))
        truth = matrix_to_quat_xyzw(attitude_enu_flu_to_ned_frd(R_enu))
        truth = torch.where(known.unsqueeze(-1), truth, math.nan)
        found[file.stem] = _checked(
            file, flu_to_frd(gyro), flu_to_frd(accel), flu_to_frd(mag), truth, movement, dt, dtype
        )
    return found


def _matrix(raw: dict[str, Any], key: str, width: int) -> Tensor:
    """(N, width) numbers of a variable."""
    value = raw[key]
    if value.ndim != 2 or value.shape[1] != width or value.dtype.kind not in "fiu":
        raise ValueError(f"{key} is {value.shape} of {value.dtype}, expected (N, {width}) numbers")
    return torch.from_numpy(value.astype("float64"))


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
    """One record; sensors must be finite but for a magnetometer that is absent (NaN), and some truth known."""
    if not bool(gyro.isfinite().all() and accel.isfinite().all() and not mag.isinf().any()):
        raise ModelFileError(
            f"{path} holds measurements that are no numbers; only the magnetic field may have gaps. Fill or cut the others."
        )
    known = truth.isfinite().all(-1)
    counts = known if movement is None else known & movement
    if not bool(counts.any()):
        raise ModelFileError(f"{path} holds no sample with a known attitude to score.")
    length = torch.where(known, truth.norm(dim=-1), 1.0)
    if not float((length - 1.0).abs().max()) <= 1e-2:
        raise ModelFileError(f"{path} holds quaternions that are not of length one.")
    truth = torch.where(known.unsqueeze(-1), truth / length.unsqueeze(-1), _IDENTITY)
    try:
        records = from_samples([part.unsqueeze(0) for part in (gyro, accel, mag, truth, counts)], dt, dtype)
    except DiffkinError as error:
        raise ModelFileError(f"{path} is no record that a filter can start from: {error}") from error
    if not bool(records.gyro.isfinite().all()):
        raise ModelFileError(f"{path} holds rates beyond what {dtype} can hold.")
    return records
