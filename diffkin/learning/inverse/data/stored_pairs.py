"""Pairs of coordinates and poses in files: written shard by shard, anywhere, and read for training.

Shard ``k`` of ``n`` depends on the robot, the count, the seed and ``k`` alone, so that any number of processes or
machines may write them in any order, and a run that was killed writes only what is missing.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from diffkin.errors import ModelFileError, OptionError
from diffkin.ik import solve_ik
from diffkin.learning.training.checkpoint import write_atomically
from diffkin.robot import Robot

__all__ = ["DatasetSettings", "StoredPairs", "make_shard", "shard_path", "write_shard"]

_KINDS = ("fk", "ik")
_CHUNK = 20_000  # pairs made at a time: they stay in the cache of one core


@dataclass(frozen=True)
class DatasetSettings:
    """What a data set holds.

    Attributes:
        kind: "fk": coordinates uniform within the limits and their poses. "ik": such poses, and for each the solution
            that ``solve_ik`` finds without knowing how it was made.
        count: Pairs in all shards together.
        shards: Number of files.
        seed: Other seeds give other pairs.
    """

    kind: str = "fk"
    count: int = 1_000_000
    shards: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise OptionError(f"kind must be one of {', '.join(_KINDS)}, got {self.kind!r}.")
        if self.shards < 1 or self.count < self.shards:
            raise OptionError(f"shards must be from 1 to count, got shards={self.shards} and count={self.count}.")


def shard_path(folder: Path, shard: int, shards: int) -> Path:
    """Name of a shard's file."""
    return folder / f"pairs-{shard:05d}-of-{shards:05d}.safetensors"


def make_shard(robot: Robot, settings: DatasetSettings, shard: int) -> dict[str, Tensor]:
    """The tensors of one shard.

    Args:
        robot: A robot with a tip, float64.
        settings: What the data set holds.
        shard: Which, from 0.

    Returns:
        ``q`` (n, dof) and ``T`` (n, 3, 4), the upper rows of ``T_base_tip``, float32; for "ik" also ``solved`` (n,).

    Raises:
        diffkin.errors.OptionError: There is no such shard.
    """
    if not 0 <= shard < settings.shards:
        raise OptionError(f"shard must be from 0 to {settings.shards - 1}, got {shard}.")
    first, last = (settings.count * k // settings.shards for k in (shard, shard + 1))
    seed = hashlib.sha256(f"{settings.seed}/{shard}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(seed[:7], "big"))
    count = last - first
    shapes = {"q": (count, robot.dof), "T": (count, 3, 4)}
    pairs = {name: torch.empty(shape, dtype=torch.float32) for name, shape in shapes.items()}
    if settings.kind == "ik":
        pairs["solved"] = torch.empty(count, dtype=torch.bool)
    for start in range(0, count, _CHUNK):
        rows = slice(start, min(start + _CHUNK, count))
        q = robot.sample(rows.stop - start, seed=generator).to(torch.float32).to(robot.dtype)
        T = robot.forward_kinematics(q)
        if settings.kind == "ik":
            result = solve_ik(robot, T)
            q, pairs["solved"][rows] = result.q, result.success
        pairs["q"][rows], pairs["T"][rows] = q, T[:, :3]
    return pairs


def write_shard(robot: Robot, settings: DatasetSettings, shard: int, folder: Path) -> bool:
    """Write one shard, atomically, unless it is there already.

    Args:
        robot: A robot with a tip, float64.
        settings: What the data set holds.
        shard: Which, from 0.
        folder: Where; made if it is not there.

    Returns:
        Whether it was written now.

    Raises:
        diffkin.errors.OptionError: The folder holds shards of another data set.
    """
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    path = shard_path(folder, shard, settings.shards)
    header = _header(robot, settings)
    for other in sorted(folder.glob("pairs-*.safetensors")):
        there = _read_header(other)
        if there != header:
            raise OptionError(f"{other} belongs to another data set: {there}, not {header}. Choose another folder.")
    if path.exists():
        return False
    tensors = make_shard(robot, settings, shard)
    text = json.dumps(header, sort_keys=True)
    write_atomically(path, lambda beside: save_file(tensors, beside, metadata={"diffkin": text}))
    return True


class StoredPairs:
    """Training data from a folder of shards, drawn at random; files are mapped, not read into memory.

    Each batch comes from one shard, chosen at random, so that few pages are touched.

    Args:
        folder: A folder that ``write_shard`` filled.
        robot: The robot that is trained for; another one's data is refused.

    Raises:
        diffkin.errors.ModelFileError: No shards, a missing one, or one that cannot be read.
        diffkin.errors.OptionError: The data was made for another robot.
    """

    def __init__(self, folder: str | os.PathLike[str], robot: Robot) -> None:
        from safetensors.torch import load_file

        files = sorted(Path(folder).glob("pairs-*.safetensors"))
        if not files:
            raise ModelFileError(
                f"There are no pairs-*.safetensors in {folder}. Write some with scripts/make_dataset.py."
            )
        header = _read_header(files[0])
        if header["robot"] != _fingerprint(robot):
            raise OptionError(
                f"The pairs in {folder} were made for another robot than {robot.name!r}, or other limits."
            )
        missing = [k for k in range(header["shards"]) if not shard_path(Path(folder), k, header["shards"]).exists()]
        if missing or len(files) != header["shards"]:
            raise ModelFileError(f"{folder} lacks shards {missing} of {header['shards']}. Run make_dataset.py again.")
        self.shards = [load_file(file) for file in files]
        self.sizes = torch.tensor([float(len(shard["q"])) for shard in self.shards])

    def __len__(self) -> int:
        return int(self.sizes.sum())

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """(count, dof) coordinates and (count, 4, 4) poses, float32, with replacement."""
        shard = self.shards[int(torch.multinomial(self.sizes, 1, generator=generator))]
        rows = torch.randint(len(shard["q"]), (count,), generator=generator)
        last = torch.tensor([0.0, 0.0, 0.0, 1.0], dtype=torch.float32).expand(count, 1, 4)
        return shard["q"][rows], torch.cat((shard["T"][rows], last), dim=1)


def _header(robot: Robot, settings: DatasetSettings) -> dict[str, Any]:
    return {"format": 1, **asdict(settings), "robot": _fingerprint(robot), "joints": list(robot.joint_names)}


def _read_header(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as opened:
            return dict(json.loads((opened.metadata() or {})["diffkin"]))
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise ModelFileError(
            f"{path} cannot be read as a shard of pairs ({error}). Delete it and write it anew."
        ) from error


def _fingerprint(robot: Robot) -> str:
    """A text that tells mechanisms apart: geometry, limits and order of joints, to single precision."""
    digest = hashlib.sha256(repr((robot.joint_names, robot.tree.kinds, robot.tree.parents, robot.tip)).encode())
    for tensor in (robot.tree.origins, robot.tree.axes, robot.tree.link_offsets, robot.lower, robot.upper):
        digest.update(tensor.detach().cpu().to(torch.float32).numpy().tobytes())
    return f"{robot.name} {digest.hexdigest()[:16]}"
