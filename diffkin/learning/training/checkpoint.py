"""Checkpoints and weight files that a kill cannot spoil: written beside, then renamed; reading one runs no code."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import nn

from diffkin.errors import ModelFileError, OptionError

__all__ = [
    "load_checkpoint",
    "load_tensors",
    "load_weights",
    "save_checkpoint",
    "save_tensors",
    "weights_of",
    "write_atomically",
]

_FORMAT = 1  # of weight files


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a file beside ``path``, then put it there in one step: never half a file.

    Args:
        path: Where the file is to be.
        write: Called with the temporary path.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        write(beside)
        with open(beside, "rb") as file:
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Save tensors, numbers and containers of them, atomically."""
    write_atomically(path, lambda beside: torch.save(dict(state), beside))


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read what ``save_checkpoint`` wrote, onto the CPU; anything but tensors and plain containers is refused.

    Raises:
        diffkin.errors.ModelFileError: There is no such file, or it is no checkpoint.
    """
    try:
        if not zipfile.is_zipfile(path):  # torch's own reader fails on other files in many ways
            raise EOFError("missing, or not an archive")
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, UnpicklingError) as error:
        raise ModelFileError(
            f"{path} cannot be read as a checkpoint ({error}). Give a folder that fit() wrote."
        ) from error
    if not isinstance(state, dict):
        raise ModelFileError(
            f"{path} holds a {type(state).__name__}, not a checkpoint. Give a folder that fit() wrote."
        )
    return state


def load_weights(network: nn.Module, weights: Mapping[str, torch.Tensor], where: object) -> None:
    """Put weights into a network of the same make.

    Raises:
        diffkin.errors.OptionError: The network has other parameters, or other shapes, than the weights.
    """
    have = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    given = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    for name in sorted(have.keys() | given.keys()):
        if have.get(name) != given.get(name):
            raise OptionError(
                f"{where} holds another model: {name} is {given.get(name, 'absent')} there and "
                f"{have.get(name, 'absent')} in this network. Go on with the settings it was saved with, or start anew."
            )
    network.load_state_dict(dict(weights))


def save_tensors(path: Path, header: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> None:
    """Write tensors to a safetensors file, atomically, with what is to be known about them.

    Args:
        path: Of the file.
        header: Anything that JSON holds; the version of diffkin is added.
        tensors: By name.
    """
    from safetensors.torch import save_file

    import diffkin

    text = json.dumps({"format": _FORMAT, "diffkin": diffkin.__version__, **header})
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    write_atomically(path, lambda beside: save_file(plain, beside, metadata={"diffkin": text}))


def load_tensors(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Read header and tensors that ``save_tensors`` wrote.

    Raises:
        diffkin.errors.ModelFileError: There is no such file, it is no safetensors file, or not one of ours.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as opened:
            text = (opened.metadata() or {}).get("diffkin")
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 (not a mapping)
        if text is None:
            raise ValueError("a safetensors file, but without diffkin's description of the network")
        header = json.loads(text)
        if not isinstance(header, dict) or header.get("format") != _FORMAT:
            raise ValueError(f"of another format than {_FORMAT}, which this version of diffkin reads")
    except (OSError, SafetensorError, ValueError) as error:
        raise ModelFileError(
            f"{path} cannot be read as a network of diffkin ({error}). Give a .safetensors file that a training script "
            "wrote, or its run folder."
        ) from error
    return header, tensors


def weights_of(part: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors whose names begin with ``part.``, by what follows."""
    return {name.removeprefix(f"{part}."): value for name, value in tensors.items() if name.startswith(f"{part}.")}
