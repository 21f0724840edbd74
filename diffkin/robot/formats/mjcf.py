"""MuJoCo models (MJCF): links and joints of what the package ``mujoco`` itself makes of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffkin.errors import ModelFileError
from diffkin.robot.description import Description, JointDescription, Mimic
from diffkin.robot.formats.mjcf_compile import compile_mechanism, inertials_of
from diffkin.robot.formats.mjcf_parts import take_parts
from diffkin.robot.xml import Document, Model, open_document

__all__ = ["read_mjcf"]

_Array = NDArray[np.float64]


def read_mjcf(path_or_xml: Model | Document) -> Description:
    """Read a MuJoCo model. Meshes and textures are left alone and need not exist.

    Bodies and the named sites on them become links, the world is the root. Several joints of a body and joints beside
    the body's origin keep their meaning; ``ref`` is the value at the pose in which the model is drawn. Active ``joint``
    equalities become mimics. A free joint, or a ball joint, that the whole robot hangs on is its base pose. Equalities of
    bodies close loops, which a tree does not have, and are left out, as in ``mj_kinematics``. Ball joints elsewhere,
    couplings of higher order and through tendons matter where a robot has the joint; such joints are described with
    their ``problem``. Masses are those of MuJoCo, and unknown where they come of a mesh.

    Args:
        path_or_xml: Path of a file, a ``package://`` address, the XML text itself, or an open file.

    Returns:
        Its links and joints.

    Raises:
        diffkin.errors.MissingDependencyError: ``mujoco`` is not installed.
        diffkin.errors.ModelFileError: The file cannot be read, MuJoCo refuses it, it has no bodies, or so many that it
            would take minutes.
    """
    document = open_document(path_or_xml, "mujoco")
    parts = take_parts(document)
    try:
        model, name = compile_mechanism(parts)
    except (ValueError, RuntimeError) as error:
        raise ModelFileError(f"MuJoCo refuses {document.label}: {str(error).strip()}. Correct it there.") from error
    if model.nbody < 2:
        raise ModelFileError(f"{document.label} has no <body>; a robot has at least one.")
    reader = _Reader(model, document.label)
    links, hidden, joints = reader.read()
    inertials = dict(zip(reader.body, inertials_of(parts), strict=True))
    return Description(name, tuple(links), tuple(joints), document.source, frozenset(hidden), inertials)


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
        self.problems: dict[int, str] = {}
        self.body = [name or self.link_names.new(f"body{index}") for index, name in enumerate(bodies)]
        self.joint = [name or self.joint_names.new(f"joint{index}") for index, name in enumerate(joints)]

    def read(self) -> tuple[list[str], list[str], list[JointDescription]]:
        """Links, hidden links and joints of the model."""
        model = self.model
        self._check_quaternions()
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

    def _check_quaternions(self) -> None:
        """MuJoCo leaves quaternions as they are that it cannot normalise, and then computes poses that mean nothing."""
        sites = [self.model.site(index).name for index in range(self.model.nsite)]
        for what, names, quats in (("body", self.body, self.model.body_quat), ("site", sites, self.model.site_quat)):
            with np.errstate(over="ignore", invalid="ignore"):
                wrong = ~(np.abs(np.linalg.norm(quats, axis=1) - 1.0) < 1e-6)
            for index in np.flatnonzero(wrong & np.array([bool(name) for name in names], dtype=bool)).tolist():
                raise ModelFileError(
                    f"{self.label}: the {what} {names[index]!r} has the quaternion {quats[index].tolist()}, which MuJoCo "
                    "cannot normalise. Write one of length one."
                )

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
            effort = float(np.abs(model.jnt_actfrcrange[joint]).max()) if model.jnt_actfrclimited[joint] else np.inf
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
                    effort=effort,
                    problem=self.problems.get(joint, ""),
                )
            )
            parent, pose = child, _shift(-anchor)
        if parent != link:
            self._fix(parent, link, pose)

    def _read_free(self, index: int, joint: int, is_ball: bool, pose: _Array) -> None:
        alone = int(self.model.body_parentid[index]) == 0 and int(self.model.body_jntnum[index]) == 1
        problem = ""
        if is_ball and not (alone and int(np.sum(self.model.body_parentid[1:] == 0)) == 1):
            problem = (
                f"the ball joint {self.joint[joint]!r} of body {self.body[index]!r} is not at the root, where it would be "
                "the base pose. Replace it with three hinges, or leave it out."
            )
        parent = self.body[int(self.model.body_parentid[index])]
        self.links.append(self.body[index])
        z = np.array([0.0, 0.0, 1.0])
        self.joints.append(
            JointDescription(self.joint[joint], "floating", parent, self.body[index], pose, z, problem=problem)
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
            if not model.eq_active0[index]:
                continue
            first, second = int(model.eq_obj1id[index]), int(model.eq_obj2id[index])
            if int(model.eq_type[index]) == mujoco.mjtEq.mjEQ_TENDON:
                self._note_tendons(first, second)
            if int(model.eq_type[index]) != mujoco.mjtEq.mjEQ_JOINT:
                continue
            constant, factor, *higher = (float(number) for number in model.eq_data[index][:5])
            if first in mimics or first in locked:
                self.problems[first] = f"two equalities drive joint {self.joint[first]!r}. Keep one."
                continue
            start = float(model.qpos0[model.jnt_qposadr[first]])
            if second < 0:
                locked[first] = start + constant
                continue
            if any(higher):
                self.problems[first] = (
                    f"joint {self.joint[first]!r} follows {self.joint[second]!r} by a polynomial of second or higher "
                    f"order ({higher}); only a0 and a1 of polycoef can be kept."
                )
            source_start = float(model.qpos0[model.jnt_qposadr[second]])
            mimics[first] = Mimic(self.joint[second], factor, start + constant - factor * source_start)
        chain = [first for first, mimic in mimics.items() if self.joint.index(mimic.source) in locked]
        while chain:  # what follows a locked joint is locked
            first = chain.pop()
            mimic = mimics.pop(first)
            locked[first] = mimic.multiplier * locked[self.joint.index(mimic.source)] + mimic.offset
            chain += [follower for follower, other in mimics.items() if other.source == self.joint[first]]
        return mimics, locked

    def _note_tendons(self, *tendons: int) -> None:
        """Joints that are coupled through tendons cannot be part of a robot as they are."""
        for tendon in tendons:
            first = int(self.model.tendon_adr[tendon]) if tendon >= 0 else 0
            for wrap in range(first, first + int(self.model.tendon_num[tendon]) if tendon >= 0 else first):
                joint = int(self.model.wrap_objid[wrap])
                self.problems[joint] = (
                    f"joint {self.joint[joint]!r} is coupled to others through a tendon by an equality; only equalities "
                    "of two joints can be kept. Write it as one, or leave it out."
                )


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
