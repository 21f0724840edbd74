"""A few of the damaged descriptions that ``make fuzz`` tries thousands of, and that the search would find a fault."""

from __future__ import annotations

import pytest

from tests.robot import fuzz
from tests.robot.fuzzing.child import KINDS, files_of
from tests.robot.fuzzing.reasons import reason

pytest.importorskip("pinocchio")
pytest.importorskip("mujoco")


@pytest.mark.parametrize(("kind", "count"), [("urdf", 150), ("mjcf", 60)])
# make fuzz draws fresh ones: once in some thousand cases one finds news, as the second did
@pytest.mark.parametrize("seed", [0, pytest.param(368879674, marks=pytest.mark.slow)])
def test_damaged_descriptions_agree_with_the_judge_or_are_errors(kind: str, count: int, seed: int) -> None:
    report = fuzz.run(kind, count, seed)
    assert not report.faults, report.text()
    assert sum(report.counts.values()) == count
    assert report.counts["agrees"] >= count // 10


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_case_is_the_same_every_time(kind: str) -> None:
    assert [files_of(kind, 5, index) for index in range(20)] == [files_of(kind, 5, index) for index in range(20)]


def _noted(ours: dict, entry: dict) -> fuzz.Report:
    report = fuzz.Report("mjcf", 1)
    fuzz._note(report, 3, {"fault": "", "message": "", "loads": True} | ours, entry)
    return report


def test_what_goes_wrong_is_a_fault() -> None:
    assert _noted({"fault": "KeyError escapes"}, {"gap": ""}).faults == [(3, "KeyError escapes")]
    assert _noted({}, {"gap": "off"}).faults == [(3, "off")]
    assert _noted({}, {"refused": "no reason that is known"}).faults
    assert _noted({"loads": False, "message": "no reason that is known"}, {"gap": ""}).faults
    assert not _noted({}, {"gap": ""}).faults
    assert not _noted({"loads": False}, {"refused": "anything"}).faults


def test_a_limit_that_the_judge_refuses_is_right_only_where_it_is_not_used() -> None:
    message = "joint [j]: lower value (abc) is not a valid float"
    text = '<robot><joint name="j" type="{}"/></robot>'
    assert reason("urdf", "judge", message, {"model.urdf": text.format("fixed")})
    assert reason("urdf", "judge", message, {"model.urdf": text.format("continuous")})
    assert not reason("urdf", "judge", message, {"model.urdf": text.format("revolute")})
