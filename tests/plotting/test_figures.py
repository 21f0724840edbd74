"""Figures hold what they were given, need no display and leave matplotlib's global state alone."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from diffkin import plotting
from diffkin.errors import MissingDependencyError, ShapeError


def test_convergence_shows_median_worst_and_share(tmp_path: Path) -> None:
    history = torch.tensor([[1.0, 2.0, 4.0], [1e-3, 1e-2, 1.0], [1e-8, 1e-7, 1e-3]], dtype=torch.float64)
    figure = plotting.convergence_figure(history, tolerance=1e-6, title="three problems")
    left, right = figure.axes
    lines = {line.get_label(): line.get_ydata() for line in left.lines}
    np.testing.assert_allclose(lines["median"], [2.0, 1e-2, 1e-7])
    np.testing.assert_allclose(lines["worst"], [4.0, 1.0, 1e-3])
    np.testing.assert_allclose(right.lines[0].get_ydata(), [0.0, 0.0, 200.0 / 3.0])
    for name in ("a.png", "b.png"):
        plotting.save_figure(figure, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()


def test_pictures_stand_in_a_grid() -> None:
    pictures = [np.full((4, 4, 3), k, dtype=np.uint8) for k in range(4)]
    figure = plotting.picture_grid(pictures, ["a", "b", "c", "d"], columns=3)
    shown = [axes for axes in figure.axes if axes.images]
    assert [axes.get_title() for axes in shown] == ["a", "b", "c", "d"]
    figure.draw_without_rendering()
    for axes in shown:  # whole, inside the picture
        label = axes.title.get_window_extent()
        assert label.x0 >= 0 and label.x1 <= figure.bbox.x1 and label.y0 >= 0 and label.y1 <= figure.bbox.y1
    assert int(np.asarray(shown[2].images[0].get_array()).max()) == 2


def test_bad_input() -> None:
    with pytest.raises(ShapeError, match="iterations"):
        plotting.convergence_figure(torch.zeros(3))
    with pytest.raises(ShapeError, match="label"):
        plotting.picture_grid([np.zeros((2, 2, 3), dtype=np.uint8)], [])


def test_without_matplotlib_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingDependencyError, match="pip install matplotlib"):
        plotting.new_figure()
