"""The one training loop: any problem that draws batches, has a loss and can be validated."""

from __future__ import annotations

import copy
import math
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from lightning_fabric import Fabric
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor, nn

from diffkin.errors import NonFiniteError, closest
from diffkin.learning.training.checkpoint import load_checkpoint, load_weights, save_checkpoint
from diffkin.learning.training.log import MetricsLog
from diffkin.learning.training.seeds import training_seed
from diffkin.learning.training.settings import FitProblem, FitReport, FitSettings

__all__ = ["fit"]


def fit(problem: FitProblem, settings: FitSettings, folder: Path, resume: bool = False) -> FitReport:
    """Train ``problem.network``; afterwards it holds the best weights found.

    Writes ``metrics.csv``, ``last.pt`` (all that is needed to go on) and ``best.pt`` (weights) to the folder. A run
    that was killed and goes on equals, on one process, the uninterrupted one bit for bit.

    Args:
        problem: What is trained.
        settings: How.
        folder: Where to write; made if it is not there.
        resume: Go on from ``last.pt`` if there is one.

    Returns:
        How it ended. With several processes each one returns.

    Raises:
        diffkin.errors.OptionError: The checkpoint holds another model.
        diffkin.errors.UnknownNameError: There is no score named ``settings.monitor``.
        diffkin.errors.NonFiniteError: The loss became NaN or infinite.
    """
    if settings.threads:
        torch.set_num_threads(settings.threads)
    fabric = Fabric(
        accelerator=settings.accelerator,
        strategy="auto" if settings.devices * settings.nodes == 1 else "ddp",
        devices=settings.devices,
        num_nodes=settings.nodes,
        precision=settings.precision,  # type: ignore[arg-type]
    )
    fabric.launch()
    folder.mkdir(parents=True, exist_ok=True)
    network = problem.network
    optimizer = torch.optim.AdamW(network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, settings.rate)
    module, stepper = fabric.setup(_Loss(problem), optimizer)
    average = copy.deepcopy(network).requires_grad_(False)
    seed = training_seed(settings.seed, fabric.global_rank)
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)  # what dropout draws from
    count = _Count()
    if resume and (folder / "last.pt").exists():
        state = load_checkpoint(folder / "last.pt")
        load_weights(network, state["network"], folder)
        load_weights(average, state["average"], folder)
        optimizer.load_state_dict(state["optimizer"])
        scheduler.load_state_dict(state["scheduler"])
        # a copy, for torch reads past the end of a state that is a view into another tensor
        generator.set_state(state["generators"][fabric.global_rank].clone())
        torch.set_rng_state(state["torch_generator"])
        count = _Count(**state["count"])
    log = MetricsLog(folder, count.step, settings.tensorboard) if fabric.is_global_zero else None
    begin = time.perf_counter() - count.seconds
    columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, disable=not (settings.progress and fabric.is_global_zero)) as progress:
        bar = progress.add_task("training", total=settings.steps, completed=count.step)
        while count.step < settings.steps and not 0 < settings.patience <= count.worse:
            loss = module(*fabric.to_device(problem.batch(settings.batch // fabric.world_size, generator)))
            fabric.backward(loss)
            fabric.clip_gradients(module, stepper, max_norm=settings.clip, error_if_nonfinite=False)
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
                row: dict[str, float] = {"step": count.step, "training_loss": count.loss_sum / count.loss_count}
                if not math.isfinite(row["training_loss"]):
                    raise NonFiniteError(f"The loss is not finite near step {count.step}. Lower trainer.learning_rate.")
                row.update(fabric.broadcast(problem.validate(average)))
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
                progress.console.print(", ".join(f"{name} {value:.5g}" for name, value in row.items()))
            if ends or count.step % settings.checkpoint_every == 0:
                count.seconds = time.perf_counter() - begin
                generators = torch.as_tensor(fabric.all_gather(generator.get_state())).cpu()
                if fabric.is_global_zero:
                    state = {
                        "count": dict(vars(count)),
                        "network": network.state_dict(),
                        "average": average.state_dict(),
                        "optimizer": optimizer.state_dict(),
                        "scheduler": scheduler.state_dict(),
                        "generators": generators.reshape(fabric.world_size, -1),
                        "torch_generator": torch.get_rng_state(),
                    }
                    save_checkpoint(folder / "last.pt", state)
            progress.update(bar, completed=count.step)
    fabric.barrier()
    load_weights(network, load_checkpoint(folder / "best.pt")["network"], folder)
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
