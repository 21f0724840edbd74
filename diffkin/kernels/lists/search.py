"""The search loop for lists of tasks: lanes that take the next problem, or its next start, the moment they are free.

As in ``diffkin.kernels.ik.search``: the answer for a problem is its converged start of the lowest rank, whichever lanes ran
what, and when; a problem that no start solves gets a last one, from the best that was found. Starts are q0 if given, then
those ranked for the problem (see ``starts``), then a low-discrepancy sequence.
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
from diffkin.kernels.ik.layout import (
    BEYOND,
    BOUND,
    BUSY,
    COORDINATES,
    CURSOR,
    DAMPING,
    DONE,
    END,
    ERROR,
    FARTHEST,
    FLOOR,
    FOUND,
    FRESH,
    GROWTH,
    HOPE2,
    LIMIT,
    NEXT,
    POSITION2,
    PROVEN,
    RANK,
    ROTATION2,
    RUNNING,
    RUNS,
    SLOT,
    TAKEN,
)
from diffkin.kernels.lists.bases import moved, turned_about_up, turned_by_cube
from diffkin.kernels.lists.layout import (
    BASE,
    FIRST_POINT,
    HAS_Q0,
    PROBLEM,
    RANKED,
    ROWS,
    STARTS,
    TRIED,
    TRIED_P,
    TRIED_R,
    WANTED,
    open_block,
    open_call,
    open_desk,
)
from diffkin.kernels.lists.rows import evaluate, jacobian
from diffkin.kernels.lists.solve import along, damped_solve, freeze
from diffkin.kernels.vectors.memory import uncounted
from diffkin.kernels.vectors.strict import W, any_, load, maximum, minimum, select, splat, store

__all__ = ["search"]


@exact
def verdict(call, block):
    """Take or refuse the trial of every lane and mark the lanes that are done; True if there are any."""
    settings, state, q, trial = call.settings, block.state, block.q, block.trial
    size = load(state, TRIED)
    converged = (load(state, TRIED_P) <= settings[POSITION2]) & (load(state, TRIED_R) <= settings[ROTATION2])
    taken, done = weigh_trial(state, settings, converged & (size < np.inf), size)
    for c in range(q.shape[0]):
        store(q, c, select(taken, load(trial, c), load(q, c)))
    if call.sizes[BASE]:
        for i in range(12):
            store(block.base, i, select(taken, load(block.placed, i), load(block.base, i)))
    return done


@exact
def keep_refused(block, jac, old):
    """Where the trial was refused, residual and Jacobian stay what they were."""
    state = block.state
    taken = load(state, TAKEN) > 0.5
    for i in range(block.residual.shape[0]):
        store(block.residual, i, select(taken, load(block.new, i), load(block.residual, i)))
    if any_(load(state, TAKEN) < 0.5):
        for i in range(jac.shape[0]):
            store(jac, i, select(taken, load(jac, i), load(old, i)))


@exact
def propose(call, block, jac):
    """The next trial: a damped least-squares step over the coordinates that are free to take it, cut off at the bounds.

    The damping follows the squared error (Sugihara 2011; Chan and Lawrence 1988), up to that of the farthest target that
    turning alone might reach, and grows while trials are refused.
    """
    settings, state, q, trial, y = call.settings, block.state, block.q, block.trial, block.y
    rows = call.sizes[ROWS]
    size = minimum(load(state, ERROR), settings[BEYOND])
    damping = load(state, GROWTH) * (size * settings[DAMPING] + settings[FLOOR])
    freeze(jac, rows, q, call.lower, call.upper, block.residual)
    damped_solve(jac, rows, block.residual, damping, block.normal, block.column, y)
    if freeze(jac, rows, q, call.lower, call.upper, y):
        damped_solve(jac, rows, block.residual, damping, block.normal, block.column, y)
    fresh = load(state, FRESH) > 0.5
    for c in range(q.shape[0]):
        value = load(q, c)
        there = minimum(maximum(value + along(jac, rows * c, rows, y), call.lower[c]), call.upper[c])
        store(trial, c, select(fresh, value, there))
    if call.sizes[BASE]:
        column = q.shape[0]
        for i in range(6):
            step = splat(0.0)
            if call.base[1 + i] >= 0:
                step = select(fresh, 0.0, along(jac, rows * column, rows, y))
                column += 1
            store(block.move, i, step)
        moved(block.base, block.move, call.base[0], block.column, block.placed)
    store(state, FRESH, splat(0.0))


@inline
def keep_answer(l, block, call, answers):
    """Write where lane ``l`` stands into a row of the answers."""
    m = block.q.shape[0]
    for c in range(m):
        answers[COORDINATES + c] = block.q[c, l]
    if call.sizes[BASE]:
        for i in range(12):
            answers[COORDINATES + m + i] = block.base[i, l]


@inline
def collect(l, block, desk, call):
    """File what the start in lane ``l`` came to, and free the lane."""
    s = desk.lanes[l, SLOT]
    row = file_start(l, block.state, desk, call.switches[WANTED])
    if row >= 0:
        keep_answer(l, block, call, desk.answers[s, row])


@inline
def settled(v, c, b, call, q0):
    """A free coordinate of an answer, moved by whole turns to where ``q0`` is, or to zero."""
    if not call.wraps[c]:
        return v
    reference = q0[b, call.moving[c]] if call.switches[HAS_Q0] else 0.0
    return nearest_turn(v, reference, call.lower[c], call.upper[c], call.settings[FARTHEST])


@inline
def finish(s, desk, call, q0, out_q, out_base, out_whole):
    """Write the answer for the problem in slot ``s``, and free the slot."""
    slots, answers, switches, moving = desk.slots, desk.answers, call.switches, call.moving
    b, found, wanted = slots[s, PROBLEM], slots[s, FOUND], switches[WANTED]
    m = moving.shape[0]
    pick = wanted
    if found > 0:
        pick = 0
        least = np.inf
        for k in range(found if wanted > 1 else 0):
            d = 0.0
            for c in range(m):
                t = settled(answers[s, k, COORDINATES + c], c, b, call, q0) - q0[b, moving[c]]
                d += call.nearness[c] * (t * t)
            if d < least:
                least, pick = d, k
    for c in range(m):
        out_q[b, moving[c]] = settled(answers[s, pick, COORDINATES + c], c, b, call, q0)
    if call.sizes[BASE]:
        for i in range(12):
            out_base[b, i] = answers[s, pick, COORDINATES + m + i]
    rank, total = close_slot(s, desk, pick)
    out_whole[b, 0] = max(out_whole[b, 0], rank)  # of several groups of tasks the most count
    out_whole[b, 1] += total


@inline
def point_of(k, step, low, high):
    """Coordinate of point ``k`` of a sequence within a range."""
    t = 0.5 + (k + 1) * step
    return low + (t - np.floor(t)) * (high - low)


@inline
def begin(l, s, block, desk, call, ranked, targets, bases, q0):
    """Run the next start of the problem in slot ``s`` in lane ``l``."""
    q, trial, base = block.q, block.trial, block.base
    slots, answers = desk.slots, desk.answers
    settings, switches, moving, held = call.settings, call.switches, call.moving, call.held
    b, m = slots[s, PROBLEM], q.shape[0]
    r = begin_start(l, s, block.state, desk, settings, switches[HAS_Q0], switches[STARTS])
    for k in range(block.target.shape[0]):
        block.target[k, l] = targets[b, k]
    for c in range(held.shape[0]):
        v = q0[b, held[c]] if switches[HAS_Q0] else 0.0
        trial[m + c, l] = min(max(v, call.least[held[c]]), call.greatest[held[c]])
    for i in range(12):
        base[i, l] = bases[b, i] if bases.shape[0] else (1.0 if i == 0 or i == 4 or i == 8 else 0.0)
    if r == switches[STARTS]:  # the last, from the best that was found
        best = answers[s, switches[WANTED]]
        for c in range(m):
            q[c, l] = best[COORDINATES + c]
        if call.sizes[BASE]:
            for i in range(12):
                base[i, l] = best[COORDINATES + m + i]
    elif r < switches[HAS_Q0]:
        for c in range(m):
            v = min(max(q0[b, moving[c]], call.lower[c]), call.upper[c])
            q[c, l] = nearest_turn(v, v, call.lower[c], call.upper[c], settings[FARTHEST]) if call.wraps[c] else v
    else:
        r -= switches[HAS_Q0]
        count = switches[RANKED]
        later = switches[FIRST_POINT] + r
        for c in range(m):
            k = call.ranked[c]
            if r < count and k >= 0:
                q[c, l] = point_of(np.int64(ranked[b, k * count + r]), call.ranked_step[c], call.low[c], call.high[c])
            else:
                q[c, l] = point_of(later, call.step[c], call.low[c], call.high[c])
        if call.sizes[BASE] and (r > 0 or switches[HAS_Q0]):
            u0 = point_of(later, call.step[m], 0.0, 1.0)
            if call.base[0]:
                turned_about_up(l, base, 2.0 * np.pi * u0)
            else:
                u1, u2 = point_of(later, call.step[m + 1], 0.0, 1.0), point_of(later, call.step[m + 2], 0.0, 1.0)
                turned_by_cube(l, base, u0, u1, u2)
    for c in range(m):
        trial[c, l] = q[c, l]
    for i in range(12):
        block.placed[i, l] = base[i, l]


@kernel
def search(
    steps, rows, books, counts, answers, reals, integers, ranked, proven, targets, bases, q0, out_q, out_base, out_whole
):
    """Advance a chunk of problems by at most ``steps`` steps of all lanes; True if there is more to do.

    Args:
        steps: At most so many.
        rows, books, counts, answers: A ``Block`` and a ``Desk``.
        reals, integers: The ``Call``.
        ranked: (B, tables * RANKED) points of the sequence that the first starts are.
        proven: (B,) which are known to have no solution; (0,) where nothing is known.
        targets: (B, NUMBERS) of all pieces.
        bases: (B, 12) poses of the base, (0, 12) for the identity.
        q0: (B, dof) first starts, (0, dof) if there are none.
        out_q: (B, dof) answers, of the coordinates that are free.
        out_base: (B, 12) poses of the base found, (0, 12) where it is not free.
        out_whole: (B, 2) rank of the start that answers, the larger of this and what is there; steps, added.
    """
    call = open_call(uncounted(reals), uncounted(integers))
    memory = uncounted(rows)
    block = open_block(memory, call.sizes)
    desk = open_desk(uncounted(books), uncounted(counts), uncounted(answers))
    ranked, targets, bases, q0 = uncounted(ranked), uncounted(targets), uncounted(bases), uncounted(q0)
    out_q, out_base, out_whole = uncounted(out_q), uncounted(out_base), uncounted(out_whole)
    chunk, lanes, slots, state, switches = desk.chunk, desk.lanes, desk.slots, block.state, call.switches
    jac, other = block.jac, block.other
    swapped = False
    first_limit = min(ROUND, switches[STARTS]) if call.settings[HOPE2] < np.inf else switches[STARTS]
    while True:
        if chunk[BUSY] == 0:  # no problem taken up yet, or any more
            if chunk[CURSOR] >= chunk[END]:
                break
            for l in range(W):
                lanes[l, SLOT] = -1
                slots[l, PROBLEM] = -1
                state[RUNS, l] = 0.0
            for i in range(block.new.shape[0]):  # what no piece writes is zero, whatever solved here before
                store(block.new, i, 0.0)
                store(block.residual, i, 0.0)
            for i in range(jac.shape[0]):
                store(jac, i, 0.0)
                store(other, i, 0.0)
            assign = True
        else:
            if steps == 0:
                break
            steps -= 1
            evaluate(reals, integers, rows)
            jacobian(call, block, jac)
            assign = verdict(call, block)
            keep_refused(block, jac, other)
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
                    if slots[s, PROBLEM] < 0 or slots[s, RUNNING] > 0:
                        continue
                    go_on(s, desk, switches[STARTS], switches[WANTED], call.settings[HOPE2])
                    enough = min(slots[s, BOUND], switches[STARTS]) + (slots[s, FOUND] == 0)
                    if slots[s, NEXT] >= enough:
                        finish(s, desk, call, q0, out_q, out_base, out_whole)
            for l in range(W):
                if lanes[l, SLOT] >= 0:
                    continue
                pick = pick_slot(desk, switches[STARTS], first_limit)
                if pick >= 0:
                    if slots[pick, NEXT] == 0 and proven.shape[0] and proven[slots[pick, PROBLEM]]:
                        slots[pick, LIMIT] = min(PROVEN_STARTS, switches[STARTS])
                        slots[pick, PROVEN] = 1
                    begin(l, pick, block, desk, call, ranked, targets, bases, q0)
            if chunk[BUSY] == 0:
                break
        propose(call, block, jac)
        jac, other = other, jac
        swapped = not swapped
    if chunk[BUSY] == 0 and chunk[CURSOR] >= chunk[END]:
        return False
    if swapped:  # the next call takes the Jacobians by their places
        for i in range(jac.shape[0]):
            for l in range(W):
                jac[i, l], other[i, l] = other[i, l], jac[i, l]
    return True
