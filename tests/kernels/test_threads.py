"""Chunks, errors, interrupts, forks and many callers of the thread pool."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import diffkin.kernels
from diffkin.errors import OptionError
from diffkin.kernels import threads


@pytest.fixture(autouse=True)
def _restore():
    before = threads.get_num_threads()
    yield
    threads.set_num_threads(before)


# The kernels without the rest of the package: they need neither torch nor a robot.
_ALONE = f"""
import sys, types
sys.modules["diffkin"] = types.ModuleType("diffkin")
sys.modules["diffkin"].__path__ = [{str(Path(diffkin.kernels.__file__).parents[1])!r}]
"""


def _run(code: str, timeout: float = 120, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", _ALONE + textwrap.dedent(code) + "\nassert 'torch' not in sys.modules"],
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, **environment},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("number", [1, 2, 5])
@pytest.mark.parametrize(("count", "chunk"), [(0, 3), (1, 3), (3, 3), (1000, 7), (1001, 1)])
def test_every_problem_once(number, count, chunk):
    threads.set_num_threads(number)
    seen = np.zeros(count, int)

    def task(start: int, stop: int) -> None:
        assert 0 < stop - start <= chunk
        seen[start:stop] += 1

    threads.run_chunks(task, count, chunk)
    assert (seen == 1).all()
    seen[:] = 0
    threads.run_batch(lambda array, start, stop: array[start:stop].__iadd__(1), (seen,), count, 10)
    assert (seen == 1).all()


def test_several_threads_take_part():
    threads.set_num_threads(3)
    names = set()

    def task(start: int, stop: int) -> None:
        names.add(threading.get_ident())
        time.sleep(0.01)

    threads.run_chunks(task, 30, 1)
    assert len(names) == 3


@pytest.mark.parametrize("number", [1, 2, 4])
def test_an_error_in_any_thread_reaches_the_caller_and_the_pool_goes_on(number):
    threads.set_num_threads(number)

    def task(start: int, stop: int) -> None:
        time.sleep(0.001)
        if start == 20:
            raise ArithmeticError("chunk 20")

    for _ in range(3):
        with pytest.raises(ArithmeticError, match="chunk 20"):
            threads.run_chunks(task, 100, 1)
    test_every_problem_once(number, 1000, 7)


def test_nothing_runs_after_the_call_has_ended():
    threads.set_num_threads(4)
    running = []

    def task(start: int, stop: int) -> None:
        running.append(1)
        time.sleep(0.002)
        running.pop()
        if start == 5:
            raise ArithmeticError

    for _ in range(10):
        with pytest.raises(ArithmeticError):
            threads.run_chunks(task, 50, 1)
        assert not running


def test_calls_from_within_calls():
    threads.set_num_threads(2)
    seen = np.zeros((8, 50), int)

    def outer(start: int, stop: int) -> None:
        for k in range(start, stop):
            threads.run_chunks(lambda a, b, row=seen[k]: row[a:b].__iadd__(1), 50, 3)

    threads.run_chunks(outer, 8, 1)
    assert (seen == 1).all()


@pytest.mark.parametrize("number", [0, -1, 1.5, True, "2", None])
def test_a_number_of_threads_is_a_positive_integer(number):
    with pytest.raises(OptionError, match="from 1 on"):
        threads.set_num_threads(number)


def test_number_of_threads_from_the_environment():
    code = "from diffkin.kernels.threads import get_num_threads; print(get_num_threads())"
    assert _run(code, DIFFKIN_NUM_THREADS="3").strip() == "3"
    os_default = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert int(_run(f"import os; os.environ.pop('DIFFKIN_NUM_THREADS', None)\n{code}")) == os_default
    code = f"""
        from diffkin.errors import OptionError
        try:
            {code}
        except OptionError as error:
            print(error)
    """
    assert "'many'" in _run(code, DIFFKIN_NUM_THREADS="many")


_SETUP = """
import os, threading
import numpy as np
from diffkin.kernels import threads
from diffkin.kernels.tree.forward import forward
from diffkin.kernels.tree.mechanism import Mechanism
from diffkin.kernels.tree.plan import make_plan

def chain(n):  # n joints that all follow one coordinate
    origin = np.tile(np.eye(4), (n, 1, 1))
    origin[:, :3, :3] = [[1, 0, 0], [0, 0.6, -0.8], [0, 0.8, 0.6]]
    origin[:, 0, 3] = 0.001
    return Mechanism(1, np.arange(n) - 1, np.zeros(n, np.int64), np.zeros(n, np.int64), np.ones(n), np.zeros(n), origin,
                     np.tile([0.0, 0.0, 1.0], (n, 1)), np.array([n - 1]), np.eye(4)[None])

plan = make_plan(chain(50), [0], np.float32)
q = np.random.default_rng(0).uniform(-3, 3, (8 * plan.grain, 1)).astype(np.float32)
"""


def test_an_interrupt_stops_a_long_batch_and_leaves_the_pool_usable():
    for number in (1, 2):
        out = _run(
            _SETUP
            + f"""
import signal, time
threads.set_num_threads({number})
long = make_plan(chain(4000), [0], np.float32)
many = np.zeros((1 << 20, 1), np.float32)  # many seconds
forward(long, many[:64])
out = np.full((len(many), 1, 4, 4), np.nan, np.float32)
sent = []
def interrupt():
    time.sleep(0.3)
    sent.append(time.perf_counter())
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=interrupt).start()
try:
    forward(long, many, out=out)
    print("not interrupted")
except KeyboardInterrupt:
    print("interrupted", time.perf_counter() - sent[0])
done = np.isfinite(out[:, 0, 0, 0]).sum()
assert 0 < done < len(many)
time.sleep(0.2)
assert np.isfinite(out[:, 0, 0, 0]).sum() == done  # nothing writes any more
threads.set_num_threads(1)
want = forward(plan, q)
threads.set_num_threads(2)
assert np.array_equal(forward(plan, q), want)
"""
        )
        word, seconds = out.split()
        assert word == "interrupted"
        assert float(seconds) < 1.0  # what is promised; a chunk takes some milliseconds


def test_many_python_threads_at_once_also_in_the_compiling_call(tmp_path):
    out = _run(
        _SETUP
        + """
results, start = [None] * 8, threading.Barrier(8)
def work(k):
    start.wait()
    for _ in range(20):
        results[k] = forward(plan, q)
callers = [threading.Thread(target=work, args=(k,)) for k in range(8)]
[t.start() for t in callers]
[t.join() for t in callers]
threads.set_num_threads(1)
want = forward(plan, q)
print(all(np.array_equal(r, want) for r in results))
""",
        NUMBA_CACHE_DIR=str(tmp_path),
    )
    assert out.strip() == "True"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_fork_after_use():
    out = _run(
        _SETUP
        + """
import multiprocessing, sys
threads.set_num_threads(2)
want = forward(plan, q)  # the pool of the parent runs
assert threading.active_count() > 1
def work(k):
    assert threading.active_count() == 1
    same = np.array_equal(forward(plan, q), want) and threading.active_count() > 1
    sys.exit(0 if same else 1)
context = multiprocessing.get_context("fork")
children = [context.Process(target=work, args=(k,)) for k in range(4)]
[c.start() for c in children]
[c.join(60) for c in children]
print([c.exitcode for c in children], np.array_equal(forward(plan, q), want))
"""
    )
    assert out.strip() == "[0, 0, 0, 0] True"


def test_memory_beyond_the_output():
    resource = pytest.importorskip("resource")
    assert resource
    out = _run(
        _SETUP
        + """
import resource
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
forward(plan, q)
many = np.zeros((1 << 20, 1), np.float32)
many += 1
before = peak()
result = forward(plan, many)
print(peak() - before - result.nbytes)
"""
    )
    assert int(out) < 64e6
