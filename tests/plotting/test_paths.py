"""The figure of a path shows errors, speeds over their limits, and the least singular value."""

import numpy as np
import pytest
import torch

from diffkin.errors import ShapeError
from diffkin.plotting import path_figure

TIME = torch.linspace(0.0, 1.0, 5)


def test_three_panels_with_what_they_say() -> None:
    speeds = torch.arange(10.0).reshape(5, 2)
    limits = torch.tensor([2.0, torch.inf])
    errors = {"position [m]": torch.tensor([0.0, 1e-3, 1e-4, 0.0, 1e-5])}
    figure = path_figure(TIME, errors, speeds, limits, ["a", "b"], torch.ones(5), "way")
    above, middle, below = figure.axes
    assert above.get_yscale() == "log"
    np.testing.assert_allclose(above.lines[0].get_ydata(), [1e-12, 1e-3, 1e-4, 1e-12, 1e-5], rtol=1e-6)
    np.testing.assert_allclose(middle.lines[0].get_ydata(), speeds[:, 0] / 2.0)
    np.testing.assert_allclose(middle.lines[1].get_ydata(), speeds[:, 1])
    assert [line.get_ydata()[0] for line in middle.lines[2:]] == [-1.0, 1.0]
    np.testing.assert_allclose(below.lines[0].get_ydata(), 1.0)


def test_single_ticks_without_an_error_do_not_stretch_the_axis() -> None:
    time = torch.linspace(0.0, 1.0, 200)
    error = torch.full((200,), 1e-8)
    error[[0, -1]] = 0.0
    figure = path_figure(time, {"position [m]": error}, torch.ones(200, 1), torch.ones(1), ["a"], torch.ones(200))
    above, middle, _ = figure.axes
    assert 1e-9 < above.get_ylim()[0] < 1e-8
    assert [text.get_text() for text in middle.get_legend().get_texts()] == ["a", "limit"]


def test_lengths_must_agree() -> None:
    with pytest.raises(ShapeError, match="tick"):
        path_figure(TIME, {}, torch.zeros(4, 2), torch.ones(2), ["a", "b"], torch.ones(5))
