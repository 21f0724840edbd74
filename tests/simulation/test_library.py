"""pybullet is found or asked for, imported without a word, and no window is tried where none can be."""

import sys

import pytest

from diffkin.errors import MissingDependencyError
from diffkin.simulation import library
from tests.fresh import run_code

needs_pybullet = pytest.mark.skipif(not library.is_installed(), reason="needs pybullet")


def test_without_pybullet_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "is_installed", lambda: False)
    with pytest.raises(MissingDependencyError, match="pip install pybullet"):
        library.bullet()


@needs_pybullet
def test_importing_prints_nothing() -> None:
    code = "from diffkin.simulation import library; library.bullet()"
    done = run_code(code)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="displays are looked for on Linux only")
@pytest.mark.parametrize(("display", "said"), [(None, "DISPLAY is not set"), (":987", ":987|libX11")])
def test_a_display_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, display: str | None, said: str) -> None:
    if display is None:
        monkeypatch.delenv("DISPLAY", raising=False)
    else:
        monkeypatch.setenv("DISPLAY", display)
    problem = library.display_problem()
    assert problem is not None and any(words in problem for words in said.split("|"))


@needs_pybullet
def test_what_c_code_prints_is_held_back_and_can_be_read(capfd: pytest.CaptureFixture) -> None:
    import os

    with library.quiet() as printed:
        os.write(1, b"from below\n")
        assert printed() == "from below"
    os.write(1, b"after\n")
    assert capfd.readouterr().out == "after\n"


def test_the_package_names_its_calls_without_importing_pybullet_or_a_training_library() -> None:
    code = (
        "import sys, diffkin.simulation, diffkin.plotting; "
        "print(sorted({'pybullet', 'matplotlib', 'lightning_fabric', 'zuko', 'sklearn', 'numba'} & set(sys.modules)))"
    )
    done = run_code(code)
    assert done.stdout.strip() == "[]"
