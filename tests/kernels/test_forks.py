"""Forks while other threads import, compile and compute: every child answers."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path

import pytest

import diffkin
from tests.fresh import run_code

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")

_CHILDREN = """
import faulthandler, os, sys, threading, time, traceback

def answers(child):
    '''Fork and let the child say whether child() holds; where it hangs for two minutes it tells where, and ends.'''
    pid = os.fork()
    if pid == 0:
        try:
            faulthandler.dump_traceback_later(120, exit=True)
            os._exit(0 if child() else 1)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
"""


def _check(code: str, folder: Path, says: str) -> None:
    """Run code in a new process, with ``answers`` at hand and no kernel kept on disk, and compare what it prints."""
    environment = {
        **os.environ,
        "NUMBA_CACHE_DIR": str(folder),
        "PYTHONPATH": str(Path(diffkin.__file__).parents[1]),
        "OMP_NUM_THREADS": "1",
    }
    done = run_code(_CHILDREN + textwrap.dedent(code), folder=folder, environment=environment, timeout=400)
    assert (done.returncode, done.stdout.strip()) == (0, says), done.stderr


def test_ten_forks_while_another_thread_compiles(tmp_path):
    (tmp_path / "many.py").write_text(
        textwrap.dedent("""
        from diffkin.kernels.compiled import kernel
        def total(x, y):
            sum = 0.0
            for a in x:
                for b in y:
                    sum += a * b - b / (1.0 + a * a)
            return sum
        def fresh():
            return kernel(total)
        """)
    )
    _check(
        """
        import numpy as np
        from many import fresh, total
        kinds = [np.float64, np.float32, np.int64, np.int32, np.int16, np.uint8, np.uint16, np.int8]
        ended, compiled = threading.Event(), []
        def compile_on():
            while not ended.is_set():
                new = fresh()
                new._cache.disable()
                for first in kinds:
                    new(np.ones(3, first), np.ones(2, kinds[len(compiled) % 8]))
                    compiled.append(first)
                    if ended.is_set():
                        return
        thread = threading.Thread(target=compile_on)
        thread.start()
        x, y = np.array([1.0, 2.0, 4.0]), np.array([0.5, 3.0])
        want = total(x, y)
        def child():
            new = fresh()
            new._cache.disable()
            return abs(new(x, y) - want) < 1e-12
        said = []
        while len(said) < 10 or (len(compiled) <= 3 and len(said) < 200):  # a busy machine compiles slowly
            time.sleep(0.013 * (len(said) % 10 + 1))
            said.append(answers(child))
        ended.set()
        thread.join()
        print(all(said), len(said) >= 10, len(compiled) > 3)
        """,
        tmp_path,
        "True True True",
    )


@pytest.mark.parametrize("delay", [0.1, *(pytest.param(delay, marks=pytest.mark.slow) for delay in (0.01, 0.4))])
def test_a_fork_while_another_thread_imports_kernels_for_the_first_time(tmp_path, delay):
    _check(
        f"""
        import torch
        import diffkin as dk
        arm = dk.load_robot("planar_3r")
        q = torch.tensor([0.1, 0.2, 0.3], dtype=arm.dtype)
        want = arm.forward_kinematics(q, backend="reference")
        def use():
            return torch.allclose(arm.forward_kinematics(q), want)
        early = not any(name.startswith("diffkin.kernels.tree.forward") for name in sys.modules)
        thread = threading.Thread(target=use)
        thread.start()
        time.sleep({delay})
        said = [answers(use) for _ in range(2)]
        thread.join()
        print(early, said, use())
        """,
        tmp_path,
        "True [True, True] True",
    )


def test_ten_forks_while_the_pool_computes(tmp_path):
    _check(
        """
        import numpy as np
        from diffkin.kernels import threads
        threads.set_num_threads(3)
        def count(seen, start, stop):
            time.sleep(1e-4)
            seen[start:stop] += 1
        def use():
            seen = np.zeros(200, int)
            threads.run_chunks(lambda start, stop: count(seen, start, stop), 200, 10)
            return bool((seen == 1).all())
        ended, right = threading.Event(), []
        def compute_on():
            while not ended.is_set():
                right.append(use())
        callers = [threading.Thread(target=compute_on) for _ in range(2)]
        [t.start() for t in callers]
        said = []
        for k in range(10):
            time.sleep(0.003 * k)
            said.append(answers(use))
        ended.set()
        [t.join() for t in callers]
        print(all(said), len(said), all(right), len(right) > 3)
        """,
        tmp_path,
        "True 10 True True",
    )


def test_workers_of_a_data_loader_that_start_while_another_thread_compiles(tmp_path):
    _check(
        """
        import multiprocessing
        import torch
        import diffkin as dk
        from torch.utils.data import DataLoader, Dataset
        arm = dk.load_robot("planar_3r")
        q = arm.sample(8)
        class Poses(Dataset):
            def __len__(self):
                return len(q)
            def __getitem__(self, k):
                return arm.forward_kinematics(q[k])
        thread = threading.Thread(target=lambda: arm.forward_kinematics(q))
        thread.start()
        time.sleep(0.5)
        loader = DataLoader(Poses(), batch_size=2, num_workers=2, multiprocessing_context="fork", timeout=60)
        poses = torch.cat(list(loader))
        thread.join()
        print(torch.allclose(poses, arm.forward_kinematics(q, backend="reference")))
        """,
        tmp_path,
        "True",
    )


def test_a_thread_may_fork_while_it_holds_the_locks_itself(tmp_path):
    _check(
        """
        from numba.core.compiler_lock import global_compiler_lock
        import llvmlite.binding
        from diffkin.kernels.forks import importing
        with importing, global_compiler_lock:
            inside = answers(lambda: True)
        free = []
        def take():
            with importing, global_compiler_lock:
                free.append(True)
        thread = threading.Thread(target=take)
        thread.start()
        thread.join(10)
        print(inside, free)
        """,
        tmp_path,
        "True [True]",
    )


def test_forks_while_another_thread_imports_any_module(tmp_path):
    (tmp_path / "slow.py").write_text("import time\ntime.sleep(1.0)\nvalue = 7\n")
    _check(
        """
        import diffkin.kernels.forks
        def use():
            import slow
            return slow.value == 7
        thread = threading.Thread(target=use)
        thread.start()
        time.sleep(0.3)
        half = "slow" in sys.modules and not hasattr(sys.modules["slow"], "value")
        print(half, answers(use), not thread.is_alive())
        """,
        tmp_path,
        "True True True",
    )


def test_a_fork_in_an_import_that_another_thread_waits_for(tmp_path):
    """The other thread's import waits for the one that forks: to wait for it in turn would last for ever."""
    (tmp_path / "waits.py").write_text("import started, begins\n")
    (tmp_path / "started.py").write_text("")
    (tmp_path / "begins.py").write_text(
        textwrap.dedent("""
        import __main__, sys, threading, time
        thread = threading.Thread(target=lambda: __import__("waits"), daemon=True)
        thread.start()
        while "started" not in sys.modules:
            time.sleep(0.01)
        time.sleep(0.3)
        right = __main__.answers(lambda: True)
        """)
    )
    _check(
        """
        import diffkin.kernels.forks
        import begins
        begins.thread.join(60)
        print(begins.right, begins.thread.is_alive(), "waits" in sys.modules)
        """,
        tmp_path,
        "True False True",
    )


def test_what_the_first_call_of_a_kernel_imports_is_imported_under_a_lock_that_a_fork_takes(tmp_path):
    _check(
        """
        import torch
        import diffkin as dk
        from diffkin.kernels.forks import importing
        arm = dk.load_robot("planar_3r")
        q = torch.tensor([0.1, 0.2, 0.3], dtype=arm.dtype)
        free = []
        class Listener:
            def find_spec(self, name, path=None, target=None):
                compiler = sys.modules.get("numba.core.compiler_lock")
                held = importing._is_owned() or compiler is not None and compiler.global_compiler_lock.is_locked()
                if not held:
                    free.append(name)
        sys.meta_path.insert(0, Listener())
        arm.forward_kinematics(q)
        print("numpy.ma" in sys.modules, *free)
        """,
        tmp_path,
        "True",
    )
