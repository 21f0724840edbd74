"""Random robots for Hypothesis: URDF text with every kind of joint, any axis and origin, and chains of mimics."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from xml.etree import ElementTree

from hypothesis import strategies as st

MOVING = ("revolute", "continuous", "prismatic")

# Thousandths read well when an example fails; the angles are what people write for quarter and half turns.
_LENGTHS = st.integers(-1000, 1000).map(lambda count: count / 1000)
_ANGLES = st.one_of(
    st.sampled_from([0.0, 1.57079632679, -1.5707963267948966, 3.14159265359, -3.1416, 0.785398]),
    st.integers(-3000, 3000).map(lambda count: count / 1000),
)
_AXES = st.one_of(
    st.sampled_from([(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (0.0, 0.0, -1.0), (-1.0, 0.0, 0.0)]),
    st.tuples(_LENGTHS, _LENGTHS, _LENGTHS).filter(lambda axis: sum(number**2 for number in axis) > 0.01),
)


def _numbers(values: Sequence[float]) -> str:
    return " ".join(repr(value) for value in values)


@st.composite
def urdf_trees(
    draw: st.DrawFn,
    max_joints: int = 8,
    kinds: Sequence[str] = (*MOVING, "fixed"),
    mimics: bool = True,
    serial: bool = False,
    unit_axes: bool = False,
) -> str:
    """URDF text of a random robot with at least one joint that moves of its own accord.

    Joints stand in the file in any order, a mimic's source may come after it or lie on another branch, and mimics may
    copy mimics. Every link has a mass, so that simulators load it as it is. Links are named ``link0`` (the root) ...,
    joints ``joint1`` ...

    Args:
        draw: Given by Hypothesis.
        max_joints: Most joints, fixed ones included.
        kinds: Which kinds of joints there may be.
        mimics: Whether joints may mimic.
        serial: Whether it is one chain instead of a tree.
        unit_axes: Whether axes have length one. PyBullet moves a prismatic joint by its value times the written axis.
    """
    count = draw(st.integers(1, max_joints))
    chosen = [draw(st.sampled_from(kinds)) for _ in range(count)]
    if not set(chosen) & set(MOVING):
        chosen[0] = next(kind for kind in kinds if kind in MOVING)
    moving = [index for index, kind in enumerate(chosen) if kind in MOVING]
    # A mimic copies a joint before it in this order, so there are no circles, wherever they sit in tree and file.
    ranking = draw(st.permutations(moving))
    joints = []
    for index, kind in enumerate(chosen):
        parent = index if serial else draw(st.integers(0, index))
        origin = [draw(_LENGTHS) for _ in range(3)], [draw(_ANGLES) for _ in range(3)]
        lines = [
            f'  <joint name="joint{index + 1}" type="{kind}">',
            f'    <parent link="link{parent}"/>',
            f'    <child link="link{index + 1}"/>',
            f'    <origin xyz="{_numbers(origin[0])}" rpy="{_numbers(origin[1])}"/>',
        ]
        if kind in MOVING:
            axis = draw(_AXES)
            length = math.sqrt(sum(number**2 for number in axis)) if unit_axes else 1.0
            lines.append(f'    <axis xyz="{_numbers([number / length for number in axis])}"/>')
        if kind in ("revolute", "prismatic"):
            lower = draw(_LENGTHS) * 3
            upper = lower + draw(st.integers(1, 3000)) / 1000
            lines.append(f'    <limit lower="{lower!r}" upper="{upper!r}" effort="10" velocity="10"/>')
        rank = ranking.index(index) if index in ranking else 0
        if mimics and rank and draw(st.booleans()):
            source = draw(st.sampled_from(ranking[:rank])) + 1
            multiplier, offset = draw(_LENGTHS) * 2, draw(_LENGTHS)
            lines.append(f'    <mimic joint="joint{source}" multiplier="{multiplier!r}" offset="{offset!r}"/>')
        joints.append("\n".join([*lines, "  </joint>"]))
    inertial = (
        '<inertial><origin xyz="0.01 0 0.02"/><mass value="1"/>'
        '<inertia ixx="0.02" ixy="0" ixz="0" iyy="0.02" iyz="0" izz="0.02"/></inertial>'
    )
    links = [f'  <link name="link{index}">{inertial}</link>' for index in range(count + 1)]
    # MuJoCo would melt links on fixed joints together; the other readers skip what is in <mujoco>.
    keep = '  <mujoco><compiler fusestatic="false"/></mujoco>'
    joints = list(draw(st.permutations(joints)))
    return "\n".join(['<robot name="random_tree">', keep, *links, *joints, "</robot>"])


def joint_values(xml: str, q: Mapping[str, float]) -> dict[str, float]:
    """The value of every moving joint, mimics followed from the text one by one.

    Args:
        xml: URDF text.
        q: Values of the joints that move of their own accord.
    """
    joints = {joint.get("name", ""): joint for joint in ElementTree.fromstring(xml).findall("joint")}

    def value(name: str) -> float:
        mimic = joints[name].find("mimic")
        if mimic is None:
            return q[name]
        return float(mimic.get("multiplier", "1")) * value(mimic.get("joint", "")) + float(mimic.get("offset", "0"))

    return {name: value(name) for name, joint in joints.items() if joint.get("type") in MOVING}
