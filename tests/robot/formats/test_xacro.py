"""Xacro files: expanded where ``xacrodoc`` is installed, refused by name where it is not, never taken as they are."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from diffkin.errors import MissingDependencyError, ModelFileError
from diffkin.robot import Robot, load_robot

HEAD = '<?xml version="1.0"?><robot name="arm" xmlns:xacro="http://www.ros.org/wiki/xacro">'
MACRO = """
<xacro:property name="length" value="0.5"/>
<xacro:macro name="part" params="prefix parent x">
  <link name="${prefix}_link"/>
  <joint name="${prefix}_joint" type="continuous"><parent link="${parent}"/><child link="${prefix}_link"/>
    <origin xyz="${x * length} 0 0"/><axis xyz="0 0 1"/></joint>
</xacro:macro>"""
USE = '<link name="root"/><xacro:part prefix="a" parent="root" x="1"/><xacro:part prefix="b" parent="a_link" x="2"/>'
UNEXPANDED = [
    HEAD + MACRO + USE + "</robot>",
    '<robot name="r"><link name="${prefix}root"/></robot>',
    '<robot name="r"><link name="a"/><link name="b"/><joint name="j" type="fixed"><parent link="a"/><child link="b"/>'
    '<origin xyz="0 0 $(arg height)"/></joint></robot>',
    '<robot name="r"><link name="a"/><xacro:thing/></robot>',
]


def test_macros_are_expanded(tmp_path: Path) -> None:
    whole = HEAD + MACRO + USE + "</robot>"
    path = tmp_path / "arm.urdf.xacro"
    path.write_text(whole)
    (tmp_path / "macros.xacro").write_text(HEAD + MACRO + "</robot>")
    parts = tmp_path / "parts.xacro"
    parts.write_text(HEAD + '<xacro:include filename="macros.xacro"/>' + USE + "</robot>")
    for model in (whole, whole.encode(), path, str(path), parts):
        robot = load_robot(model) if isinstance(model, str) else Robot.from_urdf(model)
        assert robot.name == "arm"
        assert robot.link_names == ("root", "a_link", "b_link")
        assert robot.joint_names == ("a_joint", "b_joint")
        pose = robot.forward_kinematics(torch.zeros(2, dtype=torch.float64))
        assert pose[:3, 3].tolist() == [1.5, 0.0, 0.0]
        assert Robot.from_urdf(robot.source).link_names == robot.link_names


@pytest.mark.parametrize("text", UNEXPANDED)
def test_without_xacrodoc_it_is_named(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xacrodoc", None)
    with pytest.raises(MissingDependencyError, match="xacro file.*pip install xacrodoc"):
        Robot.from_urdf(text)


@pytest.mark.parametrize("text", UNEXPANDED[1:])
def test_what_xacro_cannot_expand_is_refused(text: str) -> None:
    with pytest.raises(ModelFileError, match="xacro"):
        Robot.from_urdf(text)


def test_expanded_files_may_still_name_xacro() -> None:
    text = HEAD + '<!-- ${generated} --><link name="a"/><gazebo><path>$(find x)</path></gazebo></robot>'
    assert Robot.from_urdf(text).link_names == ("a",)
