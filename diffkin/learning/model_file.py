"""Saved networks of any kind, read back: those for inverse kinematics and attitude policies.

A file is safetensors: the weights, the geometry of the robot (or the body of the aircraft) beside them, and one JSON text
with the network's name and settings, the robot's names, and the version that wrote it. Reading one runs no code from it.
"""

from __future__ import annotations

import os
from pathlib import Path

from diffkin._files import path_of
from diffkin.errors import MissingDependencyError, ModelFileError
from diffkin.learning.inverse.network import IKNetwork
from diffkin.learning.inverse.network_file import network_of
from diffkin.learning.policy.policy import Policy
from diffkin.learning.policy.policy_file import policy_of
from diffkin.learning.training.checkpoint import load_tensors

__all__ = ["load"]


def load(path: str | os.PathLike[str]) -> IKNetwork | Policy:
    """Read a network or an attitude policy that was saved, with what it needs to answer.

    Args:
        path: Of the file, or of a run's folder that holds one such file.

    Returns:
        On the CPU, gradients off: an inverse-kinematics network, which brings along ``robot``, the robot it was trained
        on; or a policy, which brings along ``craft``, the body it was trained on (``craft.scaled_to(inertia)`` is
        another one to fly).

    Raises:
        diffkin.errors.ModelFileError: There is no such file, or it holds neither.
    """
    file = _file(path_of(path))
    header, tensors = load_tensors(file)
    try:
        if "policy" in header:
            return policy_of(header, tensors, file)
        return network_of(header, tensors, file)
    except MissingDependencyError:
        raise
    except Exception as error:  # a broken file makes its readers raise whatever its bytes lead to
        raise ModelFileError(
            f"{file} cannot be read as a network of diffkin ({type(error).__name__}: {str(error):.300}). Give a .safetensors "
            "file that a training script wrote, or its run folder."
        ) from error


def _file(path: Path) -> Path:
    """The file itself, or the only one in a folder."""
    if not path.is_dir():
        return path
    files = sorted(path.glob("*.safetensors"))
    if len(files) != 1:
        names = ", ".join(file.name for file in files) or "none"
        raise ModelFileError(
            f"{path} cannot be read as a network of diffkin: it must hold one .safetensors file, it holds {names}. Give "
            "the path of a file."
        )
    return files[0]
