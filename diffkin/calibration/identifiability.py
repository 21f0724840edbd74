"""What measurements cannot tell about an arm, in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin import transforms
from diffkin._checks import check_finite, check_last
from diffkin._given import real
from diffkin.calibration.model import CalibrationModel, check_model
from diffkin.errors import ShapeError
from diffkin.kinematics import PRISMATIC

__all__ = ["Blind", "unidentifiable"]

_PLAIN = 0.15  # parameters with a smaller share of a direction are not named
_SHOWN = 8


@dataclass(frozen=True, eq=False)
class Blind:
    """A direction of the parameters that changes nothing measured.

    Attributes:
        direction: (parameters,) of unit length.
        words: What it means.
    """

    direction: Float[Tensor, " parameters"]
    words: str


def unidentifiable(
    model: CalibrationModel, jacobian: Float[Tensor, "rows parameters"], tolerance: float = 1e-8
) -> tuple[Blind, ...]:
    """Name the directions of the parameters that measurements at the nominal arm do not see.

    The directions that theory knows are tried first, each against the Jacobian: a parameter without effect; a joint's
    offset against its origin; moving a joint's frame along or about the joint's axis, undone in the next origin (a
    revolute joint has four parameters, a prismatic one two: Mooring, Roth & Driels, Fundamentals of Manipulator
    Calibration, 1991, section 2). What the null space holds besides is named by its largest parameters.

    Args:
        model: The model.
        jacobian: (rows, parameters) of the measurements at ``x = 0``, in units of the noise.
        tolerance: How small, over the largest singular value, counts as no effect.

    Returns:
        As many directions as the null space has, linearly independent.
    """
    check_model(model)
    check_last(jacobian, (model.size,), "jacobian")
    check_finite(jacobian, "jacobian")
    if jacobian.ndim != 2 or len(jacobian) == 0:
        raise ShapeError(
            f"jacobian must have shape (rows, {model.size}), one row at least, got {tuple(jacobian.shape)}."
        )
    jacobian, tolerance = jacobian.double(), real(tolerance, "tolerance", above=0.0, below=1.0)
    _, singular, right = torch.linalg.svd(jacobian, full_matrices=True)
    threshold = tolerance * float(singular.max())
    null = right[int((singular > threshold).sum()) :]
    found: list[Blind] = []
    basis = torch.zeros(0, model.size, dtype=torch.float64, device="cpu")
    for direction, words in (*_known(model), *_rest(model, null)):
        if len(found) == len(null):
            break
        unit = direction / direction.norm()
        fresh = unit - basis.T @ (basis @ unit)
        if float((jacobian @ unit).norm()) > threshold or float(fresh.norm()) < 1e-6:
            continue
        found.append(Blind(unit, words or _named(model, fresh / fresh.norm())))
        basis = torch.cat((basis, (fresh / fresh.norm())[None]))
    return tuple(found)


def _known(model: CalibrationModel) -> Iterator[tuple[Tensor, str]]:
    names, tree = model.names, model.robot.tree
    for index, name in enumerate(names):
        yield _unit(model, {index: 1.0}), f"{name}: has no effect on what is measured"
    for joint, frame in zip(model.joints, model.frames):
        axis, slides = tree.axes[joint], tree.kinds[joint] == PRISMATIC
        offset = f"offset of {model.robot.joint_names[tree.coordinate[joint]]}"
        if offset in names and f"tx of origin of {frame}" in names:
            twist = _twist(axis, slides)
            own = _spread(model, f"origin of {frame}", -twist)
            moved = "a shift of its origin along" if slides else "a turn of its origin about"
            words = f"{offset} against {moved} its axis: only their sum is seen"
            yield own + _unit(model, {names.index(offset): 1.0 / tree.multiplier[joint]}), words
    for (joint, frame), (following, place) in zip(zip(model.joints, model.frames), _next(model)):
        if f"tx of origin of {frame}" not in names or f"tx of {place}" not in names:
            continue
        back = transforms.adjoint(transforms.inverse(following))
        turn, slide = _twist(tree.axes[joint], False), _twist(tree.axes[joint], True)
        shifts = [_twist(unit, True) for unit in torch.eye(3, dtype=torch.float64, device="cpu")]
        free = [(f"shifting the frame of {frame} along its axis", slide)]
        if tree.kinds[joint] == PRISMATIC:
            free += [(f"shifting the frame of {frame} along {letter}", s) for letter, s in zip("xyz", shifts)]
        for words, twist in (*free, (f"turning the frame of {frame} about its axis", turn)):
            undone = _spread(model, f"origin of {frame}", twist) - _spread(model, place, back @ twist)
            yield undone, f"{words}, undone in the {place}"


def _next(model: CalibrationModel) -> list[tuple[Tensor, str]]:
    """After each joint: the fixed pose to the next frame, and whose parameters follow there."""
    robot = model.robot
    after = [(robot.tree.origins[j], f"origin of {frame}") for j, frame in zip(model.joints[1:], model.frames[1:])]
    return [*after, (robot.tree.link_offsets[robot.link_index(None)] @ model.tool, "tool")]


def _twist(axis: Tensor, slides: bool) -> Tensor:
    zero = torch.zeros_like(axis)
    return torch.cat((axis, zero)) if slides else torch.cat((zero, axis))


def _unit(model: CalibrationModel, entries: dict[int, float]) -> Tensor:
    direction = model.zero()
    for index, value in entries.items():
        direction[index] = value
    return direction


def _spread(model: CalibrationModel, place: str, twist: Tensor) -> Tensor:
    """A twist of the frame ``place`` as a direction of the parameters."""
    first = model.names.index(f"tx of {place}")
    return _unit(model, {first + k: float(twist[k]) for k in range(6)})


def _rest(model: CalibrationModel, null: Tensor) -> list[tuple[Tensor, str]]:
    """The null space in as few parameters a direction as elimination gives."""
    rows, done = null.clone(), 0
    for column in range(model.size - 1, -1, -1):
        if done == len(rows):
            break
        best = int(rows[done:, column].abs().argmax()) + done
        if float(rows[best, column].abs()) < 1e-9:
            continue
        rows[[done, best]] = rows[[best, done]]
        rows[done] = rows[done] / rows[done, column]
        others = torch.arange(len(rows), device="cpu") != done
        rows[others] = rows[others] - rows[others, column, None] * rows[done]
        done += 1
    return [(row, "") for row in rows]


def _named(model: CalibrationModel, direction: Tensor) -> str:
    order = direction.abs().argsort(descending=True)
    shown = [index for index in order.tolist() if abs(float(direction[index])) > _PLAIN][:_SHOWN]
    return "together: " + ", ".join(f"{float(direction[index]):+.2f} {model.names[index]}" for index in shown)
