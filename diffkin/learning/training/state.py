"""Where a training run is, and its checkpoint read back: each part of its kind, or a clear error."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from diffkin.errors import ModelFileError, OptionError
from diffkin.learning.training.checkpoint import load_checkpoint
from diffkin.learning.training.settings import FitSettings

__all__ = ["Count", "best_weights", "read_state", "restore"]


@dataclass
class Count:
    """Where a run is; part of its checkpoint."""

    step: int = 0
    best: float = math.inf
    best_step: int = 0
    worse: int = 0  # validations since the best one
    loss_sum: float = 0.0
    loss_count: int = 0
    seconds: float = 0.0

    @classmethod
    def of(cls, state: dict[str, Any], path: Path) -> Count:
        """The one in a checkpoint.

        Raises:
            diffkin.errors.ModelFileError: There is none, or one that cannot be.
        """
        given = state.get("count")
        kinds = {field.name: type(field.default) for field in fields(cls)}
        if not isinstance(given, dict) or given.keys() != kinds.keys():
            raise _broken(path, "it does not say where the run is (count)")
        for name, kind in kinds.items():
            value = given[name]
            if type(value) not in ((int,) if kind is int else (int, float)) or math.isnan(value):
                raise _broken(path, f"count.{name} is {value!r:.60}")
            if value < 0 and name not in ("best", "loss_sum"):
                raise _broken(path, f"count.{name} is {value!r:.60}")
        finite = math.isfinite(given["loss_sum"]) and math.isfinite(given["seconds"])
        if not finite or given["best_step"] > given["step"] or (given["best"] < math.inf) != (given["best_step"] > 0):
            raise _broken(path, f"count cannot be {given!r:.200}")
        return cls(**given)


def read_state(path: Path, settings: FitSettings, processes: int) -> tuple[dict[str, Any], Count]:
    """What ``last.pt`` holds, each part of its kind, and where the run is.

    Args:
        path: Of ``last.pt``.
        settings: Of the run that goes on.
        processes: That train together now.

    Raises:
        diffkin.errors.ModelFileError: It cannot be read, or a part is missing or of another kind.
        diffkin.errors.OptionError: It is of a run with another seed or on another number of processes.
    """
    state = load_checkpoint(path)
    kinds = {"network": dict, "average": dict, "optimizer": dict, "scheduler": dict, "generators": Tensor}
    for name, kind in {**kinds, "torch_generator": Tensor}.items():
        if not isinstance(state.get(name), kind):
            raise _broken(path, f"{name} should be a {kind.__name__}, it is a {type(state.get(name)).__name__}")
    count = Count.of(state, path)
    generators = state["generators"]
    if generators.ndim != 2 or generators.dtype != torch.uint8 or state["torch_generator"].dtype != torch.uint8:
        raise _broken(path, "the states of the generators are not such")
    if len(generators) != processes:
        raise OptionError(
            f"{path} is of a run on {len(generators)} processes and cannot go on with {processes}: they draw other data. "
            "Set trainer.devices and trainer.nodes as they were, or start anew."
        )
    if state.get("seed", settings.seed) != settings.seed:
        raise OptionError(
            f"{path} is of a run with trainer.seed={state['seed']!r:.60}; one that goes on cannot take {settings.seed}. "
            "Leave the seed as it was, or start anew."
        )
    return state, count


def restore(
    state: dict[str, Any],
    count: Count,
    path: Path,
    settings: FitSettings,
    optimizer: Any,
    scheduler: Any,
    generator: torch.Generator,
    rank: int,
) -> None:
    """Put a state back into optimiser, scheduler and generators; rates and options are those of the settings.

    Args:
        state: Of ``read_state``.
        count: Of ``read_state``.
        path: Where it is from.
        settings: Of the run that goes on.
        optimizer: AdamW of the same network.
        scheduler: Its LambdaLR.
        generator: Of this process's data; torch's own generator is set too.
        rank: Of this process.

    Raises:
        diffkin.errors.ModelFileError: The state does not fit, or holds NaN or infinite numbers.
    """
    own = [{key: value for key, value in group.items() if key != "params"} for group in optimizer.param_groups]
    learned = [part for group in optimizer.param_groups for part in group["params"]]
    try:
        optimizer.load_state_dict(state["optimizer"])
        # a copy, for torch reads past the end of a state that is a view into another tensor
        generator.set_state(state["generators"][rank].clone())
        torch.set_rng_state(state["torch_generator"])
        for part in learned:
            _check_moments(optimizer.state.get(part, {}), part.shape, count.step)
        last = state["scheduler"].get("last_epoch")
        if type(last) is not int or last != count.step:
            raise ValueError(f"the scheduler is at {last!r:.60}, the run at step {count.step}")
    except Exception as error:  # torch raises whatever a broken state leads to
        raise _broken(path, f"{type(error).__name__}: {error}") from error
    scheduler.last_epoch, scheduler._step_count = last, last + 1  # all else of it follows from the settings
    for group, options in zip(optimizer.param_groups, own, strict=True):
        group.update(options)
        group["lr"] = settings.learning_rate * settings.rate(last)
    scheduler._last_lr = [group["lr"] for group in optimizer.param_groups]


def _check_moments(moments: Any, shape: torch.Size, steps: int) -> None:
    """Raise unless this is what Adam keeps for a parameter that was stepped."""
    if not isinstance(moments, dict) or set(moments) not in (set(), {"step", "exp_avg", "exp_avg_sq"}):
        raise ValueError(f"the optimiser keeps {moments!r:.100} for a parameter")
    for name, value in moments.items():
        if value.shape != (() if name == "step" else shape) or not bool(torch.isfinite(value).all()):
            raise ValueError(f"{name} of the optimiser is not as it should be")
    if moments and (not 1 <= float(moments["step"]) <= steps or bool((moments["exp_avg_sq"] < 0).any())):
        raise ValueError("the optimiser's moments cannot be")


def best_weights(path: Path, count: Count) -> tuple[dict[str, Tensor], float, int]:
    """Weights, score and step of ``best.pt``, of this very run.

    It may be better than the run knows: of a step after the checkpoint that the run went on from, reached no more.

    Raises:
        diffkin.errors.ModelFileError: It cannot be read, or is of another run.
    """
    state = load_checkpoint(path)
    step, best, weights = state.get("step"), state.get("best", math.inf), state.get("network")
    if not isinstance(weights, dict) or type(step) is not int or type(best) is not float:
        raise _broken(path, "it holds no weights of a step")
    if step != count.best_step and not (step > count.best_step and best < count.best):
        raise ModelFileError(
            f"{path} is of step {step}, the best one of this run was {count.best_step}: it is of another run. Train again in a "
            "folder of its own."
        )
    return (weights, count.best, step) if step == count.best_step else (weights, best, step)


def _broken(path: Path, reason: str) -> ModelFileError:
    return ModelFileError(
        f"{path} cannot be read as a checkpoint of a training ({reason:.300}). Start anew without resume, or in another "
        "folder."
    )
