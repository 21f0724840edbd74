"""The plan by which a kernel walks a mechanism.

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
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike, NDArray

from diffkin.kernels.tree.denavit import aligned, denavit, is_rigid, neat_sincos, screw
from diffkin.kernels.tree.mechanism import FIXED, PRISMATIC, REVOLUTE, Mechanism

__all__ = [
    "BASE",
    "COORDINATE",
    "DENAVIT",
    "FIXED",
    "FORM",
    "GENERAL",
    "INTEGERS",
    "KEEP",
    "KIND",
    "OUTPUT",
    "PLAIN",
    "PRISMATIC",
    "QUARTER",
    "REALS",
    "REPEATED",
    "REVOLUTE",
    "SHIFTED",
    "SOURCE",
    "STRAIGHT",
    "TURNED",
    "Mechanism",
    "Plan",
    "make_plan",
]

# forms of the constant transform C
STRAIGHT, GENERAL, DENAVIT, QUARTER = 0, 1, 2, 3  # Tz(d) Tx(a); any; Tz(d) Tx(a) Rx(alpha); the same, alpha = pi/2
# columns of Plan.integers, one row a node
SOURCE, FORM, KIND, COORDINATE, TURNED, SHIFTED, KEEP, OUTPUT, REPEATED, PLAIN = range(10)
INTEGERS, REALS = 10, 18  # numbers in a row of the two tables
PREVIOUS, BASE = -1, -2  # values of SOURCE other than a slot: the node before this one; the base


@dataclass(frozen=True)
class Plan:
    """How to compute chosen frames of a mechanism, in one dtype; what every kernel here takes first.

    Attributes:
        integers: (nodes, 10) int64, columns as named in this module; PLAIN marks what is most common.
        reals: (nodes, 18) of the dtype: multiplier, offset, sin and cos of turn, then d, a, sin and cos of alpha or
            the 12 numbers of C by rows, then shift, and quarter turns to add to the angle.
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

    builder = _Builder(mechanism, dtype)
    # depth first, frames before joints, so that the pose just computed is the parent's as often as possible
    pending: list[tuple[int, int]] = []  # (joint, node of its parent)

    def expand(joint: int, node: int) -> None:
        only = len(children[joint]) + len(attached[joint]) == 1
        for output in attached[joint]:
            builder.add_frame(chosen[output], output, node, only)
        pending.extend((child, node) for child in reversed(children[joint]))

    expand(-1, -1)
    while pending:
        joint, node = pending.pop()
        only = len(children[parent[joint]]) + len(attached[parent[joint]]) == 1
        free = len(children[joint]) + len(attached[joint]) == 1
        expand(joint, builder.add_joint(joint, node, only, free))
    return builder.finish(len(chosen))


class _Builder:
    """Collects the rows of a plan."""

    def __init__(self, mechanism: Mechanism, dtype: DTypeLike) -> None:
        self.mechanism = mechanism
        self.dtype = np.dtype(dtype)
        # beyond these the float itself would not show the difference
        self.snap, self.rigid = (1e-9, 1e-6) if self.dtype == np.float32 else (4e-16, 1e-14)
        self.integers: list[list[int]] = []
        self.reals: list[list[float]] = []
        self.turns: list[float] = []
        self.shifts: list[float] = []
        self.rest: list[NDArray[np.float64]] = []  # from the node's frame to the joint's frame of the mechanism

    def add_joint(self, joint: int, parent: int, only: bool, free: bool) -> int:
        m = self.mechanism
        align = aligned(m.axis[joint])
        kind, coordinate = int(m.kind[joint]), int(m.coordinate[joint])
        if kind == FIXED:
            return self._add(m.origin[joint], np.eye(4), parent, only, free, FIXED, -1, 0.0, 0.0)
        motion = (kind, coordinate, float(m.multiplier[joint]), float(m.offset[joint]))
        return self._add(m.origin[joint], align, parent, only, free, *motion)

    def add_frame(self, frame: int, output: int, parent: int, only: bool) -> None:
        offset = self.mechanism.frame_offset[frame]
        node = self._add(offset, np.eye(4), parent, only, False, FIXED, -1, 0.0, 0.0)
        self.integers[node][OUTPUT] = output

    def _add(
        self,
        origin: NDArray[np.float64],
        align: NDArray[np.float64],
        parent: int,
        only: bool,
        free: bool,
        kind: int,
        coordinate: int,
        multiplier: float,
        offset: float,
    ) -> int:
        node = len(self.integers)
        constant = (self.rest[parent] @ origin if parent >= 0 else np.asarray(origin)) @ align
        form, numbers, turn, shift, rest = GENERAL, [float(v) for v in constant[:3].ravel()], 0.0, 0.0, align.T
        if parent >= 0 and only and is_rigid(constant, self.rigid):
            found = denavit(constant, self.snap)
            if found is not None:
                theta, d, a, sine, cosine, phi, h = found
                self.turns[parent] += theta
                form = STRAIGHT if sine == 0.0 else QUARTER if cosine == 0.0 else DENAVIT
                numbers = [d, a, sine, cosine]
                if free:
                    rest = screw(phi, h) @ align.T
                else:
                    turn, shift = phi, h
        elif np.array_equal(constant, np.eye(4)):
            form, numbers = STRAIGHT, [0.0, 0.0, 0.0, 1.0]
        source = BASE if parent < 0 else PREVIOUS if parent == node - 1 else parent
        self.integers.append([source, form, kind, coordinate, 0, 0, -1, -1, 0, 0])
        self.reals.append([multiplier, offset, 0.0, 1.0, *numbers, *[0.0] * (12 - len(numbers)), 0.0, 0.0])
        self.turns.append(turn)
        self.shifts.append(shift)
        self.rest.append(rest)
        return node

    def finish(self, frames: int) -> Plan:
        slots: dict[int, int] = {}
        for row in self.integers:
            if row[SOURCE] >= 0:
                row[SOURCE] = slots.setdefault(row[SOURCE], len(slots))
        for node, slot in slots.items():
            self.integers[node][KEEP] = slot
        seen: set[int] = set()
        for row in reversed(self.integers):  # the order in which gradients and columns are added up
            if row[KIND] != FIXED:
                row[REPEATED] = int(row[COORDINATE] in seen)
                seen.add(row[COORDINATE])
                alone = row[SOURCE] == PREVIOUS and row[KEEP] < 0 and not row[REPEATED]
                row[PLAIN] = int(row[KIND] == REVOLUTE and alone)
        for row, numbers, turn, shift in zip(self.integers, self.reals, self.turns, self.shifts):
            if row[KIND] == REVOLUTE:
                numbers[16] = shift
                quarters = round(turn / (math.pi / 2))
                turn -= quarters * (math.pi / 2)
                numbers[17] = quarters % 4
            else:
                numbers[1] += shift  # along the same axis as the motion
                numbers[16] = numbers[1] if row[KIND] == FIXED else 0.0
            if abs(turn) > self.snap:
                numbers[2], numbers[3] = neat_sincos(turn)
                row[TURNED] = int(numbers[2] != 0.0 or numbers[3] != 1.0)
            row[SHIFTED] = int(numbers[16] != 0.0)
        integers = np.array(self.integers, np.int64).reshape(-1, INTEGERS)
        reals = np.array(self.reals, np.float64).reshape(-1, REALS).astype(self.dtype)
        grain = 64 * max(1, 512 // max(1, len(integers)))
        no_base = np.zeros((1, 4, 4), self.dtype)
        return Plan(integers, reals, int(self.mechanism.dof), frames, len(slots), grain, no_base)
