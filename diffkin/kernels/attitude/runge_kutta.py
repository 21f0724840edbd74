"""Stages of the classical Runge-Kutta step, for the step itself and its adjoint."""

from __future__ import annotations

from diffkin.kernels.attitude.body import momentum_rate, rate_of
from diffkin.kernels.attitude.turns import cross, dot
from diffkin.kernels.compiled import inline
from diffkin.kernels.vectors.wide import load, splat, store

__all__ = ["stage_rates", "turn_stages"]


@inline
def _spin(x, y, z, w, w0, w1, w2):
    """Twice dq/dt: q (w, 0)."""
    c0, c1, c2 = cross(x, y, z, w0, w1, w2)
    return w * w0 + c0, w * w1 + c1, w * w2 + c2, -dot(x, y, z, w0, w1, w2)


@inline
def _stage(f0, f1, f2, p0, p1, p2, h):
    """p + h f."""
    return p0 + h * f0, p1 + h * f1, p2 + h * f2


@inline
def turn_stages(w, dt):
    """The quaternion from the identity over a step, from the four rates in ``w`` (12 rows).

    Returns:
        The quaternions of stages 2 to 4 and that after the step, none of them normalised.
    """
    half = 0.25 * dt  # half a step, of dq/dt = q (w, 0) / 2
    a0, a1, a2 = load(w, 0), load(w, 1), load(w, 2)
    y2 = (half * a0, half * a1, half * a2, splat(w, 1.0))
    b0, b1, b2, b3 = _spin(y2[0], y2[1], y2[2], y2[3], load(w, 3), load(w, 4), load(w, 5))
    y3 = (half * b0, half * b1, half * b2, 1.0 + half * b3)
    c0, c1, c2, c3 = _spin(y3[0], y3[1], y3[2], y3[3], load(w, 6), load(w, 7), load(w, 8))
    whole = 0.5 * dt
    y4 = (whole * c0, whole * c1, whole * c2, 1.0 + whole * c3)
    d0, d1, d2, d3 = _spin(y4[0], y4[1], y4[2], y4[3], load(w, 9), load(w, 10), load(w, 11))
    sixth = dt / 12.0
    q = (
        sixth * (a0 + 2.0 * (b0 + c0) + d0),
        sixth * (a1 + 2.0 * (b1 + c1) + d1),
        sixth * (a2 + 2.0 * (b2 + c2) + d2),
        1.0 + sixth * (2.0 * (b3 + c3) + d3),
    )
    return y2, y3, y4, q


@inline
def stage_rates(body, p0, p1, p2, w0, w1, w2, dt, damping, p, w):
    """Momenta (``p``, 12 rows) and rates (``w``, 12 rows) of the four stages; the momentum after the step."""
    store(p, 0, p0), store(p, 1, p1), store(p, 2, p2)
    store(w, 0, w0), store(w, 1, w1), store(w, 2, w2)
    f0, f1, f2 = momentum_rate(body, p0, p1, p2, w0, w1, w2, damping)
    s0, s1, s2 = f0, f1, f2
    for i in range(1, 4):
        h = dt if i == 3 else 0.5 * dt
        x0, x1, x2 = _stage(f0, f1, f2, p0, p1, p2, h)
        v0, v1, v2 = rate_of(body, x0, x1, x2)
        store(p, 3 * i, x0), store(p, 3 * i + 1, x1), store(p, 3 * i + 2, x2)
        store(w, 3 * i, v0), store(w, 3 * i + 1, v1), store(w, 3 * i + 2, v2)
        f0, f1, f2 = momentum_rate(body, x0, x1, x2, v0, v1, v2, damping)
        share = 1.0 if i == 3 else 2.0
        s0, s1, s2 = s0 + share * f0, s1 + share * f1, s2 + share * f2
    return _stage(s0, s1, s2, p0, p1, p2, dt / 6.0)
