"""Ctrl-C is asked for, not raised, and what was there before is there again."""

import os
import signal

import pytest

from diffkin.demos.stages.ending import Played, asked_to_end


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_only_ask(number: int) -> None:
    before = signal.getsignal(number)
    with asked_to_end() as ending:
        assert not ending.asked
        os.kill(os.getpid(), number)
        assert ending.asked
    assert signal.getsignal(number) is before


def test_figures_hold_the_rate_and_the_results() -> None:
    figures = Played("time is up", 2.0, 30, 40, "film.mp4", {"solved": 3}).figures()
    assert figures["scenes_per_second"] == 15.0 and figures["solved"] == 3 and figures["film"] == "film.mp4"
    assert Played("time is up", 0.0, 0).figures()["scenes_per_second"] == 0.0
