"""Residual rows of all pieces at a configuration, and their Jacobian, in ``W`` lanes at once.

The poses of the nodes come first, from the base outwards. Each piece then says its rows and by what three vectors each
changes with the velocity of its link's origin and with its angular velocity, both as seen from the world; of a piece seen
from a reference link, a joint that carries the reference alone moves the link the other way. Rows are negative: what is
left to do.
"""

from __future__ import annotations

import math

from diffkin.kernels.compiled import exact, kernel
from diffkin.kernels.lists.layout import (
    ANGLE,
    AXIS,
    CARRIED,
    CLOSES,
    COORDINATE,
    FACTOR,
    FREE,
    KIND,
    LEVEL,
    LINEAR_ROW,
    LINK,
    MASSES,
    METRE,
    MOMENT,
    MOTION,
    OFFSET,
    PARENT,
    REFERENCE,
    ROW0,
    ROWS,
    SHARE,
    SLIDES,
    STILL,
    TARGET,
    TRIED,
    TRIED_P,
    TRIED_R,
    TURNS,
    VALUE0,
    WAY_AXIS,
    WAY_BEGIN,
    WAY_COLUMN,
    WAY_END,
    WAY_FIRST,
    WAY_NODE,
    WAY_TURNS,
    WEIGHT,
    open_block,
    open_call,
)
from diffkin.kernels.lists.pieces import (
    AIM,
    BANK,
    DISTANCE,
    KEEP_OUT,
    LINEAR,
    MARGIN,
    MASS,
    NEAR,
    PLACE,
    POINT,
    RAY,
    RISE,
    TURN,
)
from diffkin.kernels.lists.turns import (
    banked,
    cross3,
    dot3,
    logarithm,
    normal_between,
    risen,
    slope_of_logarithm,
    slope_of_turn,
    turn_between,
)
from diffkin.kernels.vectors.memory import uncounted
from diffkin.kernels.vectors.strict import fma, load, maximum, minimum, select, sincos, splat, sqrt, store

__all__ = ["evaluate", "jacobian", "linearize"]

_TURN = 2.0 * math.pi
_WHOLE = 1.5 * 2.0**52  # numbers of about this size are whole


@exact
def _walk(call, block):
    """Poses of all nodes; the first is the base, the second the world's axes at its origin."""
    frames, placed, nodes, places = block.frames, block.placed, call.nodes, call.places
    for i in range(12):
        store(frames, i, load(placed, i))
    for i in range(9):
        store(frames, 12 + i, 1.0 if i % 4 == 0 else 0.0)
    for i in range(3):
        store(frames, 21 + i, load(placed, 9 + i))
    for k in range(2, nodes.shape[0]):
        a, b = 12 * nodes[k, PARENT], 12 * k
        motion = nodes[k, MOTION]
        s, c, d = splat(0.0), splat(1.0), splat(0.0)
        if motion != STILL:
            value = fma(load(block.trial, nodes[k, COORDINATE]), places[k, FACTOR], places[k, VALUE0])
            if motion == TURNS:
                s, c = sincos(value)
            else:
                d = value
        for i in range(3):
            x, y, z, p = load(frames, a + i), load(frames, a + 3 + i), load(frames, a + 6 + i), load(frames, a + 9 + i)
            u = fma(z, places[k, 2], fma(y, places[k, 1], x * places[k, 0]))
            v = fma(z, places[k, 5], fma(y, places[k, 4], x * places[k, 3]))
            w = fma(z, places[k, 8], fma(y, places[k, 7], x * places[k, 6]))
            o = fma(z, places[k, 11], fma(y, places[k, 10], fma(x, places[k, 9], p)))
            if motion == TURNS:
                u, v = fma(s, v, c * u), fma(c, v, -1.0 * (s * u))
            elif motion == SLIDES:
                o = fma(d, w, o)
            store(frames, b + i, u)
            store(frames, b + 3 + i, v)
            store(frames, b + 6 + i, w)
            store(frames, b + 9 + i, o)


@exact
def _gather_mass(call, block):
    """For every node the share of mass that it carries times the place of its centre."""
    frames, moments, nodes, places = block.frames, block.moments, call.nodes, call.places
    for k in range(nodes.shape[0]):
        for i in range(3):
            x, y, z = load(frames, 12 * k + i), load(frames, 12 * k + 3 + i), load(frames, 12 * k + 6 + i)
            own = fma(z, places[k, MOMENT + 2], fma(y, places[k, MOMENT + 1], x * places[k, MOMENT]))
            store(moments, 3 * k + i, fma(load(frames, 12 * k + 9 + i), places[k, SHARE], own))
    for back in range(nodes.shape[0] - 2):
        k = nodes.shape[0] - 1 - back
        a = 3 * nodes[k, PARENT]
        for i in range(3):
            store(moments, a + i, load(moments, a + i) + load(moments, 3 * k + i))
    for i in range(3):
        store(moments, 3 + i, load(moments, i))


@exact
def _rotated(frames, link, v0, v1, v2):
    """A vector in a node's axes as seen from the world."""
    a = 12 * link
    return (
        fma(load(frames, a + 6), v2, fma(load(frames, a + 3), v1, load(frames, a) * v0)),
        fma(load(frames, a + 7), v2, fma(load(frames, a + 4), v1, load(frames, a + 1) * v0)),
        fma(load(frames, a + 8), v2, fma(load(frames, a + 5), v1, load(frames, a + 2) * v0)),
    )


@exact
def _turned_back(frames, link, v0, v1, v2):
    """A vector in the world in a node's axes."""
    a = 12 * link
    return (
        dot3(load(frames, a), load(frames, a + 1), load(frames, a + 2), v0, v1, v2),
        dot3(load(frames, a + 3), load(frames, a + 4), load(frames, a + 5), v0, v1, v2),
        dot3(load(frames, a + 6), load(frames, a + 7), load(frames, a + 8), v0, v1, v2),
    )


@exact
def _three(rows, at):
    return load(rows, at), load(rows, at + 1), load(rows, at + 2)


@exact
def _put(rows, at, v0, v1, v2):
    store(rows, at, v0)
    store(rows, at + 1, v1)
    store(rows, at + 2, v2)


@exact
def _goal_axes(block, reference, target, to):
    """The axes of a target pose in the world, three vectors in the rows of the slopes from ``to`` on."""
    for i in range(3):
        v0, v1, v2 = _three(block.target, target + 3 * i)
        if reference >= 0:
            v0, v1, v2 = _rotated(block.frames, reference, v0, v1, v2)
        _put(block.slopes, to + 3 * i, v0, v1, v2)


@exact
def _place(kind, link, reference, target, block, s):
    """Rows of a position, along the axes of the target, of the reference or of the world."""
    frames, slopes = block.frames, block.slopes
    p0, p1, p2 = _three(frames, 12 * link + 9)
    t = target
    if kind == PLACE:
        t = target + 9
        _goal_axes(block, reference, target, s)
    elif reference >= 0:
        for i in range(9):
            store(slopes, s + i, load(frames, 12 * reference + i))
    else:
        for i in range(9):
            store(slopes, s + i, 1.0 if i % 4 == 0 else 0.0)
    g0, g1, g2 = _three(block.target, t)
    if reference >= 0:
        g0, g1, g2 = _rotated(frames, reference, g0, g1, g2)
        o0, o1, o2 = _three(frames, 12 * reference + 9)
        p0, p1, p2 = p0 - o0, p1 - o1, p2 - o2
    p0, p1, p2 = p0 - g0, p1 - g1, p2 - g2
    return (
        dot3(load(slopes, s), load(slopes, s + 1), load(slopes, s + 2), p0, p1, p2),
        dot3(load(slopes, s + 3), load(slopes, s + 4), load(slopes, s + 5), p0, p1, p2),
        dot3(load(slopes, s + 6), load(slopes, s + 7), load(slopes, s + 8), p0, p1, p2),
    )


@exact
def _turn(link, reference, target, block, s):
    """Rows of an orientation: the rotation vector in the target's axes."""
    frames, slopes = block.frames, block.slopes
    _goal_axes(block, reference, target, s + 9)
    a = 12 * link
    x0, x1, x2 = _three(frames, a)
    y0, y1, y2 = _three(frames, a + 3)
    z0, z1, z2 = _three(frames, a + 6)
    b0, b1, b2 = _three(slopes, s + 9)
    c0, c1, c2 = _three(slopes, s + 12)
    d0, d1, d2 = _three(slopes, s + 15)
    r0, r1, r2 = logarithm(
        dot3(b0, b1, b2, x0, x1, x2), dot3(b0, b1, b2, y0, y1, y2), dot3(b0, b1, b2, z0, z1, z2),
        dot3(c0, c1, c2, x0, x1, x2), dot3(c0, c1, c2, y0, y1, y2), dot3(c0, c1, c2, z0, z1, z2),
        dot3(d0, d1, d2, x0, x1, x2), dot3(d0, d1, d2, y0, y1, y2), dot3(d0, d1, d2, z0, z1, z2),
    )  # fmt: skip
    slope_of_logarithm(r0, r1, r2, slopes, s + 9, slopes, s + 9)
    return r0, r1, r2


@exact
def _ray(kind, link, reference, target, shape, block, s):
    """Rows of a ray: the turn to it from a direction, or from that of a point, less the angle that is allowed."""
    frames, slopes = block.frames, block.slopes
    d0, d1, d2 = _rotated(frames, link, shape[AXIS], shape[AXIS + 1], shape[AXIS + 2])
    g0, g1, g2 = _three(block.target, target)
    if reference >= 0:
        g0, g1, g2 = _rotated(frames, reference, g0, g1, g2)
    a0, a1, a2 = splat(0.0), splat(0.0), splat(0.0)
    inverse = splat(0.0)
    if kind == AIM:
        a0, a1, a2 = _rotated(frames, link, shape[OFFSET], shape[OFFSET + 1], shape[OFFSET + 2])
        p0, p1, p2 = _three(frames, 12 * link + 9)
        if reference >= 0:
            o0, o1, o2 = _three(frames, 12 * reference + 9)
            p0, p1, p2 = p0 - o0, p1 - o1, p2 - o2
        g0, g1, g2 = g0 - p0 - a0, g1 - p1 - a1, g2 - p2 - a2
        inverse = 1.0 / maximum(sqrt(dot3(g0, g1, g2, g0, g1, g2)), 1e-12)
        g0, g1, g2 = inverse * g0, inverse * g1, inverse * g2
    t0, t1, t2, angle = turn_between(g0, g1, g2, d0, d1, d2)
    slope_of_turn(g0, g1, g2, d0, d1, d2, angle, slopes, s + 9)
    if (
        kind == AIM
    ):  # the direction of the point turns as well, by w_g = -(g x v) / |gap| with the velocity v of the origin
        u0, u1, u2 = splat(0.0), -1.0 * t2, t1  # rows of [t]
        for i in range(3):
            if i == 1:
                u0, u1, u2 = t2, splat(0.0), -1.0 * t0
            elif i == 2:
                u0, u1, u2 = -1.0 * t1, t0, splat(0.0)
            w0, w1, w2 = _three(slopes, s + 9 + 3 * i)
            e0, e1, e2 = cross3(w0 + u0, w1 + u1, w2 + u2, g0, g1, g2)
            e0, e1, e2 = inverse * e0, inverse * e1, inverse * e2
            _put(slopes, s + 3 * i, e0, e1, e2)
            c0, c1, c2 = cross3(e0, e1, e2, a0, a1, a2)
            _put(slopes, s + 9 + 3 * i, w0 - c0, w1 - c1, w2 - c2)
    if shape[ANGLE] > 0.0:
        t0, t1, t2 = _shorten(kind, t0, t1, t2, angle, shape[ANGLE], slopes, s)
    if reference >= 0:
        t0, t1, t2 = _turned_back(frames, reference, t0, t1, t2)
        if kind == AIM:
            _turn_rows_back(frames, reference, slopes, s)
        _turn_rows_back(frames, reference, slopes, s + 9)
    return t0, t1, t2


@exact
def _shorten(kind, t0, t1, t2, angle, allowed, slopes, s):
    """What a cone leaves of a turn t, ``t (1 - a / theta)``, and of its slopes: ``(1 - a / theta) + n n^T a / theta``."""
    out = angle > allowed
    inverse = select(out, 1.0 / maximum(angle, allowed), 0.0)
    share = allowed * inverse
    rest = select(out, 1.0 - share, 0.0)
    n0, n1, n2 = inverse * t0, inverse * t1, inverse * t2
    first = 0 if kind == AIM else 9
    for j in range(first, 18, 9):
        for i in range(3):
            a, b, c = load(slopes, s + j + i), load(slopes, s + j + 3 + i), load(slopes, s + j + 6 + i)
            along = share * dot3(n0, n1, n2, a, b, c)
            store(slopes, s + j + i, fma(along, n0, rest * a))
            store(slopes, s + j + 3 + i, fma(along, n1, rest * b))
            store(slopes, s + j + 6 + i, fma(along, n2, rest * c))
    return rest * t0, rest * t1, rest * t2


@exact
def _turn_rows_back(frames, reference, slopes, s):
    """Three rows along the world's axes become rows along those of the reference."""
    for i in range(3):
        a, b, c = _turned_back(frames, reference, load(slopes, s + i), load(slopes, s + 3 + i), load(slopes, s + 6 + i))
        store(slopes, s + i, a)
        store(slopes, s + 3 + i, b)
        store(slopes, s + 6 + i, c)


@exact
def _keep_out(link, reference, target, shape, block, s):
    """The row of a cone to be out of."""
    frames, slopes = block.frames, block.slopes
    d0, d1, d2 = _rotated(frames, link, shape[AXIS], shape[AXIS + 1], shape[AXIS + 2])
    g0, g1, g2 = _three(block.target, target)
    if reference >= 0:
        g0, g1, g2 = _rotated(frames, reference, g0, g1, g2)
    _, _, _, angle = turn_between(g0, g1, g2, d0, d1, d2)
    n0, n1, n2, _ = normal_between(g0, g1, g2, d0, d1, d2)
    row = maximum(shape[ANGLE] - angle, splat(0.0))
    inside = select(row > 0.0, splat(-1.0), splat(0.0))
    _put(slopes, s + 9, inside * n0, inside * n1, inside * n2)
    return row


@exact
def _distance(link, reference, target, shape, block, s):
    """The row of a distance between points of two links."""
    frames, slopes = block.frames, block.slopes
    a0, a1, a2 = _rotated(frames, link, shape[AXIS], shape[AXIS + 1], shape[AXIS + 2])
    b0, b1, b2 = _rotated(frames, reference, shape[OFFSET], shape[OFFSET + 1], shape[OFFSET + 2])
    p0, p1, p2 = _three(frames, 12 * link + 9)
    o0, o1, o2 = _three(frames, 12 * reference + 9)
    g0, g1, g2 = (p0 + a0) - (o0 + b0), (p1 + a1) - (o1 + b1), (p2 + a2) - (o2 + b2)
    size = sqrt(dot3(g0, g1, g2, g0, g1, g2))
    inverse = 1.0 / maximum(size, 1e-12)
    g0, g1, g2 = inverse * g0, inverse * g1, inverse * g2
    _put(slopes, s, g0, g1, g2)
    c0, c1, c2 = cross3(a0, a1, a2, g0, g1, g2)
    _put(slopes, s + 9, c0, c1, c2)
    return size - load(block.target, target)


@exact
def _near(place, turns, target, block):
    """The row of a coordinate to be near to a number; of one that a whole turn leads back the least of it."""
    away = load(block.trial, place) - load(block.target, target)
    if turns:
        whole = fma(away, 1.0 / _TURN, _WHOLE) - _WHOLE  # rounded to a whole number
        away = fma(whole, -_TURN, away)
    return away


@exact
def _beyond(place, shape, block):
    """The row of a coordinate to be in the middle of its range, or about there: how far it is beyond, and the slope."""
    away = (load(block.trial, place) - shape[AXIS]) * shape[AXIS + 1]
    room = shape[ANGLE]
    if room == 0.0:
        return away, splat(shape[AXIS + 1])
    row = away - minimum(maximum(away, splat(-room)), splat(room))
    return row, select((away > room) | (away < -room), splat(shape[AXIS + 1]), splat(0.0))


@exact
def _file(row, value, weight, new, total):
    """Write a row that counts; the squared errors with that of this one."""
    if row >= 0:
        store(new, row, -1.0 * (weight * value))
        total = fma(value, value, total)
    return total


@exact
def _piece(k, call, block):
    """The rows of a piece, and the sum of their squares."""
    pieces, shape = call.pieces, call.shapes[k]
    kind, link, reference, target = pieces[k, KIND], pieces[k, LINK], pieces[k, REFERENCE], pieces[k, TARGET]
    s = 18 * k
    r0, r1, r2 = splat(0.0), splat(0.0), splat(0.0)
    if kind in (POINT, PLACE):
        r0, r1, r2 = _place(kind, link, reference, target, block, s)
    elif kind == TURN:
        r0, r1, r2 = _turn(link, reference, target, block, s)
    elif kind in (RAY, AIM):
        r0, r1, r2 = _ray(kind, link, reference, target, shape, block, s)
    elif kind == KEEP_OUT:
        r0 = _keep_out(link, reference, target, shape, block, s)
    elif kind == RISE:
        d0, d1, d2 = _rotated(block.frames, link, shape[AXIS], shape[AXIS + 1], shape[AXIS + 2])
        r0 = risen(d0, d1, d2, shape[ANGLE], block.slopes, s + 9)
    elif kind == BANK:
        r0 = banked(block.frames, link, block.slopes, s + 9)
    elif kind == NEAR:
        if pieces[k, ROW0] >= 0:
            r0 = _near(link, reference, target, block)
    elif kind == MARGIN:
        if pieces[k, ROW0] >= 0:
            r0, slope = _beyond(link, shape, block)
            store(block.slopes, s, slope)
    elif kind == DISTANCE:
        r0 = _distance(link, reference, target, shape, block, s)
    elif kind == MASS:
        m0, m1, m2 = _three(block.moments, 0)
        g0, g1, g2 = _three(block.target, target)
        r0, r1, r2 = m0 - g0, m1 - g1, m2 - g2
        for i in range(9):
            store(block.slopes, s + i, 1.0 if i % 4 == 0 else 0.0)
    else:
        r0 = -1.0 * load(block.target, target)
        linear = call.linear[pieces[k, LINEAR_ROW]]
        for c in range(linear.shape[0]):
            r0 = fma(load(block.trial, c), linear[c], r0)
    total = _file(pieces[k, ROW0], r0, shape[WEIGHT], block.new, splat(0.0))
    total = _file(pieces[k, ROW0 + 1], r1, shape[WEIGHT + 1], block.new, total)
    return _file(pieces[k, ROW0 + 2], r2, shape[WEIGHT + 2], block.new, total)


@kernel
def evaluate(reals, integers, rows):
    """Residual, its square and the largest squared errors of level 0 at the trial of every lane, with what the Jacobian
    needs."""
    call = open_call(uncounted(reals), uncounted(integers))
    block = open_block(uncounted(rows), call.sizes)
    _walk(call, block)
    if call.switches[MASSES]:
        _gather_mass(call, block)
    zero = splat(0.0)
    worst_p, worst_r, p, r = zero, zero, zero, zero
    for k in range(call.pieces.shape[0]):
        square = _piece(k, call, block)
        if call.pieces[k, LEVEL] > 0:
            continue
        if call.pieces[k, METRE]:
            p = p + square
        else:
            r = r + square
        if call.pieces[k, CLOSES]:
            # a square that is no number stays: false both ways, the second is taken
            worst_p, worst_r = maximum(worst_p, p), maximum(worst_r, r)
            p, r = zero, zero
    size = zero
    for i in range(block.new.shape[0]):
        e = load(block.new, i)
        size = fma(e, e, size)
    store(block.state, TRIED, size)
    store(block.state, TRIED_P, worst_p)
    store(block.state, TRIED_R, worst_r)


@exact
def _add(out, at, first, value):
    store(out, at, value if first else load(out, at) + value)


@exact
def jacobian(call, block, out):
    """``out`` gets the weighted rows' derivative by every column, from what ``evaluate`` left behind."""
    frames, slopes, pieces, ways = block.frames, block.slopes, call.pieces, call.ways
    rows = call.sizes[ROWS]
    for k in range(pieces.shape[0]):
        kind, shape, s = pieces[k, KIND], call.shapes[k], 18 * k
        if kind == LINEAR:
            linear, row = call.linear[pieces[k, LINEAR_ROW]], pieces[k, ROW0]
            for c in range(call.sizes[FREE]):
                store(out, c * rows + row, shape[WEIGHT] * linear[c])
            continue
        if kind in (NEAR, MARGIN):
            row, c = pieces[k, ROW0], pieces[k, LINK]
            if row >= 0 and c < call.sizes[FREE]:
                slope = load(slopes, s) if kind == MARGIN else splat(1.0)
                store(out, c * rows + row, shape[WEIGHT] * slope)
            continue
        by_place = kind in (POINT, PLACE, MASS)
        by_turn = kind in (TURN, RAY, KEEP_OUT, RISE, BANK)
        if kind != MASS:
            p0, p1, p2 = _three(frames, 12 * pieces[k, LINK] + 9)
        else:
            p0, p1, p2 = splat(0.0), splat(0.0), splat(0.0)
        for e in range(pieces[k, WAY_BEGIN], pieces[k, WAY_END]):
            node, factor = ways[e, WAY_NODE], call.factors[e]
            a = 12 * node + 3 * ways[e, WAY_AXIS]
            z0, z1, z2 = factor * load(frames, a), factor * load(frames, a + 1), factor * load(frames, a + 2)
            turns = ways[e, WAY_TURNS] != 0
            v0, v1, v2 = z0, z1, z2
            if kind == MASS:
                share = call.places[node, CARRIED]
                if turns:
                    o0, o1, o2 = _three(frames, 12 * node + 9)
                    m0, m1, m2 = _three(block.moments, 3 * node)
                    v0, v1, v2 = cross3(z0, z1, z2, fma(o0, -share, m0), fma(o1, -share, m1), fma(o2, -share, m2))
                else:
                    v0, v1, v2 = share * z0, share * z1, share * z2
            elif turns and not by_turn:
                o0, o1, o2 = _three(frames, 12 * node + 9)
                v0, v1, v2 = cross3(z0, z1, z2, p0 - o0, p1 - o1, p2 - o2)
            c = ways[e, WAY_COLUMN] * rows
            first = ways[e, WAY_FIRST] != 0
            for i in range(3):
                row = pieces[k, ROW0 + i]
                if row < 0:
                    continue
                t = s + 3 * i
                total = splat(0.0)
                if not by_turn:
                    total = dot3(load(slopes, t), load(slopes, t + 1), load(slopes, t + 2), v0, v1, v2)
                if not by_place and turns:
                    total = total + dot3(load(slopes, t + 9), load(slopes, t + 10), load(slopes, t + 11), z0, z1, z2)
                _add(out, c + row, first, shape[WEIGHT + i] * total)


@kernel
def linearize(reals, integers, rows):
    """What ``evaluate`` says, and the Jacobian in ``jac``."""
    evaluate(reals, integers, rows)
    call = open_call(uncounted(reals), uncounted(integers))
    block = open_block(uncounted(rows), call.sizes)
    jacobian(call, block, block.jac)
