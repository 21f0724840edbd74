"""Numbers and seeds as users give them."""

import math
import re

import numpy as np
import pytest
import torch

from diffkin._given import flag, generator_of, real, real_list, seed_of, steps_in, whole
from diffkin.errors import OptionError


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3)])
def test_whole_numbers_of_python_and_numpy(value):
    found = whole(value, "count", 1, 3)
    assert type(found) is int and found == 3


@pytest.mark.parametrize(
    "value", [True, np.bool_(True), 3.0, "3", None, [3], torch.tensor(3), np.array(3), math.nan, 0, 4]
)
def test_what_is_no_whole_number_in_range(value):
    with pytest.raises(OptionError, match="count must be a whole number from 1 to 3, got"):
        whole(value, "count", 1, 3)


def test_the_message_says_what_is_allowed_and_stays_short():
    with pytest.raises(OptionError, match="of at least 2, got 1"):
        whole(1, "count", 2)
    with pytest.raises(OptionError, match="got an integer of 33220 bits"):
        whole(10**10000, "count", None, 5)
    with pytest.raises(OptionError) as caught:
        whole("x" * 10**6, "count")
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("value", [2, 2.0, np.float32(2.0), np.int16(2), torch.tensor(2.0)])
def test_real_numbers(value):
    found = real(value, "sigma", above=0.0, most=2.0)
    assert type(found) is float and found == 2.0


@pytest.mark.parametrize(
    "value",
    [True, "2", None, math.nan, math.inf, 0.0, 2.5, 10**400, torch.ones(1), torch.tensor(2.0, device="meta"), 2j],
)
def test_what_is_no_real_number_in_range(value):
    with pytest.raises(OptionError, match="sigma must be a finite number above 0 and at most 2, got"):
        real(value, "sigma", above=0.0, most=2.0)


def test_a_number_or_three():
    assert real_list(2, "gain") == 2.0
    assert real_list([1, np.float64(2), 3.0], "gain") == [1.0, 2.0, 3.0]
    assert real_list(np.array([1, 2, 3]), "gain") == [1.0, 2.0, 3.0]
    for wrong in ([1, 2], "123", None, [1, 2, "3"], [1, 2, -1]):
        with pytest.raises(OptionError, match="gain must be"):
            real_list(wrong, "gain", above=0.0)


def test_flags():
    assert flag(np.bool_(True), "on") is True and flag(False, "on") is False
    for wrong in (1, "true", None):
        with pytest.raises(OptionError, match="on must be True or False"):
            flag(wrong, "on")


def test_seeds_and_generators():
    assert seed_of(np.int64(7)) == 7 and seed_of(2**64 - 1) == 2**64 - 1
    for wrong in (2**70, -(2**70), 1.0, None, "0", True):
        with pytest.raises(OptionError, match="seed must be a whole number from"):
            generator_of(wrong)
    generator_of(2**64 - 1), generator_of(-(2**63))
    own = torch.Generator()
    assert generator_of(own) is own and generator_of(own, device="cpu") is own
    first, second = (torch.rand(3, generator=generator_of(seed)) for seed in (5, np.uint32(5)))
    assert torch.equal(first, second)


def test_steps_of_a_time() -> None:
    assert [steps_in(1.0, 0.3), steps_in(0, 1), steps_in(2.5, 0.001)] == [3, 0, 2500]
    for seconds, dt in ((1e308, 0.01), (1.0, 1e-308), (1e10, 1e-6)):
        with pytest.raises(OptionError, match=re.escape(f"flight_s={seconds} in steps of {dt} s are")):
            steps_in(seconds, dt, "flight_s")
    with pytest.raises(OptionError, match="seconds=0.1 is too short: it must be 1 or more steps of 0.3 s"):
        steps_in(0.1, 0.3, least=1)
    with pytest.raises(OptionError, match="dt must be above 0 s, got 0"):
        steps_in(1.0, 0.0)
