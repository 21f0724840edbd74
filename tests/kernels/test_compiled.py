"""When kernels are compiled, where they are kept, and what is said about it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

import diffkin.kernels
from diffkin.kernels import compiled

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
    "first/entrance.py": """
        from diffkin.kernels.compiled import kernel
        from diffkin.kernels.second import middle
        from_middle = middle.through
        @kernel
        def ask(x):
            return from_middle(x)
    """,
}
_MIDDLE = {  # every way to write an import
    "from": "from diffkin.kernels.third.deep import answer",
    "module": "from diffkin.kernels.third import deep\nanswer = deep.answer",
    "import": "import diffkin.kernels.third.deep\nanswer = diffkin.kernels.third.deep.answer",
    "package": "from diffkin.kernels.third import answer",
    "relative": "from ..third.deep import answer",
    "relative module": "from ..third import deep as far\nanswer = far.answer",
}


@pytest.mark.parametrize("way", _MIDDLE)
def test_a_change_two_imports_deep_in_a_sub_folder_gives_the_new_answer(tmp_path, way):
    install = _copy(tmp_path)
    through = "\n@inline\ndef through(x):\n    return answer(x)\n"
    files = {
        **{name: textwrap.dedent(text) for name, text in _DEEP.items()},
        "second/middle.py": f"from diffkin.kernels.compiled import inline\n{_MIDDLE[way]}\n{through}",
    }
    for name, text in files.items():
        (install / "kernels" / name).parent.mkdir(exist_ok=True)
        (install / "kernels" / name).write_text(text)
    ask = "from diffkin.kernels.first.entrance import ask; print(ask(1), sum(ask.stats.cache_hits.values()))"
    assert _use(install, ask).stdout.split() == ["2", "0"]
    assert _use(install, ask).stdout.split() == ["2", "1"]
    deep = install / "kernels" / "third" / "deep.py"
    deep.write_text(deep.read_text().replace("x + 1", "x + 40"))
    assert _use(install, ask).stdout.split() == ["41", "0"]


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


def _event(dispatcher: object) -> SimpleNamespace:
    return SimpleNamespace(data={"dispatcher": dispatcher})


def test_only_a_compilation_of_over_a_second_is_announced(capfd, monkeypatch):
    ours = SimpleNamespace(py_func=SimpleNamespace(__name__="slow_kernel"))
    theirs = SimpleNamespace(py_func=SimpleNamespace(__name__="another_package"))
    monkeypatch.setitem(compiled._kernels, id(ours), ours)
    monkeypatch.setattr(compiled._log, "disabled", True)  # what is printed counts, not what other tests' handlers print
    announcer = compiled._Announcer()
    announcer.on_start(_event(ours))
    announcer.on_start(_event(theirs))
    announcer.on_end(_event(ours))
    announcer.on_end(_event(theirs))
    time.sleep(1.2)
    assert capfd.readouterr().err == ""
    announcer.on_start(_event(ours))
    announcer.on_start(_event(theirs))
    time.sleep(1.2)
    announcer.on_end(_event(ours))
    announcer.on_end(_event(theirs))
    err = capfd.readouterr().err
    assert err.count("\n") == 1
    assert "slow_kernel" in err


def test_a_full_disk_does_not_stop_the_call(monkeypatch):
    def full(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(compiled.caching.FunctionCache, "save_overload", full)

    @compiled.kernel
    def double(x):
        return 2 * x

    assert double(3) == 6


def test_nan_keeps_its_meaning_in_kernels():
    assert not compiled.FLAGS & {"fast", "nnan", "ninf", "reassoc"}
