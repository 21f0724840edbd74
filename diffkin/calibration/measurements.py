"""Measurements for a calibration: what was read, what is missing, how sure it is; as CSV."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from diffkin import rotations
from diffkin._checks import check_finite, check_floating, check_last, check_pose
from diffkin._files import path_of, write_bytes_atomically
from diffkin._given import generator_of, one_of, real
from diffkin.errors import ModelFileError, OptionError, ShapeError
from diffkin.robot import Robot
from diffkin.robot.robot import check_robot_given

__all__ = ["KINDS", "Measurements", "check_measurements", "read_measurements", "write_measurements"]

KINDS = ("pose", "position", "rotation")
_POSITION = ("x_m", "y_m", "z_m")
_ROTATION = ("quat_x", "quat_y", "quat_z", "quat_w")


@dataclass(frozen=True, eq=False)
class Measurements:
    """Readings of the joints and what was measured at them, NaN where it was not.

    Attributes:
        q: (n, dof) readings of the joints [rad or m].
        position: (n, 3) measured point in the robot's base [m].
        rotation: (n, 3, 3) measured axes in the robot's base.
        position_sigma: Standard deviation of each coordinate of a position [m].
        rotation_sigma: Standard deviation of a rotation about each axis [rad].
    """

    q: Float[Tensor, "n dof"]
    position: Float[Tensor, "n 3"]
    rotation: Float[Tensor, "n 3 3"]
    position_sigma: float
    rotation_sigma: float

    def __post_init__(self) -> None:
        check_floating(self.q, "q")
        n = len(self.q) if self.q.ndim else 0
        check_last(self.position, (3,), "position")
        check_last(self.rotation, (3, 3), "rotation")
        check_finite(self.q, "q")
        if self.q.ndim != 2 or tuple(self.position.shape) != (n, 3) or tuple(self.rotation.shape) != (n, 3, 3):
            raise ShapeError(
                "q (n, dof), position (n, 3) and rotation (n, 3, 3) are needed, one row a measurement; got "
                f"{tuple(self.q.shape)}, {tuple(self.position.shape)}, {tuple(self.rotation.shape)}."
            )
        for name in ("position_sigma", "rotation_sigma"):
            object.__setattr__(self, name, real(getattr(self, name), name, above=0.0))

    def __len__(self) -> int:
        return len(self.q)

    @classmethod
    def of_poses(
        cls,
        q: Float[Tensor, "n dof"],
        poses: Float[Tensor, "n 4 4"],
        position_sigma: float,
        rotation_sigma: float,
        seed: int | torch.Generator | None = None,
    ) -> Measurements:
        """Full poses, with noise of these standard deviations added where a seed is given.

        The rotation turns by a normal rotation vector, in base axes.
        """
        check_floating(q, "q")
        check_pose(poses, "poses")
        if q.ndim != 2 or tuple(poses.shape) != (len(q), 4, 4):
            raise ShapeError(
                f"q (n, dof) and poses (n, 4, 4) are needed, got {tuple(q.shape)} and {tuple(poses.shape)}."
            )
        position_sigma = real(position_sigma, "position_sigma", above=0.0)
        rotation_sigma = real(rotation_sigma, "rotation_sigma", above=0.0)
        position, rotation = poses[:, :3, 3].double(), poses[:, :3, :3].double()
        if seed is not None:
            drawn = torch.randn(len(q), 6, generator=generator_of(seed), dtype=torch.float64, device="cpu")
            noise = drawn.to(position.device)
            position = position + position_sigma * noise[:, :3]
            rotation = rotations.rotvec_to_matrix(rotation_sigma * noise[:, 3:]) @ rotation
        return cls(q.double(), position, rotation, position_sigma, rotation_sigma)

    def only(self, kind: str) -> Measurements:
        """The same with nothing but the "pose", the "position" or the "rotation"."""
        kind = one_of(kind, KINDS, "kind of measurement")
        position = torch.full_like(self.position, torch.nan) if kind == "rotation" else self.position
        rotation = torch.full_like(self.rotation, torch.nan) if kind == "position" else self.rotation
        return replace(self, position=position, rotation=rotation)

    def valid(self) -> Bool[Tensor, "n 6"]:
        """(n, 6) which of the three coordinates and the three rotation angles were measured."""
        turned = self.rotation.isfinite().flatten(1).all(-1, keepdim=True)
        return torch.cat((self.position.isfinite(), turned.expand(-1, 3)), dim=-1)


def write_measurements(path: str | os.PathLike[str], robot: Robot, data: Measurements) -> None:
    """Write measurements as CSV: a column for each joint, x_m, y_m, z_m, quat_x ... quat_w; empty where missing.

    Args:
        path: Of the file.
        robot: The robot whose joints were read.
        data: The measurements.

    Raises:
        diffkin.errors.ShapeError: The readings are of another number of joints.
        diffkin.errors.ModelFileError: The file cannot be written; an earlier one is as it was.
    """
    file = path_of(path)
    check_robot_given(robot)
    check_measurements(data)
    check_last(data.q, (robot.dof,), "q")
    turned = data.valid()[:, 3]
    quats = torch.full((len(data), 4), torch.nan, dtype=torch.float64, device="cpu")
    quats[turned] = rotations.matrix_to_quat_xyzw(data.rotation[turned]).double().cpu()
    rows = torch.cat((data.q.double().cpu(), data.position.double().cpu(), quats), dim=-1).tolist()
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([*robot.joint_names, *_POSITION, *_ROTATION])
    writer.writerows([repr(value) if value == value else "" for value in row] for row in rows)
    write_bytes_atomically(file, lambda opened: opened.write(text.getvalue().encode()))


def read_measurements(
    path: str | os.PathLike[str], robot: Robot, position_sigma: float, rotation_sigma: float
) -> Measurements:
    """Read measurements from CSV with a header.

    There is a column for each joint, named as the joint [rad or m]; columns x_m, y_m, z_m [m] and quat_x, quat_y,
    quat_z, quat_w hold the measured pose in the robot's base. Measured columns may be left out, and single cells may be
    empty or "nan": what is missing is not used. Other columns are ignored.

    Args:
        path: The file.
        robot: The robot whose joints were read.
        position_sigma: Standard deviation of each coordinate [m].
        rotation_sigma: Standard deviation of a rotation about each axis [rad].

    Returns:
        The measurements.

    Raises:
        diffkin.errors.ModelFileError: The file cannot be read, a joint has no column or an empty cell, a cell is no
            number, a quaternion has no length, or nothing was measured.
    """
    path = path_of(path)
    check_robot_given(robot)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file)
            columns = list(table.fieldnames or ())
            rows = list(table)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ModelFileError(f"Cannot read measurements from {os.fspath(path)!r}: {error}.") from error
    if not rows:
        raise ModelFileError(f"{path} holds no measurements; a header and a line for each were expected.")
    for name in (*robot.joint_names, *_POSITION, *_ROTATION):
        if columns.count(name) > 1:
            raise ModelFileError(f"{path} has the column {name!r} {columns.count(name)} times.")
        if name in robot.joint_names and name not in columns:
            raise ModelFileError(
                f"{path} has no column {name!r}. It needs one for each joint: {', '.join(robot.joint_names)}; it has "
                f"{', '.join(columns)[:400]}."
            )
    q = _columns(path, rows, robot.joint_names)
    if not bool(q.isfinite().all()):
        line = int((~q.isfinite()).any(-1).nonzero()[0]) + 2
        raise ModelFileError(f"{path}, line {line}: every joint needs a finite reading. Correct or remove the line.")
    position, quats = _columns(path, rows, _POSITION), _columns(path, rows, _ROTATION)
    turned = quats.isfinite().all(-1)
    length = quats.norm(dim=-1, keepdim=True)
    if bool(((length - 1.0).abs() > 0.05).squeeze(-1)[turned].any()):
        line = int((((length - 1.0).abs() > 0.05).squeeze(-1) & turned).nonzero()[0]) + 2
        raise ModelFileError(f"{path}, line {line}: the quaternion (x, y, z, w) must have length 1.")
    rotation = torch.full((len(rows), 3, 3), torch.nan, dtype=torch.float64, device="cpu")
    rotation[turned] = rotations.quat_xyzw_to_matrix((quats / length)[turned])
    data = Measurements(q, position, rotation, position_sigma, rotation_sigma)
    if not bool(data.valid().any()):
        raise ModelFileError(
            f"{path} holds nothing measured; expected {', '.join(_POSITION)} or {', '.join(_ROTATION)}."
        )
    return data


def _columns(path: str | os.PathLike[str], rows: Sequence[dict[str, str]], names: Sequence[str]) -> Tensor:
    """(n, names) float64, NaN where a column or a cell is missing."""
    values = [[_number(path, index + 2, name, row.get(name)) for name in names] for index, row in enumerate(rows)]
    return torch.tensor(values, dtype=torch.float64, device="cpu").reshape(len(rows), len(names))


def _number(path: str | os.PathLike[str], line: int, name: str, text: str | None) -> float:
    if text is None or not text.strip():
        return float("nan")
    try:
        value = float(text)
    except ValueError:
        raise ModelFileError(f"{path}, line {line}, column {name}: {text[:40]!r} is no number.") from None
    if math.isinf(value):
        raise ModelFileError(
            f"{path}, line {line}, column {name}: {text[:40]!r} is not finite. Leave it empty if missing."
        )
    return value


def check_measurements(data: object) -> None:
    """Raise unless these are measurements."""
    if not isinstance(data, Measurements):
        raise OptionError(f"data must be Measurements, got a {type(data).__name__}.")
