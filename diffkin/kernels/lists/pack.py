"""A mechanism and the pieces asked of it as the arrays of a ``Call``: nodes, ways, columns, rows.

Every joint is re-chosen to turn about, or slide along, the z axis of its frame. Nodes are the base, the world's axes at its
origin, the joints that move something asked for, and the links asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from diffkin.kernels.ik.chain import axis_frame, way_to
from diffkin.kernels.lists import layout
from diffkin.kernels.lists.layout import new_integers, new_reals, open_call
from diffkin.kernels.lists.pieces import (
    KEEP_OUT,
    LINEAR,
    MARGIN,
    MASS,
    METRES,
    NEAR,
    NUMBERS,
    PLACE,
    RAY,
    TURN,
    Piece,
)
from diffkin.kernels.lists.targets import AS_IT_IS, DIRECTION, ROTATION
from diffkin.kernels.tree.mechanism import PRISMATIC, REVOLUTE, Mechanism

__all__ = ["Body", "Freedom", "pack"]

_OF_COORDINATES = frozenset({LINEAR, NEAR, MARGIN})
_EXACT = {PLACE: ROTATION, TURN: ROTATION, RAY: DIRECTION, KEEP_OUT: DIRECTION}


class Body(NamedTuple):
    """A mass that moves with a frame.

    Attributes:
        frame: Number of the frame.
        share: Its part of all mass.
        center: (3,) its centre of mass in the frame [m].
    """

    frame: int
    share: float
    center: tuple[float, ...]


class Freedom(NamedTuple):
    """What may move.

    Attributes:
        movable: (dof,) False for coordinates that stay where they are.
        shifts: Axes along which the base may be shifted.
        turns: Axes about which it may be turned.
        world: Whether the axes are the world's.
    """

    movable: NDArray[np.bool_]
    shifts: tuple[int, ...] = ()
    turns: tuple[int, ...] = ()
    world: bool = False


class _Entry(NamedTuple):
    """A coordinate's part in the motion of a link: about or along which axis of which node, how much, to which side."""

    node: int
    axis: int
    coordinate: int  # of the mechanism; dof and on for those of the base
    turns: bool
    factor: float


def pack(
    mechanism: Mechanism, pieces: Sequence[Piece], bodies: Sequence[Body], freedom: Freedom
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The arrays of a ``Call`` but for its settings, switches and ranges of coordinates.

    Args:
        mechanism: The tree of joints.
        pieces: What is asked, their links numbered as the mechanism's frames, tasks in their order, levels
            rising.
        bodies: Of the mechanism, where its centre of mass is asked for.
        freedom: Which coordinates and what of the base may move.

    Returns:
        Their float64 and int64 arrays; coordinates that move nothing asked for are neither free nor held.
    """
    frames = sorted({f for piece in pieces for f in (piece.link, piece.reference) if f >= 0})
    heavy = any(piece.kind == MASS for piece in pieces)
    carriers = [*frames, *(body.frame for body in bodies if heavy)]
    joints = sorted({joint for frame in carriers for joint in way_to(mechanism, frame)})
    node_of = {-1: 0, **{joint: 2 + k for k, joint in enumerate(joints)}}
    link_node = {frame: 2 + len(joints) + k for k, frame in enumerate(frames)}
    ways = [_way(mechanism, piece, bodies, freedom, node_of) for piece in pieces]
    coordinates = [
        int(mechanism.coordinate[joint]) for joint in joints if mechanism.kind[joint] in (REVOLUTE, PRISMATIC)
    ]
    asked = {entry.coordinate for way in ways for entry in way if entry.coordinate < mechanism.dof}
    asked |= {c for piece in pieces if piece.kind == LINEAR for c, factor in enumerate(piece.factors) if factor}
    asked |= {piece.coordinate for piece in pieces if piece.coordinate >= 0 and any(piece.weights)}
    moving = sorted(c for c in asked if freedom.movable[c])
    held = sorted((set(coordinates) | asked) - set(moving))
    columns = {c: k for k, c in enumerate(moving)}
    columns |= {mechanism.dof + k: len(moving) + k for k in range(len(freedom.shifts) + len(freedom.turns))}
    ways = [[entry for entry in way if entry.coordinate in columns] for way in ways]
    linears = [piece for piece in pieces if piece.kind == LINEAR]
    weights = [weight for piece in pieces for weight in piece.weights]
    sizes = np.zeros(layout.SIZES, np.int64)
    sizes[layout.NODES], sizes[layout.ENTRIES] = 2 + len(joints) + len(frames), sum(map(len, ways))
    sizes[layout.PIECES], sizes[layout.LINEARS] = len(pieces), len(linears)
    sizes[layout.ROWS] = -(-sum(weight > 0 for weight in weights) // 3) * 3
    sizes[layout.FREE], sizes[layout.HELD], sizes[layout.DOF] = len(moving), len(held), mechanism.dof
    sizes[layout.BASE] = len(freedom.shifts) + len(freedom.turns)
    sizes[layout.NUMBERS] = max(piece.target + NUMBERS[piece.kind] for piece in pieces)
    reals, integers = new_reals(sizes), new_integers(sizes)
    call = open_call(reals, integers)
    call.moving[:], call.held[:] = moving, held
    call.base[:] = -1
    call.base[0] = freedom.world
    for axis in freedom.shifts:
        call.base[1 + axis] = axis
    for axis in freedom.turns:
        call.base[4 + axis] = axis
    _fill_nodes(call, mechanism, joints, frames, node_of, {c: k for k, c in enumerate([*moving, *held])})
    if heavy:
        _fill_masses(call, mechanism, bodies, node_of)
    _fill_pieces(call, pieces, ways, link_node, columns, [*moving, *held])
    return reals, integers


def _way(
    mechanism: Mechanism, piece: Piece, bodies: Sequence[Body], freedom: Freedom, node_of: dict[int, int]
) -> list[_Entry]:
    """What moves a piece. A joint that carries link and reference alike moves neither as seen from the other."""
    if piece.kind in _OF_COORDINATES:
        return []
    if piece.kind == MASS:
        sides = {joint: 1.0 for body in bodies if body.share for joint in way_to(mechanism, body.frame)}
    else:
        own = way_to(mechanism, piece.link)
        other = way_to(mechanism, piece.reference) if piece.reference >= 0 else []
        sides = {joint: 1.0 for joint in own if joint not in other}
        sides |= {joint: -1.0 for joint in other if joint not in own}
    entries = []
    for joint in sorted(sides):
        kind = mechanism.kind[joint]
        if kind in (REVOLUTE, PRISMATIC):
            factor = sides[joint] * float(mechanism.multiplier[joint])
            entries.append(_Entry(node_of[joint], 2, int(mechanism.coordinate[joint]), kind == REVOLUTE, factor))
    if piece.reference < 0:
        for k, axis in enumerate((*freedom.shifts, *freedom.turns)):
            turns = k >= len(freedom.shifts)
            entries.append(_Entry(int(freedom.world), axis, mechanism.dof + k, turns, 1.0))
    return entries


def _turned(mechanism: Mechanism, joint: int) -> NDArray[np.float64]:
    """From a joint's frame to the one whose z axis is the joint's."""
    turned = np.eye(4)
    if joint >= 0:
        turned[:3, :3] = axis_frame(np.asarray(mechanism.axis[joint], np.float64))
    return turned


def _columns(pose: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate((pose[:3, 0], pose[:3, 1], pose[:3, 2], pose[:3, 3]))


def _fill_nodes(
    call: layout.Call,
    mechanism: Mechanism,
    joints: Sequence[int],
    frames: Sequence[int],
    node_of: dict[int, int],
    places: dict[int, int],
) -> None:
    call.nodes[:, layout.COORDINATE] = -1
    call.places[:2, [0, 4, 8]] = 1.0
    for k, joint in enumerate(joints, 2):
        parent = int(mechanism.parent[joint])
        back = _turned(mechanism, parent).T
        call.nodes[k, layout.PARENT] = node_of[parent]
        call.places[k, :12] = _columns(back @ mechanism.origin[joint] @ _turned(mechanism, joint))
        if mechanism.kind[joint] in (REVOLUTE, PRISMATIC):
            call.nodes[k, layout.COORDINATE] = places[int(mechanism.coordinate[joint])]
            call.nodes[k, layout.MOTION] = layout.SLIDES if mechanism.kind[joint] == PRISMATIC else layout.TURNS
            call.places[k, layout.FACTOR], call.places[k, layout.VALUE0] = (
                mechanism.multiplier[joint],
                mechanism.offset[joint],
            )
    for k, frame in enumerate(frames, 2 + len(joints)):
        carrier = int(mechanism.frame_joint[frame])
        call.nodes[k, layout.PARENT] = node_of[carrier]
        call.places[k, :12] = _columns(_turned(mechanism, carrier).T @ mechanism.frame_offset[frame])


def _fill_masses(call: layout.Call, mechanism: Mechanism, bodies: Sequence[Body], node_of: dict[int, int]) -> None:
    places = call.places
    for body in bodies:
        carrier = int(mechanism.frame_joint[body.frame])
        center = _turned(mechanism, carrier).T @ mechanism.frame_offset[body.frame] @ np.array([*body.center, 1.0])
        places[node_of[carrier], layout.SHARE] += body.share
        places[node_of[carrier], layout.MOMENT : layout.MOMENT + 3] += body.share * center[:3]
    places[:, layout.CARRIED] = places[:, layout.SHARE]
    for k in range(len(places) - 1, 1, -1):
        places[call.nodes[k, layout.PARENT], layout.CARRIED] += places[k, layout.CARRIED]
    places[1, layout.CARRIED] = places[0, layout.CARRIED]


def _fill_pieces(
    call: layout.Call,
    pieces: Sequence[Piece],
    ways: Sequence[Sequence[_Entry]],
    link_node: dict[int, int],
    columns: dict[int, int],
    order: Sequence[int],
) -> None:
    row = entry = linear = 0
    ready: set[int] = set()  # where targets begin that are made exact already
    for k, (piece, way) in enumerate(zip(pieces, ways, strict=True)):
        line, shape = call.pieces[k], call.shapes[k]
        line[layout.KIND], line[layout.TARGET] = piece.kind, piece.target
        line[layout.LINK], line[layout.REFERENCE] = link_node.get(piece.link, -1), link_node.get(piece.reference, -1)
        line[layout.METRE] = piece.metres if piece.kind in _OF_COORDINATES else piece.kind in METRES
        line[layout.CLOSES], line[layout.LEVEL] = piece.closes, piece.level
        line[layout.ROW0 : layout.ROW2 + 1] = -1
        for i, weight in enumerate(piece.weights):
            if weight > 0:
                line[layout.ROW0 + i], shape[layout.WEIGHT + i] = row, weight
                row += 1
        shape[layout.AXIS : layout.AXIS + 3], shape[layout.OFFSET : layout.OFFSET + 3] = piece.axis, piece.offset
        shape[layout.ANGLE] = piece.angle
        call.exact[k] = AS_IT_IS if piece.target in ready else _EXACT.get(piece.kind, AS_IT_IS)
        if NUMBERS[piece.kind]:
            ready.add(piece.target)
        line[layout.WAY_BEGIN], line[layout.WAY_END] = entry, entry + len(way)
        seen: set[int] = set()
        for part in way:
            column = columns[part.coordinate]
            call.ways[entry] = part.node, part.axis, column, part.turns, column not in seen
            call.factors[entry] = part.factor
            seen.add(column)
            entry += 1
        if piece.kind == LINEAR:
            line[layout.LINEAR_ROW] = linear
            call.linear[linear] = [piece.factors[c] for c in order]
            linear += 1
        if piece.coordinate >= 0:
            line[layout.LINK] = order.index(piece.coordinate) if piece.coordinate in order else -1
            line[layout.REFERENCE] = piece.turns
        if piece.kind == MARGIN:
            shape[layout.AXIS : layout.AXIS + 2] = piece.factors
