"""What the kernel for lists of tasks can be asked: pieces of up to three rows, each of one unit. Plain Python.

A task is one piece or several: a pose is ``PLACE`` and ``TURN``. A piece concerns a link, as seen from the world or from a
reference link, and takes its target from the numbers that every problem brings.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = [
    "AIM",
    "BANK",
    "DISTANCE",
    "KEEP_OUT",
    "LINEAR",
    "MARGIN",
    "MASS",
    "METRES",
    "NEAR",
    "NUMBERS",
    "PLACE",
    "POINT",
    "RAY",
    "RISE",
    "TURN",
    "Piece",
]

POINT, PLACE, TURN, RAY, AIM, KEEP_OUT, DISTANCE, MASS, LINEAR, NEAR, MARGIN, RISE, BANK = range(13)
METRES = frozenset({POINT, PLACE, DISTANCE, MASS})
"""Kinds whose residual is a length; ``LINEAR``, ``NEAR`` and ``MARGIN`` say it of themselves; of the others it is an angle."""
NUMBERS = {
    POINT: 3, PLACE: 12, TURN: 9, RAY: 3, AIM: 3, KEEP_OUT: 3, DISTANCE: 1, MASS: 3, LINEAR: 1, NEAR: 1, MARGIN: 0,
    RISE: 0, BANK: 0,
}  # fmt: skip
"""How many numbers a target has: a pose is the columns x, y, z and the origin, of which a rotation is the first three."""

_ORIGIN = (0.0, 0.0, 0.0)


class Piece(NamedTuple):
    """Rows of a task.

    Attributes:
        kind: ``POINT``: the link's origin at a point, along the axes of the reference. ``PLACE``: likewise along the axes
            of the target pose. ``TURN``: the rotation vector from the target to the link, in the target's axes. ``RAY``:
            the least turn from a direction to the link's ``axis``; ``AIM``: from the direction of a point, as seen from
            ``offset``. ``KEEP_OUT``: how far ``axis`` is within ``angle`` of a direction. ``DISTANCE``: of the point
            ``axis`` of the link from the point ``offset`` of the reference, less the target. ``MASS``: the centre of mass.
            ``LINEAR``: the coordinates times ``factors``. ``NEAR``: one coordinate, of one that a whole turn leads back the
            least turn from the target. ``MARGIN``: ``factors[1]`` times how far one coordinate is from ``factors[0]``, less
            what ``angle`` allows to either side. ``RISE``: how much the height of the unit vector ``axis`` is above
            ``-angle``. ``BANK``: the bank angle of a link with axes forward, left, up, times the cosine of its pitch.
        weights: One a row; rows of weight 0 are left out.
        link: Number of the link, -1 for none.
        reference: Number of the link from which it is seen, -1 for the world.
        target: Where its numbers begin among those of a problem.
        axis: In the link's axes, of unit length; of ``DISTANCE`` a point [m].
        offset: In the link's axes [m]; of ``DISTANCE`` in those of the reference.
        angle: [rad] allowed between a ray and its direction; of ``KEEP_OUT`` the least; of ``MARGIN`` in units of the row;
            of ``RISE`` a height, from -1 to 1.
        metres: Of ``LINEAR``, ``NEAR`` and ``MARGIN``, whether the residual counts as a length.
        factors: Of ``LINEAR``, one for each coordinate; of ``MARGIN`` two, see there.
        coordinate: Of ``NEAR`` and ``MARGIN``, which coordinate.
        turns: Of ``NEAR``, whether a whole turn leads back.
        closes: Whether it is the last of its task: errors of one unit are added up, as squares, until there.
        level: 0 for what must be met; pieces of level 1 are brought as near to zero as those of 0 allow, and so on.
    """

    kind: int
    weights: tuple[float, ...]
    link: int = -1
    reference: int = -1
    target: int = 0
    axis: tuple[float, ...] = _ORIGIN
    offset: tuple[float, ...] = _ORIGIN
    angle: float = 0.0
    metres: bool = False
    factors: tuple[float, ...] = ()
    coordinate: int = -1
    turns: bool = False
    closes: bool = True
    level: int = 0
