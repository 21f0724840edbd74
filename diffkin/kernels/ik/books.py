"""How a search keeps its books, whatever it searches for: slots for targets in work, lanes for their starts.

``desk`` has parts named ``chunk``, ``lanes``, ``slots``, ``counts`` and ``answers``, and ``state`` and ``settings`` begin as
in ``diffkin.kernels.ik.layout``, where their columns are told.
"""

from __future__ import annotations

import numpy as np

from diffkin.kernels.compiled import exact, inline
from diffkin.kernels.ik import hope
from diffkin.kernels.ik.hope import ROUND
from diffkin.kernels.ik.layout import (
    BEST,
    BEYOND,
    BOUND,
    BUSY,
    CELL,
    CONVERGED,
    CURSOR,
    DONE,
    EARLY,
    END,
    ERROR,
    FAR2,
    FOUND,
    FRESH,
    GRACE,
    GROW,
    GROWTH,
    LIMIT,
    MOST,
    MOST_ITERATIONS,
    NEXT,
    PATIENCE,
    PATIENT,
    PROVEN,
    RANK,
    RUNNING,
    RUNS,
    SHRINK,
    SLOT,
    SPENT,
    TAKEN,
    TARGET,
    VALUE,
    WAIT,
)
from diffkin.kernels.vectors.strict import W, any_, load, maximum, select, store

__all__ = ["begin_start", "close_slot", "file_start", "go_on", "nearest_turn", "pick_slot", "release", "weigh_trial"]

_hopeless = inline(hope.hopeless)


@exact
def weigh_trial(state, settings, converged, size):
    """Take or refuse the trials, of those squared residuals, and mark the lanes that are done.

    Returns:
        Which lanes took theirs, and whether any is done.
    """
    before, growth, count = load(state, ERROR), load(state, GROWTH), load(state, SPENT) + 1.0
    taken = converged | (size < before)
    least = select(taken, size, before)
    store(state, ERROR, least)
    store(state, GROWTH, select(taken, maximum(growth * settings[SHRINK], 1.0), growth * settings[GROW]))
    store(state, SPENT, count)
    store(state, TAKEN, select(taken, 1.0, 0.0))
    if settings[WAIT] > 0.0:  # on a slide, patience begins within reach
        store(state, PATIENT, load(state, PATIENT) + select(least > settings[BEYOND], settings[WAIT], 0.0))
    stalled = (count >= load(state, PATIENT)) & (least >= settings[FAR2])
    done = (converged | stalled | (count >= load(state, MOST))) & (load(state, RUNS) > 0.5)
    store(state, DONE, select(done, 1.0, 0.0))
    store(state, CONVERGED, select(converged, 1.0, 0.0))
    return taken, any_(done)


@inline
def file_start(l, state, desk, wanted):
    """File what the start in lane ``l`` came to, and free the lane.

    Returns:
        The row of its slot's answers that its coordinates belong in; -1 if they are of no use.
    """
    lanes, slots, answers = desk.lanes, desk.slots, desk.answers
    s, r = lanes[l, SLOT], lanes[l, RANK]
    desk.counts[s, r] = np.int32(state[SPENT, l])
    row = -1
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
            slots[s, FOUND] = min(slots[s, FOUND] + 1, wanted)
            if slots[s, FOUND] == wanted:
                slots[s, BOUND] = int(answers[s, wanted - 1, VALUE])
            row = k
    else:
        e = state[ERROR, l]
        b = slots[s, BEST]
        if b < 0 or e < answers[s, wanted, VALUE] or (e == answers[s, wanted, VALUE] and r < b):
            slots[s, BEST] = r
            answers[s, wanted, VALUE] = e
            row = wanted
    release(l, state, lanes, slots)
    return row


@inline
def release(l, state, lanes, slots):
    """Free a lane."""
    slots[lanes[l, SLOT], RUNNING] -= 1
    lanes[l, SLOT] = -1
    state[RUNS, l] = 0.0


@inline
def close_slot(s, desk, pick):
    """Free slot ``s``, whose answer is in row ``pick``.

    Returns:
        The rank of the start that answers, or of the best start where none converged; steps of all up to it.
    """
    slots = desk.slots
    if slots[s, FOUND] > 0:
        rank = min(int(desk.answers[s, pick, VALUE]), slots[s, LIMIT])
    else:
        rank = min(slots[s, BEST], slots[s, LIMIT] - 1)
    total = 0
    for r in range(slots[s, BOUND] + 1):
        total += desk.counts[s, r]
    slots[s, TARGET] = -1
    desk.chunk[BUSY] -= 1
    return rank, total


@inline
def nearest_turn(v, reference, lower, upper, farthest):
    """``v`` moved by whole turns, as near to a reference as limits and rounding allow; of two equally near, the upper."""
    turn = 2.0 * np.pi
    least = np.ceil((v - min(upper, farthest)) / turn)
    most = np.floor((v - max(lower, -farthest)) / turn)
    count = min(max(np.ceil((v - reference - np.pi) / turn), least), most)
    if least > most or count == 0.0:
        return v
    return min(max(v - turn * count, lower), upper)


@inline
def go_on(s, desk, starts, wanted, hope2):
    """When the starts of a slot that were to be looked at together are through: allow more, or none but the last."""
    slots = desk.slots
    tried = slots[s, LIMIT]
    if slots[s, NEXT] != tried or tried == starts or slots[s, BOUND] < starts:
        return
    lost = slots[s, FOUND] == 0 and _hopeless(tried, desk.answers[s, wanted, VALUE], hope2)
    if lost or slots[s, PROVEN] > 0:
        slots[s, NEXT] = starts
        for r in range(tried, starts):
            desk.counts[s, r] = 0
    else:
        slots[s, LIMIT] = min(tried + ROUND, starts)


@inline
def pick_slot(desk, starts, limit):
    """The slot whose target a free lane shall serve, its target taken up if it is new; -1 if there is nothing to do."""
    chunk, slots = desk.chunk, desk.slots
    pick, free = -1, -1
    for s in range(W):  # a target that no lane runs goes first
        if slots[s, TARGET] < 0:
            free = s
        elif slots[s, RUNNING] == 0:
            pick = s
    if pick < 0 and chunk[CURSOR] < chunk[END]:
        pick = free
        slots[pick, TARGET] = chunk[CURSOR]
        slots[pick, NEXT] = 0
        slots[pick, BOUND] = starts
        slots[pick, FOUND] = 0
        slots[pick, RUNNING] = 0
        slots[pick, CELL] = -1
        slots[pick, BEST] = -1
        slots[pick, LIMIT] = limit
        slots[pick, PROVEN] = 0
        desk.counts[pick, starts] = 0
        chunk[CURSOR] += 1
        chunk[BUSY] += 1
    elif pick < 0:
        for s in range(W):
            if (
                slots[s, TARGET] >= 0
                and slots[s, NEXT] < min(slots[s, BOUND], slots[s, LIMIT])
                and (pick < 0 or slots[s, NEXT] < slots[pick, NEXT])
            ):
                pick = s
    return pick


@inline
def begin_start(l, s, state, desk, settings, own, starts):
    """Take the next start of slot ``s`` into lane ``l``; ``own`` of the first are the caller's. Returns its rank."""
    lanes, slots = desk.lanes, desk.slots
    r = slots[s, NEXT]
    slots[s, NEXT] = r + 1
    slots[s, RUNNING] += 1
    lanes[l, SLOT], lanes[l, RANK] = s, r
    state[ERROR, l] = np.inf
    state[GROWTH, l] = 1.0
    state[SPENT, l] = -1.0  # to look at the start itself is no step
    # later starts are for hard targets and get more time, and so does the one the caller asked for
    more = settings[MOST_ITERATIONS] if r < own else settings[GRACE] * r
    state[MOST, l] = min(settings[EARLY] + more, settings[MOST_ITERATIONS])
    state[PATIENT, l] = settings[PATIENCE] + more
    if r == starts:  # the last, from the best that was found
        state[MOST, l], state[PATIENT, l] = settings[MOST_ITERATIONS], np.inf
    state[RUNS, l] = 1.0
    state[FRESH, l] = 1.0
    return r
