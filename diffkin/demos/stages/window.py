"""A demo in PyBullet's window: people move its sliders, press its buttons, turn the camera, and close it as they like."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from diffkin.demos.scene import Demo, Moment, Scene, View
from diffkin.demos.stages.ending import CLOSED, ESCAPE, INTERRUPTED, TIME_IS_UP, Played, asked_to_end
from diffkin.demos.stages.marks import Marks, Readout
from diffkin.demos.stages.outlines import lines_of
from diffkin.demos.stages.panel import Panel, described
from diffkin.demos.stages.pictures import BACKGROUND, Camera, Photographer
from diffkin.demos.stages.solids import Solids
from diffkin.plotting.film import Film, open_film
from diffkin.simulation.library import bullet
from diffkin.simulation.window import WINDOW_CLOSED, aim, camera_now, open_window, supervise

__all__ = ["KEYS", "play_in_window"]

KEYS = (
    "Ctrl + drag: turn the view; Ctrl + middle drag: shift it; wheel: zoom",
    "space: pause; Esc or closing the window: end",
)
"""What mouse and keys do, in every demo."""

_SHARE = 0.62  # of the window's height, that a view's ball is to fill: panels cover the rest
_DROP = 0.11  # of the window's height, by which the middle of what is free lies above its own middle
_ASIDE = 0.22  # of a view's radius, by which the camera looks right of its middle: arms reach out to the right
_FILM_HALF = 0.72  # tangent of half the angle of view of a film of the window: what panels leave free of it
_SPACE, _DOWN = 32, 2  # in PyBullet's keyboard events: the key, and the bit that says that it has just gone down
_CLOSING_SECONDS = 2.0  # that a window which is closing may seem to be there
_TOLD_SECONDS = 0.25  # between two reports of results


@dataclass(frozen=True)
class _Setup:
    """What the window's process is to do."""

    seconds: float | None
    fps: float | None
    film_size: tuple[int, int]
    size: tuple[int, int]


@dataclass
class _Told:
    """What was heard of the window's process last."""

    how: str = ""
    seconds: float = 0.0
    scenes: int = 0
    results: dict[str, Any] | None = None


def play_in_window(
    make: Callable[[], Demo],
    *,
    seconds: float | None = None,
    record: str | os.PathLike[str] | None = None,
    fps: float = 20.0,
    film_size: tuple[int, int] = (640, 480),
    size: tuple[int, int] = (1280, 800),
    announce: Callable[[str], object] = print,
) -> Played:
    """Open PyBullet's window and play a demo in it until somebody ends it.

    Esc, the window's close button, Ctrl-C and the end of its time all end it; the film is finished and the results are
    returned in each case. See ``diffkin.simulation.library.display_problem`` for whether there can be a window.

    Args:
        make: Makes the demo, in the window's own process: a function without arguments.
        seconds: When it ends by itself; never if None.
        record: A film to be written of it, ``.mp4`` or ``.gif``.
        fps: Frames a second of the film.
        film_size: Its width and height [pixels].
        size: Of the window [pixels].
        announce: Takes the lines that say what can be done.

    Returns:
        How it went.

    Raises:
        diffkin.errors.DiffkinError: There is no window to be had.
        Exception: What the demo raised.
    """
    told = _Told()
    with ExitStack() as stack:
        film = open_film(record, fps) if record is not None else None
        if film is not None:
            stack.callback(_finish, film)

        def receive(message: tuple[str, Any]) -> None:
            kind, content = message
            if kind == "lines":
                for line in content:
                    announce(line)
            elif kind == "frame" and film is not None:
                frame, copies = content
                for _ in range(copies):
                    film.add(frame)
            elif kind == "state":
                told.how, told.seconds, told.scenes, told.results = content

        setup = _Setup(seconds, fps if film is not None else None, film_size, size)
        ended = supervise(_play, make, setup, receive=receive)
        frames = 0 if film is None else film.frames
    how = CLOSED if ended == WINDOW_CLOSED else told.how
    return Played(how, told.seconds, told.scenes, frames, str(record) if frames else None, told.results or {})


def _finish(film: Film) -> None:
    if film.frames:
        film.close()


def _play(send: Callable[[Any], None], make: Callable[[], Demo], setup: _Setup) -> None:
    """All that happens in the window's process."""
    p = bullet()
    with asked_to_end() as ending, open_window(*setup.size, BACKGROUND) as client:
        demo = make()
        solids = Solids(client, demo.view)
        scene = demo.begin()
        solids.draw(scene)
        panel = Panel(client, demo.controls)
        marks, readout = Marks(client), Readout(client)
        photographer = Photographer(client, demo.view, setup.film_size, graphics=True)
        p.configureDebugVisualizer(p.COV_ENABLE_RENDERING, 1, physicsClientId=client)
        aim(client, *_framed(demo.view))
        scenes = frames = 0
        if setup.fps is not None:  # so that a film has a frame, however soon the window is closed
            frames = 1
            send(("frame", (photographer.take(_seen(client), scene, demo.title), 1)))
        send(("state", (CLOSED, 0.0, 0, dict(demo.results()))))
        send(("lines", [demo.title, *described(demo.controls), *KEYS]))
        began = last = time.monotonic()
        lost = told = 0.0  # seconds of pauses; when results were told last
        paused = False
        how = ESCAPE
        with _until_closed(client):
            while p.isConnected(client):
                now = time.monotonic()
                dt, last = now - last, now
                touch = panel.read()
                paused ^= (touch.paused + _pauses(client)) % 2 == 1
                if paused:
                    lost += dt
                else:
                    t = now - began - lost
                    solids.advance(dt)
                    scene = demo.step(Moment(t, dt, dict(panel.values), touch.names, solids.measured()))
                    scenes += 1
                    _draw(scene, solids, marks, panel)
                readout.draw(scene.readings, ("paused: space goes on",) if paused else KEYS)
                p.configureDebugVisualizer(p.COV_ENABLE_SINGLE_STEP_RENDERING, 1, physicsClientId=client)
                if setup.fps is not None:
                    due = int((now - began) * setup.fps) + 1 - frames
                    if due > 0:
                        frames += due
                        send(("frame", (photographer.take(_seen(client), scene, demo.title), due)))
                if ending.asked:
                    how = INTERRUPTED
                    break
                if setup.seconds is not None and now - began >= setup.seconds:
                    how = TIME_IS_UP
                    break
                if now - told > _TOLD_SECONDS:
                    told = now
                    send(("state", (CLOSED, now - began, scenes, dict(demo.results()))))
        send(("state", (how, time.monotonic() - began, scenes, dict(demo.results()))))


@contextmanager
def _until_closed(client: int) -> Iterator[None]:
    """End quietly where the window was closed: what is asked of it then raises, or gives None in place of numbers."""
    p = bullet()
    try:
        yield
    except (p.error, TypeError):
        deadline = time.monotonic() + _CLOSING_SECONDS
        while p.isConnected(client):
            if time.monotonic() > deadline:
                raise  # it is there, so this is a mistake of ours
            time.sleep(0.05)


def _draw(scene: Scene, solids: Solids, marks: Marks, panel: Panel) -> None:
    solids.draw(scene)
    marks.draw(lines_of(scene), scene.points)
    panel.show(scene.shows)


def _pauses(client: int) -> int:
    """How often the space bar went down."""
    events = bullet().getKeyboardEvents(physicsClientId=client)
    return 1 if events.get(_SPACE, 0) & _DOWN else 0


def _framed(view: View) -> tuple[tuple[float, float, float], float, float, float]:
    """Target, distance, yaw and pitch with which a view fills what panels leave free of the window."""
    distance = view.radius / _SHARE  # the window's angle of view is 90 degrees, its half has tangent 1
    yaw, aside = math.radians(view.yaw_deg), _ASIDE * view.radius
    x, y, z = view.center
    return (
        (x + aside * math.cos(yaw), y + aside * math.sin(yaw), z - _DROP * distance),
        distance,
        view.yaw_deg,
        view.pitch_deg,
    )


def _seen(client: int) -> Camera:
    """The camera of the window, for the part of it that no panel covers."""
    camera = camera_now(client)
    x, y, z = camera.target
    return Camera((x, y, z + _DROP * camera.distance), camera.distance, camera.yaw, camera.pitch, _FILM_HALF)
