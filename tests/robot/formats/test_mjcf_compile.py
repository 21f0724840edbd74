"""What MuJoCo makes of the parts: a mechanism without masses, and masses; whole models are tested in ``test_mjcf``."""

from __future__ import annotations

import math

import mujoco
import pytest

from diffkin.robot.formats.mjcf_compile import compile_mechanism, inertials_of
from diffkin.robot.formats.mjcf_parts import take_parts
from diffkin.robot.xml import open_document


def parts_of(inside: str, before: str = ""):
    return take_parts(open_document(f"<mujoco>{before}<worldbody>{inside}</worldbody></mujoco>", "mujoco"))


def test_a_mechanism_needs_no_masses_and_keeps_its_static_bodies() -> None:
    parts = parts_of('<body name="a"><joint name="j"/><body name="b"/></body>', '<compiler fusestatic="true"/>')
    model, _ = compile_mechanism(parts)
    assert [model.body(index).name for index in range(model.nbody)] == ["world", "a", "b"]
    assert model.njnt == 1


def test_what_mujoco_refuses_is_its_own_error() -> None:
    with pytest.raises(ValueError, match="screw"):
        compile_mechanism(parts_of('<body><joint type="screw"/></body>'))


def test_masses_by_body() -> None:
    inside = (
        '<body name="a"><joint/><inertial mass="2" pos="1 2 3" diaginertia="1 1 1"/>'
        '<body name="b"><geom size="0.1" mass="3" pos="0 0 1"/></body></body>'
    )
    made = mujoco.MjModel.from_xml_string(f"<mujoco><worldbody>{inside}</worldbody></mujoco>")
    found = inertials_of(parts_of(inside))
    assert [each.mass for each in found] == made.body_mass.tolist() == [0.0, 2.0, 3.0]
    assert [each.center.tolist() for each in found] == made.body_ipos.tolist()


def test_masses_that_mujoco_cannot_compute_are_not_known() -> None:
    world, body = inertials_of(parts_of('<body name="a"><joint/></body>'))  # it moves, and weighs nothing
    assert world.mass == 0.0
    assert math.isnan(body.mass)
