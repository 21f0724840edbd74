"""The one training loop: any problem that draws batches, has a loss and can be validated."""

from __future__ import annotations

import copy
import math
import os
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from diffkin._files import make_folder
from diffkin._given import flag
from diffkin.errors import ModelFileError, NonFiniteError, OptionError, closest
from diffkin.learning.optional import needed
from diffkin.learning.training.checkpoint import load_weights, save_checkpoint
from diffkin.learning.training.finite import check_loss, check_step, check_weights_finite, kept
from diffkin.learning.training.log import MetricsLog
from diffkin.learning.training.progress import Progress
from diffkin.learning.training.seeds import training_seed
from diffkin.learning.training.settings import FitProblem, FitReport, FitSettings
from diffkin.learning.training.state import Count, best_weights, read_state, restore

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
    count, last, best = Count(), folder / "last.pt", folder / "best.pt"
    if resume and last.exists():
        state, count = read_state(last, settings, fabric.world_size)
        load_weights(network, state["network"], last)
        load_weights(average, state["average"], last)
        restore(state, count, last, settings, optimizer, scheduler, generator, fabric.global_rank)
    elif fabric.is_global_zero:
        for path in (last, best):  # of an earlier run: neither a place to go on from nor weights to end with
            _remove(path)
    log = MetricsLog(folder, count.step, settings.tensorboard) if fabric.is_global_zero else None
    place = nullcontext() if torch.get_default_device().type == "cpu" else torch.device("cpu")  # of Adam's counters
    begin = time.perf_counter() - count.seconds
    with Progress(settings.steps, count.step, settings.progress and fabric.is_global_zero) as progress:
        while count.step < settings.steps and not 0 < settings.patience <= count.worse:
            loss = module(*fabric.to_device(problem.batch(settings.batch // fabric.world_size, generator)))
            check_loss(loss)
            fabric.backward(loss)
            norm = fabric.clip_gradients(module, stepper, max_norm=settings.clip, error_if_nonfinite=False)
            check_step(fabric, settings, count.step + 1, loss, norm, last)
            with place:
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
                check_weights_finite(average, count.step, last)
                row: dict[str, float] = {"step": count.step, "training_loss": count.loss_sum / count.loss_count}
                row.update(fabric.broadcast(_scores(problem, average)))
                if settings.monitor not in row:
                    raise closest(settings.monitor, row, "score trainer.monitor")
                count.loss_sum, count.loss_count, count.worse = 0.0, 0, count.worse + 1
                count.seconds = time.perf_counter() - begin
                if -math.inf < row[settings.monitor] < count.best:
                    count.best, count.best_step, count.worse = row[settings.monitor], count.step, 0
                    if fabric.is_global_zero:
                        found = {"network": average.state_dict(), "step": count.step, "best": count.best}
                        save_checkpoint(best, found)
                if log is not None:
                    log.add({**row, "learning_rate": float(optimizer.param_groups[0]["lr"]), "seconds": count.seconds})
                    progress.line(", ".join(f"{name} {value:.5g}" for name, value in row.items()))
            if ends or count.step % settings.checkpoint_every == 0:
                check_weights_finite(network, count.step, last)
                count.seconds = time.perf_counter() - begin
                generators = torch.as_tensor(fabric.all_gather(generator.get_state()), device="cpu")
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
    if count.best_step == 0:
        raise NonFiniteError(
            f"No validation gave a finite score {settings.monitor!r}, so there are no best weights; the network holds the "
            f"last ones. {kept(last)} See metrics.csv for the scores."
        )
    weights, score, best_step = best_weights(best, count)
    load_weights(network, weights, best)
    return FitReport(count.step, score, best_step, count.seconds, fabric.global_rank)


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


def _scores(problem: FitProblem, network: nn.Module) -> dict[str, float]:
    scores = problem.validate(network)
    try:
        return {str(name): float(value) for name, value in scores.items()}
    except (AttributeError, TypeError, ValueError, RuntimeError) as error:
        raise OptionError(f"problem.validate must return numbers by name, got {scores!r:.200}.") from error


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise ModelFileError(f"{path} of an earlier run cannot be removed: {error}. Choose another folder.") from error
