"""A robot with every kind of limits."""

import torch

import diffkin as dk

ODD = """
<robot name="odd"><link name="a"/><link name="b"/><link name="c"/><link name="d"/><link name="e"/>
  <joint name="endless" type="continuous"><parent link="a"/><child link="b"/><axis xyz="0 0 1"/></joint>
  <joint name="half" type="revolute"><parent link="b"/><child link="c"/><origin xyz="0.3 0 0.1"/><axis xyz="0 1 0.2"/>
    <limit lower="-1" upper="2" effort="1" velocity="1"/></joint>
  <joint name="wide" type="revolute"><parent link="c"/><child link="d"/><origin xyz="0.3 0 0"/><axis xyz="0 1 0"/>
    <limit lower="-7" upper="7.5" effort="1" velocity="1"/></joint>
  <joint name="slide" type="prismatic"><parent link="d"/><child link="e"/><origin xyz="0.1 0 0"/><axis xyz="1 0 0"/>
    <limit lower="0" upper="0.4" effort="1" velocity="1"/></joint>
</robot>
"""


def odd_robot():
    """One joint without limits, one that is limited on one side (from 4 rad), one of more than two turns, a slide."""
    robot = dk.Robot.from_urdf(ODD, tip="e")
    lower, upper = robot.lower.clone(), robot.upper.clone()
    lower[1], upper[1] = 4.0, torch.inf
    return robot.replace(lower=lower, upper=upper)
