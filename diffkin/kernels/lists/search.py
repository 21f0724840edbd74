"""The search loop for lists of tasks: lanes that take the next problem, or its next start, the moment they are free.

As in ``diffkin.kernels.ik.search``: the answer for a problem is its converged start of the lowest rank, whichever lanes ran
what, and when; a problem that no start solves gets a last one, from the best that was found. Starts are q0 if given, then
those ranked for the problem (see ``starts``), then a low-discrepancy sequence.
"""

from __future__ import annotations

import numpy as np

from diffkin.kernels.compiled import exact, inline, kernel
from diffkin.kernels.ik.search import nearest_turn
from diffkin.kernels.lists.bases import moved, turned_about_up, turned_by_cube
from diffkin.kernels.lists.layout import (
    BASE,
    BEST,
    BEYOND,
    BOUND,
    BUSY,
    CONVERGED,
    COORDINATES,
    CURSOR,
    DAMPING,
    DONE,
    EARLY,
    END,
    ERROR,
    FAR2,
    FARTHEST,
    FIRST_POINT,
    FLOOR,
    FOUND,
    FRESH,
    GRACE,
    GROW,
    GROWTH,
    HAS_Q0,
    MOST,
    MOST_ITERATIONS,
    NEXT,
    PATIENCE,
    PATIENT,
    POSITION2,
    PROBLEM,
    RANK,
    RANKED,
    ROTATION2,
    ROWS,
    RUNNING,
    RUNS,
    SHRINK,
    SLOT,
    SPENT,
    STARTS,
    TAKEN,
    TRIED,
    TRIED_P,
    TRIED_R,
    VALUE,
    WAIT,
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
    size, before = load(state, TRIED), load(state, ERROR)
    converged = (load(state, TRIED_P) <= settings[POSITION2]) & (load(state, TRIED_R) <= settings[ROTATION2])
    converged = converged & (size < np.inf)
    taken = converged | (size < before)
    least = select(taken, size, before)
    growth, count = load(state, GROWTH), load(state, SPENT) + 1.0
    store(state, ERROR, least)
    store(state, GROWTH, select(taken, maximum(growth * settings[SHRINK], 1.0), growth * settings[GROW]))
    store(state, SPENT, count)
    store(state, TAKEN, select(taken, 1.0, 0.0))
    if settings[WAIT] > 0.0:  # on a slide, patience begins within reach
        store(state, PATIENT, load(state, PATIENT) + select(least > settings[BEYOND], settings[WAIT], 0.0))
    for c in range(q.shape[0]):
        store(q, c, select(taken, load(trial, c), load(q, c)))
    if call.sizes[BASE]:
        for i in range(12):
            store(block.base, i, select(taken, load(block.placed, i), load(block.base, i)))
    stalled = (count >= load(state, PATIENT)) & (least >= settings[FAR2])
    done = (converged | stalled | (count >= load(state, MOST))) & (load(state, RUNS) > 0.5)
    store(state, DONE, select(done, 1.0, 0.0))
    store(state, CONVERGED, select(converged, 1.0, 0.0))
    return any_(done)


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
    state, lanes, slots, answers = block.state, desk.lanes, desk.slots, desk.answers
    s, r = lanes[l, SLOT], lanes[l, RANK]
    desk.counts[s, r] = np.int32(state[SPENT, l])
    wanted = call.switches[WANTED]
    if state[CONVERGED, l] > 0.5:
        k = slots[s, FOUND]
        if k < wanted or answers[s, k - 1, VALUE] > r:
            if k == wanted:
                k -= 1
            while k > 0 and answers[s, k - 1, VALUE] > r:
                for c in range(answers.shape[2]):
                    answers[s, k, c] = answers[s, k - 1, c]
                k -= 1
            answers[s, k, VALUE] = r
            keep_answer(l, block, call, answers[s, k])
            slots[s, FOUND] = min(slots[s, FOUND] + 1, wanted)
            if slots[s, FOUND] == wanted:
                slots[s, BOUND] = int(answers[s, wanted - 1, VALUE])
    else:
        e = state[ERROR, l]
        b = slots[s, BEST]
        if b < 0 or e < answers[s, wanted, VALUE] or (e == answers[s, wanted, VALUE] and r < b):
            slots[s, BEST] = r
            answers[s, wanted, VALUE] = e
            keep_answer(l, block, call, answers[s, wanted])
    release(l, state, lanes, slots)


@inline
def release(l, state, lanes, slots):
    """Free a lane."""
    slots[lanes[l, SLOT], RUNNING] -= 1
    lanes[l, SLOT] = -1
    state[RUNS, l] = 0.0


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
                d += t * t
            if d < least:
                least, pick = d, k
    for c in range(m):
        out_q[b, moving[c]] = settled(answers[s, pick, COORDINATES + c], c, b, call, q0)
    if call.sizes[BASE]:
        for i in range(12):
            out_base[b, i] = answers[s, pick, COORDINATES + m + i]
    rank = int(answers[s, pick, VALUE]) if found > 0 else min(slots[s, BEST], switches[STARTS] - 1)
    out_whole[b, 0] = max(out_whole[b, 0], rank)  # of several groups of tasks the most count
    total = 0
    for r in range(slots[s, BOUND] + 1):
        total += desk.counts[s, r]
    out_whole[b, 1] += total
    slots[s, PROBLEM] = -1
    desk.chunk[BUSY] -= 1


@inline
def pick_slot(desk, starts):
    """The slot whose problem a free lane shall serve, its problem taken up if it is new; -1 if there is nothing to do."""
    chunk, slots = desk.chunk, desk.slots
    pick, free = -1, -1
    for s in range(W):  # a problem that no lane runs goes first
        if slots[s, PROBLEM] < 0:
            free = s
        elif slots[s, RUNNING] == 0:
            pick = s
    if pick < 0 and chunk[CURSOR] < chunk[END]:
        pick = free
        slots[pick, PROBLEM] = chunk[CURSOR]
        slots[pick, NEXT] = 0
        slots[pick, BOUND] = starts
        slots[pick, FOUND] = 0
        slots[pick, RUNNING] = 0
        slots[pick, BEST] = -1
        desk.counts[pick, starts] = 0
        chunk[CURSOR] += 1
        chunk[BUSY] += 1
    elif pick < 0:
        for s in range(W):
            if (
                slots[s, PROBLEM] >= 0
                and slots[s, NEXT] < min(slots[s, BOUND], starts)
                and (pick < 0 or slots[s, NEXT] < slots[pick, NEXT])
            ):
                pick = s
    return pick


@inline
def point_of(k, step, low, high):
    """Coordinate of point ``k`` of a sequence within a range."""
    t = 0.5 + (k + 1) * step
    return low + (t - np.floor(t)) * (high - low)


@inline
def begin(l, s, block, desk, call, ranked, targets, bases, q0):
    """Run the next start of the problem in slot ``s`` in lane ``l``."""
    state, q, trial, base = block.state, block.q, block.trial, block.base
    lanes, slots, answers = desk.lanes, desk.slots, desk.answers
    settings, switches, moving, held = call.settings, call.switches, call.moving, call.held
    b, r, m = slots[s, PROBLEM], slots[s, NEXT], q.shape[0]
    slots[s, NEXT] = r + 1
    slots[s, RUNNING] += 1
    lanes[l, SLOT], lanes[l, RANK] = s, r
    state[ERROR, l] = np.inf
    state[GROWTH, l] = 1.0
    state[SPENT, l] = -1.0  # to look at the start itself is no step
    # later starts are for hard problems and get more time, and so does the one the caller asked for
    more = settings[MOST_ITERATIONS] if r < switches[HAS_Q0] else settings[GRACE] * r
    state[MOST, l] = min(settings[EARLY] + more, settings[MOST_ITERATIONS])
    state[PATIENT, l] = settings[PATIENCE] + more
    state[RUNS, l] = 1.0
    state[FRESH, l] = 1.0
    for k in range(block.target.shape[0]):
        block.target[k, l] = targets[b, k]
    for c in range(held.shape[0]):
        v = q0[b, held[c]] if switches[HAS_Q0] else 0.0
        trial[m + c, l] = min(max(v, call.least[held[c]]), call.greatest[held[c]])
    for i in range(12):
        base[i, l] = bases[b, i] if bases.shape[0] else (1.0 if i == 0 or i == 4 or i == 8 else 0.0)
    if r == switches[STARTS]:  # the last, from the best that was found
        state[MOST, l], state[PATIENT, l] = settings[MOST_ITERATIONS], np.inf
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
    steps, rows, books, counts, answers, reals, integers, ranked, targets, bases, q0, out_q, out_base, out_whole
):
    """Advance a chunk of problems by at most ``steps`` steps of all lanes; True if there is more to do.

    Args:
        steps: At most so many.
        rows, books, counts, answers: A ``Block`` and a ``Desk``.
        reals, integers: The ``Call``.
        ranked: (B, tables * RANKED) points of the sequence that the first starts are.
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
                    enough = min(slots[s, BOUND], switches[STARTS]) + (slots[s, FOUND] == 0)
                    if slots[s, NEXT] >= enough:
                        finish(s, desk, call, q0, out_q, out_base, out_whole)
            for l in range(W):
                if lanes[l, SLOT] >= 0:
                    continue
                pick = pick_slot(desk, switches[STARTS])
                if pick >= 0:
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
