"""What must not go on in a training."""

import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from diffkin.errors import NonFiniteError, OptionError
from diffkin.learning.training.checkpoint import save_checkpoint
from diffkin.learning.training.finite import check_loss, check_step, check_weights_finite, kept
from diffkin.learning.training.settings import FitSettings
from diffkin.learning.training.state import Count

ALONE = SimpleNamespace(world_size=1)


def test_losses_that_are_none():
    check_loss(torch.ones((), requires_grad=True))
    check_loss(torch.ones(1, requires_grad=True))
    for wrong in (
        None,
        1.0,
        torch.ones(2, requires_grad=True),
        torch.ones(0, requires_grad=True),
        torch.ones(()),
        torch.tensor(1),
    ):
        with pytest.raises(OptionError, match=r"problem\.loss"):
            check_loss(wrong)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_losses_and_gradients_that_are_not_finite(value, tmp_path):
    last = tmp_path / "last.pt"
    one = torch.tensor(1.0)
    check_step(ALONE, FitSettings(), 3, one, one, last)
    with pytest.raises(NonFiniteError, match=f"The loss, {value}, is not finite at step 3.*There is no last.pt yet"):
        check_step(ALONE, FitSettings(), 3, torch.tensor(value), one, last)
    with pytest.raises(NonFiniteError, match="The gradient of the loss 1 is not finite at step 3"):
        check_step(ALONE, FitSettings(), 3, one, torch.tensor(value), last)
    check_step(ALONE, FitSettings(precision="16-mixed"), 3, one, torch.tensor(value), last)  # left out by the scaler


def test_a_bad_loss_on_another_process_counts():
    others = SimpleNamespace(world_size=2, all_reduce=lambda flag, reduce_op: flag + 1.0)
    with pytest.raises(NonFiniteError):
        check_step(
            others,
            FitSettings(),
            1,
            torch.tensor(1.0),
            torch.tensor(1.0),
            SimpleNamespace(exists=lambda: False, name="last.pt"),
        )


def test_weights_that_are_not_finite(tmp_path):
    network = nn.Linear(2, 1)
    network.register_buffer("mask", torch.tensor(-math.inf))  # a buffer may
    check_weights_finite(network, 4, tmp_path / "last.pt")
    network.bias.data[0] = math.nan
    with pytest.raises(NonFiniteError, match="bias holds NaN or infinite numbers after step 4"):
        check_weights_finite(network, 4, tmp_path / "last.pt")


def test_which_step_is_kept(tmp_path):
    last = tmp_path / "last.pt"
    save_checkpoint(last, {"count": vars(Count(step=7))})
    assert kept(last) == "last.pt is from step 7."
    last.write_bytes(b"rubbish")
    assert kept(last) == "last.pt cannot be read."
