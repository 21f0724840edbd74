"""Mass, centre of mass and inertia of a whole aircraft, from the inertial data of its links."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin._algebra import apply, dot, matmul
from diffkin._checks import check_last, has_values
from diffkin.aircraft._inputs import check_kind, check_same_device
from diffkin.aircraft.frames.axes import flu_to_frd
from diffkin.errors import ModelFileError
from diffkin.robot import Robot
from diffkin.robot.xml import numbers, open_document
from diffkin.rotations import euler_to_matrix

__all__ = ["MassProperties", "mass_properties"]


@dataclass(frozen=True, eq=False)
class MassProperties:
    """Mass properties of a rigid body, or of one whose joints are held.

    Attributes:
        mass: Scalar [kg].
        center: (*batch, 3) centre of mass in FRD body axes, from the origin of the base link [m].
        inertia: (*batch, 3, 3) inertia about the centre of mass in FRD body axes [kg m^2].
    """

    mass: Float[Tensor, ""]
    center: Float[Tensor, "*batch 3"]
    inertia: Float[Tensor, "*batch 3 3"]


def mass_properties(robot: Robot, q: Float[Tensor, "*batch dof"]) -> MassProperties:
    """Mass, centre of mass and inertia of a robot with its joints held, differentiable in the joints.

    ``I = sum_i R_i I_i R_i^T + m_i (|r_i|^2 1 - r_i r_i^T)`` with r_i from the common centre of mass (Huygens and
    Steiner).

    Args:
        robot: A robot loaded from a URDF; its base link is FLU. Links without ``<inertial>`` weigh nothing.
        q: (*batch, dof) joint values [rad or m].

    Returns:
        The mass properties in FRD body axes.

    Raises:
        diffkin.errors.ModelFileError: The robot does not come from a URDF, none of its links has a mass, or its
            inertial data cannot be read.
        diffkin.errors.ShapeError: Wrong last axis of ``q``.
    """
    check_kind(robot, Robot, "robot", "Give airframe.robot, or one that diffkin.load_robot(...) gives.")
    check_last(q, (robot.dof,), "q")
    check_same_device(robot=robot.lower, q=q)
    if not robot.source:
        raise ModelFileError(f"Robot {robot.name!r} was not loaded from a URDF, which is where masses are read from.")
    document = open_document(robot.source, "robot")
    found = {link.get("name"): link.find("inertial") for link in document.root.iter("link")}
    links = [name for name in robot.link_names if found.get(name) is not None]
    if not links:
        raise ModelFileError(f"No link of robot {robot.name!r} has an <inertial>. Add one to the link that flies.")
    data = [_read(found[name], f"{document.label}, link {name!r}") for name in links]
    poses = robot.forward_kinematics(q, links=links)
    masses = torch.tensor([entry[0] for entry in data], dtype=poses.dtype, device=poses.device)
    offsets = torch.stack([entry[1] for entry in data]).to(masses)
    local = torch.stack([entry[2] for entry in data]).to(masses)
    total = masses.sum()
    if has_values(total) and not float(total) > 0.0:
        raise ModelFileError(f"The links of robot {robot.name!r} weigh nothing. Give them masses in the URDF.")
    rotation = poses[..., :3, :3]
    places = apply(rotation, offsets) + poses[..., :3, 3]
    center = (masses[:, None] * places).sum(-2) / total
    arm = places - center.unsqueeze(-2)
    eye = torch.eye(3, dtype=arm.dtype, device=arm.device)
    spread = dot(arm, arm).unsqueeze(-1) * eye - arm.unsqueeze(-1) * arm.unsqueeze(-2)
    inertia = (matmul(matmul(rotation, local), rotation.mT) + masses[:, None, None] * spread).sum(-3)
    return MassProperties(total, flu_to_frd(center), flu_to_frd(flu_to_frd(inertia).mT))


def _read(element: Any, where: str) -> tuple[float, Tensor, Tensor]:
    """Mass, centre and inertia (in link axes, about the centre) that an ``<inertial>`` holds."""
    origin, mass, inertia = (element.find(tag) for tag in ("origin", "mass", "inertia"))
    if mass is None or mass.get("value") is None:
        raise ModelFileError(f"{where}: its <inertial> has no <mass value=...>. Add it.")
    kilograms = float(numbers(mass.get("value"), 1, f"{where}, mass")[0])
    if kilograms < 0.0:
        raise ModelFileError(f"{where} has the mass {kilograms:g} kg; a mass is not negative.")
    attributes = {} if origin is None else origin.attrib
    center = torch.from_numpy(numbers(attributes.get("xyz", "0 0 0"), 3, f"{where}, inertial origin xyz"))
    angles = torch.from_numpy(numbers(attributes.get("rpy", "0 0 0"), 3, f"{where}, inertial origin rpy"))
    entries = {} if inertia is None else inertia.attrib
    xx, xy, xz, yy, yz, zz = (
        float(numbers(entries.get(name, "0"), 1, f"{where}, inertia {name}")[0])
        for name in ("ixx", "ixy", "ixz", "iyy", "iyz", "izz")
    )
    tensor = center.new_tensor([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    rotation = euler_to_matrix(angles, "xyz")
    return kilograms, center, matmul(matmul(rotation, tensor), rotation.mT)
