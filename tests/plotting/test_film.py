"""Films read back frame by frame: their count, their colours, their time; and what cannot be a film."""

import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from diffkin.errors import MissingDependencyError, ModelFileError, OptionError, ShapeError
from diffkin.plotting.film import open_film
from tests.plotting.films import read_film


def scene(k: int, height: int = 96, width: int = 128) -> NDArray[np.uint8]:
    """A shaded background of thousands of colours, a block that moves, thin lines in red, green and blue."""
    rows, columns = np.mgrid[0:height, 0:width]
    frame = np.stack((180 + 70 * rows / height, 190 + 60 * columns / width, 160 + 90 * rows / height), -1)
    frame[20:60, 10 + 3 * k : 40 + 3 * k] = (240, 140, 30)
    for row, color in ((70, (220, 20, 20)), (74, (20, 150, 30)), (78, (20, 60, 230))):
        frame[row : row + 2, 10:60] = color
    return np.asarray(frame.round(), dtype=np.uint8)


@pytest.mark.parametrize("ending", [".mp4", ".gif", ".GIF"])
def test_a_film_reads_back_as_it_was_written(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"film{ending}"
    with open_film(path, fps=25) as film:
        for k in range(12):
            film.add(scene(k))
    assert film.frames == 12
    read = read_film(path)
    assert read.frames.shape == (12, 96, 128, 3)
    assert read.seconds == pytest.approx(12 / 25, abs=0.011)
    for k, frame in enumerate(read.frames):
        difference = np.abs(frame.astype(int) - scene(k))
        assert difference.mean() < 4.0
    assert np.abs(read.frames[0].astype(int) - read.frames[-1]).max() > 60  # the block moved


def test_thin_axes_of_a_gif_stay_red_green_and_blue(tmp_path: Path) -> None:
    with open_film(tmp_path / "axes.gif") as film:
        for k in range(3):
            film.add(scene(k))
    last = read_film(tmp_path / "axes.gif").frames[-1].astype(int)
    for row, color in ((70, (220, 20, 20)), (74, (20, 150, 30)), (78, (20, 60, 230))):
        assert np.abs(last[row, 10:60] - color).max() <= 12


def test_a_gif_repeats_and_takes_the_time_that_was_asked(tmp_path: Path) -> None:
    from PIL import Image

    with open_film(tmp_path / "a.gif", fps=30) as film:
        for k in range(30):
            film.add(scene(k % 20))
    read = read_film(tmp_path / "a.gif")
    assert read.seconds == pytest.approx(1.0)  # 3.33 hundredths a frame are shared out
    with Image.open(tmp_path / "a.gif") as image:
        assert image.info["loop"] == 0


def test_equal_frames_of_a_gif_take_their_time_as_one(tmp_path: Path) -> None:
    with open_film(tmp_path / "a.gif", fps=10) as film:
        for k in (0, 0, 0, 1):
            film.add(scene(k))
    read = read_film(tmp_path / "a.gif")
    assert len(read.frames) == 2
    assert read.seconds == pytest.approx(0.4)


def test_odd_sizes_get_their_last_row_and_column_twice(tmp_path: Path) -> None:
    with open_film(tmp_path / "odd.mp4") as film:
        for k in range(4):
            film.add(scene(k, 95, 127))
    assert read_film(tmp_path / "odd.mp4").frames.shape == (4, 96, 128, 3)
    with open_film(tmp_path / "odd.gif") as film:
        film.add(scene(0, 95, 127))
    assert read_film(tmp_path / "odd.gif").frames.shape == (1, 95, 127, 3)


def test_few_colours_of_a_gif_are_exact_to_their_six_bits(tmp_path: Path) -> None:
    frame = np.zeros((16, 24, 3), dtype=np.uint8)
    frame[4:8], frame[8:], frame[12:, 5:] = (255, 255, 255), (255, 0, 0), (0, 0, 255)
    with open_film(tmp_path / "a.gif") as film:
        film.add(frame)
    np.testing.assert_array_equal(read_film(tmp_path / "a.gif").frames[0], frame)


@pytest.mark.parametrize("ending", [".mp4", ".gif"])
def test_what_was_added_before_an_exception_is_written(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"film{ending}"

    def interrupted() -> None:
        with open_film(path) as film:
            film.add(scene(0))
            film.add(scene(1))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert len(read_film(path).frames) == 2


def test_mistakes_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"end in .mp4 or .gif, got 'a.avi'"):
        open_film(tmp_path / "a.avi")
    with pytest.raises(OptionError, match="fps"):
        open_film(tmp_path / "a.gif", fps=0)
    with pytest.raises(OptionError, match="at most 50"):
        open_film(tmp_path / "a.gif", fps=60)
    with pytest.raises(ModelFileError, match="there is no folder"):
        open_film(tmp_path / "none" / "a.gif")
    for ending in (".mp4", ".gif"):
        path = tmp_path / f"a{ending}"
        with pytest.raises(OptionError, match="no frames"), open_film(path):
            pass
        assert not path.exists()
        with open_film(path) as film:
            with pytest.raises(ShapeError, match="uint8"):
                film.add(scene(0) / 255.0)
            with pytest.raises(ShapeError, match="uint8"):
                film.add(scene(0)[..., 0])
            film.add(scene(0))
            with pytest.raises(ShapeError, match="Frame 1 is"):
                film.add(scene(0, 48, 64))
        film.close()
        with pytest.raises(OptionError, match="closed"):
            film.add(scene(0))


@pytest.mark.parametrize(("ending", "module"), [(".mp4", "imageio_ffmpeg"), (".gif", "PIL")])
def test_a_missing_package_is_named(tmp_path: Path, ending: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingDependencyError, match=r"diffkin\[film\]"):
        open_film(tmp_path / f"a{ending}")
