"""Named robots, and loading by path."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch

import diffkin.robot.catalogue as catalogue
from diffkin.errors import MissingDependencyError, ModelFileError, UnknownNameError
from diffkin.robot import Robot, load_robot, robot_names

MJCF = (
    '<mujoco model="m"><worldbody><body name="b"><joint name="j" axis="0 0 1"/><site name="s"/></body></worldbody>'
    "</mujoco>"
)


def test_the_robots_that_everybody_asks_for() -> None:
    shown = {name: (load_robot(name).dof, load_robot(name).tip) for name in robot_names()}
    expected = {
        "kuka_iiwa": (7, "lbr_iiwa_link_7"),
        "franka_panda": (7, "panda_grasptarget"),
        "xarm6": (6, "link6"),
        "planar_2r": (2, "tool"),
        "planar_3r": (3, "tool"),
        "scara": (4, "tool"),
    }
    assert {name: shown[name] for name in expected} == expected


@pytest.mark.parametrize("name", robot_names())
def test_named_robots_carry_their_name_and_file(name: str) -> None:
    robot = load_robot(name)
    assert robot.name == name
    assert Path(robot.source).is_file()
    assert robot.dtype == torch.float64
    assert bool((robot.lower < robot.upper).all())


def test_another_part_of_a_named_robot() -> None:
    assert load_robot("franka_panda", tip="panda_leftfinger").joint_names[-1] == "panda_finger_joint1"
    assert load_robot("franka_panda", tip="panda_rightfinger").joint_names[-1] == "panda_finger_joint1"  # it mimics
    assert load_robot("kuka_iiwa", base="lbr_iiwa_link_2").dof == 5


def test_planar_arms_stretch_as_far_as_their_links() -> None:
    for name, reach in (("planar_2r", 0.9), ("planar_3r", 0.9)):
        robot = load_robot(name)
        pose = robot.forward_kinematics(torch.zeros(robot.dof, dtype=torch.float64))
        assert pose[:3, 3].tolist() == pytest.approx([reach, 0.0, 0.1], abs=1e-15)


def test_the_scara_lowers_its_quill() -> None:
    robot = load_robot("scara")
    q = torch.tensor([0.0, 0.0, 0.0, 0.0], dtype=torch.float64)
    low = torch.tensor([0.0, 0.0, 0.1, 0.0], dtype=torch.float64)
    moved = robot.forward_kinematics(low)[:3, 3] - robot.forward_kinematics(q)[:3, 3]
    assert moved.tolist() == pytest.approx([0.0, 0.0, -0.1], abs=1e-15)


@pytest.mark.parametrize(
    ("name", "near"), [("kuka", "kuka_iiwa"), ("planar2r", "planar_2r"), ("Franka_Panda", "franka_panda")]
)
def test_unknown_names_get_the_closest(name: str, near: str) -> None:
    with pytest.raises(UnknownNameError, match=repr(near)):
        load_robot(name)


def test_a_name_like_nothing_lists_what_there_is() -> None:
    with pytest.raises(UnknownNameError, match="'scara'"):
        load_robot("zzz")


def test_paths_of_both_formats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    urdf = Path(load_robot("scara").source).read_text()
    for name, text, tip in (
        ("arm.urdf", urdf, "tool"),
        ("arm.xml", MJCF, "s"),
        ("arm.mjcf", MJCF, "s"),
        ("arm", urdf, "tool"),
    ):
        Path(name).write_text(text)
        for path in (name, Path(name), tmp_path / name, str(tmp_path / name)):
            robot = load_robot(path)
            assert (robot.tip, robot.source) == (tip, str(tmp_path / name))
    assert load_robot(urdf).tip == "tool"
    assert load_robot(MJCF).tip == "s"
    assert load_robot("arm.urdf", base="upper_arm", tip="quill").joint_names == ("elbow", "lift")


def test_a_path_without_a_file(tmp_path: Path) -> None:
    for path in ("robots/absent.urdf", tmp_path / "absent", "absent.urdf", Path("absent")):
        with pytest.raises(ModelFileError, match="absent"):
            load_robot(path)


def test_without_pybullet_data_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        catalogue.importlib.util, "find_spec", lambda name: None if name == "pybullet_data" else find(name)
    )
    with pytest.raises(MissingDependencyError, match="kuka_iiwa.*pip install pybullet"):
        load_robot("kuka_iiwa")
    assert isinstance(load_robot("scara"), Robot)
