"""Reading films back, by ffmpeg and by Pillow."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ReadFilm:
    """A film as it was read: (n, height, width, 3) frames, and the seconds that it takes."""

    frames: NDArray[np.uint8]
    seconds: float


def read_film(path: str | Path) -> ReadFilm:
    """All frames of an .mp4 or .gif file. A GIF's equal frames in a row are one."""
    if str(path).lower().endswith(".gif"):
        from PIL import Image, ImageSequence

        with Image.open(path) as film:
            frames, hundredths = [], 0.0
            for frame in ImageSequence.Iterator(film):
                hundredths += frame.info["duration"] / 10.0
                frames.append(np.asarray(frame.convert("RGB")))
        return ReadFilm(np.stack(frames), hundredths / 100.0)
    import imageio_ffmpeg

    reader = imageio_ffmpeg.read_frames(str(path))
    about = next(reader)
    width, height = about["size"]
    frames = [np.frombuffer(frame, np.uint8).reshape(height, width, 3) for frame in reader]
    return ReadFilm(np.stack(frames), len(frames) / about["fps"])
