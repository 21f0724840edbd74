"""Pairs of coordinates and poses in files: written shard by shard, anywhere, and read for training.

Shard ``k`` of ``n`` depends on the robot, the count, the seed and ``k`` alone, so that any number of processes or
machines may write them in any order, and a run that was killed writes only what is missing.
"""

from __future__ import annotations

import bisect
import hashlib
import itertools
import operator
import os
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from diffkin._files import make_folder, path_of, write_bytes_atomically
from diffkin._given import generator_of, seed_of, whole
from diffkin.errors import ModelFileError, OptionError
from diffkin.ik import solve_ik
from diffkin.learning.inverse.data.shards import (
    KINDS,
    MOST_SHARDS,
    check_header,
    read_shard,
    shard_header,
    shard_path,
    size_of_shard,
)
from diffkin.learning.optional import needed
from diffkin.learning.sizes import check_memory
from diffkin.learning.training.checkpoint import pack_tensors
from diffkin.robot import Robot

__all__ = ["DatasetSettings", "StoredPairs", "make_shard", "shard_path", "write_shard"]

_CHUNK = 20_000  # pairs made at a time: they stay in the cache of one core


@dataclass(frozen=True)
class DatasetSettings:
    """What a data set holds.

    Attributes:
        kind: "fk": coordinates uniform within the limits and their poses. "ik": such poses, and for each the solution
            that ``solve_ik`` finds without knowing how it was made.
        count: Pairs in all shards together.
        shards: Number of files, at most 99999.
        seed: Other seeds give other pairs.
    """

    kind: str = "fk"
    count: int = 1_000_000
    shards: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.kind, str) or self.kind not in KINDS:
            raise OptionError(f"kind must be one of {', '.join(KINDS)}, got {self.kind!r}.")
        object.__setattr__(self, "shards", whole(self.shards, "shards", 1, MOST_SHARDS))
        object.__setattr__(self, "count", whole(self.count, "count"))
        object.__setattr__(self, "seed", seed_of(self.seed))
        if self.count < self.shards:
            raise OptionError(f"shards must be from 1 to count, got shards={self.shards} and count={self.count}.")


def make_shard(robot: Robot, settings: DatasetSettings, shard: int) -> dict[str, Tensor]:
    """The tensors of one shard.

    Args:
        robot: A robot with a tip, float64.
        settings: What the data set holds.
        shard: Which, from 0.

    Returns:
        ``q`` (n, dof) and ``T`` (n, 3, 4), the upper rows of ``T_base_tip``, float32; for "ik" also ``solved`` (n,).

    Raises:
        diffkin.errors.OptionError: There is no such shard, or it would not fit in memory.
    """
    shard = _checked_shard(settings, shard)
    seed = hashlib.sha256(f"{settings.seed}/{shard}".encode()).digest()
    generator = generator_of(int.from_bytes(seed[:7], "big"))
    count = size_of_shard(settings.count, settings.shards, shard)
    size = 2 * 4 * count * (robot.dof + 12)  # once as tensors, once as the content of the file
    check_memory(size, f"A shard of {count} pairs", "Set more shards.")
    shapes = {"q": (count, robot.dof), "T": (count, 3, 4)}
    pairs = {name: torch.empty(shape, dtype=torch.float32, device="cpu") for name, shape in shapes.items()}
    if settings.kind == "ik":
        pairs["solved"] = torch.empty(count, dtype=torch.bool, device="cpu")
    with torch.no_grad():
        for start in range(0, count, _CHUNK):
            rows = slice(start, min(start + _CHUNK, count))
            q = robot.sample(rows.stop - start, seed=generator).to(torch.float32).to(robot.dtype)
            T = robot.forward_kinematics(q)
            if settings.kind == "ik":
                result = solve_ik(robot, T)
                q, pairs["solved"][rows] = result.q, result.success
            pairs["q"][rows], pairs["T"][rows] = q, T[:, :3]
    return pairs


def write_shard(robot: Robot, settings: DatasetSettings, shard: int, folder: str | os.PathLike[str]) -> bool:
    """Write one shard, atomically, unless it is there already.

    Args:
        robot: A robot with a tip, float64.
        settings: What the data set holds.
        shard: Which, from 0.
        folder: Where; made if it is not there.

    Returns:
        Whether it was written now.

    Raises:
        diffkin.errors.OptionError: The folder holds shards of another data set, or of an earlier format.
        diffkin.errors.ModelFileError: A shard that is there cannot be read, or the new one not be written.
    """
    shard = _checked_shard(settings, shard)
    header = shard_header(robot, asdict(settings))
    folder = make_folder(folder)
    path = shard_path(folder, shard, settings.shards)
    for other in sorted(folder.glob("pairs-*.safetensors")):
        there = check_header(other)
        if there != header:
            raise OptionError(f"{other} belongs to another data set: {there}, not {header}. Choose another folder.")
    if path.exists():
        return False
    content = pack_tensors(header, make_shard(robot, settings, shard))
    write_bytes_atomically(path, lambda file: file.write(content))
    return True


def _checked_shard(settings: DatasetSettings, shard: int) -> int:
    if not isinstance(settings, DatasetSettings):
        raise OptionError(f"settings must be DatasetSettings(...), got a {type(settings).__name__}.")
    return whole(shard, "shard", 0, settings.shards - 1)


class StoredPairs:
    """Training data from a folder of shards, drawn at random; files are mapped, not kept in memory.

    Every shard is read through once and checked. Each batch comes from one shard, chosen at random, so that few pages are
    touched. ``pairs[k]`` is one pair, so that a ``torch.utils.data.DataLoader`` takes it too; a copy, also one sent to
    another process, maps the same files anew.

    Args:
        folder: A folder that ``write_shard`` filled.
        robot: The robot that is trained for; another one's data is refused.

    Raises:
        diffkin.errors.ModelFileError: No shards, a missing one, or one that cannot be read, is cut short or damaged.
        diffkin.errors.OptionError: The data was made for another robot.
    """

    def __init__(self, folder: str | os.PathLike[str], robot: Robot) -> None:
        folder = path_of(folder, "folder")
        files = sorted(folder.glob("pairs-*.safetensors"))
        if not files:
            raise ModelFileError(
                f"There are no pairs-*.safetensors in {folder}. Write some with scripts/make_dataset.py."
            )
        count = check_header(files[0])["shards"]
        files = [shard_path(folder, shard, count) for shard in range(count)] if count == len(files) else files
        missing = (shard for shard in range(count) if not shard_path(folder, shard, count).exists())
        first = list(itertools.islice(missing, 5))
        if first or count != len(files):
            raise ModelFileError(
                f"{folder} lacks shards {first}{' and more' if len(first) == 5 else ''} of {count}; it holds "
                f"{len(files)} files. Run make_dataset.py again, which writes only what is missing."
            )
        like: dict[str, Any] | None = None
        for shard, file in enumerate(files):
            like, _ = read_shard(file, robot, shard, like)
        self.files = tuple(file.absolute() for file in files)  # a worker may stand in another folder
        self._map()

    def _map(self) -> None:
        load_file = needed("safetensors.torch", "Reading data sets").load_file
        try:
            self.shards = [load_file(file, device="cpu") for file in self.files]
        except Exception as error:  # whatever the reader makes of a file that is gone or was changed since
            raise ModelFileError(f"The pairs in {self.files[0].parent} cannot be read any more: {error}.") from error
        self.ends = list(itertools.accumulate(len(shard["q"]) for shard in self.shards))
        self.sizes = torch.tensor([float(len(shard["q"])) for shard in self.shards], device="cpu")

    def __getstate__(self) -> dict[str, Any]:
        return {"files": self.files}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.files = state["files"]
        self._map()

    def __len__(self) -> int:
        return self.ends[-1]

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """(dof,) coordinates and (4, 4) pose of one pair, float32."""
        place = operator.index(index)
        place += len(self) if place < 0 else 0
        if not 0 <= place < len(self):
            raise IndexError(f"There are {len(self)} pairs, got the index {index}.")  # what ends a for loop
        number = bisect.bisect_right(self.ends, place)
        shard, row = self.shards[number], place - (self.ends[number - 1] if number else 0)
        return shard["q"][row].clone(), _whole(shard["T"][row][None])[0]

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """(count, dof) coordinates and (count, 4, 4) poses, float32, with replacement."""
        count, generator = whole(count, "count", 0), generator_of(generator, "generator")
        check_memory(2 * 4 * count * (self.shards[0]["q"].shape[1] + 16), f"A batch of {count} pairs", "Draw fewer.")
        shard = self.shards[int(torch.multinomial(self.sizes, 1, generator=generator))]
        rows = torch.randint(len(shard["q"]), (count,), generator=generator, device="cpu")
        return shard["q"][rows], _whole(shard["T"][rows])


def _whole(rows: Tensor) -> Tensor:
    """(n, 4, 4) poses from their upper rows."""
    last = torch.tensor([0.0, 0.0, 0.0, 1.0], dtype=torch.float32, device="cpu").expand(len(rows), 1, 4)
    return torch.cat((rows, last), dim=1)
