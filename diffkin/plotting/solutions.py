"""Figures of all solutions of a pose: branches over pairs of joints, and what postures have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jaxtyping import Float, Int
from torch import Tensor

from diffkin.plotting.figures import legend_below, new_figure

__all__ = ["branches_figure", "synergies_figure"]

_MOST_PAIRS = 3
_MOST_COMPONENTS = 3


def branches_figure(
    q: Float[Tensor, "n dof"],
    clusters: Int[Tensor, " n"],
    arcs: Sequence[Float[Tensor, "steps dof"]],
    joints: Sequence[str],
    title: str = "",
) -> Any:
    """Solutions coloured by cluster over up to three pairs of joints, traced arcs as lines over them.

    Args:
        q: (n, dof) solutions of one pose [rad or m].
        clusters: (n,) the cluster of each.
        arcs: (steps, dof) each, traced curves of solutions.
        joints: (dof,) labels of the axes: names and units.
        title: Above the figure.

    Returns:
        The figure.
    """
    dof = q.shape[-1]
    pairs = [(k, min(k + 2, dof - 1)) for k in range(0, max(1, dof - 2), 2)][:_MOST_PAIRS]
    figure = new_figure(4.6 * len(pairs), 4.4)
    for axes, (a, b) in zip(figure.subplots(1, len(pairs), squeeze=False)[0], pairs):
        axes.scatter(q[:, a], q[:, b], c=clusters % 20, cmap="tab20", s=9, label="solutions, a colour a cluster")
        for k, arc in enumerate(arcs):
            axes.plot(arc[:, a], arc[:, b], color="k", linewidth=0.6, label="_" if k else "traced arcs")
        axes.set(xlabel=joints[a], ylabel=joints[b])
    legend_below(figure, figure.axes[0])
    figure.suptitle(title)
    return figure


def synergies_figure(shares: Float[Tensor, " dof"], components: Float[Tensor, "dof dof"], joints: Sequence[str]) -> Any:
    """Shares of the variance of the principal components of postures, and the first three components.

    Args:
        shares: (dof,) share of each component.
        components: (dof, dof) components in rows.
        joints: (dof,) names.

    Returns:
        The figure.
    """
    figure = new_figure(9.0, 4.2)
    left, right = figure.subplots(1, 2)
    left.bar(range(1, len(shares) + 1), (100.0 * shares).tolist())
    left.set(xlabel="component", ylabel="share of the variance [%]", xticks=range(1, len(shares) + 1))
    shown = components[:_MOST_COMPONENTS]
    image = right.imshow(shown.numpy(), vmin=-1, vmax=1, cmap="RdBu", aspect="auto")
    right.set_xticks(range(len(joints)), joints, rotation=45, ha="right", fontsize=8)
    right.set_yticks(range(len(shown)), [str(k + 1) for k in range(len(shown))])
    right.set_ylabel("component")
    figure.colorbar(image, ax=right, label="weight")
    return figure
