"""Shards of pairs as files: their names, their headers, and every check that one must pass before it is used.

Format 2 has a checksum of all and a fingerprint of all that makes poses and limits. Format 1 had neither; it is still read,
where its lesser fingerprint fits and the poses of a sample of its rows are those of this robot.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from diffkin._given import whole
from diffkin.errors import DiffkinError, MissingDependencyError, ModelFileError, OptionError
from diffkin.learning.inverse.data.fingerprint import fingerprint, fingerprint_of_format_1
from diffkin.learning.training.checkpoint import read_header
from diffkin.robot import Robot

__all__ = [
    "FORMAT",
    "KINDS",
    "MOST_SHARDS",
    "check_header",
    "read_shard",
    "shard_header",
    "shard_path",
    "size_of_shard",
]

FORMAT = 2
KINDS = ("fk", "ik")
MOST_SHARDS = 99_999  # five digits in their names

_SAMPLE = 64  # rows of each shard whose poses are computed anew
_AT_A_TIME = 2**22  # numbers looked at at a time
_ROUNDING = 2e-5  # of a pose in single precision, over the size of the robot's numbers


def shard_path(folder: Path, shard: int, shards: int) -> Path:
    """Name of a shard's file."""
    return folder / f"pairs-{shard:05d}-of-{shards:05d}.safetensors"


def size_of_shard(count: int, shards: int, shard: int) -> int:
    """Pairs in one shard of a data set of ``count`` pairs."""
    return count * (shard + 1) // shards - count * shard // shards


def shard_header(robot: Robot, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The header of new shards."""
    return {"format": FORMAT, **settings, "robot": fingerprint(robot), "joints": list(robot.joint_names)}


def check_header(path: Path) -> dict[str, Any]:
    """The header of a shard, each part of its kind; the pairs themselves are not looked at.

    Raises:
        diffkin.errors.ModelFileError: It cannot be read, or is no header of a shard.
    """
    header, _ = _read(path, checked=False)
    return header


def read_shard(
    path: Path, robot: Robot, shard: int, like: Mapping[str, Any] | None
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Header and pairs of a shard, mapped from the file, once all of it is known to be right.

    Args:
        path: Of the file.
        robot: The robot that the pairs must be of.
        shard: Which shard it must be.
        like: The header that it must have, of another shard of the same data set; None for the first one.

    Raises:
        diffkin.errors.ModelFileError: It cannot be read, is cut short or damaged, holds other numbers than its header
            says, NaN or infinity, or poses that are not those of its coordinates.
        diffkin.errors.OptionError: It was made for another robot, or belongs to another data set.
    """
    header, pairs = _read(path, checked=True)
    known = fingerprint(robot) if header["format"] > 1 else fingerprint_of_format_1(robot)
    if header["robot"] != known or header["joints"] != list(robot.joint_names):
        raise OptionError(
            f"The pairs in {path} were made for another robot than {robot.name!r} as it is now, or other limits: "
            f"{header['robot']!r}, not {known!r}. Write data for this robot to a folder of its own."
        )
    if like is not None and header != like:
        raise OptionError(f"{path} belongs to another data set than the others in its folder: {header}, not {like}.")
    if path != shard_path(path.parent, shard, header["shards"]):
        raise ModelFileError(f"{path} says that there are {header['shards']} shards; its name does not fit. {_REPAIR}")
    rows = size_of_shard(header["count"], header["shards"], shard)
    shapes = {"q": (rows, robot.dof), "T": (rows, 3, 4)} | ({"solved": (rows,)} if header["kind"] == "ik" else {})
    for name, shape in shapes.items():
        there, dtype = pairs.get(name), torch.bool if name == "solved" else torch.float32
        if there is None or tuple(there.shape) != shape or there.dtype != dtype:
            found = "nothing" if there is None else f"{tuple(there.shape)} of {there.dtype}"
            raise ModelFileError(f"{path} should hold {name} {shape} of {dtype}, it holds {found}. {_REPAIR}")
    for name in ("q", "T"):
        if not all(bool(torch.isfinite(part).all()) for part in pairs[name].reshape(-1).split(_AT_A_TIME)):
            raise ModelFileError(f"{path}: {name} holds NaN or infinite numbers. {_REPAIR}")
    _check_poses(path, robot, pairs)
    return header, pairs


_REPAIR = "Delete it and run make_dataset.py again, which writes only what is missing."


def _read(path: Path, checked: bool) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        header, pairs = read_header(path, FORMAT, checked)
        _check_kinds(header)
    except MissingDependencyError:
        raise
    except Exception as error:  # a broken file makes its readers raise whatever its bytes lead to
        reason = (
            str(error) if isinstance(error, (DiffkinError, OSError, ValueError)) else f"{type(error).__name__}: {error}"
        )
        raise ModelFileError(f"{path} cannot be read as a shard of pairs ({reason:.300}). {_REPAIR}") from error
    return header, pairs


def _check_kinds(header: Mapping[str, Any]) -> None:
    missing = [name for name in ("kind", "count", "shards", "seed", "robot", "joints") if name not in header]
    if missing:
        raise ValueError(f"its header lacks {', '.join(missing)}")
    if header["kind"] not in list(KINDS):
        raise ValueError(f"its kind is {header['kind']!r:.40}, not one of {', '.join(KINDS)}")
    shards = whole(header["shards"], "shards in its header", 1, MOST_SHARDS)
    whole(header["count"], "count in its header", shards)
    if not isinstance(header["robot"], str) or not isinstance(header["joints"], list):
        raise ValueError("its header names no robot and joints")


def _check_poses(path: Path, robot: Robot, pairs: Mapping[str, Tensor]) -> None:
    """Raise unless the poses of rows spread over the shard are those of its coordinates, up to single precision."""
    count = len(pairs["q"])
    rows = torch.tensor(sorted({round(k * (count - 1) / (_SAMPLE - 1)) for k in range(_SAMPLE)}), device="cpu")
    if "solved" in pairs:
        rows = rows[pairs["solved"][rows]]
    if len(rows) == 0:
        return
    exact = robot.to(dtype=torch.float64, device="cpu")
    with torch.no_grad():
        poses = exact.forward_kinematics(pairs["q"][rows].double())[:, :3]
    sizes = itertools.chain(pairs["q"][rows].abs().amax(0).tolist(), (float(pairs["T"][rows].abs().max()), 1.0))
    gap = float((poses - pairs["T"][rows]).abs().max())
    if gap > _ROUNDING * max(sizes) * robot.tree.joints:
        raise OptionError(
            f"The pairs in {path} were made for another robot than {robot.name!r} as it is now: its poses are up to "
            f"{gap:.3g} off. Write data for this robot to a folder of its own."
        )
