"""The stage that is taken: the one asked for, or the film where there is no display."""

from pathlib import Path

import pytest

import diffkin as dk
from diffkin.demos.joints import JointsDemo
from diffkin.demos.stages import play as playing
from diffkin.errors import MissingDependencyError, OptionError, UnknownNameError
from diffkin.simulation import library
from tests.plotting.films import read_film

QUICK = {"seconds": 0.4, "fps": 5.0, "film_size": (96, 96)}


def make() -> JointsDemo:
    return JointsDemo(dk.load_robot("planar_2r"))


@pytest.mark.skipif(not library.is_installed(), reason="needs pybullet")
def test_without_a_display_the_window_becomes_a_film_and_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(playing, "display_problem", lambda: "there is no display")
    said: list[str] = []
    played = playing.play(make, "window", tmp_path, announce=said.append, **QUICK)
    assert "there is no display" in said[0] and "film.mp4" in said[0]
    assert played.film == str(tmp_path / "film.mp4")
    assert len(read_film(played.film).frames) == played.film_frames == 2


@pytest.mark.skipif(not library.is_installed(), reason="needs pybullet")
def test_a_film_has_the_name_that_it_is_given(tmp_path: Path) -> None:
    played = playing.play(make, "film", tmp_path, record=str(tmp_path / "own.gif"), **QUICK)
    assert played.film == str(tmp_path / "own.gif") and (tmp_path / "own.gif").exists()


def test_mistakes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="window"):
        playing.play(make, "windw", tmp_path)
    with pytest.raises(OptionError, match="cannot be recorded"):
        playing.play(make, "browser", tmp_path, record="film.mp4")
    monkeypatch.setattr(playing, "is_installed", lambda: False)
    with pytest.raises(MissingDependencyError, match="viewer=browser"):
        playing.play(make, "window", tmp_path)
