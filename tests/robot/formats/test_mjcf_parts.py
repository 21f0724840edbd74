"""The part of a MuJoCo model that is kept, and what it would cost; whole models are tested in ``test_mjcf``."""

from __future__ import annotations

import mujoco
import pytest

from diffkin.errors import ModelFileError
from diffkin.robot.formats.mjcf_parts import MOST_ELEMENTS, take_parts
from diffkin.robot.xml import open_document


def parts_of(inside: str, after: str = ""):
    return take_parts(open_document(f"<mujoco><worldbody>{inside}</worldbody>{after}</mujoco>", "mujoco"))


@pytest.mark.parametrize(
    ("inside", "cost", "shapes"),
    [
        ('<body name="b"><joint/><geom size="1"/><site name="s"/></body>', 3, 1),
        ('<replicate count="7"><body><geom size="1"/></body></replicate>', 14, 7),
        ('<replicate count="3"><replicate count="4"><body/></replicate></replicate>', 3 + 12 + 12, 0),
        ('<replicate count="0"><body/></replicate>', 0, 0),
        ('<body name="b"><flexcomp name="f" type="grid" count="2 3 4"/></body>', 1 + 4 * 24, 0),
    ],
)
def test_copies_are_counted(inside: str, cost: int, shapes: int) -> None:
    parts = parts_of(inside)
    assert (parts.cost, parts.shapes) == (cost, shapes)


def test_copies_are_as_many_as_mujoco_makes() -> None:
    inside = '<replicate count="5" offset="1 0 0"><body><geom size="1"/><replicate count="3"><site/></replicate></body></replicate>'
    made = mujoco.MjModel.from_xml_string(f"<mujoco><worldbody>{inside}</worldbody></mujoco>")
    parts = parts_of(inside)
    assert parts.shapes == made.ngeom
    assert parts.cost == made.nbody - 1 + made.nsite + 5 + 5 * 3  # and one for each copy


@pytest.mark.parametrize("count", [str(MOST_ELEMENTS), "1e9", "99999999999999999999"])
def test_too_many_are_refused(count: str) -> None:
    with pytest.raises(ModelFileError, match="at most"):
        parts_of(f'<replicate count="{count}"><body/></replicate>')


def test_the_document_is_left_as_it_was_and_the_text_is_slim() -> None:
    text = (
        '<mujoco><compiler angle="radian" meshdir="x"/><option timestep="1"/><asset><mesh name="m" file="x.stl"/></asset>'
        '<worldbody><light/><body name="b"><joint/><geom type="mesh" mesh="m" material="w"/></body></worldbody></mujoco>'
    )
    document = open_document(text, "mujoco")
    parts = take_parts(document)
    assert document.root.find("option") is not None
    slim, heavy = parts.text(shapes=False), parts.text(shapes=True)
    for word in ("option", "x.stl", "light", "material", "meshdir"):
        assert word in text
        assert word not in slim
        assert word not in heavy
    assert ("geom" in slim, "geom" in heavy) == (False, True)
    assert 'angle="radian"' in slim
