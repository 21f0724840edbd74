"""Where a run is: what a checkpoint must hold, and whose best weights are taken."""

import math

import pytest
import torch

from diffkin.errors import ModelFileError, OptionError
from diffkin.learning.training.checkpoint import save_checkpoint
from diffkin.learning.training.settings import FitSettings
from diffkin.learning.training.state import Count, best_weights, read_state, restore


def state(**changes):
    parts = {"network": {}, "average": {}, "optimizer": {}, "scheduler": {}, "count": vars(Count()), "seed": 0}
    generators = {
        "generators": torch.zeros(1, 5, dtype=torch.uint8),
        "torch_generator": torch.zeros(5, dtype=torch.uint8),
    }
    return {**parts, **generators, **changes}


def test_a_state_comes_back(tmp_path):
    count = Count(step=9, best=0.5, best_step=4, loss_sum=-3.0, loss_count=2)
    save_checkpoint(tmp_path / "last.pt", state(count=vars(count)))
    found, where = read_state(tmp_path / "last.pt", FitSettings(), 1)
    assert where == count and found.keys() == state().keys()
    old = state()
    del old["seed"]  # files of earlier versions do not say it
    save_checkpoint(tmp_path / "last.pt", old)
    assert read_state(tmp_path / "last.pt", FitSettings(seed=5), 1)[1] == Count()


@pytest.mark.parametrize("name", sorted(state().keys() - {"seed"}))
def test_parts_that_are_missing_or_of_another_kind(name, tmp_path):
    for odd in (None, 3, "text", [1]):
        save_checkpoint(tmp_path / "last.pt", state(**{name: odd}))
        with pytest.raises(ModelFileError, match=rf"last.pt cannot be read as a checkpoint of a training .*{name}"):
            read_state(tmp_path / "last.pt", FitSettings(), 1)
    less = state()
    del less[name]
    save_checkpoint(tmp_path / "last.pt", less)
    with pytest.raises(ModelFileError, match=name):
        read_state(tmp_path / "last.pt", FitSettings(), 1)


@pytest.mark.parametrize(
    "changes",
    [{"step": -1}, {"step": 1.5}, {"step": True}, {"best": math.nan}, {"best": 0.3}, {"best_step": 2}, {"loss_sum": math.inf}, {"seconds": "1"}],
)  # fmt: skip
def test_counts_that_cannot_be(changes, tmp_path):
    save_checkpoint(tmp_path / "last.pt", state(count={**vars(Count()), **changes}))
    with pytest.raises(ModelFileError, match="count"):
        read_state(tmp_path / "last.pt", FitSettings(), 1)


def test_runs_of_another_seed_or_number_of_processes(tmp_path):
    save_checkpoint(tmp_path / "last.pt", state())
    with pytest.raises(OptionError, match=r"trainer\.seed=0.*cannot take 4"):
        read_state(tmp_path / "last.pt", FitSettings(seed=4), 1)
    with pytest.raises(OptionError, match="on 1 processes and cannot go on with 2"):
        read_state(tmp_path / "last.pt", FitSettings(), 2)


def test_moments_and_rates(tmp_path):
    weight = torch.nn.Parameter(torch.ones(3))

    def made(settings):
        optimizer = torch.optim.AdamW([weight], settings.learning_rate, weight_decay=settings.weight_decay)
        return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, settings.rate)

    optimizer, scheduler = made(FitSettings())
    for _ in range(4):
        weight.grad = torch.ones(3)
        optimizer.step()
        scheduler.step()
    generator = torch.Generator()
    kept = {
        "optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict(),
        "generators": generator.get_state()[None], "torch_generator": torch.get_rng_state(),
    }  # fmt: skip
    settings = FitSettings(learning_rate=0.5, weight_decay=0.1)
    optimizer, scheduler = made(settings)
    restore(kept, Count(step=4), tmp_path, settings, optimizer, scheduler, generator, 0)
    group = optimizer.param_groups[0]
    assert group["lr"] == 0.5 * settings.rate(4) and group["weight_decay"] == 0.1 and scheduler.base_lrs == [0.5]
    assert float(optimizer.state[weight]["step"]) == 4.0
    for name, odd in (
        ("exp_avg", torch.zeros(2)),
        ("exp_avg_sq", -torch.ones(3)),
        ("step", torch.tensor(9.0)),
        ("step", torch.tensor(0.0)),
    ):
        moments = {**kept["optimizer"]["state"][0], name: odd}
        wrong = {**kept, "optimizer": {**kept["optimizer"], "state": {0: moments}}}
        with pytest.raises(ModelFileError, match="optimiser"):
            restore(wrong, Count(step=4), tmp_path, settings, *made(settings), generator, 0)


def test_best_weights_are_those_of_this_run(tmp_path):
    path, weights = tmp_path / "best.pt", {"w": torch.ones(2)}
    save_checkpoint(path, {"network": weights, "step": 4, "best": 0.5})
    assert best_weights(path, Count(step=9, best=0.5, best_step=4))[1:] == (0.5, 4)
    # killed after a better one was found and before the checkpoint: still this run's, and better
    assert best_weights(path, Count(step=3, best=0.7, best_step=2))[1:] == (0.5, 4)
    for count in (Count(step=9, best=0.4, best_step=2), Count(step=9, best=0.7, best_step=6)):
        with pytest.raises(ModelFileError, match="of another run"):
            best_weights(path, count)
    save_checkpoint(path, {"network": weights, "step": 4})  # of earlier versions
    assert best_weights(path, Count(step=9, best=0.5, best_step=4))[2] == 4
    for odd in ({"step": 4}, {"network": 3, "step": 4}, {"network": weights, "step": "4"}):
        save_checkpoint(path, odd)
        with pytest.raises(ModelFileError, match="holds no weights"):
            best_weights(path, Count(step=9, best=0.5, best_step=4))
