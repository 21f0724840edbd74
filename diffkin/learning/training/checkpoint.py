"""Checkpoints and weight files that a kill cannot spoil, and whose damage is noticed; reading one runs no code."""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from diffkin._files import path_of, write_bytes_atomically
from diffkin.errors import DiffkinError, ModelFileError, NonFiniteError, OptionError
from diffkin.learning.optional import needed

__all__ = [
    "load_checkpoint",
    "load_tensors",
    "load_weights",
    "pack_tensors",
    "read_header",
    "save_checkpoint",
    "save_tensors",
    "weights_of",
]

_FORMAT = 2  # of weight files; 1 had no checksum
_DEEPEST = 64  # levels of a description


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Save tensors, numbers and containers of them, atomically.

    Raises:
        diffkin.errors.ModelFileError: It cannot be written; an earlier one is as it was.
    """
    write_bytes_atomically(path, lambda file: torch.save(dict(state), file))


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read what ``save_checkpoint`` wrote, onto the CPU; anything but tensors and plain containers is refused.

    Raises:
        diffkin.errors.ModelFileError: There is no such file, it is no checkpoint, or it is damaged.
    """
    try:
        _check_archive(path)
        with torch.device("cpu"):
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a broken file makes torch's reader raise whatever its bytes lead to
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelFileError(
            f"{path} cannot be read as a checkpoint ({reason}). Give a folder that fit() wrote."
        ) from error
    if not isinstance(state, dict):
        raise ModelFileError(
            f"{path} holds a {type(state).__name__}, not a checkpoint. Give a folder that fit() wrote."
        )
    return state


def _check_archive(path: Path) -> None:
    """Raise unless this is an archive as torch writes it, not compressed and with right checksums."""
    size = os.path.getsize(path)
    if not zipfile.is_zipfile(path):  # torch's own reader fails on other files in many ways
        raise EOFError("not an archive, or cut short")
    with zipfile.ZipFile(path) as archive:
        for part in archive.infolist():
            if part.compress_type != zipfile.ZIP_STORED or part.file_size > size:
                raise ValueError(f"its part {part.filename} is not as torch writes it")
        damaged = archive.testzip()
    if damaged is not None:
        raise ValueError(f"its part {damaged} is damaged")


def load_weights(network: nn.Module, weights: Any, where: object) -> None:
    """Put weights into a network of the same make.

    Raises:
        diffkin.errors.ModelFileError: These are no tensors by name.
        diffkin.errors.NonFiniteError: A weight is NaN or infinite.
        diffkin.errors.OptionError: The network has other parameters, or other shapes, than the weights.
    """
    if not isinstance(weights, Mapping) or not all(
        isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in weights.items()
    ):
        raise ModelFileError(f"{where} holds a {type(weights).__name__} where weights, tensors by name, should be.")
    own = network.state_dict()
    have = {name: tuple(tensor.shape) for name, tensor in own.items()}
    given = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    for name in sorted(have.keys() | given.keys()):
        if have.get(name) != given.get(name):
            raise OptionError(
                f"{where} holds another model: {name} is {given.get(name, 'absent')} there and "
                f"{have.get(name, 'absent')} in this network. Go on with the settings it was saved with, or start anew."
            )
    learned = {name for name, _ in network.named_parameters()}  # a buffer may hold an infinity
    for name, tensor in weights.items():
        dtypes = tensor.dtype, own[name].dtype
        if tensor.layout != torch.strided or (dtypes[0] != dtypes[1] and not all(d.is_floating_point for d in dtypes)):
            raise ModelFileError(
                f"{where}: {name} is {tensor.dtype} and {tensor.layout}; this network has {dtypes[1]}."
            )
        if name in learned and not bool(torch.isfinite(tensor).all()):
            raise NonFiniteError(f"{where}: {name} holds NaN or infinite numbers.")
    network.load_state_dict(dict(weights))


def save_tensors(path: str | os.PathLike[str], header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Write tensors to a safetensors file, atomically, with what is to be known about them.

    Args:
        path: Of the file.
        header: Anything that JSON holds; the version of diffkin is added.
        tensors: By name.

    Raises:
        diffkin.errors.ModelFileError: It cannot be written; an earlier file is as it was.
    """
    import diffkin

    content = pack_tensors({"format": _FORMAT, "diffkin": diffkin.__version__, **header}, tensors)
    write_bytes_atomically(path_of(path), lambda file: file.write(content))


def pack_tensors(header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> bytes:
    """The bytes of a safetensors file of these tensors, with a header that has a checksum of all."""
    pack = needed("safetensors.torch", "Writing networks and data sets").save
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    text = json.dumps({**header, "checksum": _checksum(header, plain)}, sort_keys=True)
    return bytes(pack(plain, metadata={"diffkin": text}))


def load_tensors(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read header and tensors that ``save_tensors`` wrote.

    Raises:
        diffkin.errors.ModelFileError: There is no such file, it is no safetensors file, not one of ours, or damaged.
    """
    try:
        header, tensors = read_header(path, _FORMAT)
    except Exception as error:  # a broken file makes its readers raise whatever its bytes lead to
        if isinstance(error, DiffkinError) and not isinstance(error, ModelFileError):
            raise
        raise ModelFileError(
            f"{path} cannot be read as a network of diffkin ({error}). Give a .safetensors file that a training script "
            "wrote, or its run folder."
        ) from error
    return header, tensors


def read_header(path: Path, newest: int, checked: bool = True) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Header (without its checksum) and tensors of a safetensors file of ours; raises whatever a broken file leads to.

    Args:
        path: Of the file.
        newest: Newest format that can be read; format 1 has no checksum.
        checked: Whether to read the tensors, compare the checksum and return them, or the header alone.
    """
    safetensors = needed("safetensors", "Reading networks and data sets")
    with safetensors.safe_open(path, framework="pt", device="cpu") as opened:
        text = (opened.metadata() or {}).get("diffkin")
        tensors = {name: opened.get_tensor(name) for name in opened.keys()} if checked else {}  # noqa: SIM118
    if text is None:
        raise ValueError("a safetensors file, but without diffkin's description of what is in it")
    try:
        header = json.loads(text)
    except RecursionError:
        raise ValueError("its description is nested too deeply") from None
    if not isinstance(header, dict) or _depth(header) > _DEEPEST:
        raise ValueError("its description is no JSON object, or nested too deeply")
    if type(header.get("format")) is not int or not 1 <= header["format"] <= newest:
        raise ValueError(f"of another format than 1 to {newest}, which this version of diffkin reads")
    checksum = header.pop("checksum", None)
    if checked and header["format"] > 1 and checksum != _checksum(header, tensors):
        raise ValueError("it is damaged: its checksum is not that of its content")
    return header, tensors


def _checksum(header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> int:
    """CRC-32 of a header and of names, dtypes, shapes and numbers of tensors."""
    value = zlib.crc32(json.dumps(header, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        value = zlib.crc32(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode(), value)
        for part in tensor.reshape(-1).split(2**24):
            value = zlib.crc32(part.view(torch.uint8).numpy(), value)
    return value


def _depth(value: Any) -> int:
    """Levels of nested containers, found level by level."""
    level, depth = [value], 0
    while level and depth <= _DEEPEST:
        level = [
            part
            for item in level
            if isinstance(item, (dict, list))
            for part in (item.values() if isinstance(item, dict) else item)
        ]
        depth += 1
    return depth


def weights_of(part: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors whose names begin with ``part.``, by what follows."""
    return {name.removeprefix(f"{part}."): value for name, value in tensors.items() if name.startswith(f"{part}.")}
