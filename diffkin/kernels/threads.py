"""A small pool of threads for kernels that release the GIL.

Numba's own threading layers abort the process when two Python threads enter at once, or hang after a fork. Here a call
splits its problems into chunks; the calling thread and a few pool threads take chunks until none is left. A pool lost
in a fork is made anew, and an interrupt between two chunks stops the call and leaves the pool usable.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue

from diffkin.errors import OptionError

__all__ = ["get_num_threads", "run_batch", "run_chunks", "set_num_threads"]


def _default_threads() -> int:
    text = os.environ.get("DIFFKIN_NUM_THREADS")
    if text is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not text.isdecimal() or int(text) < 1:
        raise OptionError(f"DIFFKIN_NUM_THREADS is {text!r}; it must be a whole number from 1 on. Correct or unset it.")
    return int(text)


class _Job:
    """One call: its chunks, handed out to whichever thread asks next."""

    def __init__(self, task: Callable[[int, int], object], count: int, chunk: int) -> None:
        self.task = task
        self.count = count
        self.chunk = chunk
        self.next = itertools.count(0, chunk).__next__  # atomic under the GIL
        self.stopped = False
        self.error: BaseException | None = None
        self.helpers = 0
        self.idle = threading.Condition()

    def work(self) -> None:
        while not self.stopped:
            start = self.next()
            if start >= self.count:
                return
            self.task(start, min(start + self.chunk, self.count))

    def help(self) -> None:
        with self.idle:
            if self.stopped:
                return
            self.helpers += 1
        try:
            self.work()
        except BaseException as error:  # carried to the calling thread
            self.error = error
            self.stopped = True
        finally:
            with self.idle:
                self.helpers -= 1
                self.idle.notify_all()

    def finish(self) -> None:
        """Wait until no helper is inside a chunk; a helper that comes later finds the job stopped."""
        with self.idle:
            self.stopped = True
            while self.helpers:
                self.idle.wait()


class _Pool:
    """Daemon threads that wait for jobs."""

    def __init__(self) -> None:
        self.jobs: SimpleQueue[_Job] = SimpleQueue()
        self.size = 0
        self.lock = threading.Lock()

    def submit(self, job: _Job, helpers: int) -> None:
        if self.size < helpers:
            with self.lock:
                while self.size < helpers:
                    threading.Thread(target=self._serve, name="diffkin-kernel", daemon=True).start()
                    self.size += 1
        for _ in range(helpers):
            self.jobs.put(job)

    def _serve(self) -> None:
        while True:
            self.jobs.get().help()


_threads: int | None = None
_pool = _Pool()


def _after_fork() -> None:
    global _pool
    _pool = _Pool()  # the parent's threads do not exist in the child


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def get_num_threads() -> int:
    """The number of threads that one call of a kernel may use.

    Returns:
        What ``set_num_threads`` was given, else the environment variable DIFFKIN_NUM_THREADS, else the number of
        processors this process may run on.
    """
    global _threads
    if _threads is None:
        _threads = _default_threads()
    return _threads


def set_num_threads(number: int) -> None:
    """Set the number of threads that one call of a kernel may use. Answers do not depend on it.

    Args:
        number: At least 1; 1 keeps every call in the thread that makes it.

    Raises:
        OptionError: If ``number`` is not an integer from 1 on.
    """
    global _threads
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise OptionError(f"The number of threads must be an integer from 1 on, not {number!r}.")
    _threads = number


def run_chunks(task: Callable[[int, int], object], count: int, chunk: int, threads: int | None = None) -> None:
    """Call ``task(start, stop)`` on contiguous chunks that together cover ``range(count)``, in several threads.

    The calling thread takes part. An exception of any chunk, or KeyboardInterrupt in the calling thread, stops the
    handing out of chunks, waits for those under way and is raised. A chunk should take well under 0.2 s, so that an
    interrupt is noticed soon, and well over 50 us, so that the threads are worth it.

    Args:
        task: Calls a kernel that releases the GIL; chunks are independent.
        count: Number of problems.
        chunk: Problems in a chunk, the last one excepted; a multiple of the lane width wastes no lane.
        threads: At most so many threads; ``get_num_threads()`` if None.
    """
    if count <= chunk:
        if count > 0:
            task(0, count)
        return
    helpers = min(get_num_threads() if threads is None else threads, -(-count // chunk)) - 1
    job = _Job(task, count, chunk)
    if helpers <= 0:
        job.work()
        return
    _pool.submit(job, helpers)
    try:
        job.work()
    except BaseException:
        job.stopped = True
        raise
    finally:
        job.finish()
    if job.error is not None:
        raise job.error


def run_batch(kernel: Callable[..., object], arguments: tuple[object, ...], count: int, grain: int) -> None:
    """Call ``kernel(*arguments, start, stop)`` so that all of ``range(count)`` is covered.

    Up to a few grains in this thread, in one call; more of them in several threads, each taking a few chunks.

    Args:
        kernel: As for ``run_chunks``.
        arguments: What the kernel takes before the range.
        count: Number of problems.
        grain: Number of problems that take about a tenth of a millisecond.
    """
    if count <= 2 * grain:
        if count:
            kernel(*arguments, 0, count)
        return
    share = -(-count // (4 * get_num_threads()))
    chunk = min(max(grain, share), 64 * grain)
    run_chunks(partial(kernel, *arguments), count, -(-chunk // 16) * 16)
