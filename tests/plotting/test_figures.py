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


def _random(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(len(shape)), dtype=torch.float64)


def _all_figures() -> dict[str, object]:
    """One figure of every kind, with names as long as they come."""
    time = torch.linspace(0, 1, 21, dtype=torch.float64)
    path = (torch.eye(3, dtype=torch.float64).expand(21, 3, 3), _random(21, 3))
    names = [f"lbr_iiwa_joint_{k} [rad]" for k in range(1, 8)]
    errors = {
        "network through forward kinematics": (_random(50), _random(50)),
        "nearest of a table": (_random(50), _random(50)),
    }
    angles = {"torch": {"classical, tuned": _random(21, 30), "learned, residual": _random(21, 30)}}
    rows = [
        {"count": count, **{f"{a}_{b}": 1e-3 / count for a in ("predicted", "measured") for b in ("random", "chosen")}}
        for count in (12, 20)
    ]
    return {
        "convergence": plotting.convergence_figure(
            0.1 ** (9 * _random(30, 8).sort(0).values), 1e-6, "a long title " * 4
        ),
        "attitude": plotting.attitude_figure(
            time, {"rk4": path, "PyBullet": path}, _random(20, 3), path[0][0], "flown"
        ),
        "difference": plotting.difference_figure(time, {f"body {k}": _random(21) for k in range(6)}, "two paths"),
        "calibration": plotting.calibration_figure(
            {"geometric, 50 poses": [1e-3, 2e-3], "bound": [1e-4, 1e-4]}, _random(40), 33, rows
        ),
        "branches": plotting.branches_figure(
            _random(60, 7), torch.arange(60), [_random(9, 7), _random(9, 7)], names, "all of one pose"
        ),
        "synergies": plotting.synergies_figure(_random(7), _random(7, 7), names),
        "curves": plotting.curves_figure([{"step": k, "loss": 0.1**k, "held_out_error_rad": 1.0} for k in (1, 2, 3)]),
        "pose error": plotting.pose_error_figure(errors),
        "filter error": plotting.filter_error_figure(
            0.01, {"madgwick, gain 0.03": _random(50, 4), "mahony": _random(50, 4)}, "t"
        ),
        "flights": plotting.flights_figure(0.01, angles, 2.0),
        "grid": plotting.picture_grid(
            [np.zeros((8, 8, 3), np.uint8)] * 4, ["target 0: 3.3e-13 m, 1.2e-12 rad off"] * 4, title="t"
        ),
    }


FIGURES = _all_figures()


@pytest.mark.parametrize("name", FIGURES)
def test_all_that_is_written_is_inside_the_canvas_and_no_legend_covers_a_line(name: str) -> None:
    from matplotlib.legend import Legend
    from matplotlib.text import Text

    figure = FIGURES[name]
    figure.draw_without_rendering()  # type: ignore[attr-defined]
    width, height = figure.bbox.size  # type: ignore[attr-defined]
    axis = [each for axes in figure.axes for each in (axes.xaxis, axes.yaxis)]  # type: ignore[attr-defined]
    ticks = {label for each in axis for which in ("major", "minor") for label in each.get_ticklabels(which=which)}
    written = [text for text in figure.findobj(Text) if text.get_text() and text not in ticks]  # type: ignore[attr-defined]
    shown = [each for each in axis if each.axes.axison]
    boxes = [text.get_window_extent() for text in written] + [
        box for each in shown if (box := each.get_tightbbox()) is not None
    ]
    assert len(boxes) >= 4
    for box in boxes:  # of an axis with those of its ticks that are drawn
        assert box.x0 >= -1 and box.y0 >= -1 and box.x1 <= width + 1 and box.y1 <= height + 1, box
    for legend in figure.findobj(Legend):  # type: ignore[attr-defined]
        covered = legend.get_window_extent()
        for axes in figure.axes:  # type: ignore[attr-defined]
            assert not axes.get_window_extent().shrunk(0.98, 0.98).overlaps(covered)


@pytest.mark.parametrize(
    "name", ["convergence", "attitude", "difference", "branches", "pose error", "filter error", "flights"]
)
def test_every_line_is_in_the_legend(name: str) -> None:
    from matplotlib.legend import Legend

    figure = FIGURES[name]
    legends = figure.findobj(Legend)  # type: ignore[attr-defined]
    assert legends
    labels = {text.get_text() for legend in legends for text in legend.get_texts()}
    panels = figure.axes if name != "convergence" else figure.axes[:1]  # type: ignore[attr-defined]
    for axes in panels:  # the other panel's axis says what its one line is
        drawn = [line.get_label() for line in axes.lines if not line.get_label().startswith("_")]
        assert drawn and set(drawn) <= labels
        styles = {(line.get_color(), line.get_linestyle()) for line in axes.lines if line.get_label().startswith("_")}
        assert styles <= {(line.get_color(), line.get_linestyle()) for line in axes.lines if line.get_label() in labels}


def test_a_logarithmic_axis_does_not_follow_one_point_down() -> None:
    errors = np.full(200, 1e-3)
    errors[0], errors[1] = 1e-16, 0.0
    assert plotting.figures.log_floor(errors) == pytest.approx(1e-3 / 3)
    assert plotting.figures.log_floor(np.zeros(3)) is None
    angle = torch.full((200,), 1e-3, dtype=torch.float64)
    angle[1] = 1e-16
    figure = plotting.difference_figure(torch.arange(200.0), {"a": angle})
    assert figure.axes[0].get_ylim()[0] > 1e-5
