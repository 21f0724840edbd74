"""The ninth lesson: solutions lie on curves, which k-means cuts and mixes; the elbow runs on a circle; a table has two synergies."""

from __future__ import annotations

import torch

import diffkin as dk
from tests.notebooks.running import run_lesson


def test_solutions_are_solutions_and_lie_on_curves() -> None:
    names = run_lesson(9).names
    robot = dk.load_robot("kuka_iiwa")
    q, T = names["q"], names["T_target"]
    assert len(q) > 800
    assert (robot.forward_kinematics(q) - T).abs().max() < 2e-6
    assert ((q >= robot.lower) & (q <= robot.upper)).all()
    assert names["nullity"] == 1
    assert (names["dimension"] == 1).double().mean() > 0.95
    assert (robot.jacobian(q) @ names["tangent"][..., None]).abs().max() < 1e-8


def test_kmeans_mixes_branches_and_neighbours_on_curves_do_not() -> None:
    names = run_lesson(9).names
    assert len(names["signs"].unique()) == 8
    assert names["kmeans_purity"][8] < 0.75
    assert names["branch_purity"] == 1.0
    assert 8 < len(names["arcs"]) < len(names["sizes"])


def test_elbow_runs_on_a_circle_while_the_hand_rests() -> None:
    names = run_lesson(9).names
    elbow, hand = names["elbow"], names["hand"]
    assert (hand - hand[0]).norm(dim=1).max() < 1e-7
    assert (elbow - elbow[0]).norm(dim=1).max() > 0.2
    for part in (names["shoulder"], names["wrist"]):
        distance = (elbow - part).norm(dim=1)
        assert distance.max() - distance.min() < 1e-7
    assert names["arc"].q[:, 3].std() < 1e-7


def test_a_table_has_two_synergies() -> None:
    names = run_lesson(9).names
    shares = names["shares"]
    assert shares["table"][:2].sum() > 0.99
    assert shares["random q"][:2].sum() < 0.6
    assert torch.allclose(names["components"] @ names["components"].T, torch.eye(7, dtype=torch.float64), atol=1e-9)
    assert run_lesson(9).figures == 2
