"""The adjoint of ``simulate``: gradients of all its inputs from those of its outputs, step by step backward.

Attitude gradients are three numbers l in body axes, those of ``R -> R exp(hat(x))``. For a step ``R' = R P`` with
``P = exp(hat(a))``: ``x' = P^T x + J_r(a) da``, hence ``l = P l'`` and ``a_bar = J_r(a)^T l'``. The stages of a step
are computed again from the attitude and rate stored before it: nothing but the outputs of the forward pass is kept.
The rates are taken to be ``J^-1 (p - h)`` from the first on, so the gradients of the inertia and of its inverse are
right together, the one a function of the other, and not each by itself.
"""

from __future__ import annotations

import numpy as np

from diffkin.kernels.attitude.body import (
    INERTIA,
    INVERSE,
    ROTOR,
    ROWS,
    TORQUE,
    drag,
    held,
    momentum,
    momentum_rate,
    rate_of,
    read_body,
    read_step,
)
from diffkin.kernels.attitude.constants import DAMPING, LIE_MIDPOINT, OWN_TORQUE, RK4, STEP, TORQUE_EACH_STEP
from diffkin.kernels.attitude.runge_kutta import stage_rates, turn_stages
from diffkin.kernels.attitude.turns import (
    apply_transposed,
    cross,
    dot,
    exponential,
    multiply,
    right_jacobian_transposed,
    rotate,
    rotate_back,
)
from diffkin.kernels.compiled import inline, kernel
from diffkin.kernels.vectors.wide import load, select, sqrt, store, width

__all__ = ["adjoint"]

# The block ``grads`` has the rows of the block of constants ``body``.


@inline
def _add(block, row, x, y, z):
    """Add a vector to three rows."""
    store(block, row, load(block, row) + x)
    store(block, row + 1, load(block, row + 1) + y)
    store(block, row + 2, load(block, row + 2) + z)


@inline
def _add_outer(block, row, a0, a1, a2, b0, b1, b2):
    """Add ``a b^T`` to nine rows."""
    _add(block, row, a0 * b0, a0 * b1, a0 * b2)
    _add(block, row + 3, a1 * b0, a1 * b1, a1 * b2)
    _add(block, row + 6, a2 * b0, a2 * b1, a2 * b2)


@inline
def _omega_back(body, grads, p0, p1, p2, w0, w1, w2, m0, m1, m2):
    """Add to the momentum gradient ``m`` what the gradient ``w`` on the rate ``J^-1 (p - h)`` gives."""
    x0, x1, x2 = apply_transposed(body, INVERSE, w0, w1, w2)
    _add_outer(
        grads, INVERSE, w0, w1, w2, p0 - load(body, ROTOR), p1 - load(body, ROTOR + 1), p2 - load(body, ROTOR + 2)
    )
    _add(grads, ROTOR, -x0, -x1, -x2)
    return m0 + x0, m1 + x1, m2 + x2


@inline
def _held_back(body, grads, p0, p1, p2, w0, w1, w2, damping, f0, f1, f2):
    """Gradients of ``held`` at gradient ``f``: on momentum and rate; torque and rotor go to ``grads``."""
    _add(grads, TORQUE, f0, f1, f2)
    if damping == 0.0:
        o = 0.0 * f0
        return o, o, o, o, o, o
    s = drag(w0, w1, w2, damping)
    _add(grads, ROTOR, s * f0, s * f1, s * f2)
    size = sqrt(dot(w0, w1, w2, w0, w1, w2))
    work = dot(f0, f1, f2, p0 - load(body, ROTOR), p1 - load(body, ROTOR + 1), p2 - load(body, ROTOR + 2))
    g = select(size > 0.0, -damping * work / size, 0.0)
    return -s * f0, -s * f1, -s * f2, g * w0, g * w1, g * w2


@inline
def _rate_back(body, grads, p0, p1, p2, w0, w1, w2, damping, f0, f1, f2):
    """Gradients of ``momentum_rate`` at gradient ``f``, on momentum and rate."""
    a0, a1, a2, b0, b1, b2 = _held_back(body, grads, p0, p1, p2, w0, w1, w2, damping, f0, f1, f2)
    c0, c1, c2 = cross(w0, w1, w2, f0, f1, f2)
    d0, d1, d2 = cross(f0, f1, f2, p0, p1, p2)
    return a0 + c0, a1 + c1, a2 + c2, b0 + d0, b1 + d1, b2 + d2


@inline
def _spin_back(y, w0, w1, w2, g0, g1, g2, g3):
    """Gradients of ``y (w, 0)`` at gradient g: on y, ``g (w, 0)*``, and on w, the vector of ``y* g``."""
    a0, a1, a2, a3 = multiply(g0, g1, g2, g3, -w0, -w1, -w2, 0.0 * w0)
    b0, b1, b2, _ = multiply(-y[0], -y[1], -y[2], y[3], g0, g1, g2, g3)
    return a0, a1, a2, a3, b0, b1, b2


@inline
def _rk4_back(body, grads, p0, p1, p2, w0, w1, w2, dt, damping, m0, m1, m2, l0, l1, l2, p, w, wbar):
    """Momentum and attitude gradients before a step from those after it; that on the rate before it."""
    stage_rates(body, p0, p1, p2, w0, w1, w2, dt, damping, p, w)
    y2, y3, y4, q = turn_stages(w, dt)
    # turn: gradient on the quaternion before its normalisation, 2 q (l, 0) / |q|^2
    square = q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3]
    scale = 1.0 / square
    g = multiply(q[0], q[1], q[2], q[3], l0, l1, l2, 0.0 * l0)
    double = scale + scale
    g0, g1, g2, g3 = double * g[0], double * g[1], double * g[2], double * g[3]
    sixth, third, half, whole = dt / 12.0, dt / 6.0, 0.25 * dt, 0.5 * dt  # of dq/dt = q (w, 0) / 2
    a0, a1, a2, a3, b0, b1, b2 = _spin_back(
        y4, load(w, 9), load(w, 10), load(w, 11), sixth * g0, sixth * g1, sixth * g2, sixth * g3
    )
    store(wbar, 9, b0), store(wbar, 10, b1), store(wbar, 11, b2)
    a0, a1, a2, a3, b0, b1, b2 = _spin_back(
        y3,
        load(w, 6),
        load(w, 7),
        load(w, 8),
        third * g0 + whole * a0,
        third * g1 + whole * a1,
        third * g2 + whole * a2,
        third * g3 + whole * a3,
    )
    store(wbar, 6, b0), store(wbar, 7, b1), store(wbar, 8, b2)
    a0, a1, a2, a3, b0, b1, b2 = _spin_back(
        y2,
        load(w, 3),
        load(w, 4),
        load(w, 5),
        third * g0 + half * a0,
        third * g1 + half * a1,
        third * g2 + half * a2,
        third * g3 + half * a3,
    )
    store(wbar, 3, b0), store(wbar, 4, b1), store(wbar, 5, b2)
    store(wbar, 0, sixth * g0 + half * a0)
    store(wbar, 1, sixth * g1 + half * a1)
    store(wbar, 2, sixth * g2 + half * a2)
    root = sqrt(scale)
    l0, l1, l2 = rotate(root * q[0], root * q[1], root * q[2], root * q[3], l0, l1, l2)
    # momentum
    s0, s1, s2 = m0, m1, m2
    f0, f1, f2 = (dt / 6.0) * m0, (dt / 6.0) * m1, (dt / 6.0) * m2
    for j in range(3):
        i = 3 - j
        x0, x1, x2 = load(p, 3 * i), load(p, 3 * i + 1), load(p, 3 * i + 2)
        v0, v1, v2 = load(w, 3 * i), load(w, 3 * i + 1), load(w, 3 * i + 2)
        a0, a1, a2, b0, b1, b2 = _rate_back(body, grads, x0, x1, x2, v0, v1, v2, damping, f0, f1, f2)
        b0, b1, b2 = b0 + load(wbar, 3 * i), b1 + load(wbar, 3 * i + 1), b2 + load(wbar, 3 * i + 2)
        a0, a1, a2 = _omega_back(body, grads, x0, x1, x2, b0, b1, b2, a0, a1, a2)
        s0, s1, s2 = s0 + a0, s1 + a1, s2 + a2
        share, h = (dt / 6.0 if i == 1 else dt / 3.0), (dt if i == 3 else 0.5 * dt)
        f0, f1, f2 = share * m0 + h * a0, share * m1 + h * a1, share * m2 + h * a2
    a0, a1, a2, b0, b1, b2 = _rate_back(body, grads, p0, p1, p2, w0, w1, w2, damping, f0, f1, f2)
    b0, b1, b2 = b0 + load(wbar, 0), b1 + load(wbar, 1), b2 + load(wbar, 2)
    return s0 + a0, s1 + a1, s2 + a2, b0, b1, b2, l0, l1, l2


@inline
def _lie_midpoint_back(body, grads, p0, p1, p2, w0, w1, w2, dt, damping, m0, m1, m2, l0, l1, l2):
    """The same of the midpoint step."""
    half = 0.5 * dt
    e = exponential(half * w0, half * w1, half * w2)
    c0, c1, c2 = rotate_back(e[0], e[1], e[2], e[3], p0, p1, p2)
    t0, t1, t2 = held(body, p0, p1, p2, w0, w1, w2, damping)
    h0, h1, h2 = c0 + half * t0, c1 + half * t1, c2 + half * t2
    v0, v1, v2 = rate_of(body, h0, h1, h2)
    x, y, z, w = exponential(half * v0, half * v1, half * v2)
    t0, t1, t2 = held(body, h0, h1, h2, v0, v1, v2, damping)
    u0, u1, u2 = rotate_back(x, y, z, w, p0, p1, p2)
    n0, n1, n2 = rotate_back(x, y, z, w, u0 + dt * t0, u1 + dt * t1, u2 + dt * t2)
    # whole step: R' = R T T and p' = T^T (T^T p + dt t), where T is the turn of half a step; a becomes the gradient on
    # theta in T exp(hat(theta))
    k0, k1, k2 = rotate(x, y, z, w, l0, l1, l2)
    a0, a1, a2 = cross(m0, m1, m2, n0, n1, n2)
    d0, d1, d2 = rotate(x, y, z, w, m0, m1, m2)
    b0, b1, b2 = cross(d0, d1, d2, u0, u1, u2)
    a0, a1, a2 = a0 + b0 + l0 + k0, a1 + b1 + l1 + k1, a2 + b2 + l2 + k2
    l0, l1, l2 = rotate(x, y, z, w, k0, k1, k2)
    m0, m1, m2 = rotate(x, y, z, w, d0, d1, d2)
    b0, b1, b2 = right_jacobian_transposed(half * v0, half * v1, half * v2, a0, a1, a2)
    f0, f1, f2, g0, g1, g2 = _held_back(body, grads, h0, h1, h2, v0, v1, v2, damping, dt * d0, dt * d1, dt * d2)
    g0, g1, g2 = g0 + half * b0, g1 + half * b1, g2 + half * b2
    f0, f1, f2 = _omega_back(body, grads, h0, h1, h2, g0, g1, g2, f0, f1, f2)
    # half a step that predicts the rate in the middle
    a0, a1, a2 = cross(f0, f1, f2, c0, c1, c2)
    b0, b1, b2 = right_jacobian_transposed(half * w0, half * w1, half * w2, a0, a1, a2)
    a0, a1, a2 = rotate(e[0], e[1], e[2], e[3], f0, f1, f2)
    d0, d1, d2, g0, g1, g2 = _held_back(body, grads, p0, p1, p2, w0, w1, w2, damping, half * f0, half * f1, half * f2)
    m0, m1, m2 = m0 + a0 + d0, m1 + a1 + d1, m2 + a2 + d2
    return m0, m1, m2, g0 + half * b0, g1 + half * b1, g2 + half * b2, l0, l1, l2


@inline
def _bullet_back(body, grads, p0, p1, p2, w0, w1, w2, dt, damping, m0, m1, m2, l0, l1, l2):
    """The same of Bullet's step, where no clamp acts."""
    f0, f1, f2 = momentum_rate(body, p0, p1, p2, w0, w1, w2, damping)
    n0, n1, n2 = p0 + dt * f0, p1 + dt * f1, p2 + dt * f2
    v0, v1, v2 = rate_of(body, n0, n1, n2)
    x, y, z, w = exponential(dt * v0, dt * v1, dt * v2)
    a0, a1, a2 = right_jacobian_transposed(dt * v0, dt * v1, dt * v2, l0, l1, l2)
    l0, l1, l2 = rotate(x, y, z, w, l0, l1, l2)
    m0, m1, m2 = _omega_back(body, grads, n0, n1, n2, dt * a0, dt * a1, dt * a2, m0, m1, m2)
    a0, a1, a2, b0, b1, b2 = _rate_back(body, grads, p0, p1, p2, w0, w1, w2, damping, dt * m0, dt * m1, dt * m2)
    return m0 + a0, m1 + a1, m2 + a2, b0, b1, b2, l0, l1, l2


@inline
def _twist(frame, seed):
    """The gradient on the tangent of R from that on its entries: the vector of ``R^T G - G^T R``."""
    x = y = z = 0.0 * load(frame, 0)
    for i in range(3):
        r0, r1, r2 = load(frame, 3 * i), load(frame, 3 * i + 1), load(frame, 3 * i + 2)
        g0, g1, g2 = load(seed, 3 * i), load(seed, 3 * i + 1), load(seed, 3 * i + 2)
        x, y, z = x + (r2 * g1 - r1 * g2), y + (r0 * g2 - r2 * g0), z + (r1 * g0 - r0 * g1)
    return x, y, z


@kernel
def adjoint(
    R,
    omega,
    inertia,
    inverse,
    rotor,
    torque,
    flags,
    options,
    kind,
    seed_R,
    seed_omega,
    grad_R0,
    grad_omega0,
    grad_inertia,
    grad_inverse,
    grad_rotor,
    grad_torque,
    start,
    stop,
):
    """Gradients for bodies ``start`` to ``stop`` (``start`` a multiple of the lanes), none of which met a clamp.

    Args:
        R: (count, steps + 1, 9) as ``simulate`` wrote them.
        omega: (count, steps + 1, 3).
        inertia: As given to ``simulate``, like the next six.
        inverse: See there.
        rotor: See there.
        torque: See there.
        flags: See there.
        options: See there.
        kind: See there.
        seed_R: (count, steps + 1, 9) gradients on R.
        seed_omega: (count, steps + 1, 3) gradients on omega.
        grad_R0: (count, 9), written.
        grad_omega0: (count, 3), written.
        grad_inertia: (count, 9), written, for each body its own, like the next three.
        grad_inverse: (count, 9).
        grad_rotor: (count, 3).
        grad_torque: (count, steps, 3) with a torque for each step, else (count, 1, 3).
        start: First body.
        stop: End of the bodies.
    """
    W = width(R)
    dt, damping = options[STEP], options[DAMPING]
    count = R.shape[0]
    steps = R.shape[1] - 1
    body = np.empty((ROWS, W), R.dtype)
    grads = np.empty((ROWS, W), R.dtype)
    frame, seed = np.empty((9, W), R.dtype), np.empty((9, W), R.dtype)
    rate, rate_seed = np.empty((3, W), R.dtype), np.empty((3, W), R.dtype)
    stage_p, stage_w, stage_g = np.empty((12, W), R.dtype), np.empty((12, W), R.dtype), np.empty((12, W), R.dtype)
    for first in range(start, stop, W):
        lanes = min(W, count - first)
        read_body(inertia, inverse, rotor, torque, flags, first, count, body)
        grads[:] = 0.0
        m0 = m1 = m2 = l0 = l1 = l2 = b0 = b1 = b2 = 0.0 * load(body, INERTIA)
        for j in range(steps + 1):
            k = steps - j
            read_step(R, 9, first, count, 1, k, frame, 0)
            read_step(seed_R, 9, first, count, 1, k, seed, 0)
            read_step(omega, 3, first, count, 1, k, rate, 0)
            read_step(seed_omega, 3, first, count, 1, k, rate_seed, 0)
            w0, w1, w2 = load(rate, 0), load(rate, 1), load(rate, 2)
            p0, p1, p2 = momentum(body, w0, w1, w2)
            if j > 0:  # the step from k to k + 1
                if flags[TORQUE_EACH_STEP]:
                    read_step(torque, 3, first, count, flags[OWN_TORQUE], k, body, TORQUE)
                    for i in range(3):
                        store(grads, TORQUE + i, 0.0)
                if kind == RK4:
                    m0, m1, m2, b0, b1, b2, l0, l1, l2 = _rk4_back(
                        body, grads, p0, p1, p2, w0, w1, w2, dt, damping, m0, m1, m2, l0, l1, l2,
                        stage_p, stage_w, stage_g,
                    )  # fmt: skip
                elif kind == LIE_MIDPOINT:
                    m0, m1, m2, b0, b1, b2, l0, l1, l2 = _lie_midpoint_back(
                        body, grads, p0, p1, p2, w0, w1, w2, dt, damping, m0, m1, m2, l0, l1, l2
                    )
                else:
                    m0, m1, m2, b0, b1, b2, l0, l1, l2 = _bullet_back(
                        body, grads, p0, p1, p2, w0, w1, w2, dt, damping, m0, m1, m2, l0, l1, l2
                    )
                if flags[TORQUE_EACH_STEP]:
                    for l in range(lanes):
                        for i in range(3):
                            grad_torque[first + l, k, i] = grads[TORQUE + i, l]
            b0, b1, b2 = b0 + load(rate_seed, 0), b1 + load(rate_seed, 1), b2 + load(rate_seed, 2)
            m0, m1, m2 = _omega_back(body, grads, p0, p1, p2, b0, b1, b2, m0, m1, m2)
            t0, t1, t2 = _twist(frame, seed)
            l0, l1, l2 = l0 + t0, l1 + t1, l2 + t2
        # p = J w + h at the start, and the tangent gradient as one on the entries of R0: R0 hat(l) / 2
        _add_outer(grads, INERTIA, m0, m1, m2, w0, w1, w2)
        _add(grads, ROTOR, m0, m1, m2)
        b0, b1, b2 = apply_transposed(body, INERTIA, m0, m1, m2)
        store(rate, 0, b0), store(rate, 1, b1), store(rate, 2, b2)
        for i in range(3):
            r0, r1, r2 = load(frame, 3 * i), load(frame, 3 * i + 1), load(frame, 3 * i + 2)
            c0, c1, c2 = cross(r0, r1, r2, l0, l1, l2)
            store(seed, 3 * i, 0.5 * c0), store(seed, 3 * i + 1, 0.5 * c1), store(seed, 3 * i + 2, 0.5 * c2)
        for l in range(lanes):
            b = first + l
            for i in range(9):
                grad_R0[b, i] = seed[i, l]
                grad_inertia[b, i] = grads[INERTIA + i, l]
                grad_inverse[b, i] = grads[INVERSE + i, l]
            for i in range(3):
                grad_omega0[b, i] = rate[i, l]
                grad_rotor[b, i] = grads[ROTOR + i, l]
                if not flags[TORQUE_EACH_STEP]:
                    grad_torque[b, 0, i] = grads[TORQUE + i, l]
