"""What the package ``mujoco`` makes of a model: its mechanism, and its masses."""

from __future__ import annotations

import os
import tempfile
from typing import Any

import numpy as np

from diffkin.errors import MissingDependencyError
from diffkin.robot.description import Inertial
from diffkin.robot.formats.mjcf_parts import MOST_ELEMENTS, Parts

__all__ = ["compile_mechanism", "inertials_of"]

# What a model may hold besides bodies, joints and sites; taken out, users of other parts first.
_NOT_KINEMATIC = (
    *("keys", "sensors", "actuators", "skins", "flexes", "excludes", "pairs", "tuples", "numerics", "texts"),
    *("cameras", "lights", "meshes", "hfields", "materials", "textures", "plugins"),
)


def compile_mechanism(parts: Parts) -> tuple[Any, str]:
    """The compiled model without anything that needs a file or a mass, and its name.

    Raises:
        diffkin.errors.MissingDependencyError: ``mujoco`` is not installed.
        ValueError, RuntimeError: MuJoCo refuses the model; its own errors.
    """
    mujoco = _mujoco()
    spec = _spec(parts, shapes=False)
    for geom in list(spec.geoms):
        spec.delete(geom)
    for body in spec.bodies[1:]:  # the world, which is first, has no mass
        _weigh(body, 1.0)
    for joint in spec.joints:
        joint.armature = 1.0  # parallel joints of one body would bring a warning about its inertia
    spec.compiler.inertiafromgeom = mujoco.mjtInertiaFromGeom.mjINERTIAFROMGEOM_FALSE
    spec.compiler.settotalmass = -1.0
    return spec.compile(), spec.modelname


def inertials_of(parts: Parts) -> list[Inertial]:
    """The mass of every body, the world's first, as MuJoCo computes it. NaN: it comes of a mesh, or MuJoCo refuses."""
    count = len(_spec(parts, shapes=False).bodies)
    unknown = [Inertial(np.nan, np.zeros(3)) for _ in range(count)]
    unknown[0] = Inertial(0.0, np.zeros(3))
    if parts.shapes > MOST_ELEMENTS:
        return unknown
    try:
        spec = _spec(parts, shapes=True)
        hidden = _take_out_meshes(spec)
        if hidden and spec.compiler.settotalmass > 0:
            return unknown
        model = spec.compile()
    except (ValueError, RuntimeError):  # bodies that move without a mass; kinematics needs none
        return unknown
    known = zip(model.body_mass.tolist(), model.body_ipos.copy())
    return [unknown[index] if index in hidden else Inertial(*each) for index, each in enumerate(known)]


def _mujoco() -> Any:
    try:
        import mujoco
    except ImportError as error:
        raise MissingDependencyError(
            "Reading MuJoCo models needs the package mujoco. Install it with `pip install mujoco`."
        ) from error
    return mujoco


def _spec(parts: Parts, shapes: bool) -> Any:
    """MuJoCo's own description of the model; static bodies stay bodies."""
    mujoco = _mujoco()
    if not parts.models:
        spec = mujoco.MjSpec.from_string(parts.text(shapes))
    else:
        with tempfile.TemporaryDirectory() as folder:
            spec = mujoco.MjSpec.from_file(_write(parts, shapes, folder))
    for element in [element for part in _NOT_KINEMATIC for element in getattr(spec, part)]:
        spec.delete(element)
    spec.compiler.alignfree = False
    spec.compiler.fusestatic = False
    return spec


def _write(parts: Parts, shapes: bool, folder: str) -> str:
    """Write a model and those that it attaches into a folder; return its path."""
    renamed = {file: _write(part, shapes, folder) for file, part in parts.models.items()}
    path = os.path.join(folder, f"model{len(os.listdir(folder))}.xml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(parts.text(shapes, renamed))
    return path


def _weigh(body: Any, mass: float) -> None:
    body.explicitinertial = True
    body.mass, body.inertia = mass, np.ones(3)
    body.ipos, body.iquat = np.zeros(3), np.array([1.0, 0.0, 0.0, 0.0])
    body.fullinertia = np.full(6, np.nan)  # how MuJoCo marks it as not given


def _take_out_meshes(spec: Any) -> set[int]:
    """Delete shapes that come of files; return the bodies whose mass would come of them, which get some mass."""
    mujoco = _mujoco()
    always = spec.compiler.inertiafromgeom == mujoco.mjtInertiaFromGeom.mjINERTIAFROMGEOM_TRUE
    never = spec.compiler.inertiafromgeom == mujoco.mjtInertiaFromGeom.mjINERTIAFROMGEOM_FALSE
    first, last = spec.compiler.inertiagrouprange
    files = (mujoco.mjtGeom.mjGEOM_MESH, mujoco.mjtGeom.mjGEOM_HFIELD, mujoco.mjtGeom.mjGEOM_SDF)
    hidden: set[int] = set()
    for index, body in enumerate(spec.bodies):
        for geom in list(body.geoms):
            if geom.type not in files and not geom.meshname:
                continue
            weightless = geom.mass == 0.0 or (np.isnan(geom.mass) and geom.density == 0.0)
            counted = first <= geom.group <= last and not weightless
            if index and counted and not never and (always or not body.explicitinertial):
                hidden.add(index)
            spec.delete(geom)
    for index, body in enumerate(spec.bodies):
        if index in hidden:
            _weigh(body, 1.0)
    return hidden
