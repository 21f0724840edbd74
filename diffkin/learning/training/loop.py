"""The one training loop: any problem that draws batches, has a loss and can be validated."""

from __future__ import annotations

import copy
import math
import os
import time
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from diffkin._files import make_folder
from diffkin._given import flag
from diffkin.errors import DiffkinError, ModelFileError, NonFiniteError, OptionError, closest
from diffkin.learning.optional import needed
from diffkin.learning.training.checkpoint import load_checkpoint, load_weights, save_checkpoint
from diffkin.learning.training.log import MetricsLog
from diffkin.learning.training.progress import Progress
from diffkin.learning.training.seeds import training_seed
from diffkin.learning.training.settings import FitProblem, FitReport, FitSettings

__all__ = ["fit"]


def fit(problem: FitProblem, settings: FitSettings, folder: str | os.PathLike[str], resume: bool = False) -> FitReport:
    """Train ``problem.network``; afterwards it holds the best weights found.

    Writes ``metrics.csv``, ``last.pt`` (all that is needed to go on) and ``best.pt`` (weights) to the folder, in place
    of those of an earlier run. A run that was killed and goes on equals, on one process, the uninterrupted one bit for
    bit. One that goes on with other settings uses them from there on; only the seed and the number of processes stay.

    Args:
        problem: What is trained.
        settings: How.
        folder: Where to write; made if it is not there.
        resume: Go on from ``last.pt`` if there is one.

    Returns:
        How it ended. With several processes each one returns.

    Raises:
        diffkin.errors.OptionError: The checkpoint holds another model, or is of another seed or number of processes;
            this machine cannot do what ``accelerator``, ``devices`` or ``precision`` ask for.
        diffkin.errors.ModelFileError: A checkpoint cannot be read, or a file not be written; those that were there are
            as they were.
        diffkin.errors.UnknownNameError: There is no score named ``settings.monitor``.
        diffkin.errors.NonFiniteError: The loss or the weights became NaN or infinite, or no validation gave a finite
            score. The checkpoint is of a step before.
        diffkin.errors.MissingDependencyError: ``lightning-fabric`` is not installed, or another package asked for.
    """
    if not isinstance(settings, FitSettings):
        raise OptionError(f"settings must be FitSettings(...), got {type(settings).__name__}.")
    for name in ("network", "batch", "loss", "validate"):
        if not hasattr(problem, name):
            raise OptionError(f"A problem for fit needs network, batch, loss and validate; this one has no {name}.")
    network = problem.network
    if not isinstance(network, nn.Module) or not any(part.requires_grad for part in network.parameters()):
        raise OptionError(
            f"problem.network must be a torch module with something to learn, got {type(network).__name__} with no "
            "parameter that requires a gradient."
        )
    resume = flag(resume, "resume")
    folder = make_folder(folder)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    fabric = _fabric(settings)
    optimizer = torch.optim.AdamW(network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, settings.rate)
    module, stepper = fabric.setup(_Loss(problem), optimizer)
    average = copy.deepcopy(network).requires_grad_(False)
    seed = training_seed(settings.seed, fabric.global_rank)
    generator = torch.Generator(device="cpu").manual_seed(seed)
    torch.manual_seed(seed)  # what dropout draws from
    count, last = _Count(), folder / "last.pt"
    if resume and last.exists():
        state = _checkpoint(last, settings, fabric.world_size, len(optimizer.state_dict()["param_groups"]))
        load_weights(network, state["network"], folder)
        load_weights(average, state["average"], folder)
        try:
            optimizer.load_state_dict(state["optimizer"])
            scheduler.load_state_dict(state["scheduler"])
            _use_rates(optimizer, scheduler, settings)
            generator.set_state(state["generators"][fabric.global_rank])
            torch.set_rng_state(state["torch_generator"])
        except Exception as error:  # torch raises whatever a broken state leads to
            raise _broken(last, f"{type(error).__name__}: {error}") from error
        count = state["count"]
        _check_finite_state(optimizer, last)
    elif fabric.is_global_zero:
        for name in ("last.pt", "best.pt"):  # of an earlier run: neither weights to end with nor a place to go on from
            _remove(folder / name)
    log = MetricsLog(folder, count.step, settings.tensorboard) if fabric.is_global_zero else None
    begin = time.perf_counter() - count.seconds
    with Progress(settings.steps, count.step, settings.progress and fabric.is_global_zero) as progress:
        while count.step < settings.steps and not 0 < settings.patience <= count.worse:
            loss = module(*fabric.to_device(problem.batch(settings.batch // fabric.world_size, generator)))
            _check_loss(loss)
            fabric.backward(loss)
            norm = fabric.clip_gradients(module, stepper, max_norm=settings.clip, error_if_nonfinite=False)
            _check_step(fabric, settings, count.step + 1, loss, norm, last)
            with torch.device("cpu"):  # Adam's counters, wherever new tensors go by default
                stepper.step()
            scheduler.step()
            stepper.zero_grad()
            count.step += 1
            count.loss_sum += float(loss.detach())
            count.loss_count += 1
            decay = min(settings.average, count.step / (count.step + 10))
            with torch.no_grad():
                torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), 1.0 - decay)
            ends = count.step == settings.steps
            if ends or count.step % settings.validate_every == 0:
                _check_weights(average, count.step, last)
                row: dict[str, float] = {"step": count.step, "training_loss": count.loss_sum / count.loss_count}
                row.update(fabric.broadcast(_scores(problem, average)))
                if settings.monitor not in row:
                    raise closest(settings.monitor, row, "score trainer.monitor")
                count.loss_sum, count.loss_count, count.worse = 0.0, 0, count.worse + 1
                count.seconds = time.perf_counter() - begin
                if row[settings.monitor] < count.best:
                    count.best, count.best_step, count.worse = row[settings.monitor], count.step, 0
                    if fabric.is_global_zero:
                        save_checkpoint(folder / "best.pt", {"network": average.state_dict(), "step": count.step})
                if log is not None:
                    log.add({**row, "learning_rate": float(optimizer.param_groups[0]["lr"]), "seconds": count.seconds})
                    progress.line(", ".join(f"{name} {value:.5g}" for name, value in row.items()))
            if ends or count.step % settings.checkpoint_every == 0:
                _check_weights(network, count.step, last)
                count.seconds = time.perf_counter() - begin
                generators = torch.as_tensor(fabric.all_gather(generator.get_state())).cpu()
                if fabric.is_global_zero:
                    state = {
                        "count": dict(vars(count)),
                        "seed": settings.seed,
                        "network": network.state_dict(),
                        "average": average.state_dict(),
                        "optimizer": optimizer.state_dict(),
                        "scheduler": scheduler.state_dict(),
                        "generators": generators.reshape(fabric.world_size, -1),
                        "torch_generator": torch.get_rng_state(),
                    }
                    save_checkpoint(last, state)
            progress.at(count.step)
    fabric.barrier()
    load_weights(network, _best(folder, settings, count), folder / "best.pt")
    return FitReport(count.step, count.best, count.best_step, count.seconds, fabric.global_rank)


@dataclass
class _Count:
    """Where a run is; part of its checkpoint."""

    step: int = 0
    best: float = math.inf
    best_step: int = 0
    worse: int = 0  # validations since the best one
    loss_sum: float = 0.0
    loss_count: int = 0
    seconds: float = 0.0


class _Loss(nn.Module):
    """The loss as a module: data-parallel wrapping sees one forward call, whatever the problem calls inside."""

    def __init__(self, problem: FitProblem) -> None:
        super().__init__()
        self.network = problem.network
        self.problem = problem

    def forward(self, *batch: Tensor) -> Tensor:
        return self.problem.loss(self.network, *batch)


def _fabric(settings: FitSettings) -> Any:
    """Lightning Fabric, launched; what it cannot do on this machine is named."""
    make = needed("lightning_fabric", "Training (fit)", "lightning-fabric").Fabric
    try:
        fabric = make(
            accelerator=settings.accelerator,
            strategy="auto" if settings.devices * settings.nodes == 1 else "ddp",
            devices=settings.devices,
            num_nodes=settings.nodes,
            precision=settings.precision,
        )
    except (ValueError, RuntimeError, TypeError) as error:  # Fabric's own errors are kinds of these
        raise OptionError(
            f"This machine cannot train with trainer.accelerator={settings.accelerator}, devices={settings.devices}, "
            f"precision={settings.precision}: {error}"
        ) from error
    fabric.launch()
    return fabric


# -- what must not go on --------------------------------------------------------------------------------------------


def _check_loss(loss: Any) -> None:
    if not isinstance(loss, Tensor) or loss.numel() != 1 or not loss.is_floating_point():
        shape = tuple(loss.shape) if isinstance(loss, Tensor) else type(loss).__name__
        raise OptionError(f"problem.loss must return the mean loss, a tensor of one number; got {shape}.")
    if not loss.requires_grad:
        raise OptionError("problem.loss returned a number that does not depend on the network's parameters.")


def _check_step(fabric: Any, settings: FitSettings, step: int, loss: Tensor, norm: Tensor | None, last: Path) -> None:
    """Raise, on all processes at once, before a loss or a gradient that is not finite gets into the weights."""
    # in half precision with scaled gradients infinite ones are usual: the scaler leaves out the step
    scaled = settings.precision.startswith("16")
    bad = not math.isfinite(loss.detach()) or (not scaled and norm is not None and not math.isfinite(norm))
    if fabric.world_size > 1:
        bad = float(fabric.all_reduce(torch.tensor(float(bad), device=loss.device), reduce_op="sum")) > 0
    if bad:
        value = float(loss.detach())
        what = (
            f"The loss is {value}"
            if not math.isfinite(value)
            else f"The gradient of the loss {value:.5g} is not finite"
        )
        raise NonFiniteError(
            f"{what} at step {step}, and nothing of it was kept. {_kept(last)} Lower trainer.learning_rate, or look for "
            "the data or the formula that makes it so."
        )


def _check_weights(network: nn.Module, step: int, last: Path) -> None:
    """Raise before weights that are not finite are written."""
    for name, tensor in network.state_dict().items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise NonFiniteError(
                f"{name} holds NaN or infinite numbers after step {step}; it was not written. {_kept(last)} Lower "
                "trainer.learning_rate."
            )


def _kept(last: Path) -> str:
    if not last.exists():
        return f"There is no {last.name} yet."
    try:
        return f"{last.name} is from step {_count_of(load_checkpoint(last), last).step}."
    except DiffkinError:
        return f"{last.name} cannot be read."


def _scores(problem: FitProblem, network: nn.Module) -> dict[str, float]:
    scores = problem.validate(network)
    try:
        return {str(name): float(value) for name, value in scores.items()}
    except (AttributeError, TypeError, ValueError, RuntimeError) as error:
        raise OptionError(f"problem.validate must return numbers by name, got {scores!r:.200}.") from error


def _best(folder: Path, settings: FitSettings, count: _Count) -> Any:
    """The best weights of this very run."""
    if count.best_step == 0:
        raise NonFiniteError(
            f"No validation gave a finite score {settings.monitor!r}, so there are no best weights; the network holds the "
            f"last ones. {_kept(folder / 'last.pt')} See metrics.csv for the scores."
        )
    state = load_checkpoint(folder / "best.pt")
    if state.get("step") != count.best_step:
        raise ModelFileError(
            f"{folder / 'best.pt'} is of step {state.get('step')!r}, not of the best one, {count.best_step}: it is of another "
            "run. Train again in a folder of its own."
        )
    return state.get("network")


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise ModelFileError(f"{path} of an earlier run cannot be removed: {error}. Choose another folder.") from error


# -- going on -------------------------------------------------------------------------------------------------------


def _checkpoint(path: Path, settings: FitSettings, processes: int, groups: int) -> dict[str, Any]:
    """The state in ``last.pt``, each part of its kind; ``count`` as a ``_Count``."""
    state = load_checkpoint(path)
    kinds = {"network": dict, "average": dict, "optimizer": dict, "scheduler": dict, "generators": Tensor}
    for name, kind in {**kinds, "torch_generator": Tensor}.items():
        if not isinstance(state.get(name), kind):
            raise _broken(path, f"{name} should be a {kind.__name__}, it is a {type(state.get(name)).__name__}")
    state["count"] = _count_of(state, path)
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
            f"{path} is of a run with trainer.seed={state['seed']}; one that goes on cannot take {settings.seed}. Leave the "
            "seed as it was, or start anew."
        )
    if len(state["optimizer"].get("param_groups", ())) != groups:
        raise _broken(path, "the optimiser's state has no such groups of parameters")
    return state


def _count_of(state: dict[str, Any], path: Path) -> _Count:
    """Where the run of a checkpoint is."""
    given = state.get("count")
    wanted = {field.name: type(field.default) for field in fields(_Count)}
    if not isinstance(given, dict) or given.keys() != wanted.keys():
        raise _broken(path, "it does not say where the run is (count)")
    for name, kind in wanted.items():
        value = given[name]
        known = type(value) is int if kind is int else type(value) in (int, float)
        if not known or (name != "loss_sum" and not value >= (-math.inf if name == "best" else 0)):
            raise _broken(path, f"count.{name} is {value!r:.60}")
    if (
        given["best_step"] > given["step"]
        or not math.isfinite(given["loss_sum"])
        or not math.isfinite(given["seconds"])
    ):
        raise _broken(path, f"count cannot be: {given!r:.200}")
    return _Count(**given)


def _broken(path: Path, reason: str) -> ModelFileError:
    return ModelFileError(
        f"{path} cannot be read as a checkpoint of a training ({reason}). Start anew without resume, or in another folder."
    )


def _use_rates(optimizer: Any, scheduler: Any, settings: FitSettings) -> None:
    """The learning rate and weight decay of the settings, which may be others than those of the checkpoint."""
    scheduler.base_lrs = [settings.learning_rate] * len(optimizer.param_groups)
    for group in optimizer.param_groups:
        group["initial_lr"], group["weight_decay"] = settings.learning_rate, settings.weight_decay
        group["lr"] = settings.learning_rate * settings.rate(scheduler.last_epoch)


def _check_finite_state(optimizer: torch.optim.Optimizer, path: Path) -> None:
    for state in optimizer.state.values():
        for name, value in state.items():
            if isinstance(value, Tensor) and not bool(torch.isfinite(value).all()):
                raise _broken(path, f"{name} of the optimiser holds NaN or infinite numbers")
