"""All solutions of poses of an arm with six turning joints, of which there are finitely many, on plain arrays.

One target after another has all lanes. Its starts stand in a queue: first the wells of the ``torus``; then, for every new
solution, starts to both sides along its softest direction, across folds where two solutions lie near each other, and
images of it, some joints turned half round or to the other side. A descent ends where it converges, gives up, or comes so
near to a known solution that it can only end there: within ``sigma / BEND`` of a solution whose smallest singular value
is sigma there is no other, and no way out past the residual ``sigma^2 / (2 BEND)``. Where it comes near a singularity,
the ``valley`` there is followed to the next solution, and from that one to all that lie along it. Where the queue is empty
and some solution was seen too seldom to trust that none was missed, further images follow.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from diffkin.kernels.compiled import inline, kernel
from diffkin.kernels.ik.chain import ANGLE, pack_chain
from diffkin.kernels.ik.chain import TURN as PER_COORDINATE
from diffkin.kernels.ik.judge import load_target
from diffkin.kernels.ik.layout import (
    CONVERGED,
    DONE,
    ERROR,
    FRESH,
    GROWTH,
    JOINTS,
    MOST,
    MOST_ITERATIONS,
    MOVING,
    PATIENT,
    RUNS,
    SPENT,
    WEIGHTED,
    Ranges,
    Settings,
    new_rows,
    open_block,
    open_call,
    pack_call,
)
from diffkin.kernels.ik.roberts import roberts_steps
from diffkin.kernels.ik.search import keep_refused, keep_residual, propose, verdict
from diffkin.kernels.ik.step import error, frames, jacobian
from diffkin.kernels.ik.table import sequence
from diffkin.kernels.solutions.torus import build_torus, has_torus, wells
from diffkin.kernels.solutions.valley import new_valley, softest_at, solutions_along
from diffkin.kernels.threads import run_chunks
from diffkin.kernels.tree.mechanism import Mechanism
from diffkin.kernels.vectors.strict import W

__all__ = ["KEPT", "Gathered", "Gatherer", "gather", "make_gatherer"]

KEPT = 17
"""Solutions of a target that are looked for: one more than there can be where there are finitely many."""

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_CHUNK = 16  # targets a thread takes at once
_TOLERANCE = 1e-9  # [m or rad] so that equal solutions are equal to well below SAME
_ITERATIONS = 15  # of a start: what takes longer is cheaper to start anew
_DAMPING = 3e-4  # times the squared error, and ...
_FLOOR = 1e-13  # ... at least this little, so that near a singularity the last steps are Newton's
_SEED_STRIDE = 7919
_RANDOM_IMAGES = 61

_FOLDS = np.array([0.3, -0.3, 0.005, -0.005, 0.02, -0.02, 0.08, -0.08])  # [rad] the first two for every solution

BEND = 4.0  # how fast the Jacobian turns, about, in lengths of the chain and radians
SINGULAR = 0.02  # smallest singular value below which a solution is given more company ...
SOFT = 2e-3  # ... below which the valley it lies in is followed to both sides ...
LOOSE = 1e-4  # ... and below which what meets the target to the tolerance may be beside a solution
IN_VAIN = 16  # so many descents that gave up in a valley and led to nothing new, and no more are followed
MOST_WELLS = 48
BEYOND = 0.05  # squared distance beyond which no well is a start
IMAGES = 8
MANY_IMAGES = 24
SEEN = 5  # as often as each solution must have been found
ROUNDS = 6  # of further images, or of points of a sequence where nothing was found
VALLEY_ROUNDS = 1  # of them at least where a solution lies in a valley: what is near another valley is seldom found
PER_ROUND = 48
QUEUE = MOST_WELLS + KEPT * (len(_FOLDS) + MANY_IMAGES) + PER_ROUND
CLOSE2 = 1e-5  # a squared residual so small is worth going on: near a singularity along the valley, elsewhere ...
LONGEST = 200.0  # ... for so many steps
SAME = 1e-4  # [rad] solutions nearer than this in every coordinate are one


class Gathered(NamedTuple):
    """What was found for B targets."""

    q: Floats  # (B, KEPT, dof) solutions up to whole turns, each to 1e-9 m and rad
    seen: Integers  # (B, KEPT) how many descents led to each
    number: Integers  # (B,) how many solutions there are; KEPT where there are more
    steps: Integers  # (B,) of all descents


class Gatherer(NamedTuple):
    """A mechanism packed for ``gather``."""

    moving: Integers  # (6,) the coordinate of each joint
    packed: tuple[Any, ...]  # the kernel's arguments that do not depend on the targets


def make_gatherer(mechanism: Mechanism, frame: int) -> Gatherer | None:
    """Pack a mechanism of six turning joints that all move a frame; None for any other."""
    chain = pack_chain(mechanism, frame)
    if mechanism.dof != len(chain.moving) or not has_torus(chain):
        return None
    m, free = len(chain.moving), np.full(len(chain.moving), np.inf)
    half, turning = np.full(m, np.pi), np.ones(m, bool)
    ranges = Ranges(-free, free, -half, half, turning, ~turning, roberts_steps(m), -free, free)
    settings = Settings(
        weights=(1.0,) * 6, position_tolerance=_TOLERANCE, rotation_tolerance=_TOLERANCE, margin=0.999, starts=1,
        max_iterations=_ITERATIONS, early_iterations=_ITERATIONS, grace=0.0, patience=np.inf, far=np.inf,
        damping=_DAMPING, floor=_FLOOR, grow=4.0, shrink=0.5, nearest=1, seed=0, has_q0=False, single=False, gives_up=False,
    )  # fmt: skip
    torus = build_torus(chain)
    packed = pack_call(chain, ranges, settings, np.zeros(4, np.int64), 0, 0, None)
    return Gatherer(chain.moving, (*packed, torus.ticks, torus.places, _images(m), _FOLDS))


def gather(gatherer: Gatherer, targets: Floats, seed: int = 0) -> Gathered:
    """Find the solutions of targets, whatever the limits.

    Args:
        gatherer: The mechanism.
        targets: (B, 4, 4) C-contiguous finite poses of the frame in the base; their rotations exact to rounding.
        seed: Chooses the images and points that are tried.

    Returns:
        The solutions in order of finding.
    """
    many, m = len(targets), len(gatherer.moving)
    q, seen = np.zeros((many, KEPT, m)), np.zeros((many, KEPT), np.int64)
    count, steps = np.zeros(many, np.int64), np.zeros(many, np.int64)
    drawn = _SEED_STRIDE * seed

    def work(first: int, stop: int) -> None:
        _gather(first, stop, new_rows(m, m), *gatherer.packed, drawn, targets, q, seen, count, steps)

    run_chunks(work, many, _CHUNK)
    order = np.argsort(gatherer.moving)
    return Gathered(np.ascontiguousarray(q[..., order]), seen, count, steps)


def _images(m: int) -> Integers:
    """(images, m) what an image does to each joint: 0 leaves it, 1 turns it half round, -1 to the other side.

    First the flips of three successive joints, which are images exactly where these are a wrist.
    """
    flips = np.zeros((m - 2, m), np.int64)
    for j in range(m - 2):
        flips[j, j : j + 3] = 1, -1, 1
    drawn = np.random.default_rng(0).random((_RANDOM_IMAGES, m))
    return np.vstack([flips, np.where(drawn < 0.25, -1, np.where(drawn < 0.5, 1, 0))])


TURN = 2.0 * np.pi


@inline
def apart(x, y):
    """The difference of two angles, by at most half a turn."""
    d = x - y
    return d - TURN * np.round(d / TURN)


@inline
def known_as(q, known, found):
    """Which of the known solutions coordinates are, -1 if none."""
    m = q.shape[0]
    for k in range(found):
        c = 0
        while c < m and abs(apart(q[c], known[k, c])) < SAME:
            c += 1
        if c == m:
            return k
    return -1


@inline
def caught_by(l, q, e, known, radius, found):
    """Which of the known solutions the descent in lane ``l`` cannot leave any more, -1 if none."""
    m = q.shape[0]
    for k in range(found):
        r2 = radius[k] * radius[k]
        if 4.0 * e < BEND * BEND * r2 * r2:
            d, c = 0.0, 0
            while c < m and d < r2:
                t = apart(q[c, l], known[k, c])
                d += t * t
                c += 1
            if d < r2:
                return k
    return -1


@inline
def image(q, change, joints, out):
    """Coordinates with some of them turned half round or to the other side."""
    for c in range(out.shape[0]):
        if change[c] > 0:
            out[c] = q[c] + np.pi
        else:
            out[c] = -q[c] - 2.0 * joints[c, PER_COORDINATE] * joints[c, ANGLE] if change[c] < 0 else q[c]


@inline
def softest(l, frame, axes, joints, square, soft):
    """The direction in which six joints move the frame in lane ``l`` least, and by how much: the smallest singular value.

    By inverse iteration on ``J^T J``.
    """
    m = joints.shape[0]
    jac = square[m:]
    for j in range(m):
        turn = joints[j, PER_COORDINATE]
        z0, z1, z2 = turn * axes[6 * j, l], turn * axes[6 * j + 1, l], turn * axes[6 * j + 2, l]
        d0, d1, d2 = (
            frame[9, l] - axes[6 * j + 3, l],
            frame[10, l] - axes[6 * j + 4, l],
            frame[11, l] - axes[6 * j + 5, l],
        )
        jac[j, 0], jac[j, 1], jac[j, 2] = z1 * d2 - z2 * d1, z2 * d0 - z0 * d2, z0 * d1 - z1 * d0
        jac[j, 3], jac[j, 4], jac[j, 5] = z0, z1, z2
    for i in range(m):
        for j in range(i + 1):
            t = 0.0
            for k in range(6):
                t += jac[i, k] * jac[j, k]
            if i == j:
                t += 1e-14
            for k in range(j):
                t -= square[i, k] * square[j, k]
            square[i, j] = np.sqrt(max(t, 1e-16)) if i == j else t / square[j, j]
    for i in range(m):
        soft[i] = 1.0 + 0.37 * i - 0.11 * i * i
    size = 1.0
    for _ in range(5):
        for i in range(m):
            for k in range(i):
                soft[i] -= square[i, k] * soft[k]
            soft[i] /= square[i, i]
        for i in range(m - 1, -1, -1):
            for k in range(i + 1, m):
                soft[i] -= square[k, i] * soft[k]
            soft[i] /= square[i, i]
        size = 0.0
        for i in range(m):
            size += soft[i] * soft[i]
        size = np.sqrt(size)
        for i in range(m):
            soft[i] /= size
    return 1.0 / np.sqrt(size)


@kernel
def _gather(
    first, stop, rows, reals, integers, ticks, places, changes, folds, drawn, targets, known, seen, count, steps
):
    """Find the solutions of targets ``first`` to ``stop``; the outputs hold zeros.

    Args:
        first, stop: Which targets.
        rows: Memory for a ``Block``.
        reals, integers: The ``Call``.
        ticks, places: The ``Torus``.
        changes: (images, 6) see ``_images``.
        folds: Lengths of the starts beside a solution.
        drawn: Number of the first image and point that is drawn.
        targets: (B, 4, 4) poses.
        known, seen, count, steps: A ``Gathered``, in the order of the joints.
    """
    call = open_call(reals, integers)
    settings, switches = call.settings, call.switches
    start, joints, column, fresh = call.start, call.joints, call.column, call.first
    lower, upper, last, length = call.lower, call.upper, call.last, call.length[0]
    block = open_block(rows, switches[JOINTS], switches[MOVING])
    state, target, frame, axes, new, residual = (
        block.state, block.target, block.frame, block.axes, block.new, block.residual,
    )  # fmt: skip
    q, trial, y, jac, other = block.q, block.trial, block.y, block.jac, block.other
    m = q.shape[0]
    way = np.empty(places.shape[1], np.float32)
    far, square, soft = np.empty(24 + MOST_WELLS), np.empty((2 * m, m)), np.empty(m)
    queue, radius = np.empty((QUEUE, m)), np.empty(KEPT)
    valley, place, goal = new_valley(), np.empty(m), np.empty(12)
    for b in range(first, stop):
        for l in range(W):
            load_target(l, b, targets, last, length, target)
            state[RUNS, l] = 0.0
        for i in range(12):
            goal[i] = target[i, 0]
        tail = wells(start, joints, ticks, places, target, 0, way, MOST_WELLS, BEYOND, far, queue)
        head, spent, more, drew, vain = 0, 0, 0, drawn, 0
        found = np.int64(0)  # a literal would have ``known_as`` compiled for literals as well
        while True:
            busy = 0
            for l in range(W):
                if state[RUNS, l] == 0.0 and head < tail:
                    state[ERROR, l], state[GROWTH, l], state[SPENT, l] = np.inf, 1.0, -1.0
                    state[MOST, l], state[PATIENT, l] = settings[MOST_ITERATIONS], np.inf
                    state[RUNS, l], state[FRESH, l] = 1.0, 0.0
                    for c in range(m):
                        q[c, l] = queue[head, c]
                        trial[c, l] = queue[head, c]
                    head += 1
                busy += state[RUNS, l] > 0.5
            if busy == 0:
                least = SEEN
                for k in range(found):
                    least = min(least, seen[b, k])
                    least = min(least, SEEN - 1) if radius[k] * BEND < SOFT and more < VALLEY_ROUNDS else least
                if more == ROUNDS or (found > 0 and least >= SEEN):
                    break
                more += 1
                head, tail = 0, 0
                for i in range(PER_ROUND):
                    if found > 0:
                        image(known[b, i % found], changes[m - 2 + drew % (changes.shape[0] - m + 2)], joints, queue[i])
                    else:
                        for c in range(m):
                            queue[i, c] = sequence(drew, call.step[c], -np.pi, np.pi)
                    drew += 1
                    tail += 1
                continue
            spent += busy
            frames(start, joints, column, trial, frame, axes)
            error(frame, target, new)
            verdict(state, new, q, trial, settings, switches[WEIGHTED])
            for l in range(W):
                if state[RUNS, l] == 0.0:
                    continue
                converged = state[CONVERGED, l] > 0.5
                k = known_as(q[:, l], known[b], found) if converged else caught_by(
                    l, q, state[ERROR, l], known[b], radius, found
                )  # fmt: skip
                if k >= 0:
                    seen[b, k] += 1
                    state[RUNS, l] = 0.0
                    continue
                if not (converged or state[DONE, l] > 0.5):
                    continue
                near = state[ERROR, l] < CLOSE2  # has given up, but may be creeping along a valley
                sigma = softest(l, frame, axes, joints, square, soft) if converged or near else np.inf
                if not converged and sigma > SINGULAR and near and state[SPENT, l] < LONGEST:
                    state[MOST, l] = LONGEST
                    continue
                state[RUNS, l] = 0.0
                if found == KEPT or not (converged or (sigma < SINGULAR and vain < IN_VAIN)):
                    continue
                before, vain = found, vain + (not converged)
                for c in range(m):
                    place[c] = q[c, l]
                    valley.found[0, c] = q[c, l]
                number, on_curve = 1, False
                for stage in range(2):
                    if sigma < (LOOSE if stage == 0 else SOFT) or not converged:
                        on_curve = True
                        number = solutions_along(start, joints, goal, place, soft, stage == 0, valley)
                        if stage == 0 and number > 0:
                            k = known_as(valley.found[0], known[b], found)
                            if k >= 0:
                                seen[b, k] += 1
                                number = 0
                            else:
                                sigma, converged = softest_at(start, joints, valley.found[0], valley), True
                                for c in range(m):
                                    place[c], soft[c] = valley.found[0, c], valley.right[c]
                        if number == 0:
                            break
                for r in range(number):
                    if found == KEPT or known_as(valley.found[r], known[b], found) >= 0:
                        continue
                    if on_curve:
                        sigma = softest_at(start, joints, valley.found[r], valley)
                        for c in range(m):
                            soft[c] = valley.right[c]
                    for c in range(m):
                        known[b, found, c] = valley.found[r, c]
                    radius[found] = sigma / BEND
                    seen[b, found] = 1
                    found += 1
                    for i in range(folds.shape[0] if SOFT <= sigma < SINGULAR else 2):
                        for c in range(m):
                            queue[tail, c] = known[b, found - 1, c] + folds[i] * soft[c]
                        tail += 1
                    for i in range(MANY_IMAGES if sigma < SINGULAR else IMAGES):
                        which = i
                        if i >= m - 2:
                            which = m - 2 + drew % (changes.shape[0] - m + 2)
                            drew += 1
                        image(known[b, found - 1], changes[which], joints, queue[tail])
                        tail += 1
                    if found == KEPT:
                        head = tail
                if found > before:
                    vain = 0
            if found == KEPT:
                break
            jacobian(joints, column, fresh, frame, axes, jac)
            keep_refused(state, jac, other)
            keep_residual(state, residual, new)
            propose(state, jac, residual, q, lower, upper, settings, y, trial)
            jac, other = other, jac
        count[b], steps[b] = found, spent
