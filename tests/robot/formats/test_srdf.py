"""Named configurations and disabled pairs of an SRDF file."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pinocchio as pin
import pytest
import torch

from diffkin.errors import ModelFileError
from diffkin.robot import Robot
from diffkin.robot.formats.srdf import with_srdf
from tests.robot.models import TREE

EXAMPLES = Path(str(importlib.metadata.distribution("example-robot-data").locate_file("cmeel.prefix/share")))
PANDA = EXAMPLES / "example-robot-data" / "robots" / "panda_description"
SRDF = """<robot name="r">
<group_state name="home" group="left"><joint name="left" value="0.5"/><joint name="left2" value="1.5"/></group_state>
<group_state name="home" group="right"><joint name="right" value="-0.5"/></group_state>
<group_state name="up" group="left"><joint name="left3" value="2"/><joint name="absent" value="1 2 3"/></group_state>
<disable_collisions link1="r1" link2="l1" reason="Never"/>
<disable_collisions link1="r1" link2="absent" reason="Never"/>
<disable_default_collisions link="eye"/>
<enable_collisions link1="l3" link2="eye"/>
</robot>"""


def test_states_and_pairs() -> None:
    robot = Robot.from_urdf(TREE, srdf=SRDF)
    values = {name: dict(zip(robot.joint_names, q.tolist())) for name, q in robot.configurations.items()}
    rest = dict.fromkeys(robot.joint_names, 0.0)
    assert values == {
        "left/home": rest | {"left": 0.5, "left2": 1.5},
        "right/home": rest | {"right": -0.5},
        "up": rest | {"left3": 2.0},
    }
    assert ("l1", "r1") in robot.disabled_pairs
    others = set(robot.link_names) - {"eye", "l3"}
    assert robot.disabled_pairs == {("l1", "r1")} | {tuple(sorted(("eye", other))) for other in others}


def test_joints_that_a_state_does_not_name_stay_within_limits() -> None:
    robot = Robot.from_urdf(TREE).replace(lower=torch.full((5,), 0.25))
    state = '<robot name="r"><group_state name="s" group="g"><joint name="left" value="1"/></group_state></robot>'
    assert sorted(with_srdf(robot, state).configurations["s"].tolist()) == [0.25, 0.25, 0.25, 0.25, 1.0]


def test_a_part_of_a_robot_takes_what_it_has() -> None:
    arm = Robot.from_urdf(TREE, tip="r2", srdf=SRDF)
    assert {name: q.tolist() for name, q in arm.configurations.items()}["right/home"] == [-0.5, 0.0]
    assert arm.disabled_pairs == frozenset()


@pytest.mark.parametrize("srdf", sorted((PANDA / "srdf").glob("*.srdf")), ids=lambda path: path.stem)
def test_panda_as_pinocchio_reads_it(srdf: Path) -> None:
    urdf = PANDA / "urdf" / "panda.urdf"
    robot = Robot.from_urdf(urdf, srdf=srdf)
    model = pin.buildModelFromUrdf(str(urdf))
    pin.loadReferenceConfigurations(model, str(srdf), False)
    assert set(robot.configurations) == {entry.key() for entry in model.referenceConfigurations}
    assert len(robot.configurations) > 0
    for name, q in robot.configurations.items():
        theirs = model.referenceConfigurations[name]
        for joint, value in zip(robot.joint_names, q.tolist()):
            assert theirs[model.joints[model.getJointId(joint)].idx_q] == value
    assert ("panda_hand", "panda_leftfinger") in robot.disabled_pairs
    assert robot.to(torch.float32).configurations[name].dtype == torch.float32


@pytest.mark.parametrize(
    ("inside", "said"),
    [
        ('<group_state name="s" group="g"><joint name="left" value="x"/></group_state>', "no number"),
        ('<group_state name="s" group="g"><joint name="left" value="1 2"/></group_state>', "2 values"),
        ('<group_state name="s" group="g"><joint name="left"/></group_state>', "no value"),
        ('<group_state group="g"/>', "no name"),
        ('<disable_collisions link1="l1"/>', "no link2"),
    ],
)
def test_files_that_cannot_be(inside: str, said: str) -> None:
    with pytest.raises(ModelFileError, match=said):
        Robot.from_urdf(TREE, srdf=f'<robot name="r">{inside}</robot>')
    with pytest.raises(ModelFileError, match="no model file"):
        Robot.from_urdf(TREE, srdf="absent.srdf")
