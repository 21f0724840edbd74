"""Settings of a viewer are used by the one that was chosen, or refused."""

import pytest
from common import demos
from common.demos import check_stage
from common.settings import typed
from demo_arm import DemoArmConfig

from diffkin.errors import OptionError
from tests.scripts.starting import put_back, start  # noqa: F401


def check(*line: str) -> None:
    check_stage(typed(DemoArmConfig, start("demo_arm", *line)))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["viewer=film", "viewer.width=640"], "viewer.width=640 would change nothing: a film needs no window"),
        (["viewer=film", "viewer.language=zh"], "viewer.language=zh would change nothing: it is for viewer=browser"),
        (["viewer=window", "viewer.fps=5"], "viewer.fps=5 would change nothing: no film is made; give record="),
        (["viewer=window", "viewer.oversampling=2", "record=a.mp4"], "viewer.oversampling=2 would change nothing"),
        (["viewer=window", "viewer.port=8000"], "viewer.port=8000 would change nothing"),
        (["viewer=browser", "viewer.height=600"], "viewer.height=600 would change nothing: the browser draws"),
        (["viewer=browser", "viewer.film_height=600"], "viewer.film_height=600 would change nothing"),
    ],
)
def test_what_belongs_to_another_viewer_is_refused(line, said, monkeypatch) -> None:
    monkeypatch.setattr(demos, "display_problem", lambda: None)
    monkeypatch.setattr(demos, "is_installed", lambda: True)
    with pytest.raises(OptionError, match=said):
        check(*line)


@pytest.mark.parametrize("problem", [None, "there is no display"])
def test_what_the_viewer_uses_is_taken(problem, monkeypatch) -> None:
    monkeypatch.setattr(demos, "display_problem", lambda: problem)
    monkeypatch.setattr(demos, "is_installed", lambda: True)
    check("viewer=film", "viewer.film_width=320", "viewer.fps=5", "viewer.oversampling=2")
    check("viewer=browser", "viewer.port=8000", "viewer.language=zh")
    check("viewer=window", "viewer.width=640", "record=a.mp4", "viewer.film_height=240", "viewer.fps=5")
    if problem:  # a film takes its place
        check("viewer=window", "viewer.film_height=240", "viewer.oversampling=2")
