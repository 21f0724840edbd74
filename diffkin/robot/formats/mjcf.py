"""MuJoCo models (MJCF), compiled by the package ``mujoco`` itself with everything but kinematics taken out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffkin.errors import JointError, MissingDependencyError, ModelFileError
from diffkin.robot.description import Description, JointDescription, Mimic
from diffkin.robot.xml import Document, Model, open_document

__all__ = ["read_mjcf"]

_Array = NDArray[np.float64]

# What a model may hold besides bodies, joints and sites; taken out, users of other parts first.
_NOT_KINEMATIC = (
    *("keys", "sensors", "actuators", "tendons", "skins", "flexes", "excludes", "pairs", "tuples", "numerics", "texts"),
    *("cameras", "lights", "geoms", "meshes", "hfields", "materials", "textures", "plugins"),
)


def read_mjcf(path_or_xml: Model | Document) -> Description:
    """Read a MuJoCo model. Meshes and textures are left alone and need not exist.

    Bodies and the named sites on them become links, the world is the root. Several joints of a body and joints beside
    the body's origin keep their meaning; ``ref`` is the value at the pose in which the model is drawn. Active ``joint``
    equalities become mimics. A free joint, or a ball joint, that the whole robot hangs on is its base pose. Other
    equalities close loops, which a tree does not have, and are left out, as in ``mj_kinematics``.

    Args:
        path_or_xml: Path of a file, a ``package://`` address, or the XML text itself.

    Returns:
        Its links and joints.

    Raises:
        diffkin.errors.MissingDependencyError: ``mujoco`` is not installed.
        diffkin.errors.ModelFileError: The file cannot be read, or MuJoCo refuses it.
        diffkin.errors.JointError: A ball joint is not at the root, or joints are coupled by more than a straight line.
    """
    document = open_document(path_or_xml, "mujoco")
    _check_numbers(document)
    model, name = _compile(document)
    links, hidden, joints = _Reader(model, document.label).read()
    return Description(name, tuple(links), tuple(joints), document.source, frozenset(hidden))


def _check_numbers(document: Document) -> None:
    """Raise for NaN and infinity, of which MuJoCo would only warn, and for includes without a folder to look in."""
    for element in document.root.iter():
        if element.tag == "include" and not _is_xml_file(document):
            raise ModelFileError(f"{document.label} includes another file. Give the path of the model, a file *.xml.")
        if element.tag not in ("body", "joint", "freejoint", "site", "frame", "replicate", "compiler"):
            continue
        for key, text in element.attrib.items():
            if key in ("name", "class", "childclass"):
                continue
            if any(word.lower().lstrip("+-") in ("nan", "inf", "infinity") for word in text.split()):
                raise ModelFileError(
                    f"{document.label}, line {element.sourceline}: {key} of <{element.tag}> is {text[:60]!r}; every "
                    "number must be finite. Write a finite number."
                )


def _is_xml_file(document: Document) -> bool:
    """Whether MuJoCo can open it itself: it reads no other suffix."""
    return not document.is_text and document.source.lower().endswith(".xml")


def _compile(document: Document) -> tuple[Any, str]:
    """The compiled model without anything that needs a file or a mass, and its name."""
    try:
        import mujoco
    except ImportError as error:
        raise MissingDependencyError(
            "Reading MuJoCo models needs the package mujoco. Install it with `pip install mujoco`."
        ) from error
    from lxml import etree

    try:
        if _is_xml_file(document):
            spec = mujoco.MjSpec.from_file(document.source)
        else:
            spec = mujoco.MjSpec.from_string(etree.tostring(document.root, encoding="unicode"))
        couplings = [e for e in spec.equalities if e.type != mujoco.mjtEq.mjEQ_JOINT]
        for element in [*couplings, *(e for part in _NOT_KINEMATIC for e in getattr(spec, part))]:
            spec.delete(element)
        for body in spec.bodies:
            if body.id:  # the world has no mass
                body.explicitinertial = True
                body.mass, body.inertia = 1.0, np.ones(3)
                body.ipos, body.iquat = np.zeros(3), np.array([1.0, 0.0, 0.0, 0.0])
                body.fullinertia = np.full(6, np.nan)  # how MuJoCo marks it as not given
        for joint in spec.joints:
            joint.armature = 1.0  # parallel joints of one body would bring a warning about its inertia
        spec.compiler.inertiafromgeom = mujoco.mjtInertiaFromGeom.mjINERTIAFROMGEOM_FALSE
        spec.compiler.settotalmass = -1.0
        spec.compiler.alignfree = False
        spec.compiler.fusestatic = False  # static bodies stay links
        return spec.compile(), spec.modelname
    except (ValueError, RuntimeError) as error:
        raise ModelFileError(f"MuJoCo refuses {document.label}: {str(error).strip()}. Correct it there.") from error


class _Names:
    """Names that are given once each."""

    def __init__(self, taken: Iterable[str]) -> None:
        self.taken = set(taken)

    def new(self, wanted: str) -> str:
        name, count = wanted, 1
        while name in self.taken:
            count += 1
            name = f"{wanted}_{count}"
        self.taken.add(name)
        return name


class _Reader:
    """Walks a compiled model once and gathers links and joints."""

    def __init__(self, model: Any, label: str) -> None:
        self.model = model
        self.label = label
        self.links: list[str] = []
        self.hidden: list[str] = []
        self.joints: list[JointDescription] = []
        bodies = [model.body(index).name for index in range(model.nbody)]
        joints = [model.joint(index).name for index in range(model.njnt)]
        self.link_names, self.joint_names = _Names(bodies), _Names(joints)
        self.body = [name or self.link_names.new(f"body{index}") for index, name in enumerate(bodies)]
        self.joint = [name or self.joint_names.new(f"joint{index}") for index, name in enumerate(joints)]

    def read(self) -> tuple[list[str], list[str], list[JointDescription]]:
        """Links, hidden links and joints of the model."""
        model = self.model
        mimics, locked = self._couplings()
        for index, body in enumerate(self.body):
            if index:
                self._read_body(index, mimics, locked)
            else:
                self.links.append(body)
        for index in range(model.nsite):
            name, body = model.site(index).name, int(model.site_bodyid[index])
            if name and body:
                link = self.link_names.new(name)
                self._fix(self.body[body], link, _pose(model.site_pos[index], model.site_quat[index]))
        return self.links, self.hidden, self.joints

    def _fix(self, parent: str, link: str, pose: _Array) -> None:
        self.links.append(link)
        name = self.joint_names.new(f"{link}_fixed")
        self.joints.append(JointDescription(name, "fixed", parent, link, pose, np.array([0.0, 0.0, 1.0])))

    def _read_body(self, index: int, mimics: dict[int, Mimic], locked: dict[int, float]) -> None:
        import mujoco

        model = self.model
        link, parent = self.body[index], self.body[int(model.body_parentid[index])]
        pose = _pose(model.body_pos[index], model.body_quat[index])
        first = int(model.body_jntadr[index])
        joints = range(first, first + int(model.body_jntnum[index]))
        for joint in joints:
            kind = int(model.jnt_type[joint])
            axis = np.array(model.jnt_axis[joint])
            if kind in (mujoco.mjtJoint.mjJNT_FREE, mujoco.mjtJoint.mjJNT_BALL):
                self._read_free(index, joint, kind == mujoco.mjtJoint.mjJNT_BALL, pose)
                return
            # A hinge turns about a point of the body: there is the joint, and the body hangs at minus that point.
            slides = kind == mujoco.mjtJoint.mjJNT_SLIDE
            anchor = np.zeros(3) if slides else np.array(model.jnt_pos[joint])
            value = locked.get(joint, 0.0) - float(model.qpos0[model.jnt_qposadr[joint]])
            origin = pose @ _shift(anchor) @ (_shift(value * axis) if slides else _turn(axis, value))
            last = joint == joints[-1] and not anchor.any()
            child = link if last else self.link_names.new(f"{self.joint[joint]}_moved")
            if not last:
                self.hidden.append(child)
            self.links.append(child)
            lower, upper = model.jnt_range[joint] if model.jnt_limited[joint] else (-np.inf, np.inf)
            moving = "prismatic" if slides else "revolute" if model.jnt_limited[joint] else "continuous"
            self.joints.append(
                JointDescription(
                    name=self.joint[joint],
                    kind="fixed" if joint in locked else moving,
                    parent=parent,
                    child=child,
                    origin=origin,
                    axis=axis,
                    lower=float(lower),
                    upper=float(upper),
                    mimic=mimics.get(joint),
                )
            )
            parent, pose = child, _shift(-anchor)
        if parent != link:
            self._fix(parent, link, pose)

    def _read_free(self, index: int, joint: int, is_ball: bool, pose: _Array) -> None:
        alone = int(self.model.body_parentid[index]) == 0 and int(self.model.body_jntnum[index]) == 1
        if is_ball and not (alone and int(np.sum(self.model.body_parentid[1:] == 0)) == 1):
            raise JointError(
                f"{self.label}: the ball joint {self.joint[joint]!r} of body {self.body[index]!r} is not at the root, "
                "where it would be the base pose. Replace it with three hinges."
            )
        parent = self.body[int(self.model.body_parentid[index])]
        self.links.append(self.body[index])
        self.joints.append(
            JointDescription(self.joint[joint], "floating", parent, self.body[index], pose, np.array([0.0, 0.0, 1.0]))
        )

    def _couplings(self) -> tuple[dict[int, Mimic], dict[int, float]]:
        """Mimics of active joint equalities, and the values of joints that an equality locks.

        MuJoCo holds ``y - y0 = a0 + a1 (x - x0) + a2 (x - x0)^2 + ...``, with y0 and x0 the values as drawn.
        """
        import mujoco

        model = self.model
        mimics: dict[int, Mimic] = {}
        locked: dict[int, float] = {}
        for index in range(model.neq):
            if int(model.eq_type[index]) != mujoco.mjtEq.mjEQ_JOINT or not model.eq_active0[index]:
                continue
            first, second = int(model.eq_obj1id[index]), int(model.eq_obj2id[index])
            constant, factor, *higher = (float(number) for number in model.eq_data[index][:5])
            if first in mimics or first in locked:
                raise JointError(f"{self.label}: two equalities drive joint {self.joint[first]!r}. Keep one.")
            start = float(model.qpos0[model.jnt_qposadr[first]])
            if second < 0:
                locked[first] = start + constant
                continue
            if any(higher):
                raise JointError(
                    f"{self.label}: joint {self.joint[first]!r} follows {self.joint[second]!r} by a polynomial "
                    f"of second or higher order ({higher}); only a0 and a1 of polycoef can be kept."
                )
            source_start = float(model.qpos0[model.jnt_qposadr[second]])
            mimics[first] = Mimic(self.joint[second], factor, start + constant - factor * source_start)
        return mimics, locked


# -- poses in float64 -----------------------------------------------------------------------------------------------


def _shift(translation: _Array) -> _Array:
    pose = np.eye(4)
    pose[:3, 3] = translation
    return pose


def _turn(axis: _Array, angle: float) -> _Array:
    """Rotation about a unit axis (Rodrigues' formula)."""
    pose = np.eye(4)
    x, y, z = axis
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    pose[:3, :3] += np.sin(angle) * cross + (1.0 - np.cos(angle)) * (cross @ cross)
    return pose


def _pose(position: _Array, quat_wxyz: _Array) -> _Array:
    w, x, y, z = np.asarray(quat_wxyz) / np.linalg.norm(quat_wxyz)
    pose = _shift(position)
    pose[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return pose
