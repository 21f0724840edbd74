"""Peers that use one core, measured with the problems split over two processes."""

from __future__ import annotations

import multiprocessing
import time
from multiprocessing.connection import Connection

from benchmarks import models, peers

__all__ = ["split_over_two"]


def split_over_two(jobs: list[tuple[str, str, int]]) -> dict[tuple[str, str], float]:
    """Seconds for each job's problems, one half in each of two processes that start together.

    Args:
        jobs: (what, robot, count): "forward" or "jacobian" for Pinocchio's loop, or the name of an IK peer.

    Returns:
        Seconds of the slower half, by what and robot.
    """
    if not jobs:
        return {}
    context = multiprocessing.get_context("spawn")
    pairs = [context.Pipe() for _ in range(2)]
    workers = [context.Process(target=_serve, args=(pair[1], half)) for half, pair in enumerate(pairs)]
    for worker in workers:
        worker.start()
    pipes = [pair[0] for pair in pairs]
    measured = {}
    for job in jobs:
        for pipe in pipes:
            pipe.send(job)
        for pipe in pipes:
            pipe.recv()  # ready
        for pipe in pipes:
            pipe.send("go")
        measured[job[:2]] = max(pipe.recv() for pipe in pipes)
    for pipe in pipes:
        pipe.send(None)
    for worker in workers:
        worker.join()
    return measured


def _serve(pipe: Connection, half: int) -> None:
    while (job := pipe.recv()) is not None:
        what, name, count = job
        model = models.load_model(name)
        q, targets = models.problems(model, count)
        mine = slice(half, None, 2)
        if what in ("forward", "jacobian"):
            run = peers.pinocchio_loop(model, q[mine])[what]
            run()
        else:
            solve = peers.ik_solver(what, model, model.lower, model.upper)
            starts, _ = models.problems(model, count, seed=2)
            pairs = list(zip(targets[mine], starts[mine], strict=True))
            solve(*pairs[0])

            def run(solve=solve, pairs=pairs) -> None:
                for target, start in pairs:
                    solve(target, start)

        pipe.send("ready")
        pipe.recv()
        begin = time.perf_counter()
        run()
        pipe.send(time.perf_counter() - begin)
