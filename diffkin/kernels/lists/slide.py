"""Tasks of later levels: slide along the solutions of those before, down the cost of the own, in ``W`` lanes at once.

As ``diffkin.ik.solvers.priority`` does it in torch: ``dq = N z`` with the projector N onto the null space of the levels
before and z the damped least-squares step of the own (Nakamura, Hanafusa and Yoshikawa, 1987), then up to two steps back to
those before. A slide counts if level 0 is met after it, the levels between are where they were, and the own cost is lower.
Where there is no third level, slides are lengthened or shortened by what the two last tell.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from diffkin.kernels.compiled import exact, inline, kernel
from diffkin.kernels.ik.books import nearest_turn
from diffkin.kernels.ik.layout import FARTHEST, POSITION2, ROTATION2
from diffkin.kernels.lists.bases import moved
from diffkin.kernels.lists.layout import (
    BASE,
    FREE,
    HAS_Q0,
    LEVEL,
    ROW0,
    ROWS,
    TRIED_P,
    TRIED_R,
    aligned_rows,
    cut,
    open_block,
    open_call,
)
from diffkin.kernels.lists.null import damped_least, orthonormal, project, project_row, step_back
from diffkin.kernels.lists.rows import evaluate, linearize
from diffkin.kernels.vectors.memory import uncounted
from diffkin.kernels.vectors.strict import W, any_, fma, load, maximum, minimum, select, splat, store

__all__ = ["Manner", "new_memory", "slide"]

_CORRECTIONS = 2
_SHARE2 = 1e-8  # share of what is allowed, squared, that is not worth a correction
_NEAREST, _FARTHEST = 0.5, 20.0  # what a slide may be multiplied by
_LITTLE = 0.2  # share by which slides may be too long or too short as they are, while they are longer than
_NEAR = 0.01  # [rad or m]
_STRIDE = 0.2  # [rad or m] the longest move of a coordinate that a slide may be lengthened to
_SHRINK, _GROW, _LEAST = 0.25, 8.0, 1e-9  # of the damping


class Manner(NamedTuple):
    """How to slide, the same as in torch."""

    most: float  # slides, at most
    damping: float  # of the first
    patience: float  # slides that do not count after which a problem is left
    still: float  # [rad or m] the longest move of a coordinate in a slide that is no longer worth taking
    kept: float  # how much a slide may change what levels between the first and its own have come to


MOST, DAMPING, PATIENCE, STILL, KEPT = range(5)  # places in the array of a ``Manner``
# rows of Sliding.state: damping, slides since one last counted, own squared residual, slides, whether it is new, is still
# sliding; what its last slide was multiplied by, 0 if that did not count
MU, IDLE, COST, SPENT, NEW, LIVE, RELAXED, NUMBERS = range(8)


class _Sliding(NamedTuple):
    """Rows of ``W`` lanes beside those of a ``Block``; r rows, c columns."""

    state: Any  # (NUMBERS,)
    free: Any  # (c,) 1 or 0: which columns may move
    still: Any  # (c,) likewise in the steps back: what the slide has brought to its limit stays there
    move: Any  # (c,)
    last: Any  # (c,) the slide before, not multiplied
    y: Any  # (r,)
    left: Any  # (r,) what the levels before are off by
    reached: Any  # (r,) what each level before is to stay at: zero for the first
    basis: Any  # (r c,)
    lower: Any  # (r r,)
    within: Any  # (r c,) the own rows within the null space
    normal: Any  # (c c,)


def new_memory(sizes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Memory for ``slide`` beside that of a ``Block``."""
    r, c = int(sizes[ROWS]), int(sizes[FREE] + sizes[BASE])
    return aligned_rows(NUMBERS + 4 * c + 3 * r + 2 * r * c + r * r + c * c)


@inline
def _open(rows, sizes):
    r, c = sizes[ROWS], sizes[FREE] + sizes[BASE]
    state, at = cut(rows, 0, NUMBERS)
    free, at = cut(rows, at, c)
    still, at = cut(rows, at, c)
    move, at = cut(rows, at, c)
    last, at = cut(rows, at, c)
    y, at = cut(rows, at, r)
    left, at = cut(rows, at, r)
    reached, at = cut(rows, at, r)
    basis, at = cut(rows, at, r * c)
    lower, at = cut(rows, at, r * r)
    within, at = cut(rows, at, r * c)
    normal, at = cut(rows, at, c * c)
    return _Sliding(state, free, still, move, last, y, left, reached, basis, lower, within, normal)


@inline
def _rows_before(call, level):
    """How many rows are of levels below one."""
    count = 0
    for k in range(call.pieces.shape[0]):
        if call.pieces[k, LEVEL] < level:
            for i in range(3):
                count += call.pieces[k, ROW0 + i] >= 0
    return count


@exact
def _square(rows, begin, end):
    total = splat(0.0)
    for i in range(begin, end):
        e = load(rows, i)
        total = fma(e, e, total)
    return total


@exact
def _met(call, block):
    state, settings = block.state, call.settings
    return (load(state, TRIED_P) <= settings[POSITION2]) & (load(state, TRIED_R) <= settings[ROTATION2])


@exact
def _between(block, work, hard, first):
    """By how much, squared, levels between the first and the own are off what they had come to."""
    total = splat(0.0)
    for i in range(hard, first):
        off = load(block.new, i) - load(work.reached, i)
        total = fma(off, off, total)
    return total


@exact
def _off(call, block, work, manner, hard, first):
    """Which lanes are off what levels before are to stay at by more than a small share of what is allowed."""
    state, settings = block.state, call.settings
    first_ones = (load(state, TRIED_P) > _SHARE2 * settings[POSITION2]) | (
        load(state, TRIED_R) > _SHARE2 * settings[ROTATION2]
    )
    return first_ones | (_between(block, work, hard, first) > _SHARE2 * manner[KEPT] * manner[KEPT])


@exact
def _step(call, block, work, begin, still):
    """Move the trial, and its base, which holds at ``begin``; where ``still``, mark what is at a limit after that."""
    trial, m = block.trial, block.q.shape[0]
    for c in range(m):
        there = minimum(maximum(load(trial, c) + load(work.move, c), call.lower[c]), call.upper[c])
        store(trial, c, there)
        if still:
            inside = (there > call.lower[c]) & (there < call.upper[c])
            store(work.still, c, select(inside, load(work.free, c), splat(0.0)))
    if call.sizes[BASE]:
        column = m
        for i in range(6):
            step = splat(0.0)
            if call.base[1 + i] >= 0:
                step = load(work.move, column)
                if still:
                    store(work.still, column, splat(1.0))
                column += 1
            store(block.move, i, step)
        moved(begin, block.move, call.base[0], block.column, block.placed)


@exact
def _downhill(call, block, work, first, last):
    """The slide, in ``move``, for the rows from ``first`` to ``last``; those before are not to change."""
    q, jac, move, free, basis = block.q, block.jac, work.move, work.free, work.basis
    rows, m = call.sizes[ROWS], q.shape[0]
    columns = m + call.sizes[BASE]
    for c in range(columns):
        store(free, c, splat(1.0))
        total = splat(0.0)
        for i in range(first, last):
            total = fma(load(jac, c * rows + i), load(block.new, i), total)
        store(move, c, total)
    orthonormal(jac, rows, first, free, columns, basis, work.lower, work.y)
    project(basis, first, columns, move, 0, work.y)
    stopped = False
    for c in range(m):
        value, along = load(q, c), load(move, c)
        out = ((value <= call.lower[c]) & (along < 0.0)) | ((value >= call.upper[c]) & (along > 0.0))
        if any_(out):
            stopped = True
            store(free, c, select(out, splat(0.0), splat(1.0)))
    if stopped:
        orthonormal(jac, rows, first, free, columns, basis, work.lower, work.y)
    for i in range(first, last):
        project_row(jac, rows, i, free, basis, first, columns, work.within, (i - first) * columns, work.y)
    damped_least(work.within, last - first, columns, block.new, first, load(work.state, MU), work.normal, move)
    project(basis, first, columns, move, 0, work.y)
    for c in range(columns):
        store(move, c, load(free, c) * load(move, c))


@exact
def _relaxed(work, columns, longest):
    """Multiply the slide by what would have made the last one end where this one starts from nothing, and say by what.

    A slide knows nothing of how the solutions before are curved, so slides come to their end as a geometric series does;
    two of them tell its ratio (Barzilai and Borwein, "Two-point step size gradient methods", 1988).
    """
    along, size = splat(0.0), splat(0.0)
    for c in range(columns):
        now, before = load(work.move, c), load(work.last, c)
        along, size = fma(now, before, along), fma(before, before, size)
    by = load(work.state, RELAXED)
    known = (by > 0.0) & (size > 0.0)
    curved = select(known, (1.0 - along / size) / select(known, by, splat(1.0)), splat(1.0))
    worth = (curved < 1.0 - _LITTLE) | (curved > 1.0 + _LITTLE) | (longest < _NEAR)
    factor = select((curved > 1.0 / _FARTHEST) & worth, 1.0 / curved, splat(1.0))
    factor = minimum(maximum(factor, splat(_NEAREST)), maximum(_STRIDE / longest, splat(1.0)))
    for c in range(columns):
        now = load(work.move, c)
        store(work.last, c, now)
        store(work.move, c, factor * now)
    return factor


@exact
def _once(reals, integers, rows, call, block, work, manner, hard, first, last, alone, known):
    """One slide of every lane; ``hard`` rows are of level 0, those before ``first`` of levels before;
    ``alone`` says whether there are no others.

    ``known`` says whether every lane stands at its trial, with the Jacobian of that; the same is returned.
    """
    state, q, trial = work.state, block.q, block.trial
    columns = q.shape[0] + call.sizes[BASE]
    if not known:
        for c in range(q.shape[0]):
            store(trial, c, load(q, c))
        for i in range(12):
            store(block.placed, i, load(block.base, i))
        linearize(reals, integers, rows)
    new = load(state, NEW) > 0.5
    cost = select(new, _square(block.new, first, last), load(state, COST))
    live = select(new, select(_met(call, block), splat(1.0), splat(0.0)), load(state, LIVE))
    for i in range(first):
        value = load(block.new, i) if i >= hard else splat(0.0)
        store(work.reached, i, select(new, value, load(work.reached, i)))
    _downhill(call, block, work, first, last)
    longest = splat(0.0)
    for c in range(columns):
        step = load(work.move, c)
        longest = maximum(longest, maximum(step, -1.0 * step))
    relaxed = splat(1.0)
    if alone:  # between other levels there is no room for it
        relaxed = _relaxed(work, columns, longest)
    _step(call, block, work, block.base, True)
    known = False
    for _ in range(_CORRECTIONS):
        linearize(reals, integers, rows)
        off = (live > 0.5) & _off(call, block, work, manner, hard, first)
        if not any_(off):
            known = True
            break
        for i in range(first):
            store(work.left, i, select(off, load(block.new, i) - load(work.reached, i), splat(0.0)))
        orthonormal(block.jac, call.sizes[ROWS], first, work.still, columns, work.basis, work.lower, work.y)
        step_back(work.basis, work.lower, first, columns, work.left, work.y, work.move)
        _step(call, block, work, block.placed, False)
    if not known:
        evaluate(reals, integers, rows)
    there = _square(block.new, first, last)
    between = _between(block, work, hard, first)
    better = (live > 0.5) & (there < cost) & _met(call, block) & (between <= manner[KEPT] * manner[KEPT])
    for c in range(q.shape[0]):
        store(q, c, select(better, load(trial, c), load(q, c)))
    for i in range(12):
        store(block.base, i, select(better, load(block.placed, i), load(block.base, i)))
    mu, idle, spent = (
        load(state, MU),
        load(state, IDLE),
        load(state, SPENT) + select(live > 0.5, splat(1.0), splat(0.0)),
    )
    idle = select(better, splat(0.0), idle + 1.0)
    too_far = select(relaxed > 1.0, mu, mu * _GROW)  # what was multiplied may be good as it was
    store(state, MU, maximum(select(better, mu * _SHRINK, too_far), splat(_LEAST)))
    store(state, RELAXED, select(better, relaxed, splat(0.0)))
    store(state, IDLE, idle)
    store(state, COST, select(better, there, cost))
    store(state, SPENT, spent)
    store(state, NEW, splat(0.0))
    going = (longest >= manner[STILL]) & (idle < manner[PATIENCE]) & (spent < manner[MOST]) & (live > 0.5)
    store(state, LIVE, select(going, splat(1.0), splat(0.0)))
    return known and not any_(going & (idle > 0.5))


@inline
def _take(l, b, call, block, work, manner, targets, bases, q, found):
    """Put problem ``b`` into lane ``l``."""
    state, m = work.state, block.q.shape[0]
    state[MU, l], state[IDLE, l], state[COST, l], state[SPENT, l] = manner[DAMPING], 0.0, 0.0, 0.0
    state[NEW, l], state[LIVE, l], state[RELAXED, l] = 1.0, 1.0, 0.0
    for k in range(block.target.shape[0]):
        block.target[k, l] = targets[b, k]
    for c in range(m):
        block.q[c, l] = q[b, call.moving[c]]
    for c in range(call.held.shape[0]):
        block.trial[m + c, l] = q[b, call.held[c]]
    for i in range(12):
        if found.shape[0]:
            block.base[i, l] = found[b, i]
        else:
            block.base[i, l] = bases[b, i] if bases.shape[0] else (1.0 if i == 0 or i == 4 or i == 8 else 0.0)


@inline
def _give(l, b, call, block, work, q0, q, found, whole):
    """Write where lane ``l`` has come to, moved by whole turns to where ``q0`` is, or to zero."""
    for c in range(block.q.shape[0]):
        v, j = block.q[c, l], call.moving[c]
        if call.wraps[c]:
            reference = q0[b, j] if call.switches[HAS_Q0] else 0.0
            v = nearest_turn(v, reference, call.lower[c], call.upper[c], call.settings[FARTHEST])
        q[b, j] = v
    if found.shape[0]:
        for i in range(12):
            found[b, i] = block.base[i, l]
    whole[b, 1] += int(work.state[SPENT, l])


@kernel
def slide(rows, memory, reals, integers, manner, level, targets, bases, q0, q, found, whole, start, stop):
    """Bring problems ``start`` to ``stop`` that meet level 0 to the least of a level's cost; leave the others.

    Args:
        rows: Memory for a ``Block``.
        memory: From ``new_memory``.
        reals, integers: The ``Call``.
        manner: (5,) a ``Manner``.
        level: From 1 on.
        targets: (B, NUMBERS) of all pieces.
        bases: (B, 12) poses of the base, (0, 12) for the identity.
        q0: (B, dof) where whole turns lead to, (0, dof) for zero.
        q: (B, dof) coordinates, replaced.
        found: (B, 12) bases that are free, replaced; (0, 12) where none is.
        whole: (B, 2) of which the second gets the slides added.
        start, stop: Which of them.
    """
    call = open_call(uncounted(reals), uncounted(integers))
    block, work = open_block(uncounted(rows), call.sizes), _open(uncounted(memory), call.sizes)
    hard, first, last = _rows_before(call, 1), _rows_before(call, level), _rows_before(call, level + 1)
    alone = first == hard and last == _rows_before(call, np.inf)
    lanes = np.full(W, -1)
    cursor, busy = start, 0
    known = np.bool_(False)  # a literal would have ``_once`` compiled for literals as well
    while True:
        for l in range(W):
            if lanes[l] < 0 and cursor < stop:
                _take(l, cursor, call, block, work, manner, targets, bases, q, found)
                lanes[l] = cursor
                cursor += 1
                busy += 1
                known = False
        if busy == 0:
            break
        known = _once(reals, integers, rows, call, block, work, manner, hard, first, last, alone, known)
        for l in range(W):
            if lanes[l] >= 0 and work.state[LIVE, l] < 0.5:
                _give(l, lanes[l], call, block, work, q0, q, found, whole)
                lanes[l] = -1
                busy -= 1
