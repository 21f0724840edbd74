"""The eleventh lesson: what can be told is found, what cannot is not, and the held-out poses say so."""

from __future__ import annotations

import pytest

from tests.notebooks.running import run_lesson

pytest.importorskip("pybullet")


def test_a_direction_that_nothing_sees_ruins_the_naive_step() -> None:
    names = run_lesson(11).names
    assert names["naive"][:2].abs().min() > 1.0  # radians, where 0.02 would be right
    assert names["S"][-1] < 1e-9 * names["S"][0] < names["S"][-2]


def test_small_arm_is_found_up_to_that_direction() -> None:
    names = run_lesson(11).names
    x, truth = names["x"], names["truth"]
    assert (x[2:] - truth[2:]).abs().max() < 1e-3
    assert (x[:2].sum() - truth[:2].sum()).abs() < 1e-3
    assert (x[0] - truth[0]).abs() > 3e-3
    assert names["residual"].square().mean().sqrt() < 1.3e-4


def test_kuka_is_found_and_the_wrong_model_is_seen() -> None:
    names = run_lesson(11).names
    rms = {name: names["rms"](miss) for name, miss in names["misses"].items()}
    assert rms["as drawn"] > 8 > rms["offsets alone"] * 0.5
    assert rms["all parameters"] < 0.1
    assert names["fit"].rank == 34 and names["model"].size == 55
    assert 0.8 < names["fit"].chi2_per_dof < 1.2
    assert names["offsets_fit"].chi2_per_dof > 100


def test_few_poses_overfit_and_a_robust_loss_bears_outliers() -> None:
    names = run_lesson(11).names
    fewest, most = names["curve"][0], names["curve"][-1]
    assert fewest[1] < 0.05 and fewest[2] > 1.0 and most[2] < 0.1
    squares, cauchy = (
        names["rms"](names["miss_mm"](names["model"], names["robust"][k].x)) for k in ("squares", "cauchy")
    )
    assert squares > 10 * cauchy and cauchy < 0.15
    assert names["robust"]["cauchy"].outliers.sum() >= 4
    assert run_lesson(11).figures == 1
