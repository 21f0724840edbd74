"""Figures of solutions show every solution over pairs of joints, arcs over them, and named components."""

import numpy as np
import torch

from diffkin import plotting

Q = torch.arange(28.0).reshape(4, 7)
NAMES = [f"joint {k} [rad]" for k in range(7)]


def test_branches_over_three_pairs() -> None:
    arc = torch.zeros(5, 7)
    figure = plotting.branches_figure(Q, torch.tensor([0, 0, 1, 21]), [arc, arc], NAMES, "all")
    assert [(axes.get_xlabel(), axes.get_ylabel()) for axes in figure.axes] == [
        (NAMES[0], NAMES[2]), (NAMES[2], NAMES[4]), (NAMES[4], NAMES[6])
    ]  # fmt: skip
    first = figure.axes[0]
    np.testing.assert_allclose(first.collections[0].get_offsets(), Q[:, [0, 2]])
    assert len(first.lines) == 2


def test_an_arm_of_two_joints_has_one_pair() -> None:
    figure = plotting.branches_figure(Q[:, :2], torch.zeros(4, dtype=torch.long), [], NAMES[:2])
    (axes,) = figure.axes
    assert axes.get_ylabel() == NAMES[1]


def test_synergies_name_the_joints_and_say_what_colours_mean() -> None:
    shares = torch.tensor([0.7, 0.2, 0.1])
    figure = plotting.synergies_figure(shares, torch.eye(3), ["a", "b", "c"])
    bars, image, scale = figure.axes
    np.testing.assert_allclose([bar.get_height() for bar in bars.patches], [70.0, 20.0, 10.0], rtol=1e-6)
    assert [text.get_text() for text in image.get_xticklabels()] == ["a", "b", "c"]
    assert scale.get_ylabel() == "weight"
