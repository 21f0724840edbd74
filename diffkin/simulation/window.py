"""PyBullet's window, in a process of its own: closing it by its X button ends the process that opened it, at once."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin.robot import Robot
from diffkin.simulation.bullet_robot import load
from diffkin.simulation.library import bullet, display_problem, is_installed
from diffkin.simulation.motors import drive_to
from diffkin.simulation.pictures import add_frame, frame_camera
from diffkin.simulation.world import open_world

__all__ = ["run_in_window", "show_solutions"]

_OPEN_SECONDS = 60.0  # the window takes about one; torch is imported before it


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
    p.resetDebugVisualizerCamera(
        camera.distance, camera.yaw_deg, camera.pitch_deg, camera.target, physicsClientId=client
    )
    arm.reset(torch.zeros(robot.dof, dtype=torch.float64))
    for solution, target in zip(solutions, poses):
        frame = add_frame(client, arm.base_pose() @ target, size=0.1 * camera.distance)
        drive_to(arm, solution, real_time=True, settle_seconds=0.5)
        for body, _ in frame:
            p.removeBody(body, physicsClientId=client)
    time.sleep(linger_seconds)
