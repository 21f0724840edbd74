"""Where compiled kernels are kept, when they are stale, and what becomes of damaged files."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from numba.core import config

import diffkin.kernels
from diffkin.kernels import cache, compiled

_USE = """
    import numpy as np, time
    from diffkin.kernels.tree.forward import forward, poses
    from diffkin.kernels.tree.mechanism import Mechanism
    from diffkin.kernels.tree.plan import make_plan
    assert poses.signatures == []  # nothing is compiled at import
    one = np.zeros(1, np.int64)
    tree = Mechanism(1, one - 1, one, one, np.ones(1), np.zeros(1), np.eye(4)[None], np.array([[0.0, 0.0, 1.0]]), one,
                     np.eye(4)[None])
    T = forward(make_plan(tree, [0], np.float64), np.array([[0.5]]))
    assert abs(T[0, 0, 1, 0] - np.sin(0.5)) < 1e-15
    stats = poses.stats
    print(stats.cache_path is not None, sum(stats.cache_hits.values()), sum(stats.cache_misses.values()))
"""


def _copy(folder: Path) -> Path:
    """The kernels alone, as an installation of their own."""
    source = Path(diffkin.kernels.__file__).parent
    target = folder / "install" / "diffkin"
    shutil.copytree(source, target / "kernels", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(source.parent / "errors.py", target)
    (target / "__init__.py").write_text("")
    return target


def _use(install: Path, code: str = _USE, **environment: str) -> subprocess.CompletedProcess[str]:
    keep = {k: v for k, v in os.environ.items() if not k.startswith(("NUMBA_", "PYTHON", "XDG_"))}
    return subprocess.run(
        [sys.executable, "-B", "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**keep, "PYTHONPATH": str(install.parent), **environment},
        cwd=install.parent,
        check=False,
    )


def test_kept_beside_the_source_and_made_anew_when_any_file_behind_it_changes(tmp_path):
    install = _copy(tmp_path)
    first, second = _use(install), _use(install)
    assert first.stdout.split() == ["True", "0", "1"], first.stderr
    assert second.stdout.split() == ["True", "1", "0"], second.stderr
    assert list((install / "kernels" / "tree" / "__pycache__").glob("forward.poses-*.nbi"))
    with open(install / "kernels" / "vectors" / "sines.py", "a") as file:  # forward inlines walk, which inlines sines
        file.write("\n# changed\n")
    assert _use(install).stdout.split() == ["True", "0", "1"]


_DEEP = {
    "first/__init__.py": "",
    "second/__init__.py": "",
    "third/__init__.py": "from .deep import answer",
    "third/deep.py": """
        from diffkin.kernels.compiled import inline
        @inline
        def answer(x):
            return x + 1
    """,
}
_ENTRANCE = """
    from diffkin.kernels.compiled import kernel
    from diffkin.kernels.second import middle_{way}
    from_middle = middle_{way}.through
    @kernel
    def ask(x):
        return from_middle(x)
"""
_MIDDLE = {  # every way to write an import
    "from": "from diffkin.kernels.third.deep import answer",
    "module": "from diffkin.kernels.third import deep\nanswer = deep.answer",
    "import": "import diffkin.kernels.third.deep\nanswer = diffkin.kernels.third.deep.answer",
    "package": "from diffkin.kernels.third import answer",
    "relative": "from ..third.deep import answer",
    "relative_module": "from ..third import deep as far\nanswer = far.answer",
}


def test_a_change_two_imports_deep_in_a_sub_folder_gives_the_new_answer(tmp_path):
    install = _copy(tmp_path)
    through = "\n@inline\ndef through(x):\n    return answer(x)\n"
    files = dict(_DEEP)
    for way, line in _MIDDLE.items():
        files[f"first/entrance_{way}.py"] = _ENTRANCE.format(way=way)
        files[f"second/middle_{way}.py"] = f"from diffkin.kernels.compiled import inline\n{line}\n{through}"
    for name, text in files.items():
        (install / "kernels" / name).parent.mkdir(exist_ok=True)
        (install / "kernels" / name).write_text(textwrap.dedent(text))
    ask = f"""
        from importlib import import_module
        for way in {list(_MIDDLE)}:
            ask = import_module("diffkin.kernels.first.entrance_" + way).ask
            print(way, ask(1), sum(ask.stats.cache_hits.values()))
    """
    assert _use(install, ask).stdout.splitlines() == [f"{way} 2 0" for way in _MIDDLE]
    assert _use(install, ask).stdout.splitlines() == [f"{way} 2 1" for way in _MIDDLE]
    deep = install / "kernels" / "third" / "deep.py"
    deep.write_text(deep.read_text().replace("x + 1", "x + 40"))
    assert _use(install, ask).stdout.splitlines() == [f"{way} 41 0" for way in _MIDDLE]


def test_no_folder_that_can_be_written(tmp_path):
    install = _copy(tmp_path)
    # A file where a folder should be made stops root too, whom permissions would not.
    (install / "kernels" / "tree" / "__pycache__").write_text("")
    blocked = tmp_path / "blocked"
    blocked.write_text("")
    folders = (install, install / "kernels", install / "kernels" / "tree")
    for folder in folders:
        folder.chmod(0o555)
    nowhere = str(blocked / "home")
    done = _use(install, HOME=nowhere, XDG_CACHE_HOME=nowhere, LOCALAPPDATA=nowhere)
    for folder in folders:
        folder.chmod(0o755)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["False", "0", "1"]  # compiled in memory
    assert "Traceback" not in done.stderr


def test_read_only_installation_uses_the_cache_of_the_user(tmp_path):
    install = _copy(tmp_path)
    (install / "kernels" / "tree" / "__pycache__").write_text("")
    home = tmp_path / "home"
    home.mkdir()
    environment = {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "LOCALAPPDATA": str(home)}
    assert _use(install, **environment).stdout.split() == ["True", "0", "1"]
    assert _use(install, **environment).stdout.split() == ["True", "1", "0"]


def test_a_full_disk_does_not_stop_the_call(monkeypatch):
    def full(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(cache.caching.FunctionCache, "save_overload", full)

    @compiled.kernel
    def double(x):
        return 2 * x

    assert double(3) == 6


_TINY = """
from diffkin.kernels.compiled import kernel
@kernel
def total(x, scale):
    sum = 0.0
    for value in x:
        sum += scale * value
    return sum
"""
_DAMAGE = """
    import logging, os, random, shutil, sys
    from pathlib import Path
    import numpy as np
    from diffkin.kernels.tiny import total
    from diffkin.kernels.compiled import kernel

    said = []
    logging.getLogger("diffkin").addHandler(type("Ear", (logging.Handler,), {"emit": lambda self, r: said.append(r)})())

    def use():
        fresh = kernel(total.py_func)  # a dispatcher that knows what lies on disk and nothing else
        assert fresh(np.array([1.0, 2.0, 4.0]), 0.5) == 3.5
        assert fresh(np.array([1, 2, 4]), 2) == 14.0
        return sum(fresh.stats.cache_hits.values()), sum(fresh.stats.cache_misses.values())

    def files():
        return sorted(p for p in Path(os.environ["NUMBA_CACHE_DIR"]).rglob("*") if p.is_file())

    assert use() == (0, 2)
    whole = files()
    assert sorted(p.suffix for p in whole) == [".nbc", ".nbc", ".nbi"], whole
    good = {p: p.read_bytes() for p in whole}
    assert use() == (2, 0) and not said

    draw = random.Random(11)
    def truncated(data): return data[:draw.randrange(len(data))]
    def emptied(data): return b""
    def flipped(data):
        data = bytearray(data)
        for _ in range(draw.choice([1, 1, 8])):
            data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        return bytes(data)
    def flipped_early(data):
        at = draw.randrange(200)
        return data[:at] + bytes([data[at] ^ 1 << draw.randrange(8)]) + data[at + 1:]
    def zeroed(data):
        at = draw.randrange(len(data) - 40)
        size = draw.randrange(40, len(data))
        zeros = data[:at] + bytes(min(size, len(data) - at)) + data[at + size:]
        return zeros if zeros != data else b"?"
    def longer(data): return data + bytes(draw.randrange(1, 5000))
    def of_another(data): return good[whole[0]] if data != good[whole[0]] else good[whole[1]]
    def text(data): return b"version https://git-lfs.github.com/spec/v1"
    def missing(data): return None
    ways = [truncated, emptied, flipped, flipped_early, zeroed, longer, of_another, text, missing]

    tried = 0
    for path in whole:
        for way in ways:
            for _ in range(DRAWS if way in (truncated, flipped, flipped_early) else 1):
                torn = way(good[path])
                path.unlink() if torn is None else path.write_bytes(torn)
                said.clear()
                hits, misses = use()
                case = (path.name, way.__name__, hits, misses, [r.getMessage() for r in said])
                assert hits + misses == 2 and misses >= 1, case
                assert any(r.levelno >= logging.INFO for r in said) or (way is missing and path.suffix == ".nbi"), case
                said.clear()
                assert use() == (2, 0) and not said, case
                tried += 1
    for path in whole:
        for make in (lambda: path.mkdir(), lambda: os.mkfifo(path), lambda: path.symlink_to("nowhere")):
            path.unlink()
            make()
            assert use()[1] >= 1
            assert use() == (2, 0), path
            tried += 1
        path.unlink()
        (path / "inside").mkdir(parents=True)  # not ours to remove
        said.clear()
        assert use()[1] >= 1 and said
        assert use()[1] >= 1
        shutil.rmtree(path)
        assert use()[1] >= 1 and use() == (2, 0)
        tried += 1
    assert not [p for p in files() if ".tmp." in p.name]
    print(tried)
"""


@pytest.mark.parametrize("draws", [2, pytest.param(8, marks=pytest.mark.slow)])
def test_damaged_files_cost_a_compilation_and_are_whole_again_afterwards(tmp_path, draws):
    install = _copy(tmp_path)
    (install / "kernels" / "tiny.py").write_text(_TINY)
    done = _use(install, _DAMAGE.replace("DRAWS", str(draws)), NUMBA_CACHE_DIR=str(tmp_path / "cache"))
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == 3 * (3 * draws + 6 + 4)  # files; ways drawn, ways there is one of, and what is no file
    assert "Traceback" not in done.stderr


_ASK = """
    import numpy as np
    from diffkin.kernels.tiny import total
    assert total(np.array([1.0, 2.0, 4.0]), 0.5) == 3.5
    print(sum(total.stats.cache_hits.values()))
"""


def test_a_damaged_file_is_named_to_the_user(tmp_path):
    install = _copy(tmp_path)
    (install / "kernels" / "tiny.py").write_text(_TINY)
    assert _use(install, _ASK).stdout.split() == ["0"]
    for suffix in ("nbi", "nbc"):
        (path,) = (install / "kernels" / "__pycache__").glob(f"tiny.total-*.{suffix}")
        path.write_bytes(path.read_bytes()[:-1])
        done = _use(install, _ASK)
        assert done.returncode == 0
        assert done.stdout.split() == ["0"]
        assert f"{path} is damaged" in done.stderr
        done = _use(install, _ASK)
        assert done.stdout.split() == ["1"]
        assert done.stderr == ""


def test_files_that_may_not_be_read(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path))

    def double(x):
        return 2 * x

    assert compiled.kernel(double)(3) == 6
    read = Path.read_bytes
    for suffix in (".nbi", ".nbc"):
        (locked,) = tmp_path.rglob(f"*{suffix}")

        def refused(path: Path, locked: Path = locked) -> bytes:
            if path == locked:
                raise PermissionError(13, "Permission denied")
            return read(path)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "read_bytes", refused)
            again = compiled.kernel(double)
            assert again(3) == 6
        assert sum(again.stats.cache_misses.values()) == 1
        assert f"{locked} cannot be read" in caplog.text
    last = compiled.kernel(double)
    assert last(3) == 6
    assert sum(last.stats.cache_hits.values()) == 1


_EACH = """
    import numpy as np, os, signal, sys
    from diffkin.kernels.tiny import total
    sys.stdin.readline()
    for name in os.environ["KINDS"].split():
        assert total(np.array([1, 2, 4], name), 0.5) == 3.5, name
    print(sum(total.stats.cache_hits.values()))
"""


def test_processes_that_write_at_the_same_time(tmp_path):
    install = _copy(tmp_path)
    (install / "kernels" / "tiny.py").write_text(_TINY)
    kinds = ["float64", "float32", "int64", "int32"]
    command = [sys.executable, "-B", "-c", textwrap.dedent(_EACH)]
    environment = {**os.environ, "PYTHONPATH": str(install.parent), "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    writers = [
        subprocess.Popen(
            command,
            env={**environment, "KINDS": " ".join(kinds[k:] + kinds[:k])},
            cwd=install.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for k in range(4)
    ]
    for writer in writers:  # all have imported what they need when the first may go
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        _, errors = writer.communicate(timeout=120)
        assert writer.returncode == 0, errors
        assert "Traceback" not in errors
    after = {**environment, "KINDS": " ".join(kinds)}
    for hits in (None, "4"):  # what one of them overwrote is compiled once more, then all are there
        done = subprocess.run(command, env=after, cwd=install.parent, input="go\n", capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert hits in (None, done.stdout.strip())


_KILLED = """
    import os, signal
    replace, calls = os.replace, []
    def dying(*paths):
        calls.append(paths)
        if len(calls) == {number}:
            os.kill(os.getpid(), signal.SIGKILL)
        replace(*paths)
    os.replace = dying
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal on this system")
@pytest.mark.parametrize("number", [1, 2])
def test_a_process_killed_while_it_writes(tmp_path, number):
    install = _copy(tmp_path)
    (install / "kernels" / "tiny.py").write_text(_TINY)
    killed = textwrap.dedent(_KILLED.format(number=number)) + textwrap.dedent(_ASK)
    assert _use(install, killed).returncode == -signal.SIGKILL
    for hits in ("0", "1"):
        done = _use(install, _ASK)
        assert done.returncode == 0
        assert done.stdout.split() == [hits]
        assert done.stderr == ""
