"""The benchmark of lists of tasks runs, small, and its problems can be solved."""

from __future__ import annotations

import pytest
import torch

from benchmarks import tasks
from diffkin.kernels.threads import get_num_threads, set_num_threads


def test_every_case_can_be_solved():
    cases = tasks.cases(4)
    assert len({(case.robot, case.tasks) for case in cases}) == len(cases) >= 10
    for case in cases:
        assert case.pose(slice(0, 4)).success.all()
        assert case.solve(slice(0, 4), None).success.all(), case.tasks
        assert bool(case.solve(1, None).success)


def test_a_table_is_printed(capsys: pytest.CaptureFixture[str]):
    before = torch.get_num_threads(), get_num_threads()
    tasks.main(["--count", "4", "--only", "position, pointing in a cone", "--plain"])
    torch.set_num_threads(before[0])
    set_num_threads(before[1])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert lines[2].split()[:5] == ["kuka_iiwa", "position,", "pointing", "in", "a"]
    assert [line.count("100.0%") for line in lines[2:]] == [1, 1]
    assert all(float(number) > 0 for line in lines[2:] for number in line.split("%")[1].split())
