"""PyBullet worlds: opening one safely, with or without a window."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from diffkin.simulation.library import bullet, display_problem, quiet

__all__ = ["GRAVITY", "TIME_STEP", "open_world"]

GRAVITY = -9.81
"""Acceleration along the world's z [m/s^2]."""

TIME_STEP = 1.0 / 240.0
"""Bullet's default step [s]."""


@contextmanager
def open_world(gui: bool = False, gravity: float = GRAVITY) -> Iterator[int]:
    """An empty world, closed at the end.

    Args:
        gui: Open PyBullet's window where there is a display; a message on stderr says so where there is none.
        gravity: Acceleration along z [m/s^2].

    Yields:
        The client number that PyBullet's functions take as ``physicsClientId``.

    Raises:
        diffkin.errors.MissingDependencyError: pybullet is not installed.
    """
    p = bullet()
    problem = display_problem() if gui else None
    if problem is not None:
        print(f"No PyBullet window: {problem}. Going on without one.", file=sys.stderr)
    with quiet():
        client = p.connect(p.GUI) if gui and problem is None else p.connect(p.DIRECT)
    try:
        if gui and problem is None:
            p.configureDebugVisualizer(p.COV_ENABLE_GUI, 0, physicsClientId=client)
            p.configureDebugVisualizer(p.COV_ENABLE_SHADOWS, 0, physicsClientId=client)
        p.setGravity(0.0, 0.0, gravity, physicsClientId=client)
        yield client
    finally:
        with suppress(p.error):  # raised where the user closed the window
            p.disconnect(client)
