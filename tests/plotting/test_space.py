"""The panel holds all that is drawn into it, unstretched and inside the canvas."""

import numpy as np
import pytest

from diffkin.plotting.space import AXIS_COLORS, Space


def test_a_panel_holds_what_is_drawn_without_stretching_it() -> None:
    space = Space(1.0)
    points = np.array([[0.0, 0.0, 0.0], [2.0, 0.0, 0.0], [2.0, 0.5, 0.0], [2.0, 0.5, 1.0]])
    space.line(points, color="k")
    figure = space.finish("title")
    low, high = space.extent()
    assert (low >= 0).all() and (high <= figure.bbox.size).all()
    assert max((high - low) / figure.bbox.size) > 0.85  # and makes use of it
    limits = np.array(space.axes.get_w_lims()).reshape(3, 2)
    assert (points >= limits[:, 0]).all() and (points <= limits[:, 1]).all()
    sides = limits[:, 1] - limits[:, 0]
    np.testing.assert_allclose(sides / sides[0], space.axes._box_aspect / space.axes._box_aspect[0])


def test_frames_have_their_three_colours_and_lengths() -> None:
    space = Space(1.0)
    pose = np.eye(4)
    pose[:3, 3] = (0.3, -0.2, 0.5)
    lines = space.frame(pose, 0.25)
    assert [line.get_color() for line in lines] == list(AXIS_COLORS)
    for k, line in enumerate(lines):
        start, end = np.stack(line.get_data_3d(), axis=-1)
        np.testing.assert_allclose(end - start, 0.25 * np.eye(3)[k])


def test_shadows_lie_on_the_floor() -> None:
    space = Space(1.0)
    line = np.array([[0.0, 0.0, 0.4], [1.0, 0.0, -0.7]])
    space.line(line)
    np.testing.assert_allclose(space.shadow(line).get_data_3d()[2], -0.7)
    space.finish()
    assert space.axes.get_zlim()[0] == pytest.approx(-0.7)


def test_points_alone_and_nothing_at_all_have_a_panel() -> None:
    for points in (np.zeros((1, 3)), np.array([[5.0, 5.0, 5.0]])):
        space = Space(0.2)
        space.line(points, marker="o")
        figure = space.finish()
        figure.draw_without_rendering()
        assert np.isfinite(space.axes.get_w_lims()).all()


def test_zero_is_written_without_a_sign() -> None:
    space = Space(1.0)
    space.line(np.array([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]]))
    figure = space.finish()
    figure.draw_without_rendering()
    labels = [text.get_text() for axis in (space.axes.xaxis, space.axes.yaxis) for text in axis.get_ticklabels()]
    assert "0" in labels
    assert not {"-0", "-0.0", "\N{MINUS SIGN}0"} & set(labels)
