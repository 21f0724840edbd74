"""Serial arms from Denavit-Hartenberg parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from diffkin._algebra import matmul
from diffkin._checks import as_tensor, check_floating, check_pose, has_values
from diffkin.errors import DtypeError, NonFiniteError, OptionError, ShapeError
from diffkin.kinematics import PRISMATIC, REVOLUTE, KinematicTree

if TYPE_CHECKING:
    from diffkin.robot.robot import Robot

__all__ = ["arm_from_dh"]

_CONVENTIONS = ("standard", "modified")
_KINDS = {"R": REVOLUTE, "P": PRISMATIC}


def arm_from_dh(
    make: type[Robot],
    rows: Any,
    convention: str = "standard",
    kinds: str | None = None,
    lower: Any = None,
    upper: Any = None,
    base: Any = None,
    tool: Any = None,
) -> Robot:
    """A serial arm; arguments, result and errors as ``Robot.from_dh``, which hands its class in.

    With the joint's value added to theta, or to d where it slides, the frames follow each other by
    ``T_i-1_i = Rz(theta) Tz(d) Tx(a) Rx(alpha)`` in the standard convention (Denavit & Hartenberg 1955; Siciliano et
    al., Robotics: Modelling, Planning and Control, 2.8.2) and by ``T_i-1_i = Rx(alpha) Tx(a) Rz(theta) Tz(d)`` in the
    modified one, whose row i holds a and alpha of link i-1 (Craig, Introduction to Robotics, 3.4). The joint's motion
    about or along z can be taken out of both products, to the front and to the end.
    """
    if convention not in _CONVENTIONS:
        raise OptionError(f"convention must be one of {', '.join(map(repr, _CONVENTIONS))}, got {convention!r:.80}.")
    table = _table(rows)
    count = len(table)
    letters = "R" * count if kinds is None else kinds
    if not isinstance(letters, str) or len(letters) != count or not set(letters) <= set(_KINDS):
        raise OptionError(f"kinds must be {count} letters R or P, one for each row, got {kinds!r:.80}.")

    about_z, about_x = _screw(table[:, 3], table[:, 2], "z"), _screw(table[:, 1], table[:, 0], "x")
    identity = torch.eye(4, dtype=torch.float64, device="cpu").expand(count, 4, 4)
    modified = convention == "modified"
    origins = matmul(about_x, about_z) if modified else torch.cat((identity[:1], matmul(about_z, about_x)[:-1]))
    offsets = identity if modified else matmul(about_z, about_x)
    if base is not None:
        origins = torch.cat((matmul(_pose(base, "base"), origins[0])[None], origins[1:]))
    names = ["base", *(f"link{number}" for number in range(1, count + 1))]
    carriers = [-1, *range(count)]
    offsets = torch.cat((identity[:1], offsets))
    if tool is not None:
        names, carriers = [*names, "tool"], [*carriers, count - 1]
        offsets = torch.cat((offsets, matmul(offsets[-1], _pose(tool, "tool"))[None]))
    tree = KinematicTree(
        parents=tuple(range(-1, count - 1)),
        kinds=tuple(_KINDS[letter] for letter in letters),
        coordinate=tuple(range(count)),
        multiplier=(1.0,) * count,
        offset=(0.0,) * count,
        dof=count,
        link_joint=tuple(carriers),
        origins=origins,
        axes=torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64, device="cpu").repeat(count, 1),
        link_offsets=offsets,
    )
    return make(
        name="dh_arm",
        tree=tree,
        joint_names=tuple(f"joint{number}" for number in range(1, count + 1)),
        link_names=tuple(names),
        base="base",
        tip=names[-1],
        lower=_limit(lower, "lower", -torch.inf, count),
        upper=_limit(upper, "upper", torch.inf, count),
        leaves=(names[-1],),
    )


def _table(rows: Any) -> Tensor:
    try:
        table = _numbers(rows, "rows")
    except (DtypeError, ShapeError) as error:
        raise ShapeError(f"rows must be a table of numbers (n, 4): a, alpha, d, theta. {error}") from error
    if table.ndim != 2 or table.shape[1] != 4 or not len(table):
        raise ShapeError(f"rows must have shape (n, 4): a, alpha, d, theta for each joint; got {tuple(table.shape)}.")
    if has_values(table) and not bool(torch.isfinite(table).all()):
        row = int((~torch.isfinite(table)).any(dim=1).nonzero()[0])
        raise NonFiniteError(f"Row {row} of the table is {table[row].tolist()}; every number must be finite.")
    return table


def _numbers(given: Any, name: str) -> Tensor:
    tensor = as_tensor(given, name)
    if isinstance(given, Tensor) and not given.is_floating_point() and not given.is_complex():
        tensor = given.double()  # whole metres and quarter turns; True and False are no lengths
    check_floating(tensor, name)
    return tensor.to(dtype=torch.float64, device="cpu")


def _pose(given: Any, name: str) -> Tensor:
    pose = _numbers(given, name)
    if pose.ndim != 2:
        raise ShapeError(f"{name} must have shape (4, 4), got {tuple(pose.shape)}.")
    check_pose(pose, name)
    return pose


def _limit(given: Any, name: str, value: float, count: int) -> Tensor:
    if given is None:
        return torch.full((count,), value, dtype=torch.float64, device="cpu")
    side = as_tensor(given, name)
    check_floating(side, name)
    if tuple(side.shape) != (count,):
        raise ShapeError(f"{name} must have shape ({count},), one number for each joint; got {tuple(side.shape)}.")
    return side.to(dtype=torch.float64, device="cpu")


def _screw(angle: Tensor, shift: Tensor, axis: str) -> Tensor:
    """(n, 4, 4) turn by an angle about x or z, and shift along it."""
    c, s, one, zero = angle.cos(), angle.sin(), torch.ones_like(angle), torch.zeros_like(angle)
    if axis == "x":
        entries = [one, zero, zero, shift, zero, c, -s, zero, zero, s, c, zero]
    else:
        entries = [c, -s, zero, zero, s, c, zero, zero, zero, zero, one, shift]
    return torch.stack([*entries, zero, zero, zero, one], dim=-1).reshape(-1, 4, 4)
