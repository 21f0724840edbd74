"""A demo as a film: nobody plays, the demo rehearses, and every frame is drawn without a window."""

from __future__ import annotations

import os
from collections.abc import Callable

from diffkin.demos.scene import Demo, Moment, Scene, Value, first_values
from diffkin.demos.stages.ending import INTERRUPTED, TIME_IS_UP, Played, asked_to_end
from diffkin.demos.stages.pictures import Photographer, camera_of, start_graphics, stop_graphics
from diffkin.demos.stages.solids import Solids
from diffkin.errors import OptionError
from diffkin.plotting.film import open_film
from diffkin.simulation.world import open_world

__all__ = ["film_demo", "rehearse"]


def film_demo(
    demo: Demo,
    path: str | os.PathLike[str],
    *,
    seconds: float = 8.0,
    fps: float = 20.0,
    size: tuple[int, int] = (640, 480),
    oversampling: int = 1,
    graphics: bool = True,
    progress: Callable[[int, int], object] | None = None,
) -> Played:
    """Let a demo rehearse, and write what it shows to a film. Ctrl-C ends it earlier; the film is finished all the same.

    Args:
        demo: What plays.
        path: Of the film, ``.mp4`` or ``.gif``.
        seconds: How long the film is.
        fps: Frames a second.
        size: Width and height [pixels].
        oversampling: As for ``Photographer``; 2 gives smooth edges and takes some three times as long.
        graphics: Use OpenGL without a window (EGL) where it works; Bullet's software renderer elsewhere, or if False.
        progress: Called after each frame with the frames drawn and all there will be.

    Returns:
        How it went.

    Raises:
        diffkin.errors.OptionError: A length or size that cannot be.
        diffkin.errors.MissingDependencyError: pybullet or the extra ``diffkin[film]`` is not installed.
    """
    count = round(seconds * fps)
    if count < 1 or min(size) < 16 or oversampling < 1:
        raise OptionError(
            f"A film has at least one frame of 16 x 16 pixels, got {seconds=}, {fps=}, {size=}, {oversampling=}."
        )
    with open_world() as client, open_film(path, fps) as film, asked_to_end() as ending:
        by_graphics = graphics and start_graphics(client)
        solids = Solids(client)
        photographer = Photographer(client, demo.view, size, by_graphics, oversampling)
        camera = camera_of(demo.view)
        scene = demo.begin()
        values = first_values(demo.controls)
        for k in range(count):
            if k:
                solids.advance(1.0 / fps)
                moment = rehearse(demo, values, k / fps, 1.0 / fps, scene)
                values = dict(moment.values)
                scene = demo.step(Moment(moment.t, moment.dt, values, moment.touched, solids.measured()))
            solids.draw(scene)
            film.add(photographer.take(camera, scene, demo.title))
            if progress is not None:
                progress(k + 1, count)
            if ending.asked:
                break
        if by_graphics:
            stop_graphics(client)
        how = INTERRUPTED if ending.asked else TIME_IS_UP
        return Played(how, film.frames / fps, film.frames, film.frames, str(path), dict(demo.results()))


def rehearse(demo: Demo, values: dict[str, Value], t: float, dt: float, scene: Scene) -> Moment:
    """The moment in which a rehearsal touches what it says, and controls show what the last scene wanted.

    Args:
        demo: Whose rehearsal.
        values: What controls showed before.
        t: Seconds since the start.
        dt: Seconds since the last moment.
        scene: The last one.

    Returns:
        The moment.
    """
    wanted = dict(demo.rehearsal(t))
    shown = {name: value for name, value in {**values, **scene.shows, **wanted}.items() if name in values}
    return Moment(t, dt, shown, frozenset(wanted))
