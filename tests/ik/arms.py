"""Chains for the tests of inverse kinematics, of joints given as text."""

from __future__ import annotations

import diffkin as dk


def arm(*joints: str) -> dk.Robot:
    """A chain of links of 0.3 m and 0.1 m aside, a joint (its text) after each."""
    links = "".join(f'<link name="l{k}"/>' for k in range(len(joints) + 2))
    axes = ("0 0 1", "0 1 0", "1 0 0")
    chain = "".join(
        f'<joint name="j{k}" {joint.partition("/")[0]}><parent link="l{k}"/><child link="l{k + 1}"/>'
        f'<origin xyz="0.1 0 0.3" rpy="0 0 0"/><axis xyz="{axes[k % 3]}"/>{joint.partition("/")[2]}</joint>'
        for k, joint in enumerate(joints)
    )
    last = len(joints)
    tool = (
        f'<joint name="tool" type="fixed"><parent link="l{last}"/><child link="l{last + 1}"/>'
        '<origin xyz="0.2 0.1 0.1"/></joint>'
    )
    return dk.Robot.from_urdf(f'<robot name="arm">{links}{chain}{tool}</robot>')


CONTINUOUS = 'type="continuous"/'
FOLLOWS = 'type="continuous"/<mimic joint="j0" multiplier="{}"/>'
