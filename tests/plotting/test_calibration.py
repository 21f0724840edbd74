"""Figures of calibrations show errors in millimetres, singular values, and chosen beside random poses."""

import numpy as np
import torch

from diffkin import plotting

SINGULAR = torch.tensor([100.0, 1.0, 0.0], dtype=torch.float64)


def test_all_panels() -> None:
    errors = {"before": [0.02, 0.01], "Cramer-Rao bound": [1e-4, 2e-4]}
    keys = ("predicted_random", "predicted_chosen", "measured_random", "measured_chosen")
    design = [{"count": count, **{key: k + 1.0 / count for k, key in enumerate(keys)}} for count in (12, 20)]
    left, middle, right = plotting.calibration_figure(errors, SINGULAR, 2, design).axes
    lines = {line.get_label(): line for line in left.lines}
    np.testing.assert_allclose(lines["before"].get_ydata(), [20.0, 10.0])
    assert all(float(tick).is_integer() for tick in left.get_xticks())
    assert lines["before"].get_linestyle() == "None" and lines["Cramer-Rao bound"].get_linestyle() == "-"
    np.testing.assert_allclose(middle.lines[0].get_ydata(), [100.0, 1.0, 1e-14])  # zero has no logarithm
    assert [float(x) for x in middle.lines[1].get_xdata()] == [2.5, 2.5]
    drawn = {line.get_label(): line.get_ydata() for line in right.lines}
    np.testing.assert_allclose(drawn["chosen, measured"], [row["measured_chosen"] for row in design])


def test_only_what_there_is() -> None:
    (panel,) = plotting.calibration_figure({}, SINGULAR, 2).axes
    assert panel.get_ylabel().startswith("singular value")
