"""The plan by which the kernels walk a mechanism, and the layout of its two tables.

A plan lists *nodes*: the joints on the way to the requested frames and the frames themselves, parents first. Each node
moves the pose of its parent by a constant transform and then by its own motion, along or about its z axis:

    T_node = T_parent C Rz(value) Tz(shift)           revolute
    T_node = T_parent C Tz(value) Rz(turn)            prismatic, and fixed with a constant value

Where the frame of a joint is nobody's business (one child, not requested) it is re-chosen so that the constant
transform of the child is C = Tz(d) Tx(a) Rx(alpha), after Denavit and Hartenberg (1955); the rotation Rz(theta) that
remains joins the parent's motion. That takes 30 multiply-adds a joint, or 18 where alpha is a quarter turn, against 48.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import DTypeLike, NDArray

from diffkin.kernels.tree.denavit import aligned, denavit, is_rigid, neat_sincos, screw
from diffkin.kernels.tree.mechanism import FIXED, REVOLUTE, Mechanism

__all__ = [
    "A",
    "ALPHA_COSINE",
    "ALPHA_SINE",
    "BASE",
    "C00",
    "C01",
    "C02",
    "C03",
    "C10",
    "C11",
    "C12",
    "C13",
    "C20",
    "C21",
    "C22",
    "C23",
    "CONSTANT",
    "COORDINATE",
    "D",
    "DENAVIT",
    "FORM",
    "GENERAL",
    "HAS_SHIFT",
    "HAS_TURN",
    "INTEGERS",
    "KEEP",
    "KIND",
    "MULTIPLIER",
    "NONE",
    "OFFSET",
    "OUTPUT",
    "PLAIN",
    "PREVIOUS",
    "QUARTER",
    "QUARTERS",
    "REALS",
    "REPEATED",
    "SHIFT",
    "SOURCE",
    "STRAIGHT",
    "TURN_COSINE",
    "TURN_SINE",
    "Plan",
    "make_plan",
]

# The layout. Columns of ``Plan.integers``, one row a node:
SOURCE, FORM, KIND, COORDINATE, HAS_TURN, HAS_SHIFT, KEEP, OUTPUT, REPEATED, PLAIN, INTEGERS = range(11)
# Columns of ``Plan.reals``, one row a node. After the motion the constant transform C, either the upper three rows ...
MULTIPLIER, OFFSET, TURN_SINE, TURN_COSINE, CONSTANT = range(5)
C00, C01, C02, C03, C10, C11, C12, C13, C20, C21, C22, C23, SHIFT, QUARTERS, REALS = range(CONSTANT, CONSTANT + 15)
# ... or, of all forms but GENERAL, these
D, A, ALPHA_SINE, ALPHA_COSINE = range(CONSTANT, CONSTANT + 4)

# FORM, what C is: Tz(d) Tx(a); anything; Tz(d) Tx(a) Rx(alpha); the same with alpha = pi/2
STRAIGHT, GENERAL, DENAVIT, QUARTER = range(4)
# SOURCE, where the parent's pose is: a slot from 0 on; the node before; the base
PREVIOUS, BASE = -1, -2
# KEEP and OUTPUT of a node that is not kept, or is not asked for
NONE = -1


@dataclass(frozen=True)
class Plan:
    """How to compute chosen frames of a mechanism, in one dtype; what every kernel here takes first.

    Attributes:
        integers: (nodes, INTEGERS) int64. SOURCE, FORM and KIND say which of the cases above a node is, COORDINATE
            what moves it, HAS_TURN and HAS_SHIFT whether there is a turn or shift; KEEP is the slot in which its pose
            is kept for later branches, OUTPUT the place among the frames computed. REPEATED: a later node has the same
            coordinate. PLAIN: a revolute node after which nothing is kept, repeated or joined, as most are.
        reals: (nodes, REALS) of the dtype: factor and offset from coordinate to value, the turn, C, the shift, and
            quarter turns to add to the angle.
        dof: Number of coordinates.
        frames: Number of frames computed.
        slots: Number of poses to keep for later branches.
        grain: Number of problems that take about a tenth of a millisecond.
        no_base: What a kernel is handed when there is no base.
    """

    integers: NDArray[np.int64]
    reals: NDArray[np.floating]
    dof: int
    frames: int
    slots: int
    grain: int
    no_base: NDArray[np.floating]


def make_plan(mechanism: Mechanism, frames: NDArray[np.int64] | list[int], dtype: DTypeLike) -> Plan:
    """The plan that computes chosen frames of a mechanism. Made once, used for every call; a fraction of a millisecond.

    Args:
        mechanism: The tree.
        frames: Indices into its frames, in the order of the output; a frame may occur twice.
        dtype: np.float32 or np.float64.

    Returns:
        The plan.
    """
    chosen = [int(frame) for frame in frames]
    carrier = [int(mechanism.frame_joint[frame]) for frame in chosen]
    parent = [int(p) for p in mechanism.parent]
    needed: set[int] = set()
    for joint in carrier:
        while joint >= 0 and joint not in needed:
            needed.add(joint)
            joint = parent[joint]
    children: dict[int, list[int]] = {joint: [] for joint in (-1, *needed)}
    for joint in sorted(needed):
        children[parent[joint]].append(joint)
    attached: dict[int, list[int]] = {joint: [] for joint in children}
    for output, joint in enumerate(carrier):
        attached[joint].append(output)

    builder = _Builder(mechanism, np.dtype(dtype))
    # depth first, frames before joints, so that the pose just computed is the parent's as often as possible
    pending: list[tuple[int, int]] = []  # (joint, node of its parent)

    def carries_one(joint: int) -> bool:
        return len(children[joint]) + len(attached[joint]) == 1

    def expand(joint: int, node: int) -> None:
        for output in attached[joint]:
            builder.add_frame(chosen[output], output, node, carries_one(joint))
        pending.extend((child, node) for child in reversed(children[joint]))

    expand(-1, -1)
    while pending:
        joint, node = pending.pop()
        expand(joint, builder.add_joint(joint, node, carries_one(parent[joint]), carries_one(joint)))
    nodes = builder.nodes
    slots = _number_slots(nodes)
    _mark_repeated(nodes)
    rows = [_reals(node, builder.snap) for node in nodes]
    reals = np.array(rows, np.float64).reshape(-1, REALS).astype(builder.dtype)
    integers = np.array([_integers(*both) for both in zip(nodes, rows, strict=True)], np.int64).reshape(-1, INTEGERS)
    grain = 64 * max(1, 512 // max(1, len(nodes)))
    no_base = np.zeros((1, 4, 4), builder.dtype)
    return Plan(integers, reals, int(mechanism.dof), len(chosen), slots, grain, no_base)


@dataclass
class _Node:
    """A row of the tables in the making; ``rest`` leads from the node's frame to that of the mechanism's joint."""

    source: int
    rest: NDArray[np.float64]
    kind: int = FIXED
    coordinate: int = -1
    multiplier: float = 0.0
    offset: float = 0.0
    form: int = GENERAL
    constant: list[float] = field(default_factory=list)  # the numbers of C, from column CONSTANT on
    turn: float = 0.0
    shift: float = 0.0
    keep: int = NONE
    output: int = NONE
    repeated: bool = False


class _Builder:
    """Collects the nodes of a plan."""

    def __init__(self, mechanism: Mechanism, dtype: np.dtype) -> None:
        self.mechanism = mechanism
        self.dtype = dtype
        # beyond these the float itself would not show the difference
        self.snap, self.rigid = (1e-9, 1e-6) if dtype == np.float32 else (4e-16, 1e-14)
        self.nodes: list[_Node] = []

    def add_joint(self, joint: int, parent: int, only: bool, free: bool) -> int:
        """Add a joint to node ``parent``: ``only`` if that carries nothing else, ``free`` if the joint carries one thing.

        Returns:
            Its node.
        """
        m = self.mechanism
        kind = int(m.kind[joint])
        if kind == FIXED:
            return self._add(m.origin[joint], np.eye(4), parent, only, free)
        index = self._add(m.origin[joint], aligned(m.axis[joint]), parent, only, free)
        node = self.nodes[index]
        node.kind, node.coordinate = kind, int(m.coordinate[joint])
        node.multiplier, node.offset = float(m.multiplier[joint]), float(m.offset[joint])
        return index

    def add_frame(self, frame: int, output: int, parent: int, only: bool) -> None:
        """Add a requested frame to node ``parent``."""
        index = self._add(self.mechanism.frame_offset[frame], np.eye(4), parent, only, free=False)
        self.nodes[index].output = output

    def _add(self, origin: NDArray[np.float64], align: NDArray[np.float64], parent: int, only: bool, free: bool) -> int:
        """Add a node with the constant transform ``origin align``, split where that is possible."""
        index = len(self.nodes)
        constant = (self.nodes[parent].rest @ origin if parent >= 0 else np.asarray(origin)) @ align
        source = BASE if parent < 0 else PREVIOUS if parent == index - 1 else parent
        node = _Node(source, rest=align.T, constant=[float(v) for v in constant[:3].ravel()])
        if parent >= 0 and only and is_rigid(constant, self.rigid):
            found = denavit(constant, self.snap)
            if found is not None:
                self.nodes[parent].turn += found.theta
                node.form = STRAIGHT if found.sine == 0.0 else QUARTER if found.cosine == 0.0 else DENAVIT
                node.constant = [found.d, found.a, found.sine, found.cosine]
                if free:
                    node.rest = screw(found.turn, found.shift) @ align.T
                else:
                    node.turn, node.shift = found.turn, found.shift
        elif np.array_equal(constant, np.eye(4)):
            node.form, node.constant = STRAIGHT, [0.0, 0.0, 0.0, 1.0]
        self.nodes.append(node)
        return index


def _number_slots(nodes: list[_Node]) -> int:
    """Give every node that a later branch starts from a slot, in place of its index; the number of slots."""
    slots: dict[int, int] = {}
    for node in nodes:
        if node.source >= 0:
            node.source = slots.setdefault(node.source, len(slots))
    for index, slot in slots.items():
        nodes[index].keep = slot
    return len(slots)


def _mark_repeated(nodes: list[_Node]) -> None:
    """Mark the nodes whose coordinate a later node has, too: kernels add up gradients and columns from the end."""
    seen: set[int] = set()
    for node in reversed(nodes):
        if node.kind != FIXED:
            node.repeated = node.coordinate in seen
            seen.add(node.coordinate)


def _reals(node: _Node, snap: float) -> list[float]:
    """The row of a node in ``Plan.reals``; a turn up to ``snap`` is none."""
    row = [0.0] * REALS
    row[MULTIPLIER], row[OFFSET], row[TURN_COSINE] = node.multiplier, node.offset, 1.0
    row[CONSTANT : CONSTANT + len(node.constant)] = node.constant
    turn = node.turn
    if node.kind == REVOLUTE:
        row[SHIFT] = node.shift
        quarters = round(turn / (math.pi / 2))
        turn -= quarters * (math.pi / 2)
        row[QUARTERS] = quarters % 4
    else:
        row[OFFSET] += node.shift  # along the same axis as the motion
        row[SHIFT] = row[OFFSET] if node.kind == FIXED else 0.0
    if abs(turn) > snap:
        row[TURN_SINE], row[TURN_COSINE] = neat_sincos(turn)
    return row


def _integers(node: _Node, reals: list[float]) -> list[int]:
    """The row of a node in ``Plan.integers``, given that in ``Plan.reals``."""
    row = [0] * INTEGERS
    row[SOURCE], row[FORM], row[KIND], row[COORDINATE] = node.source, node.form, node.kind, node.coordinate
    row[HAS_TURN] = int(reals[TURN_SINE] != 0.0 or reals[TURN_COSINE] != 1.0)
    row[HAS_SHIFT] = int(reals[SHIFT] != 0.0)
    row[KEEP], row[OUTPUT], row[REPEATED] = node.keep, node.output, int(node.repeated)
    alone = node.source == PREVIOUS and node.keep == NONE and not node.repeated
    row[PLAIN] = int(node.kind == REVOLUTE and alone)
    return row
