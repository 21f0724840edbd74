"""The search loop of inverse kinematics: lanes that take the next target, or its next start, the moment they are free.

A *start* is a target and a rank: rank 0 is q0 if given, then come the table's samples from the nearest on, then a
low-discrepancy sequence. A start runs in one lane until it converges or gives up, and what it does depends on nothing
else. The answer for a target is the converged start of the lowest rank, so a start of rank r is let go only when a
lower one has converged, and it does not matter which lanes ran what, or when. While there are new targets a lane tries
the starts of its target one by one; when there are none left, free lanes run further starts of the targets still open.
A single target thus has its W nearest starts in the lanes at once. A target that no start reaches gets a last one, from
the best that was found.

The loop keeps all it knows in arrays and returns after a given number of steps, to be entered again: the caller can
look for an interrupt in between.
"""

from __future__ import annotations

import numpy as np

from diffkin.kernels.compiled import exact, inline, kernel
from diffkin.kernels.ik.judge import judge, load_target
from diffkin.kernels.ik.layout import (
    ACTIVE,
    BEGIN,
    BEST,
    BOUND,
    CELL,
    CONVERGED,
    COUNT,
    CURSOR,
    DAMPING,
    DONE,
    END,
    ERROR,
    FIRST_POINT,
    FLOOR,
    FOUND,
    FRESH,
    GROW,
    GROWTH,
    HAS_Q0,
    LIMIT,
    LIMIT_STEP,
    LIMIT_TOP,
    MOST,
    NEXT,
    NUMBERS,
    OPEN,
    PARTIAL,
    PATIENCE,
    PATIENT,
    PLACE,
    POSITION2,
    PROGRESS,
    RANK,
    RESTARTS,
    ROTATION2,
    RUNNING,
    SHRINK,
    SINGLE,
    TABLE_RANKS,
    TAKEN,
    TARGET,
    WANTED,
    WEIGHTED,
    WEIGHTS,
)
from diffkin.kernels.ik.step import along, damped_solve, error, frames, freeze, jacobian, weigh
from diffkin.kernels.ik.table import FEATURES, distances, features, find_cell, sequence
from diffkin.kernels.vectors.strict import W, any_, fma, load, maximum, minimum, select, splat, store

__all__ = ["search"]


@exact
def verdict(state, residual, q, trial, settings, weighted):
    """Take or refuse the trial of every lane and mark the lanes that are done; True if there are any."""
    p, r, size = splat(0.0), splat(0.0), splat(0.0)
    for i in range(3):
        e, f = load(residual, i), load(residual, 3 + i)
        if settings[WEIGHTS + i] > 0.0:
            p = fma(e, e, p)
        if settings[WEIGHTS + 3 + i] > 0.0:
            r = fma(f, f, r)
        if weighted:
            e, f = settings[WEIGHTS + i] * e, settings[WEIGHTS + 3 + i] * f
            size = fma(e, e, fma(f, f, size))
    if not weighted:
        size = p + r
    before, growth, count = load(state, ERROR), load(state, GROWTH), load(state, COUNT) + 1.0
    converged = (p <= settings[POSITION2]) & (r <= settings[ROTATION2])
    taken = converged | (size < before)
    least = select(taken, size, before)
    store(state, ERROR, least)
    store(state, GROWTH, select(taken, maximum(growth * settings[SHRINK], 1.0), growth * settings[GROW]))
    store(state, COUNT, count)
    store(state, TAKEN, select(taken, 1.0, 0.0))
    for c in range(q.shape[0]):
        store(q, c, select(taken, load(trial, c), load(q, c)))
    stalled = (count >= load(state, PATIENT)) & (least >= settings[PROGRESS])
    done = (converged | stalled | (count >= load(state, MOST))) & (load(state, ACTIVE) > 0.5)
    store(state, DONE, select(done, 1.0, 0.0))
    store(state, CONVERGED, select(converged, 1.0, 0.0))
    return any_(done)


@exact
def keep_refused(state, jac, old):
    """Where the trial was refused, the Jacobian stays what it was."""
    taken = load(state, TAKEN) > 0.5
    if any_(load(state, TAKEN) < 0.5):
        for i in range(jac.shape[0]):
            store(jac, i, select(taken, load(jac, i), load(old, i)))


@exact
def keep_residual(state, residual, new):
    taken = load(state, TAKEN) > 0.5
    for i in range(6):
        store(residual, i, select(taken, load(new, i), load(residual, i)))


@exact
def propose(state, jac, residual, q, lower, upper, settings, y, trial):
    """The next trial: a damped least-squares step over the coordinates that are free to take it, cut off at the bounds.

    The damping follows the squared error (Sugihara, "Solvability-unconcerned inverse kinematics by the
    Levenberg-Marquardt method", 2011; Chan and Lawrence 1988) and grows while trials are refused.
    """
    damping = load(state, GROWTH) * fma(load(state, ERROR), settings[DAMPING], settings[FLOOR])
    freeze(jac, q, lower, upper, residual)
    damped_solve(jac, residual, damping, y)
    if freeze(jac, q, lower, upper, y):
        damped_solve(jac, residual, damping, y)
    y0, y1, y2, y3, y4, y5 = load(y, 0), load(y, 1), load(y, 2), load(y, 3), load(y, 4), load(y, 5)
    fresh = load(state, FRESH) > 0.5
    for c in range(q.shape[0]):
        value = load(q, c)
        moved = value + along(jac, 6 * c, y0, y1, y2, y3, y4, y5)
        moved = minimum(maximum(moved, lower[c]), upper[c])
        store(trial, c, select(fresh, value, moved))
    store(state, FRESH, splat(0.0))


@inline
def collect(l, state, q, lanes, opened, counts, answers, switches):
    """File what the start in lane ``l`` came to, and free the lane."""
    s, r = lanes[l, PLACE], lanes[l, RANK]
    counts[s, r] = np.int32(state[COUNT, l])
    wanted, m = switches[WANTED], q.shape[0]
    if state[CONVERGED, l] > 0.5:
        k = opened[s, FOUND]
        if k < wanted or answers[s, k - 1, 0] > r:
            if k == wanted:
                k -= 1
            while k > 0 and answers[s, k - 1, 0] > r:
                for c in range(m + 1):
                    answers[s, k, c] = answers[s, k - 1, c]
                k -= 1
            answers[s, k, 0] = r
            for c in range(m):
                answers[s, k, 1 + c] = q[c, l]
            opened[s, FOUND] = min(opened[s, FOUND] + 1, wanted)
            if opened[s, FOUND] == wanted:
                opened[s, BOUND] = int(answers[s, wanted - 1, 0])
    else:
        e = state[ERROR, l]
        b = opened[s, BEST]
        if b < 0 or e < answers[s, wanted, 0] or (e == answers[s, wanted, 0] and r < b):
            opened[s, BEST] = r
            answers[s, wanted, 0] = e
            for c in range(m):
                answers[s, wanted, 1 + c] = q[c, l]
    release(l, state, lanes, opened)


@inline
def release(l, state, lanes, opened):
    opened[lanes[l, PLACE], RUNNING] -= 1
    lanes[l, PLACE] = -1
    state[ACTIVE, l] = 0.0


@inline
def close(s, opened, counts, answers, switches, moving, wraps, q0, rest, out_q, out_rank, out_count):
    """Write the answer for the open target ``s``."""
    b, found, wanted = opened[s, TARGET], opened[s, FOUND], switches[WANTED]
    m = moving.shape[0]
    for i in range(out_q.shape[1]):
        out_q[b, i] = min(max(q0[b, i], rest[1, i]), rest[2, i]) if switches[HAS_Q0] else rest[0, i]
    pick = wanted
    if found > 0:
        pick = 0
        least = np.inf
        for k in range(found if wanted > 1 else 0):
            d = 0.0
            for c in range(m):
                t = answers[s, k, 1 + c] - q0[b, moving[c]]
                if wraps[c]:
                    t -= 2 * np.pi * np.rint(t / (2 * np.pi))
                d += t * t
            if d < least:
                least, pick = d, k
    out_rank[b] = answers[s, pick, 0] if found > 0 else min(opened[s, BEST], switches[RESTARTS] - 1)
    for c in range(m):
        v = answers[s, pick, 1 + c]
        if wraps[c]:
            v -= 2 * np.pi * np.ceil((v - np.pi) / (2 * np.pi))
        out_q[b, moving[c]] = v
    total = 0
    for r in range(opened[s, BOUND] + 1):
        total += counts[s, r]
    out_count[b] = total
    opened[s, TARGET] = -1


@inline
def begin(l, s, state, q, trial, lanes, opened, near, answers, switches, settings, ids, ranges, moving, q0):
    """Run the next start of the open target ``s`` in lane ``l``."""
    r = opened[s, NEXT]
    opened[s, NEXT] = r + 1
    opened[s, RUNNING] += 1
    lanes[l, PLACE], lanes[l, RANK] = s, r
    state[ERROR, l] = np.inf
    state[GROWTH, l] = 1.0
    state[COUNT, l] = 0.0
    # later starts are for hard targets and get more time, and so does the one the caller asked for
    more = settings[LIMIT_TOP] if r < switches[HAS_Q0] else settings[LIMIT_STEP] * r
    state[MOST, l] = min(settings[LIMIT] + more, settings[LIMIT_TOP])
    state[PATIENT, l] = settings[PATIENCE] + more
    state[ACTIVE, l] = 1.0
    state[FRESH, l] = 1.0
    m = q.shape[0]
    if r == switches[RESTARTS]:
        state[MOST, l], state[PATIENT, l] = settings[LIMIT_TOP], np.inf
        for c in range(m):
            q[c, l] = answers[s, switches[WANTED], 1 + c]
    elif r < switches[HAS_Q0]:
        for c in range(m):
            q[c, l] = min(max(q0[opened[s, TARGET], moving[c]], ranges[0, c]), ranges[1, c])
    else:
        r -= switches[HAS_Q0]
        if r < switches[TABLE_RANKS]:
            k = 0
            for j in range(1, near.shape[1]):
                if near[s, j] < near[s, k]:
                    k = j
            near[s, k] = np.inf
            point = np.int64(ids[opened[s, CELL], k])
        else:
            point = switches[FIRST_POINT] + r - switches[TABLE_RANKS]
        for c in range(m):
            q[c, l] = sequence(point, ranges[4, c], ranges[2, c], ranges[3, c])
    for c in range(m):
        trial[c, l] = q[c, l]


@kernel
def search(
    steps,
    rows,
    lanes,
    opened,
    near,
    counts,
    answers,
    chunk,
    targets,
    q0,
    settings,
    switches,
    start,
    joints,
    ranges,
    indices,
    grid,
    cells,
    table,
    ids,
    out_q,
    out_rank,
    out_count,
    out_position,
    out_rotation,
    out_success,
):
    """Advance a chunk of targets by at most ``steps`` steps of all lanes; True if there is more to do.

    With the last of them the answers are judged. All of it is one call, since a call from Python costs as much as a
    few steps.

    Args:
        steps: At most so many.
        rows ... chunk: The workspace, in the order of ``Workspace.arrays``. ``chunk`` says which targets are to do.
        targets: (B, 4, 4) poses.
        q0: (B, dof) first starts, (0, dof) if there are none.
        settings, switches: Numbers of the call.
        start, joints: The chain.
        ranges: lower, upper, low, high, step of every moving coordinate (5 m), then the values of coordinates that do
            not move the frame, their lower and upper limits (3 dof), last (2), length.
        indices: moving (m,), wraps (m,), column (n,), first (n,).
        grid: Corner and inverse cell size of the table's grid, its weights.
        cells: Counts of cells.
        table, ids: Frames and numbers of the table's samples.
        out_q, out_rank, out_count: (B, dof), (B,), (B,) answers; the rank of the best start where none converged.
        out_position, out_rotation, out_success: (B,) each, in m and rad, what the judge says.
    """
    n, dof = joints.shape[0], out_q.shape[1]
    m = (indices.shape[0] - 2 * n) // 2
    moving, wraps, column, first = indices[:m], indices[m : 2 * m], indices[2 * m : 2 * m + n], indices[2 * m + n :]
    bounds = ranges[: 5 * m].reshape(5, m)
    rest = ranges[5 * m : 5 * m + 3 * dof].reshape(3, dof)
    last, length = ranges[5 * m + 3 * dof : 5 * m + 3 * dof + 2], ranges[5 * m + 3 * dof + 2]
    lower, upper = bounds[0], bounds[1]
    at = NUMBERS
    state = rows[:at]
    target = rows[at : at + 12]
    frame = rows[at + 12 : at + 24]
    axes = rows[at + 24 : at + 24 + 6 * n]
    at += 24 + 6 * n
    new, residual = rows[at : at + 6], rows[at + 6 : at + 12]
    q, trial = rows[at + 12 : at + 12 + m], rows[at + 12 + m : at + 12 + 2 * m]
    at += 12 + 2 * m
    y = rows[at : at + 6]
    jac, other = rows[at + 6 : at + 6 + 6 * m], rows[at + 6 + 6 * m : at + 6 + 12 * m]
    weights = settings[WEIGHTS:]
    x = np.empty(FEATURES, np.float32)
    swapped = False
    while True:
        if chunk[OPEN] == 0:  # nothing open yet, or any more
            if chunk[CURSOR] >= chunk[END]:
                break
            for l in range(W):
                lanes[l, PLACE] = -1
                opened[l, TARGET] = -1
                state[ACTIVE, l] = 0.0
            assign = True
        else:
            if steps == 0:
                break
            steps -= 1
            frames(start, joints, column, trial, frame, axes)
            error(frame, target, new)
            assign = verdict(state, new, q, trial, settings, switches[WEIGHTED])
        if assign:
            if chunk[OPEN] > 0:
                for l in range(W):
                    if state[DONE, l] > 0.5:
                        collect(l, state, q, lanes, opened, counts, answers, switches)
                for l in range(W):
                    s = lanes[l, PLACE]
                    if s >= 0 and lanes[l, RANK] > opened[s, BOUND]:
                        release(l, state, lanes, opened)
                for s in range(W):
                    if opened[s, TARGET] < 0 or opened[s, RUNNING] > 0:
                        continue
                    enough = min(opened[s, BOUND], switches[RESTARTS]) + (opened[s, FOUND] == 0)
                    if opened[s, NEXT] >= enough:
                        close(s, opened, counts, answers, switches, moving, wraps, q0, rest, out_q, out_rank, out_count)
                        chunk[OPEN] -= 1
            for l in range(W):
                if lanes[l, PLACE] >= 0:
                    continue
                pick, free = -1, -1
                for s in range(W):  # a target that no lane runs goes first
                    if opened[s, TARGET] < 0:
                        free = s
                    elif opened[s, RUNNING] == 0:
                        pick = s
                if pick < 0 and chunk[CURSOR] < chunk[END]:
                    pick = free
                    t = chunk[CURSOR]
                    chunk[CURSOR] += 1
                    chunk[OPEN] += 1
                    opened[pick, TARGET] = t
                    opened[pick, NEXT] = 0
                    opened[pick, BOUND] = switches[RESTARTS]
                    opened[pick, FOUND] = 0
                    opened[pick, RUNNING] = 0
                    opened[pick, BEST] = -1
                    counts[pick, switches[RESTARTS]] = 0
                    load_target(l, t, targets, last, length, target)
                    features(target, l, x)
                    cell = find_cell(x, grid[:3], grid[3:6], cells)
                    opened[pick, CELL] = cell
                    distances(x, table, cell, grid[6:], near[pick])
                elif pick < 0:
                    for s in range(W):
                        if (
                            opened[s, TARGET] >= 0
                            and opened[s, NEXT] < min(opened[s, BOUND], switches[RESTARTS])
                            and (pick < 0 or opened[s, NEXT] < opened[pick, NEXT])
                        ):
                            pick = s
                if pick >= 0:
                    load_target(l, opened[pick, TARGET], targets, last, length, target)
                    begin(
                        l,
                        pick,
                        state,
                        q,
                        trial,
                        lanes,
                        opened,
                        near,
                        answers,
                        switches,
                        settings,
                        ids,
                        bounds,
                        moving,
                        q0,
                    )
            if chunk[OPEN] == 0:
                break
        jacobian(joints, column, first, frame, axes, jac)
        if switches[WEIGHTED]:
            weigh(weights, switches[PARTIAL], new, jac)
        keep_refused(state, jac, other)
        keep_residual(state, residual, new)
        propose(state, jac, residual, q, lower, upper, settings, y, trial)
        jac, other = other, jac
        swapped = not swapped
    if chunk[OPEN] == 0:
        judge(
            chunk[BEGIN], chunk[END], start, joints, ranges, indices, settings, switches[SINGLE], targets, out_q,
            out_position, out_rotation, out_success,
        )  # fmt: skip
        return False
    if swapped:
        for i in range(6 * m):
            for l in range(W):
                jac[i, l], other[i, l] = other[i, l], jac[i, l]
    return True
