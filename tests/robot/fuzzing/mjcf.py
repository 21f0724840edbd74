"""MuJoCo models to break, ways to break them, and MuJoCo as the judge."""

from __future__ import annotations

import functools
import importlib.util
import random
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

import numpy as np

import diffkin as dk
from tests.robot.fuzzing.mutations import NAMES, NUMBERS, damage_text, damage_tree, written
from tests.robot.fuzzing.verdicts import Judged, Refused, tolerances

__all__ = ["case", "judge", "load"]

_MOST_BYTES = 60_000
_NUMERIC = (
    *(
        "pos",
        "quat",
        "axisangle",
        "euler",
        "xyaxes",
        "zaxis",
        "axis",
        "range",
        "ref",
        "count",
        "offset",
        "size",
        "mass",
    ),
    *(
        "polycoef",
        "coef",
        "damping",
        "armature",
        "actuatorfrcrange",
        "density",
        "fromto",
        "gear",
        "springref",
        "stiffness",
    ),
)
_HUGE = re.compile(r'\b(nrow|ncol|width|height|nkey|nuserdata|count)="\s*(\d{5,}|\d+e\d)')
_SECTIONS_BESIDE = {
    "option",
    "size",
    "statistic",
    "visual",
    "custom",
    "asset",
    "contact",
    "tendon",
    "actuator",
    "sensor",
}
_SECTIONS_BESIDE |= {"keyframe", "extension", "deformable"}
_BESIDE = {
    "geom",
    "inertial",
    "camera",
    "light",
    "general",
    "motor",
    "position",
    "velocity",
    "mesh",
    "material",
    "weld",
}
_BESIDE |= {"connect"}
_ATTRIBUTES_BESIDE = {"damping", "armature", "stiffness", "springref", "frictionloss", "material", "margin"}
_ATTRIBUTES_BESIDE |= {"inertiafromgeom", "settotalmass", "balanceinertia"}
_TURNS = ("", "quat", "axisangle", "euler", "xyaxes", "zaxis")


# -- cases ----------------------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=1)
def _texts() -> tuple[str, ...]:
    """Models of packages that are installed; nothing is copied from them."""
    folders = []
    for package, part in (("pybullet_data", "mjcf"), ("mujoco", "testdata")):
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.submodule_search_locations:
            folders.append(Path(spec.submodule_search_locations[0]) / part)
    files = [file for folder in folders for file in sorted(folder.rglob("*.xml")) if file.stat().st_size < _MOST_BYTES]
    texts = []
    for file in files:
        text = file.read_text(encoding="utf-8")
        try:
            root = ElementTree.fromstring(text)
        except ElementTree.ParseError:
            continue
        if root.tag == "mujoco" and root.find("worldbody") is not None and root.find(".//include") is None:
            texts.append(written(root))
    return tuple(texts)


def _numbers(rng: random.Random, count: int, size: float = 1.0) -> str:
    return " ".join(repr(rng.uniform(-size, size)) for _ in range(count))


def _place(element: Element, rng: random.Random) -> None:
    """A position and an orientation in one of MuJoCo's ways to write them."""
    if rng.random() < 0.8:
        element.set("pos", _numbers(rng, 3))
    turn = rng.choice(_TURNS)
    if turn:
        count = {"quat": 4, "axisangle": 4, "euler": 3, "xyaxes": 6, "zaxis": 3}[turn]
        element.set(turn, _numbers(rng, count, 90.0 if turn == "euler" else 1.0))


class _Maker:
    """Writes one random model; names are counted through."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.bodies = 0
        self.joints: list[str] = []
        self.classes = ["", "", *(f"class{index}" for index in range(rng.choice((0, 1, 2))))]

    def model(self) -> Element:
        """The root element."""
        rng, root = self.rng, Element("mujoco", model="made")
        if rng.random() < 0.6:
            self._compiler(SubElement(root, "compiler"))
        self._defaults(root)
        world = SubElement(root, "worldbody")
        for _ in range(rng.choice((1, 1, 1, 2))):
            self._body(world, rng.choice((1, 2, 4, 6)), at_root=True)
        if rng.random() < 0.4:
            self._couplings(root)
        if self.joints and rng.random() < 0.2:
            motors = SubElement(root, "actuator")
            SubElement(motors, "motor", joint=rng.choice(self.joints), gear="10")
            SubElement(SubElement(root, "sensor"), "jointpos", joint=rng.choice(self.joints))
        return root

    def _compiler(self, compiler: Element) -> None:
        rng = self.rng
        choices = {
            "angle": ("radian", "degree"),
            "eulerseq": ("xyz", "zyx", "XYZ", "zxz", "ZYX"),
            "autolimits": ("true",),
            "fusestatic": ("true", "false"),
            "balanceinertia": ("true",),
            "settotalmass": ("5",),
            "inertiafromgeom": ("true", "false", "auto"),
        }
        for key in rng.sample(sorted(choices), rng.choice((1, 2, 3))):
            compiler.set(key, rng.choice(choices[key]))

    def _defaults(self, root: Element) -> None:
        rng = self.rng
        if rng.random() < 0.5 and len(self.classes) == 2:
            return
        top = SubElement(root, "default")
        for section in (top, *(SubElement(top, "default", {"class": name}) for name in self.classes[2:])):
            if rng.random() < 0.6:
                joint = SubElement(section, "joint", axis=rng.choice(("0 1 0", "1 0 0")))
                if rng.random() < 0.4:
                    joint.set("range", "-1 1")
                if rng.random() < 0.3:
                    joint.set("type", rng.choice(("slide", "hinge")))
            if rng.random() < 0.3:
                SubElement(section, "site", pos="0.1 0 0")
            if rng.random() < 0.3:
                SubElement(section, "geom", type="sphere", size="0.05", density="500")

    def _joint(self, body: Element) -> None:
        rng = self.rng
        joint = SubElement(body, "joint")
        if rng.random() < 0.95:
            joint.set("name", f"j{len(self.joints)}")
            self.joints.append(joint.get("name", ""))
        if rng.random() < 0.6:
            joint.set("type", rng.choice(("hinge", "hinge", "slide")))
        if rng.random() < 0.7:
            joint.set("axis", rng.choice(("0 0 1", "0 -1 0", _numbers(rng, 3))))
        if rng.random() < 0.4:
            joint.set("pos", _numbers(rng, 3, 0.3))
        if rng.random() < 0.5:
            joint.set("range", f"{-rng.random() * 2} {rng.random() * 2}")
        if rng.random() < 0.2:
            joint.set("limited", rng.choice(("true", "false", "auto")))
        if rng.random() < 0.3:
            joint.set("ref", repr(rng.uniform(-1, 1)))
        self._classed(joint)

    def _classed(self, element: Element) -> None:
        name = self.rng.choice(self.classes)
        if name:
            element.set("class", name)

    def _body(self, parent: Element, depth: int, at_root: bool = False) -> None:
        rng = self.rng
        if rng.random() < 0.12:
            parent = SubElement(parent, "frame")
            _place(parent, rng)
        if rng.random() < 0.06:
            parent = SubElement(parent, "replicate", count=rng.choice(("1", "2", "3")), offset="0 0.1 0", sep="_")
            if rng.random() < 0.5:
                parent.set("euler", "0 0 30")
        body = SubElement(parent, "body")
        if rng.random() < 0.95:
            body.set("name", f"b{self.bodies}")
        self.bodies += 1
        _place(body, rng)
        if rng.random() < 0.15 and len(self.classes) > 2:
            body.set("childclass", self.classes[-1])
        chance = rng.random()
        if at_root and chance < 0.15:
            SubElement(body, "freejoint", name=f"free{self.bodies}")
        elif chance < 0.18:
            SubElement(body, "joint", type="ball", name=f"ball{self.bodies}", range="0 1")
        else:
            for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
                self._joint(body)
        geom = SubElement(body, "geom", type="sphere", size="0.1")
        geom.set("mass", "1") if rng.random() < 0.5 else self._classed(geom)
        if rng.random() < 0.2:
            SubElement(body, "inertial", pos="0 0 0.1", mass="2", diaginertia="0.1 0.1 0.1")
        if rng.random() < 0.4:
            site = SubElement(body, "site")
            if rng.random() < 0.8:
                site.set("name", f"s{self.bodies}")
            _place(site, rng)
            self._classed(site)
        for _ in range(rng.choice((0, 1, 1, 2)) if depth > 1 else 0):
            self._body(body, depth - 1)

    def _couplings(self, root: Element) -> None:
        rng = self.rng
        if not self.joints:
            return
        equality = SubElement(root, "equality")
        for _ in range(rng.choice((1, 2))):
            first, second = rng.choice(self.joints), rng.choice(self.joints)
            coupling = SubElement(equality, "joint", joint1=first)
            if rng.random() < 0.8 and first != second:
                coupling.set("joint2", second)
            if rng.random() < 0.8:
                coupling.set(
                    "polycoef", f"{rng.uniform(-1, 1)} {rng.uniform(-2, 2)} {rng.choice(('0', '0', '0.3'))} 0 0"
                )
            if rng.random() < 0.2:
                coupling.set("active", rng.choice(("true", "false")))
        if rng.random() < 0.2:
            fixed = SubElement(SubElement(root, "tendon"), "fixed", name="t")
            SubElement(fixed, "joint", joint=rng.choice(self.joints), coef="1")
            SubElement(equality, "tendon", tendon1="t")


def _some(root: Element, rng: random.Random, *tags: str) -> Element:
    return rng.choice([element for tag in tags for element in root.iter(tag)] or [Element(tags[0])])


def _rename(root: Element, rng: random.Random) -> None:
    names = [element.get("name", "") for element in root.iter() if element.get("name")]
    old, new = rng.choice(names or [""]), rng.choice((*NAMES, *(names or [""])))
    everywhere = rng.random() < 0.6
    for element in root.iter():
        for key in ("name", "joint", "joint1", "joint2", "body1", "site", "class", "childclass"):
            if element.get(key) == old and (everywhere or rng.random() < 0.3):
                element.set(key, new)


def _kind(root: Element, rng: random.Random) -> None:
    kinds = ("hinge", "slide", "ball", "free", "screw", "Hinge", "")
    _some(root, rng, "joint").set("type", rng.choice(kinds))


def _turn(root: Element, rng: random.Random) -> None:
    element = _some(root, rng, "body", "site", "frame", "geom")
    turns = {
        "quat": ("1 0 0 0", "0 0 0 0", "1 2 3 4", "1e-200 0 0 0", "1e200 1e200 0 0", "1 0 0", "1e-12 1e-12 0 0"),
        "axisangle": ("0 0 1 90", "0 0 0 1", "1 1 1 1e9", "1 0 0"),
        "euler": ("10 20 30", "1e6 0 0", "1e18 0 0", "0 90 0", "1 2"),
        "xyaxes": ("1 0 0 0 1 0", "1 0 0 1 0 0", "0 0 0 0 1 0", "1 1 0 0 1 1", "1e-9 0 0 0 1e-9 0"),
        "zaxis": ("0 0 1", "0 0 -1", "0 0 0", "1 2 3", "1e-17 0 -1"),
    }
    key = rng.choice(sorted(turns))
    if rng.random() < 0.8:
        for other in turns:
            element.attrib.pop(other, None)
    element.set(key, rng.choice(turns[key]))


def _axis(root: Element, rng: random.Random) -> None:
    axes = (
        "0 0 0",
        "1e-300 0 0",
        "1e200 0 0",
        "1e-7 0 0",
        "0 0 -2",
        "1 0",
        "1 1 1",
        "5e-324 0 0",
        "1e-14 0 0",
        "1e-16 0 0",
    )
    _some(root, rng, "joint").set("axis", rng.choice(axes))


def _range(root: Element, rng: random.Random) -> None:
    joint = _some(root, rng, "joint")
    joint.set(
        "range", rng.choice(("1 -1", "0 0", "-1e16 1e16", "-1 1", "0 400", "1", "-inf inf", "-1e300 1e300", "nan 1"))
    )
    if rng.random() < 0.5:
        joint.set("limited", rng.choice(("true", "false", "auto", "maybe")))
    if rng.random() < 0.3:
        joint.set("ref", rng.choice(("1e6", "-3", "1e300", "720")))


def _equality(root: Element, rng: random.Random) -> None:
    names = [joint.get("name", "") for joint in root.iter("joint") if joint.get("name")] or [""]
    section = root.find("equality")
    section = section if section is not None else SubElement(root, "equality")
    choice = rng.randrange(4)
    if choice < 3:
        coupling = SubElement(section, "joint", joint1=rng.choice(names))
        if rng.random() < 0.8:
            coupling.set("joint2", rng.choice((*names, "nobody")))
        polynomials = (
            "0 1 0 0 0",
            "0 -2",
            "1",
            "0 0 0 0 0",
            "0 1 1 0 0",
            "0 1e300",
            "1e99 1e99",
            "nan 1",
            "1e6 1e6",
            "0 1 0 0 nan",
        )
        coupling.set("polycoef", rng.choice(polynomials))
    else:
        bodies = [body.get("name", "") for body in root.iter("body") if body.get("name")] or [""]
        SubElement(section, rng.choice(("weld", "connect")), body1=rng.choice(bodies), anchor="0 0 0")


def _replicate(root: Element, rng: random.Random) -> None:
    world = root.find("worldbody")
    if world is None or not len(world):
        return
    parent = _some(root, rng, "body") if rng.random() < 0.5 else world
    inner = list(parent)
    element = SubElement(parent, "replicate")
    element.set(
        "count",
        rng.choice(("0", "1", "2", "5", "-1", "1e9", "1000000000", "40", "2.5", "x", "99999999999999999999", "")),
    )
    element.set("offset", rng.choice(("0.1 0 0", "1e300 0 0", "0 0")))
    for child in inner:
        parent.remove(child)
        element.append(child)
    if rng.random() < 0.2:  # once more, around it
        parent.remove(element)
        SubElement(parent, "replicate", count=rng.choice(("3", "100000"))).append(element)


def _bombs(root: Element, rng: random.Random) -> None:
    """What makes MuJoCo take memory or time, if it is asked to."""
    choice = rng.randrange(6)
    if choice == 0:
        SubElement(root, "size", nkey="100000000", nuserdata="100000000")
    elif choice == 1:
        SubElement(SubElement(root, "asset"), "hfield", name="h", nrow="30000", ncol="30000", size="1 1 1 1")
    elif choice == 2:
        SubElement(
            SubElement(root, "asset"), "texture", name="t", type="2d", builtin="flat", width="60000", height="60000"
        )
    elif choice == 3:
        world = root.find("worldbody")
        if world is not None:
            made = SubElement(
                world, "composite", type="cable", prefix="c", count="30 1 1", curve="s", size="1", initial="none"
            )
            SubElement(made, "geom", type="capsule", size=".005")
    elif choice == 4:
        SubElement(root, "size", memory=rng.choice(("100G", "-1", "1e30")))
    else:
        parent: Element = _some(root, rng, "body")
        for index in range(rng.choice((30, 200))):
            parent = SubElement(parent, "body", name=f"deep{index}", pos="0 0 0.1")
            SubElement(parent, "joint", name=f"deep_joint{index}", axis="0 1 0")
            SubElement(parent, "geom", size="0.01")


def _beside(root: Element, rng: random.Random) -> None:
    """Sections that are not kinematics, right and wrong."""
    things = (
        '<keyframe><key name="home" qpos="0 0 0"/></keyframe>',
        '<option timestep="0.001" gravity="0 0 0"><flag contact="disable"/></option>',
        '<contact><exclude body1="b0" body2="b1"/></contact>',
        '<visual><global offwidth="1000"/></visual>',
        '<asset><material name="m" rgba="1 0 0 1"/><mesh name="mesh" file="nowhere.stl"/></asset>',
        '<custom><numeric name="n" data="1 2 3"/><text name="x" data="y"/></custom>',
        '<actuator><position joint="j0" kp="10"/><general joint="nobody"/></actuator>',
        '<sensor><framepos objtype="site" objname="s1"/></sensor>',
        '<statistic extent="1"/>',
        '<nonsense a="1"/>',
        '<extension><plugin plugin="mujoco.elasticity.cable"/></extension>',
        '<worldbody><body name="second"><joint name="second_joint"/><geom size="1"/></body></worldbody>',
        '<default><joint damping="1"/></default>',
        '<compiler angle="radian"/>',
        '<tendon><spatial name="sp"><site site="s1"/><site site="s2"/></spatial></tendon>',
    )
    root.insert(rng.randrange(len(root) + 1), ElementTree.fromstring(rng.choice(things)))


def _numbers_in_joint(root: Element, rng: random.Random) -> None:
    joint = _some(root, rng, "joint", "freejoint")
    key = rng.choice(("pos", "axis", "range", "ref", "armature", "actuatorfrcrange", "group", "margin", "user"))
    joint.set(key, rng.choice(("1 2 3", "0 0 1", "-1 1", "0.5", *NUMBERS)))


_OWN = (
    *(
        _rename,
        _rename,
        _kind,
        _turn,
        _turn,
        _turn,
        _axis,
        _axis,
        _range,
        _range,
        _range,
        _equality,
        _equality,
        _replicate,
    ),
    *(_bombs, _beside, _beside, _numbers_in_joint, _numbers_in_joint),
)


def case(rng: random.Random) -> dict[str, str]:
    """The files of a case, by name; the model is ``model.xml``."""
    texts = _texts()
    root = _Maker(rng).model() if rng.random() < 0.8 or not texts else ElementTree.fromstring(rng.choice(texts))
    files: dict[str, str] = {}
    if rng.random() < 0.1:
        files = _in_files(root, rng)
    for _ in range(rng.choice((0, 0, 1, 1, 1, 2, 3))):
        damage_tree(root, rng, _OWN, _NUMERIC)
    text = written(root)
    files["model.xml"] = damage_text(text, rng) if rng.random() < 0.1 else text
    return files


def _in_files(root: Element, rng: random.Random) -> dict[str, str]:
    """A part of a model put into another file that is included, or another model attached."""
    world = root.find("worldbody")
    if world is None:
        return {}
    if rng.random() < 0.6:
        part = Element(rng.choice(("mujocoinclude", "mujoco")))
        part.extend(list(world))
        for child in list(world):
            world.remove(child)
        SubElement(
            world, "include", file=rng.choice(("part.xml", "part.xml", "sub/part.xml", "nowhere.xml", "model.xml"))
        )
        name = "sub/part.xml" if rng.random() < 0.3 else "part.xml"
        if rng.random() < 0.1:
            SubElement(part, "include", file=name)
        return {name: written(part)}
    other = _Maker(rng).model()
    bodies = [body.get("name", "") for body in other.iter("body")]
    SubElement(SubElement(root, "asset"), "model", name="other", file="other.xml")
    SubElement(world, "attach", model="other", body=rng.choice(bodies), prefix=rng.choice(("p_", "p_", "")))
    return {"other.xml": written(other)}


# -- both sides -----------------------------------------------------------------------------------------------------


def load(files: dict[str, str], folder: Path) -> dk.Robot:
    """The robot that diffkin makes of a case: of its text, or of its file where it has several."""
    return dk.Robot.from_mjcf(files["model.xml"] if len(files) == 1 else folder / "model.xml")


def judge(files: dict[str, str], folder: Path, robot: dk.Robot | None, q: np.ndarray) -> Judged | Refused:
    """What MuJoCo makes of it: poses of the robot's links in the frame of its base, a list entry for each q."""
    import mujoco

    if any(_HUGE.search(text) for text in files.values()):
        return Refused("Not asked: it would make pictures, height fields, key frames or copies by the million.")
    # Bodies that are fused into others have no pose, and free bodies that are aligned have another frame.
    for name, text in files.items():
        kept = re.sub(r'\b(fusestatic|alignfree)="[^"]*"', "", text)
        (folder / name).write_text(kept, encoding="utf-8", errors="surrogatepass")
    try:
        model = mujoco.MjModel.from_xml_path(str(folder / "model.xml"))
    except (ValueError, RuntimeError) as error:
        model = _mechanism(files) if robot is not None else None
        if model is None:
            return Refused(str(error))
    if robot is None:
        return Judged([], partial=True)
    data, poses, largest = mujoco.MjData(model), [], 0.0
    driven = _driven(model)
    bodies = {model.body(index).name or f"body{index}": index for index in range(model.nbody)}
    if robot.base not in bodies:
        return Judged([{}], expected=frozenset({"a base that MuJoCo has"}))
    for row in q:
        known = dict(zip(robot.joint_names, row.tolist()))
        mujoco.mj_resetData(model, data)
        for index in range(model.njnt):
            if int(model.jnt_type[index]) in (mujoco.mjtJoint.mjJNT_HINGE, mujoco.mjtJoint.mjJNT_SLIDE):
                value = _value(model, index, driven, known)
                data.qpos[model.jnt_qposadr[index]] = value
                largest = max(largest, abs(value), abs(float(model.qpos0[model.jnt_qposadr[index]])))
        mujoco.mj_kinematics(model, data)
        found = {name: _pose(data.xpos[index], data.xmat[index]) for name, index in bodies.items()}
        for index in range(model.nsite):
            name = model.site(index).name
            if name and name not in bodies:
                found[name] = _pose(data.site_xpos[index], data.site_xmat[index])
        to_base = np.linalg.inv(found[robot.base])
        poses.append({link: to_base @ pose for link, pose in found.items()})
    reach = float(np.abs(model.body_pos).sum() + np.abs(model.site_pos).sum() + np.abs(model.jnt_pos).sum())
    reach += sum(abs(float(value)) for value in q.ravel()) + largest
    expected = {model.body(index).name for index in _below(model, bodies[robot.base])} - {""}
    return Judged(poses, *tolerances(largest, reach), frozenset(expected), partial=True)


def _mechanism(files: dict[str, str]) -> Any:
    """MuJoCo's model of the kinematics alone, where it refuses the whole for something else; None if it refuses that."""
    import mujoco

    try:
        root = ElementTree.fromstring(files["model.xml"].strip("\ufeff \t\r\n\0"))
    except ElementTree.ParseError:
        return None
    for section in [section for section in root if section.tag in _SECTIONS_BESIDE]:
        root.remove(section)
    for parent in list(root.iter()):
        for child in [child for child in parent if child.tag in _BESIDE]:
            parent.remove(child)
    for body in list(root.iter("body")):
        SubElement(body, "inertial", pos="0 0 0", mass="1", diaginertia="1 1 1")
    for element in root.iter():
        for key in _ATTRIBUTES_BESIDE & set(element.attrib):
            del element.attrib[key]
    try:
        return mujoco.MjModel.from_xml_string(written(root))
    except (ValueError, RuntimeError):
        return None


def _driven(model: Any) -> dict[int, int]:
    """The equality that drives each joint."""
    import mujoco

    kind = mujoco.mjtEq.mjEQ_JOINT
    return {
        int(model.eq_obj1id[i]): i
        for i in range(model.neq)
        if int(model.eq_type[i]) == int(kind) and model.eq_active0[i]
    }


def _value(model: Any, joint: int, driven: dict[int, int], known: dict[str, float], depth: int = 0) -> float:
    """A joint's value, its coupling followed one by one; as drawn where nothing of the robot hangs on it."""
    start = float(model.qpos0[model.jnt_qposadr[joint]])
    if joint not in driven or depth > model.njnt:
        return known.get(model.joint(joint).name or f"joint{joint}", start)
    equality = driven[joint]
    source, coefficients = int(model.eq_obj2id[equality]), model.eq_data[equality][:5]
    if source < 0:
        return start + float(coefficients[0])
    x = _value(model, source, driven, known, depth + 1) - float(model.qpos0[model.jnt_qposadr[source]])
    return start + float(coefficients[0] + coefficients[1] * x)


def _below(model: Any, base: int) -> list[int]:
    found = {base}
    for index in range(1, model.nbody):
        if int(model.body_parentid[index]) in found:
            found.add(index)
    return sorted(found)


def _pose(position: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = np.asarray(matrix).reshape(3, 3), position
    return pose
