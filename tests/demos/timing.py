"""How long the demos take, as a user meets it: ``python -m tests.demos.timing [opening] [frames] [film] [browser]``.

opening  seconds from the command to the window that shows the arm, kernels compiled.
frames   frames a second in the window, 1024 x 768 without panels, software rendering: with inverse kinematics in every
         frame and of the same scenes without, in turns; and what a step of the demo costs.
film     seconds for a film of 5 s at 640 x 480, in turns with as many pictures of the arm by PyBullet alone.
browser  from a touch in the page to the pose sent back: the gizmo dragged by the mouse until 60 touches came.

Frames and opening need the programs of ``tests.demos.display``. On an otherwise idle machine.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from tests.demos.display import Display, missing, running_demo, virtual_display

_ROUNDS, _FRAMES = 6, 10  # of the turns with and without inverse kinematics
_TOUCHES = 60
_FILMS = 5  # in turns with drawing alone


def opening(times: int = 3) -> dict[str, Any]:
    """From the command until the script says that its window stands."""
    took = []
    with virtual_display() as display:
        for _ in range(times + 1):  # the first one fills the caches of files
            with tempfile.TemporaryDirectory() as folder:
                begin = time.perf_counter()
                with running_demo(display, Path(folder), "robot=franka_panda") as process:
                    took.append(time.perf_counter() - begin)
                    display.press_close_button()
                    process.wait(60)
    return {"first_s": took[0], "median_s": statistics.median(took[1:]), "worst_s": max(took[1:])}


def frames() -> dict[str, Any]:
    """The window's loop, in a process of its own: PyBullet ends it with its window."""
    with virtual_display() as display:
        return _told("window_loop", display)


def window_loop() -> dict[str, Any]:
    """What that process does."""
    import diffkin as dk
    from diffkin.demos.arm import make_arm_demo
    from diffkin.demos.scene import first_values
    from diffkin.demos.stages import window
    from diffkin.demos.stages.film import rehearse

    p, demo = window.bullet(), make_arm_demo(dk.load_robot("franka_panda"))
    with window.open_window(1024, 768, window.BACKGROUND) as client:
        p.configureDebugVisualizer(p.COV_ENABLE_GUI, 0, physicsClientId=client)
        solids, marks, readout = window.Solids(client, demo.view), window.Marks(client), window.Readout(client)
        scene = demo.begin()
        solids.draw(scene)
        p.configureDebugVisualizer(p.COV_ENABLE_RENDERING, 1, physicsClientId=client)
        window.aim(client, *window._framed(demo.view))
        values, kept, rates, steps = first_values(demo.controls), [], {True: [], False: []}, []

        def step(number: int) -> None:
            nonlocal values, scene
            moment = rehearse(demo, values, 0.05 * number, 0.05, scene)
            values, scene = dict(moment.values), demo.step(moment)

        for number in range(2 * _FRAMES):
            step(number)
            kept.append(scene)
        for turn in range(_ROUNDS):
            for moving in (True, False):
                begin = time.perf_counter()
                for number in range(_FRAMES):
                    shown = kept[number]
                    if moving:
                        at = time.perf_counter()
                        step(turn * _FRAMES + number)
                        steps.append(time.perf_counter() - at)
                        shown = scene
                    solids.draw(shown)
                    marks.draw(window.lines_of(shown), shown.points)
                    readout.draw(shown.readings)
                    p.configureDebugVisualizer(p.COV_ENABLE_SINGLE_STEP_RENDERING, 1, physicsClientId=client)
                rates[moving].append(_FRAMES / (time.perf_counter() - begin))
    with_ik, without = (statistics.median(rates[moving]) for moving in (True, False))
    return {
        "frames_a_second_with_ik": with_ik,
        "frames_a_second_without": without,
        "ratio": with_ik / without,
        "step_median_ms": 1e3 * statistics.median(steps),
        "solve_time_median_ms": demo.results()["solve_time_median_ms"],
    }


def film() -> dict[str, Any]:
    """A film without a window."""
    return _told("film_made", None)


def film_made() -> dict[str, Any]:
    """What that process does: the film, and the same arm at as many places drawn by PyBullet alone."""
    import torch

    import diffkin as dk
    from diffkin.demos.arm import make_arm_demo
    from diffkin.demos.stages import pictures
    from diffkin.demos.stages.film import film_demo
    from diffkin.simulation import load, open_world

    robot = dk.load_robot("franka_panda")
    demo = make_arm_demo(robot)
    demo.begin()  # kernels are read
    drawing, took, made = [], [], None
    for _ in range(_FILMS):
        begin = time.perf_counter()
        with open_world() as client:
            by_graphics = pictures.start_graphics(client)
            arm, camera = load(client, robot), pictures.camera_of(demo.view)
            places = robot.lower + torch.linspace(0.3, 0.7, 100)[:, None] * (robot.upper - robot.lower)
            for q in places.double():
                arm.reset(q)
                pictures._photograph(client, camera.lens(client, 640, 480), 640, 480, by_graphics)
        drawing.append(time.perf_counter() - begin)
        with tempfile.TemporaryDirectory() as folder:
            begin = time.perf_counter()
            made = film_demo(demo, Path(folder) / "film.mp4", seconds=5.0, fps=20.0, size=(640, 480))
            took.append(time.perf_counter() - begin)
    return {
        "frames": made.film_frames,
        "seconds": statistics.median(took),
        "drawing_alone_s": statistics.median(drawing),
        "over_drawing": statistics.median(took) / statistics.median(drawing) - 1.0,
        "over_drawing_each": [whole / alone - 1.0 for whole, alone in zip(took, drawing)],
    }


def browser() -> dict[str, Any]:
    """A page open in headless Chromium, its gizmo dragged to and fro."""
    import torch

    import diffkin as dk
    from diffkin.demos.arm import make_arm_demo
    from diffkin.demos.arm.surroundings import Surroundings
    from diffkin.demos.stages.browser import BrowserStage
    from tests.demos.stages.chromium import chromium, drag, on_screen, open_page, wait_for

    robot = dk.load_robot("kuka_iiwa")
    demo = Surroundings(make_arm_demo(robot), robot)
    scene = demo.begin()
    size = next(control.size for control in demo.controls if type(control).__name__ == "Gizmo")
    worst: list[float] = []
    with chromium() as page, BrowserStage(demo, rate=30.0) as stage:
        last = {"scene": scene}

        def seen(scene: Any) -> None:
            last["scene"] = scene
            worst.append(scene.reading("position error").value)

        thread = threading.Thread(target=stage.play, kwargs={"on_step": seen})
        thread.start()
        client = open_page(page, stage.url, stage.server)
        way = -0.12  # [m] along the gizmo's z arrow, out and back in turns
        while len(stage.latencies) < _TOUCHES:
            before, touches = torch.as_tensor(last["scene"].shows["target"]), len(stage.latencies)
            arrow = before[:3, 3] + 0.85 * size * before[:3, 2]
            drag(page, *(on_screen(page, client, (arrow + d * before[:3, 2]).numpy()) for d in (0.0, way)))
            wait_for(lambda touches=touches: len(stage.latencies) > touches)
            time.sleep(1.0)  # what is still on its way
            way = -way
        stage.end()
        thread.join()
        return {**stage.figures(), "worst_position_error_mm": max(worst)}


def _told(name: str, display: Display | None) -> dict[str, Any]:
    """What a function of this module gives in a process of its own."""
    code = f"import json; from tests.demos import timing; print('told', json.dumps(timing.{name}()))"
    environment = dict(os.environ, OMP_NUM_THREADS="1") if display is None else display.environment
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=600)
    for line in done.stdout.splitlines():
        if line.startswith("told "):
            return dict(json.loads(line.removeprefix("told ")))
    raise RuntimeError(f"{name} told nothing:\n{done.stdout}\n{done.stderr}")


PARTS = {"opening": opening, "frames": frames, "film": film, "browser": browser}


def main() -> int:
    """Print the figures of the parts that were asked for, all if none."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="part")
    asked = parser.parse_args().parts or list(PARTS)
    if missing() and {"opening", "frames"} & set(asked):
        print(missing())
        return 1
    for name in asked:
        print(name, json.dumps(PARTS[name](), indent=1), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
