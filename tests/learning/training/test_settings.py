"""Settings of a training: their ranges, and the learning rate's rise and fall."""

import math

import pytest

from diffkin.errors import OptionError
from diffkin.learning.training.settings import FitSettings


@pytest.mark.parametrize(
    "wrong", [{"steps": 0}, {"learning_rate": -1.0}, {"average": 1.0}, {"batch": 15, "devices": 2}]
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(OptionError, match=f"trainer.{next(iter(wrong))}"):
        FitSettings(**wrong)


def test_the_rate_rises_straight_and_falls_as_half_a_cosine():
    settings = FitSettings(steps=1000, warmup=10)
    assert settings.rate(0) == pytest.approx(0.1)
    assert settings.rate(4) == pytest.approx(0.5, rel=1e-4)
    assert settings.rate(500) == pytest.approx(0.5)
    assert settings.rate(250) == pytest.approx(0.5 + math.sqrt(0.125))
    assert settings.rate(1000) == pytest.approx(0.0, abs=1e-12)
    assert FitSettings(warmup=0).rate(0) == 1.0
