"""Shared by all tests: one thread, the robots that most of them use, and what happens where a package is missing."""

from __future__ import annotations

import pytest
import torch

import diffkin as dk
from tests import optional

torch.set_num_threads(1)


def pytest_pycollect_makemodule(module_path, parent):
    """Modules that import an optional package which is not installed are skipped, and say so."""
    return optional.Module.from_parent(parent, path=module_path)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item):
    with optional.skipping():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    with optional.skipping():
        return (yield)


@pytest.fixture(scope="session")
def iiwa() -> dk.Robot:
    return dk.load_robot("kuka_iiwa")


@pytest.fixture(scope="session")
def panda() -> dk.Robot:
    return dk.load_robot("franka_panda")


@pytest.fixture(scope="session")
def scara() -> dk.Robot:
    return dk.load_robot("scara")


@pytest.fixture(scope="session")
def mixed() -> dk.Robot:
    """A tree with every kind of joint: slanted axes, a slide, and a mimic of a mimic on a branch."""
    return dk.Robot.from_urdf(MIXED_URDF)


MIXED_URDF = """
<robot name="mixed">
  <link name="root"/><link name="a"/><link name="b"/><link name="c"/><link name="d"/><link name="e"/><link name="hand"/>
  <joint name="turn" type="revolute"><parent link="root"/><child link="a"/><axis xyz="1 2 -0.5"/>
    <origin xyz="0.1 -0.2 0.3" rpy="0.3 -0.4 0.5"/><limit lower="-2" upper="1.5" effort="1" velocity="1"/></joint>
  <joint name="slide" type="prismatic"><parent link="a"/><child link="b"/><axis xyz="0 1 1"/>
    <origin xyz="0.2 0 0.1" rpy="1.1 0.2 0"/><limit lower="-0.3" upper="0.4" effort="1" velocity="1"/></joint>
  <joint name="spin" type="continuous"><parent link="b"/><child link="c"/><axis xyz="0 -1 0"/>
    <origin xyz="0 0.3 0" rpy="0 0 0.7"/></joint>
  <joint name="follow" type="revolute"><parent link="c"/><child link="d"/><axis xyz="1 0 0"/>
    <origin xyz="0.1 0.1 0.1" rpy="0 0.5 0"/><limit lower="-9" upper="9" effort="1" velocity="1"/>
    <mimic joint="turn" multiplier="-0.5" offset="0.2"/></joint>
  <joint name="again" type="prismatic"><parent link="c"/><child link="e"/><axis xyz="1 1 1"/>
    <origin xyz="-0.2 0 0" rpy="0 0 0"/><limit lower="-9" upper="9" effort="1" velocity="1"/>
    <mimic joint="follow" multiplier="0.3" offset="-0.1"/></joint>
  <joint name="weld" type="fixed"><parent link="d"/><child link="hand"/><origin xyz="0 0 0.2" rpy="0.1 0.2 0.3"/></joint>
</robot>
"""
