"""Where the numbers of a call of inverse kinematics lie in its arrays, and the memory that the search works in."""

from __future__ import annotations

import numpy as np

from diffkin.kernels.vectors.strict import W

# settings of a call (float64): squared tolerances of the search in units of the chain, damping, give-up rules; the
# tolerances that the answer is judged by, in m and rad; weights
POSITION2, ROTATION2, DAMPING, FLOOR, GROW, SHRINK, LIMIT, LIMIT_STEP, LIMIT_TOP, PATIENCE, PROGRESS = range(11)
POSITION, ROTATION, WEIGHTS = 11, 12, 13
SETTINGS = WEIGHTS + 6
# switches of a call (int64)
RESTARTS, WANTED, HAS_Q0, TABLE_RANKS, FIRST_POINT, WEIGHTED, PARTIAL, SINGLE, SWITCHES = range(9)
# rows of lanes that hold one number of a start each
ERROR, GROWTH, COUNT, MOST, PATIENT, ACTIVE, FRESH, TAKEN, DONE, CONVERGED, NUMBERS = range(11)
# columns of a lane's integers: the place of its target among the open ones (-1: idle), its rank
PLACE, RANK = range(2)
# columns of an open target's integers
TARGET, NEXT, BOUND, FOUND, RUNNING, CELL, BEST, OPENED = range(8)
# integers of a chunk of targets: the next to open, the end, how many are open, the first
CURSOR, END, OPEN, BEGIN = range(4)


class Workspace:
    """Everything ``search`` knows between two calls, as arrays; one for each thread at work."""

    def __init__(self, n: int, m: int, keep: int, restarts: int, wanted: int) -> None:
        rows = NUMBERS + 12 + 12 + 6 * n + 6 + 6 + 2 * m + 6 + 12 * m
        memory = np.zeros((rows + 1) * W)
        skip = -memory.ctypes.data % (8 * W) // 8  # rows aligned to their length
        self.rows = memory[skip : skip + rows * W].reshape(rows, W)
        self.lanes = np.zeros((W, 2), np.int64)
        self.open = np.zeros((W, OPENED), np.int64)
        self.near = np.zeros((W, keep), np.float32)
        self.counts = np.zeros((W, restarts + 1), np.int32)
        self.answers = np.zeros((W, wanted + 1, m + 1))  # converged starts by rank, (rank, q); last the best other
        self.chunk = np.zeros(4, np.int64)
        self.arrays = (self.rows, self.lanes, self.open, self.near, self.counts, self.answers, self.chunk)

    def take(self, begin: int, end: int) -> None:
        """Set the targets that are to do, none of them open yet."""
        chunk = self.chunk
        chunk[CURSOR], chunk[END], chunk[OPEN], chunk[BEGIN] = begin, end, 0, begin
