"""The plots of costs: every curve is named, beside the curves and inside the picture."""

from pathlib import Path
from typing import Any

import pytest

pyplot = pytest.importorskip("matplotlib.pyplot", reason="matplotlib is not installed")

from benchmarks import plots  # noqa: E402


def test_every_curve_is_named_where_the_legend_covers_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Any] = []
    monkeypatch.setattr(pyplot, "close", kept.append)
    names = [
        f"{library} {work}"
        for library in ("diffkin", "pytorch_kinematics", "Pinocchio loop")
        for work in ("forward", "jacobian", "forward_backward")
    ]
    curves = {name: {"3": 1e-6, "60": 1e-5} for name in (*names, "diffkin ik")}
    results = {
        "over_batch": {"seconds_each": curves},
        "over_joints": {"seconds_each": curves, "batch": 10_000, "ik_batch": 1000},
    }
    assert [path.name for path in plots.draw(results, tmp_path)] == ["cost_over_batch.png", "cost_over_joints.png"]
    for figure in kept:
        (legend,) = figure.legends
        assert len(legend.get_texts()) == len(curves)
        box, panel = legend.get_window_extent(), figure.axes[0].get_tightbbox()
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= panel.y0 + 1.0
    monkeypatch.undo()
    for figure in kept:
        pyplot.close(figure)
