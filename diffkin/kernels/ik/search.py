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
from diffkin.kernels.ik.books import (
    begin_start,
    close_slot,
    file_start,
    go_on,
    nearest_turn,
    pick_slot,
    release,
    weigh_trial,
)
from diffkin.kernels.ik.hope import PROVEN_STARTS, ROUND
from diffkin.kernels.ik.judge import judge_block, load_target
from diffkin.kernels.ik.layout import (
    ANSWER_RANK,
    ANSWER_STEPS,
    BASE_POINT,
    BEGIN,
    BEYOND,
    BOUND,
    BUSY,
    CELL,
    COORDINATES,
    CURSOR,
    DAMPING,
    DONE,
    END,
    ERROR,
    FARTHEST,
    FIRST_POINT,
    FLOOR,
    FOUND,
    FRAME_POINT,
    FRESH,
    GREATEST,
    GROWTH,
    HAS_Q0,
    HOPE2,
    JOINTS,
    LEAST,
    LIMIT,
    MOVING,
    NEXT,
    PARTIAL,
    POSITION2,
    PROVEN,
    RANK,
    ROTATION2,
    RUNNING,
    RUNS,
    SLOT,
    STARTS,
    TABLE_STARTS,
    TAKEN,
    TARGET,
    WANTED,
    WEIGHTED,
    WEIGHTS,
    open_block,
    open_call,
    open_desk,
    open_grid,
)
from diffkin.kernels.ik.step import along, damped_solve, error, frames, freeze, jacobian, weigh
from diffkin.kernels.ik.table import FEATURES, distances, features, find_cell, sequence
from diffkin.kernels.vectors.memory import uncounted
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
    converged = (p <= settings[POSITION2]) & (r <= settings[ROTATION2])
    taken, done = weigh_trial(state, settings, converged, size)
    for c in range(q.shape[0]):
        store(q, c, select(taken, load(trial, c), load(q, c)))
    return done


@exact
def keep_refused(state, jac, old):
    """Where the trial was refused, the Jacobian stays what it was."""
    taken = load(state, TAKEN) > 0.5
    if any_(load(state, TAKEN) < 0.5):
        for i in range(jac.shape[0]):
            store(jac, i, select(taken, load(jac, i), load(old, i)))


@exact
def keep_residual(state, residual, new):
    """Where the trial was refused, so does the residual."""
    taken = load(state, TAKEN) > 0.5
    for i in range(6):
        store(residual, i, select(taken, load(new, i), load(residual, i)))


@exact
def propose(state, jac, residual, q, lower, upper, settings, y, trial):
    """The next trial: a damped least-squares step over the coordinates that are free to take it, cut off at the bounds.

    The damping follows the squared error (Sugihara, "Solvability-unconcerned inverse kinematics by the
    Levenberg-Marquardt method", 2011; Chan and Lawrence 1988), up to that of the farthest target that turning alone might
    reach, and grows while trials are refused.
    """
    size = minimum(load(state, ERROR), settings[BEYOND])
    damping = load(state, GROWTH) * fma(size, settings[DAMPING], settings[FLOOR])
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
def collect(l, block, desk, call):
    """File what the start in lane ``l`` came to, and free the lane."""
    s = desk.lanes[l, SLOT]
    row = file_start(l, block.state, desk, call.switches[WANTED])
    if row >= 0:
        for c in range(block.q.shape[0]):
            desk.answers[s, row, COORDINATES + c] = block.q[c, l]


@inline
def finish(s, desk, call, q0, out_q, out_whole):
    """Write the answer for the target in slot ``s``, and free the slot."""
    slots, answers, switches = desk.slots, desk.answers, call.switches
    moving, wraps, rest, lowest, highest = call.moving, call.wraps, call.rest, call.least, call.greatest
    lower, upper, farthest = call.lower, call.upper, call.settings[FARTHEST]
    b, found, wanted = slots[s, TARGET], slots[s, FOUND], switches[WANTED]
    m = moving.shape[0]
    for i in range(out_q.shape[1]):
        out_q[b, i] = min(max(q0[b, i], lowest[i]), highest[i]) if switches[HAS_Q0] else rest[i]
    pick = wanted
    if found > 0:
        pick = 0
        least = np.inf
        for k in range(found if wanted > 1 else 0):
            d = 0.0
            for c in range(m):
                v = answers[s, k, COORDINATES + c]
                if wraps[c]:
                    v = nearest_turn(v, q0[b, moving[c]], lower[c], upper[c], farthest)
                t = v - q0[b, moving[c]]
                d += call.nearness[c] * (t * t)
            if d < least:
                least, pick = d, k
    for c in range(m):
        v = answers[s, pick, COORDINATES + c]
        if wraps[c]:
            reference = q0[b, moving[c]] if switches[HAS_Q0] else 0.0
            v = nearest_turn(v, reference, lower[c], upper[c], farthest)
        out_q[b, moving[c]] = v
    rank, total = close_slot(s, desk, pick)
    out_whole[ANSWER_RANK, b], out_whole[ANSWER_STEPS, b] = rank, total


@inline
def apart(l, target, span):
    """Whether the target in lane ``l`` wants two points nearer to each other, or farther apart, than they can be."""
    square = 0.0
    for i in range(3):
        d = target[9 + i, l] - span[BASE_POINT + i]
        for j in range(3):
            d += target[3 * j + i, l] * span[FRAME_POINT + j]
        square += d * d
    distance = np.sqrt(square)
    return distance < span[LEAST] or distance > span[GREATEST]


@inline
def begin(l, s, block, desk, call, ids, q0):
    """Run the next start of the target in slot ``s`` in lane ``l``."""
    q, trial = block.q, block.trial
    slots, near, answers = desk.slots, desk.near, desk.answers
    settings, switches, moving, lower, upper = call.settings, call.switches, call.moving, call.lower, call.upper
    step, low, high = call.step, call.low, call.high
    r, m = begin_start(l, s, block.state, desk, settings, switches[HAS_Q0], switches[STARTS]), q.shape[0]
    if r == switches[STARTS]:
        for c in range(m):
            q[c, l] = answers[s, switches[WANTED], COORDINATES + c]
    elif r < switches[HAS_Q0]:
        for c in range(m):
            v = min(max(q0[slots[s, TARGET], moving[c]], lower[c]), upper[c])
            q[c, l] = nearest_turn(v, v, lower[c], upper[c], settings[FARTHEST]) if call.wraps[c] else v
    else:
        r -= switches[HAS_Q0]
        if r < switches[TABLE_STARTS]:
            k = 0
            for j in range(1, near.shape[1]):
                if near[s, j] < near[s, k]:
                    k = j
            near[s, k] = np.inf
            point = np.int64(ids[slots[s, CELL], k])
        else:
            point = switches[FIRST_POINT] + r - switches[TABLE_STARTS]
        for c in range(m):
            q[c, l] = sequence(point, step[c], low[c], high[c])
    for c in range(m):
        trial[c, l] = q[c, l]


@kernel
def search(
    steps,
    rows,
    books,
    near,
    counts,
    answers,
    reals,
    integers,
    grid,
    table,
    ids,
    targets,
    q0,
    out_q,
    out_whole,
    out_errors,
    out_success,
):
    """Advance a chunk of targets by at most ``steps`` steps of all lanes; True if there is more to do.

    With the last of them the answers are judged. All of it is one call, since a call from Python costs as much as a
    few steps.

    Args:
        steps: At most so many.
        rows, books, near, counts, answers: The ``Workspace``: a ``Block`` and a ``Desk``.
        reals, integers: The ``Call``.
        grid, table, ids: The table of starts.
        targets: (B, 4, 4) poses.
        q0: (B, dof) first starts, (0, dof) if there are none.
        out_q: (B, dof) answers.
        out_whole: (2, B) rank of the start that answers, or of the best start where none converged; steps.
        out_errors, out_success: (2, B) and (B,) what the judge says.
    """
    call = open_call(uncounted(reals), uncounted(integers))
    grid, table, ids, targets, q0 = uncounted(grid), uncounted(table), uncounted(ids), uncounted(targets), uncounted(q0)
    out_q, out_whole = uncounted(out_q), uncounted(out_whole)
    out_errors, out_success = uncounted(out_errors), uncounted(out_success)
    settings, switches = call.settings, call.switches
    begin_frame, joints, column, first = call.start, call.joints, call.column, call.first
    span = call.span
    lower, upper, last, length, cells = call.lower, call.upper, call.last, call.length[0], call.cells
    block = open_block(uncounted(rows), switches[JOINTS], switches[MOVING])
    state, target, frame, axes, new, residual = (
        block.state, block.target, block.frame, block.axes, block.new, block.residual,
    )  # fmt: skip
    q, trial, y, jac, other = block.q, block.trial, block.y, block.jac, block.other
    desk = open_desk(uncounted(books), uncounted(near), uncounted(counts), uncounted(answers))
    chunk, lanes, slots = desk.chunk, desk.lanes, desk.slots
    grid_low, grid_inverse, grid_weights = open_grid(grid)
    weights = settings[WEIGHTS:]
    x = np.empty(FEATURES, np.float32)
    swapped = False
    first_limit = min(ROUND, switches[STARTS]) if settings[HOPE2] < np.inf else switches[STARTS]
    while True:
        if chunk[BUSY] == 0:  # no target taken up yet, or any more
            if chunk[CURSOR] >= chunk[END]:
                break
            for l in range(W):
                lanes[l, SLOT] = -1
                slots[l, TARGET] = -1
                state[RUNS, l] = 0.0
            assign = True
        else:
            if steps == 0:
                break
            steps -= 1
            frames(begin_frame, joints, column, trial, frame, axes)
            error(frame, target, new)
            assign = verdict(state, new, q, trial, settings, switches[WEIGHTED])
        if assign:
            if chunk[BUSY] > 0:
                for l in range(W):
                    if state[DONE, l] > 0.5:
                        collect(l, block, desk, call)
                for l in range(W):
                    s = lanes[l, SLOT]
                    if s >= 0 and lanes[l, RANK] > slots[s, BOUND]:
                        release(l, state, lanes, slots)
                for s in range(W):
                    if slots[s, TARGET] < 0 or slots[s, RUNNING] > 0:
                        continue
                    go_on(s, desk, switches[STARTS], switches[WANTED], settings[HOPE2])
                    enough = min(slots[s, BOUND], switches[STARTS]) + (slots[s, FOUND] == 0)
                    if slots[s, NEXT] >= enough:
                        finish(s, desk, call, q0, out_q, out_whole)
            for l in range(W):
                if lanes[l, SLOT] >= 0:
                    continue
                pick = pick_slot(desk, switches[STARTS], first_limit)
                if pick >= 0:
                    load_target(l, slots[pick, TARGET], targets, last, length, target)
                    if slots[pick, CELL] < 0:
                        features(target, l, x)
                        slots[pick, CELL] = find_cell(x, grid_low, grid_inverse, cells)
                        if apart(l, target, span):
                            slots[pick, LIMIT] = min(PROVEN_STARTS, switches[STARTS])
                            slots[pick, PROVEN] = 1
                        distances(x, table, slots[pick, CELL], grid_weights, near[pick])
                    begin(l, pick, block, desk, call, ids, q0)
            if chunk[BUSY] == 0:
                break
        jacobian(joints, column, first, frame, axes, jac)
        if switches[WEIGHTED]:
            weigh(weights, switches[PARTIAL], new, jac)
        keep_refused(state, jac, other)
        keep_residual(state, residual, new)
        propose(state, jac, residual, q, lower, upper, settings, y, trial)
        jac, other = other, jac
        swapped = not swapped
    if chunk[BUSY] == 0:
        judge_block(chunk[BEGIN], chunk[END], call, block, targets, out_q, out_errors, out_success)
        return False
    if swapped:  # the next call takes the Jacobians by their places
        for i in range(jac.shape[0]):
            for l in range(W):
                jac[i, l], other[i, l] = other[i, l], jac[i, l]
    return True
