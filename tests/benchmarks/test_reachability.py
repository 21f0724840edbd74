"""The measuring of reachability maps runs, and what it measures is as it should be."""

from __future__ import annotations

import pytest
import torch

import diffkin as dk
from benchmarks import reachability


def test_a_short_run_loses_nothing(capsys):
    arguments = ["--voxels", "150", "--targets", "300", "--thorough", "150", "--robots", "kuka_iiwa"]
    results = reachability.main(arguments)
    assert set(results) == {
        f"{what}, {task}, kuka_iiwa"
        for what in ("map", *(f"targets {draw}" for draw in reachability.DRAWS))
        for task in reachability.TASKS
    }
    pose, listed = (results[f"map, {task}, kuka_iiwa"] for task in reachability.TASKS)
    assert 0 < pose["found"] <= listed["found"] < pose["voxels"]
    for row in (pose, listed):
        assert row["lost"] == 0
        assert 0 < row["proven out of reach"] <= row["voxels"] - row["found"]
    for name, row in results.items():
        if name.startswith("targets"):
            assert (row["targets"], row["given up"], row["proven"], row["too hard"]) == (300, 0, 0, 0)
    assert capsys.readouterr().out.count("\n") == len(results)


def test_voxels_are_cubes_whose_tool_points_down():
    robot = dk.load_robot("franka_panda")
    poses = reachability.tool_down(robot, 300)
    assert 150 < len(poses) < 450
    assert torch.equal(poses[:, :3, 2], torch.tensor([0.0, 0.0, -1.0], dtype=robot.dtype).expand(len(poses), 3))
    gaps = torch.cdist(poses[:, :3, 3], poses[:, :3, 3]).fill_diagonal_(torch.inf).amin(0)
    torch.testing.assert_close(gaps, gaps[:1].expand_as(gaps))


@pytest.mark.parametrize("draw", reachability.DRAWS)
def test_targets_are_drawn_within_limits_and_where_the_name_says(draw):
    robot = reachability.narrowed(dk.load_robot("franka_panda"), 0.5)
    q = reachability.DRAWS[draw](robot, 500, 3)
    assert ((q >= robot.lower) & (q <= robot.upper)).all()
    room = torch.minimum(q - robot.lower, robot.upper - q) / (robot.upper - robot.lower)
    near = (room <= 0.0101).double().mean()
    assert near > 0.45 if draw == "at limits" else near < 0.4
