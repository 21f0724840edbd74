"""PyBullet's window, in a process of its own: closing it by its X button ends the process that opened it, at once.

On Linux the window does not listen to the window manager's wish to close it, so the X server cuts the connection and
Xlib ends the process: no exception, no ``finally``. What must survive that runs in the process that started it.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import multiprocessing
import os
import pickle
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin.errors import DiffkinError
from diffkin.robot import Robot
from diffkin.simulation.bullet_robot import load
from diffkin.simulation.library import bullet, display_problem, is_installed, quiet
from diffkin.simulation.motors import drive_to
from diffkin.simulation.pictures import add_floor, add_frame, frame_camera
from diffkin.simulation.world import open_world

__all__ = [
    "DONE",
    "WINDOW_CLOSED",
    "WindowCamera",
    "aim",
    "camera_now",
    "open_window",
    "run_in_window",
    "show_solutions",
    "supervise",
]

DONE = "done"
WINDOW_CLOSED = "window closed"

_OPEN_SECONDS = 60.0  # the window takes about one; torch is imported before it
_END_SECONDS = 10.0  # for a process that was asked to end
_AIM_SECONDS = 10.0  # the window takes its camera over with one of the next frames
_ASK_SECONDS = 0.01  # before it is asked again
_FIRST = 0  # the client number of PyBullet's first connection


def supervise(
    work: Callable[..., None],
    *arguments: Any,
    receive: Callable[[Any], None] | None = None,
) -> str:
    """Run what opens a window in a process of its own, take what it sends, and say how it ended.

    On Linux the process is a fork of this one, so that nothing is imported twice: call this before anything computed with
    several threads. Worlds that are open in PyBullet here stay so, and are not seen there. Ctrl-C and SIGTERM are handed
    on to it, and it is to end by itself then.

    Args:
        work: Called in the new process as ``work(send, *arguments)``; ``send`` takes what can be pickled. What it sends
            first says that the window is open. Must be a function at the top level of a module, like what is in the
            arguments, where processes are not forked.
        *arguments: Of ``work``.
        receive: Called in this process with all that is sent.

    Returns:
        ``DONE``, or ``WINDOW_CLOSED`` where the window's X button ended the process.

    Raises:
        diffkin.errors.DiffkinError: The window did not open within a minute, or its process ended in some other way.
        Exception: What ``work`` raised, with its traceback as a note.
    """
    context = multiprocessing.get_context("fork" if sys.platform.startswith("linux") else "spawn")
    ours, theirs = context.Pipe(duplex=False)
    sys.stdout.flush()
    process = context.Process(target=_supervised, args=(ours, theirs, work, arguments))  # type: ignore[attr-defined]
    handed_on = _handing_on(process)
    with handed_on:
        process.start()
        theirs.close()
        opened, ended = False, None
        try:
            while ended is None:
                # where the X server refuses, PyBullet's thread exits while its main thread waits for it
                if not opened and not ours.poll(_OPEN_SECONDS):
                    process.kill()
                    raise DiffkinError("PyBullet's window did not open within a minute. Is OpenGL available?")
                kind, content = ours.recv()
                if kind == "sent":
                    opened = True
                    if receive is not None:
                        receive(content)
                else:
                    ended = (kind, content)
        except (EOFError, OSError):  # the process is gone, perhaps in the middle of a message
            pass
        finally:
            if ended is None and process.is_alive() and sys.exc_info()[0] is not None:
                process.terminate()
            process.join(_END_SECONDS)
            if process.is_alive():
                process.kill()
                process.join()
    if ended is not None and ended[0] == "failed":
        raise ended[1]
    if ended is not None:
        return DONE
    if not opened:
        raise DiffkinError("PyBullet's window could not be opened (is OpenGL available?).")
    if process.exitcode is not None and process.exitcode >= 0:
        return WINDOW_CLOSED
    raise DiffkinError(f"The process of PyBullet's window ended unexpectedly, with exit code {process.exitcode}.")


@contextmanager
def open_window(width: int, height: int, background: tuple[float, float, float]) -> Iterator[int]:
    """PyBullet's window with its panels, nothing drawn until it is asked to, its own shortcuts off.

    Args:
        width: [pixels].
        height: [pixels].
        background: Red, green and blue from 0 to 1.

    Yields:
        The client number: 0.

    Raises:
        diffkin.errors.DiffkinError: This process is connected to PyBullet already, so that the window's camera cannot be
            read (see ``camera_now``).
    """
    p = bullet()
    if p.isConnected(_FIRST):
        raise DiffkinError(
            "PyBullet is in use in this process already, and tells the camera of its first connection only: "
            "close that connection, or open the window in another process."
        )
    _end_at_once_when_closed()
    with quiet():
        client = p.connect(p.GUI, options=f"--width={width} --height={height}")
    at = {"physicsClientId": client}
    off = [
        p.COV_ENABLE_RENDERING, p.COV_ENABLE_SHADOWS, p.COV_ENABLE_RGB_BUFFER_PREVIEW, p.COV_ENABLE_DEPTH_BUFFER_PREVIEW,
        p.COV_ENABLE_SEGMENTATION_MARK_PREVIEW, p.COV_ENABLE_KEYBOARD_SHORTCUTS, p.COV_ENABLE_MOUSE_PICKING,
    ]  # fmt: skip
    try:
        for flag in off:
            p.configureDebugVisualizer(flag, 0, **at)
        p.configureDebugVisualizer(rgbBackground=list(background), **at)
        yield client
    finally:
        with suppress(p.error), quiet():  # raised where the user closed the window
            p.disconnect(client)


def _end_at_once_when_closed() -> None:
    """Have Xlib end the process without cleaning up where the X server cuts the connection.

    By itself it calls ``exit`` in the window's thread. That waits for threads which are not there in a forked process, and
    the main thread waits for the window. The handler is C's own ``_exit``: one in Python could not run, because PyBullet
    holds the interpreter's lock. It takes the display's address for the exit code, so that may be any.
    """
    name = ctypes.util.find_library("X11") if sys.platform.startswith("linux") else None
    if name is not None:
        handler = ctypes.cast(ctypes.CDLL(None)._exit, ctypes.c_void_p)
        set_handler = ctypes.CDLL(name).XSetIOErrorHandler
        set_handler.argtypes, set_handler.restype = [ctypes.c_void_p], ctypes.c_void_p
        set_handler(handler)


def aim(
    client: int, target: tuple[float, float, float], distance: float, yaw_deg: float, pitch_deg: float
) -> tuple[float, float, float]:
    """Turn the window's camera, and draw until the window has taken it over.

    Args:
        client: A window.
        target: The point in the middle [m].
        distance: From there to the camera [m].
        yaw_deg: As in ``diffkin.simulation.Camera``.
        pitch_deg: Likewise.

    Returns:
        Distance, yaw and pitch as the window has them now.
    """
    p = bullet()
    at = {"physicsClientId": client}
    wanted = (*target, distance, yaw_deg, pitch_deg)
    deadline = time.monotonic() + _AIM_SECONDS
    while True:
        p.resetDebugVisualizerCamera(distance, yaw_deg, pitch_deg, target, **at)
        p.configureDebugVisualizer(p.COV_ENABLE_SINGLE_STEP_RENDERING, 1, **at)
        camera = camera_now(client)
        has = (*camera.target, camera.distance, camera.yaw, camera.pitch)
        if max(abs(a - b) for a, b in zip(has, wanted)) < 1e-3 or time.monotonic() > deadline:
            return camera.distance, camera.yaw, camera.pitch
        time.sleep(_ASK_SECONDS)


class WindowCamera(NamedTuple):
    """What PyBullet says of a window's camera, in its order.

    Attributes:
        width: Of the window [pixels].
        height: Of the window [pixels].
        view: The 16 numbers of the matrix from world to camera, column by column.
        projection: Likewise, from camera to picture.
        up: The camera's upward direction.
        forward: Where it looks.
        horizontal: Half the picture's width at the far plane, as a vector [m].
        vertical: Likewise, its height.
        yaw: As in ``diffkin.simulation.Camera`` [deg].
        pitch: Likewise.
        distance: From the point in the middle to the camera [m].
        target: The point in the middle [m].
    """

    width: int
    height: int
    view: tuple[float, ...]
    projection: tuple[float, ...]
    up: tuple[float, float, float]
    forward: tuple[float, float, float]
    horizontal: tuple[float, float, float]
    vertical: tuple[float, float, float]
    yaw: float
    pitch: float
    distance: float
    target: tuple[float, float, float]


def camera_now(client: int) -> WindowCamera:
    """Where the window's camera is, as people turn it too.

    PyBullet asks its first connection, whichever client it is given, and answers with zeros where that is no window;
    ``open_window`` makes sure that the window is the first.

    Args:
        client: A window.

    Returns:
        The camera.

    Raises:
        pybullet.error: The window is closed.
    """
    p = bullet()
    camera = WindowCamera(*p.getDebugVisualizerCamera(physicsClientId=client))
    if camera.width == 0:
        raise p.error("The window is closed.")
    return camera


def run_in_window(function: Callable[..., None], *arguments: Any) -> str:
    """Run a function that opens PyBullet's window, and say how it ended.

    Args:
        function: A function at the top level of a module, called in a new process with the client number first.
        *arguments: What else it is called with; must survive pickling.

    Returns:
        "shown" where it ran to its end; else a sentence that says why there was no window, or that it was closed.
    """
    if not is_installed():
        return "No PyBullet window: pybullet is not installed (`pip install pybullet`)."
    problem = display_problem()
    if problem is not None:
        return f"No PyBullet window: {problem}. Going on without one."
    context = multiprocessing.get_context("spawn")
    opened = context.Event()
    process = context.Process(target=_run, args=(opened, function, arguments))
    process.start()
    # where the X server refuses, PyBullet's thread exits while its main thread waits for it, and neither ends
    deadline = time.monotonic() + _OPEN_SECONDS
    while process.is_alive() and not opened.is_set() and time.monotonic() < deadline:
        opened.wait(0.1)
    if process.is_alive() and not opened.is_set():
        process.kill()
    process.join()
    if process.exitcode == 0:
        return "shown"
    if opened.is_set():
        return "The PyBullet window was closed. Going on without it."
    return "No PyBullet window: it could not be opened (is OpenGL available?). Going on without one."


def show_solutions(
    robot: Robot, q: Float[Tensor, "n dof"], targets: Float[Tensor, "n 4 4"], linger_seconds: float = 2.0
) -> str:
    """Let Bullet's motors carry the arm from target to target in the window, at natural speed.

    Args:
        robot: A robot loaded from a URDF.
        q: (n, dof) solutions.
        targets: (n, 4, 4) their targets in the robot's base.
        linger_seconds: How long the window stays after the last.

    Returns:
        As ``run_in_window``.
    """
    robot = robot.to(dtype=torch.float64, device="cpu")
    return run_in_window(_show, robot, q.detach().cpu().numpy(), targets.detach().cpu().numpy(), linger_seconds)


def _run(opened: Any, function: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    with open_world(gui=True) as client:
        opened.set()
        function(client, *arguments)


def _show(client: int, robot: Robot, q: Any, targets: Any, linger_seconds: float) -> None:
    p = bullet()
    arm = load(client, robot)
    poses = torch.from_numpy(targets).double()
    solutions = torch.from_numpy(q).double()
    camera = frame_camera(arm, solutions)
    add_floor(client, 2.0 * camera.distance)
    # the window's angle of view is wider than the camera's: 90 degrees against 35
    aim(client, camera.target, 0.45 * camera.distance, camera.yaw_deg, camera.pitch_deg)
    p.configureDebugVisualizer(p.COV_ENABLE_SINGLE_STEP_RENDERING, 0, physicsClientId=client)
    arm.reset(torch.zeros(robot.dof, dtype=torch.float64, device="cpu"))
    for solution, target in zip(solutions, poses):
        frame = add_frame(client, arm.base_pose() @ target, size=0.1 * camera.distance)
        drive_to(arm, solution, real_time=True, settle_seconds=0.5)
        for body, _ in frame:
            p.removeBody(body, physicsClientId=client)
    time.sleep(linger_seconds)


def _supervised(ours: Any, theirs: Any, work: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    """What the new process does."""
    ours.close()
    torch.set_num_threads(1)  # thread pools of the process that was forked are not here
    with _hushed(), suppress(BrokenPipeError):  # broken where the other process was killed
        try:
            _forget_worlds()
            work(lambda content: theirs.send(("sent", content)), *arguments)
        except BrokenPipeError:
            raise
        except BaseException as error:
            theirs.send(("failed", _portable(error)))
        else:
            theirs.send(("done", None))


def _forget_worlds() -> None:
    """Close this process's copy of the world that was open in the process it was forked from; that one keeps its own."""
    p = bullet()
    if p.isConnected(_FIRST) and p.getConnectionInfo(_FIRST)["connectionMethod"] == p.DIRECT:
        p.disconnect(_FIRST)


def _portable(error: BaseException) -> BaseException:
    """The error, if it survives pickling, or one that says the same; with its traceback as a note."""
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    try:
        portable = pickle.loads(pickle.dumps(error))
    except Exception:  # any class may refuse in its own way
        portable = RuntimeError(f"{type(error).__name__}: {error}")
    if not isinstance(error, DiffkinError):
        portable.__cause__ = RuntimeError(f"in the process of the window:\n{text}")
    return portable


@contextmanager
def _handing_on(process: Any) -> Iterator[None]:
    """Within, Ctrl-C and SIGTERM go to another process. Outside the main thread of a program, nothing is done."""

    def hand_on(number: int, frame: FrameType | None) -> None:
        if process.pid is not None and process.is_alive():
            os.kill(process.pid, signal.SIGINT)

    try:
        before = {number: signal.signal(number, hand_on) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not the main thread
        before = {}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _hushed() -> Iterator[None]:
    """Within, what C code prints goes to a file of its own; what Python prints is shown as before."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = sys.stdout, sys.stderr
    with tempfile.TemporaryFile() as held:
        sys.stdout, sys.stderr = (os.fdopen(os.dup(number), "w", buffering=1) for number in (1, 2))
        saved = [os.dup(number) for number in (1, 2)]
        for number in (1, 2):
            os.dup2(held.fileno(), number)
        try:
            yield
        finally:
            sys.stdout, sys.stderr = kept
            for number, original in zip((1, 2), saved):
                os.dup2(original, number)
                os.close(original)
