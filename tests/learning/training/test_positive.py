"""Positive numbers as parameters."""

import math

import pytest
import torch

from diffkin.errors import OptionError
from diffkin.learning.training.positive import PositiveNumbers


def test_they_start_as_given_and_stay_positive():
    numbers = PositiveNumbers(torch.tensor([[0.01, 3.0], [5.0, 100.0]]), "gains")
    assert torch.equal(numbers.values(), numbers.start)
    with torch.no_grad():
        numbers.theta.sub_(0.3)
    torch.testing.assert_close(numbers.values(), numbers.start * math.exp(-3.0))
    numbers.values().sum().backward()
    torch.testing.assert_close(numbers.theta.grad, 10.0 * numbers.values().detach())
    assert set(numbers.state_dict()) == {"theta", "start"}  # names in files


@pytest.mark.parametrize("wrong", [0.0, -1.0, math.nan, math.inf])
def test_other_numbers_are_refused(wrong):
    with pytest.raises(OptionError, match="positive numbers, got what was said"):
        PositiveNumbers(torch.tensor([1.0, wrong]), "what was said")
