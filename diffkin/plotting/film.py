"""Films of frames: MP4 by ffmpeg, GIF with one palette in which rare, bright colours keep their place."""

from __future__ import annotations

import os
import zlib
from abc import ABC, abstractmethod
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffkin._files import path_of, unwritten, write_atomically
from diffkin.errors import MissingDependencyError, OptionError, ShapeError

__all__ = ["Film", "open_film"]

_Frame = NDArray[np.uint8]

_QUALITY = 8  # of 10, in imageio-ffmpeg's terms
_PRESET = "veryfast"  # of x264: half the work of its "medium" for a film that looks the same and is a tenth larger
_COLORS = 256  # of a GIF
_BITS = 6  # of each colour channel that are told apart for a GIF
_MOST_GIF_FPS = 50  # a GIF counts in hundredths of a second, and viewers slow down what is faster than two of them


class Film(ABC):
    """A film that is being written. Use it in a ``with`` statement, or call ``close`` at the end.

    Where an exception leaves the ``with`` statement, what was added so far is written all the same.

    Attributes:
        path: The file.
        fps: Frames a second.
        frames: How many were added.
    """

    def __init__(self, path: Path, fps: float) -> None:
        self.path = path
        self.fps = fps
        self.frames = 0
        self._shape: tuple[int, ...] = ()
        self._closed = False

    def add(self, frame: Any) -> None:
        """Add a frame.

        Args:
            frame: (height, width, 3) uint8 red, green, blue; of the size of the first.

        Raises:
            diffkin.errors.ShapeError: It is no such picture, or not of the size of the first.
            diffkin.errors.OptionError: The film is closed.
            diffkin.errors.ModelFileError: The file cannot be written.
        """
        if self._closed:
            raise OptionError(f"The film {self.path} is closed already; open another one for more frames.")
        picture = np.ascontiguousarray(frame)
        if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or not picture.size:
            raise ShapeError(
                f"A frame must be (height, width, 3) uint8, got {picture.shape} {picture.dtype}. "
                "Numbers from 0 to 1 become one by (255 * frame).round().astype('uint8')."
            )
        if self.frames and picture.shape != self._shape:
            raise ShapeError(
                f"Frame {self.frames} is {picture.shape[:2]} (height, width), the first is {self._shape[:2]}; "
                "all frames of a film have one size."
            )
        self._shape = picture.shape
        self._write(picture)
        self.frames += 1

    def close(self) -> None:
        """Finish the file. A second call does nothing.

        Raises:
            diffkin.errors.OptionError: No frame was added; there is no file then.
            diffkin.errors.ModelFileError: The file cannot be written.
        """
        if self._closed:
            return
        self._closed = True
        if not self.frames:
            raise OptionError(f"The film {self.path} has no frames; add at least one.")
        self._finish()

    def __enter__(self) -> Film:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None or self.frames:
            self.close()

    @abstractmethod
    def _write(self, frame: _Frame) -> None: ...

    @abstractmethod
    def _finish(self) -> None: ...


def open_film(path: str | os.PathLike[str], fps: float = 30) -> Film:
    """Begin a film.

    An MP4 is H.264 in 4:2:0, which every player shows: its width and height are even, so an odd picture gets its last
    column or row twice. A GIF repeats for ever, has 256 colours chosen over all its frames without dithering, and
    durations in hundredths of a second, shared out so that the film as a whole takes the right time; equal frames in a
    row are one that stays longer.

    Args:
        path: Its ending, ``.mp4`` or ``.gif``, says which. A file that is there is replaced.
        fps: Frames a second; at most 50 in a GIF.

    Returns:
        The film, to ``add`` frames to and to ``close``, best by a ``with`` statement.

    Raises:
        diffkin.errors.OptionError: Another ending, or ``fps`` out of range.
        diffkin.errors.ModelFileError: There is no such folder.
        diffkin.errors.MissingDependencyError: The extra ``diffkin[film]`` is not installed.
    """
    file = path_of(path)
    ending = file.suffix.lower()
    if ending not in (".mp4", ".gif"):
        raise OptionError(f"A film's name must end in .mp4 or .gif, got {file.name!r}.")
    if isinstance(fps, bool) or not isinstance(fps, (int, float)) or not 0 < fps <= 1000:
        raise OptionError(f"fps must be a number of frames a second, above 0 and at most 1000; got {fps!r}.")
    if ending == ".gif" and fps > _MOST_GIF_FPS:
        raise OptionError(f"A GIF shows at most {_MOST_GIF_FPS} frames a second, got fps={fps:g}. Write an .mp4.")
    if not file.parent.is_dir():
        raise unwritten(file, FileNotFoundError(2, f"there is no folder {file.parent}"))
    return _Mp4(file, fps) if ending == ".mp4" else _Gif(file, fps)


def _missing(package: str, error: ImportError) -> MissingDependencyError:
    return MissingDependencyError(
        f"Films need {package}, which is not installed ({error}). Install it with `pip install 'diffkin[film]'`."
    )


class _Mp4(Film):
    """Frames are handed to ffmpeg as they come."""

    def __init__(self, path: Path, fps: float) -> None:
        super().__init__(path, fps)
        try:
            import imageio_ffmpeg
        except ImportError as error:
            raise _missing("imageio-ffmpeg", error) from error
        self._library = imageio_ffmpeg
        self._pipe: Any = None

    def _write(self, frame: _Frame) -> None:
        height, width, _ = frame.shape
        if height % 2 or width % 2:
            frame = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        try:
            if self._pipe is None:
                self._pipe = self._library.write_frames(
                    str(self.path),
                    (frame.shape[1], frame.shape[0]),
                    fps=Fraction(self.fps).limit_denominator(1001),
                    codec="libx264",
                    quality=_QUALITY,
                    macro_block_size=2,
                    ffmpeg_log_level="error",
                    output_params=["-preset", _PRESET, "-movflags", "+faststart"],
                )
                self._pipe.send(None)
            self._pipe.send(frame)
        except OSError as error:
            raise unwritten(self.path, error) from error

    def _finish(self) -> None:
        try:
            self._pipe.close()
        except OSError as error:
            raise unwritten(self.path, error) from error


class _Gif(Film):
    """Frames are kept packed until the end, when the palette is chosen from the colours of all of them."""

    def __init__(self, path: Path, fps: float) -> None:
        super().__init__(path, fps)
        try:
            from PIL import Image
        except ImportError as error:
            raise _missing("pillow", error) from error
        self._library = Image
        self._packed: list[bytes] = []
        self._counts = np.zeros(1 << 3 * _BITS, dtype=np.int64)

    def _write(self, frame: _Frame) -> None:
        self._counts += np.bincount(_codes(frame).ravel(), minlength=len(self._counts))
        self._packed.append(zlib.compress(frame.tobytes(), 1))

    def _finish(self) -> None:
        used = np.flatnonzero(self._counts)
        colors = _colors_of(used)
        palette = _choose_palette(colors, self._counts[used], _COLORS)
        nearest = np.zeros(len(self._counts), dtype=np.uint8)
        nearest[used] = _nearest(colors, palette)
        table = palette.round().astype(np.uint8).tobytes()

        def picture(packed: bytes) -> Any:
            frame = np.frombuffer(zlib.decompress(packed), dtype=np.uint8).reshape(self._shape)
            image = self._library.fromarray(nearest[_codes(frame)])
            image.putpalette(table)
            return image

        ends = [round(100 * k / self.fps) for k in range(self.frames + 1)]
        durations = [10 * (end - start) for start, end in zip(ends, ends[1:])]
        write_atomically(
            self.path,
            lambda beside: picture(self._packed[0]).save(
                beside,
                format="GIF",
                save_all=True,
                append_images=(picture(packed) for packed in self._packed[1:]),
                duration=durations if self.frames > 1 else durations[0],
                loop=0,
                optimize=False,
            ),
        )


def _codes(frame: _Frame) -> NDArray[np.int64]:
    """(height, width) one number for each pixel: the first bits of its three channels."""
    first = (frame >> (8 - _BITS)).astype(np.int64)
    return (first[..., 0] << 2 * _BITS) | (first[..., 1] << _BITS) | first[..., 2]


def _colors_of(codes: NDArray[np.int64]) -> NDArray[np.float32]:
    """(n, 3) the colours that codes stand for; black and white are exact."""
    most = (1 << _BITS) - 1
    parts = np.stack((codes >> 2 * _BITS, (codes >> _BITS) & most, codes & most), axis=-1)
    return (parts * (255.0 / most)).astype(np.float32)


def _choose_palette(colors: NDArray[np.float32], counts: NDArray[np.int64], most: int) -> NDArray[np.float32]:
    """Up to ``most`` colours that stand for all.

    One after the other the colour that is worst served, by squared distance times the square root of its count, so
    that a thin red line is not painted over by a thousand shades of grey; then a few rounds of k-means.
    """
    weights = np.sqrt(counts).astype(np.float32)
    if len(colors) <= most:
        return colors
    chosen = [int(counts.argmax())]
    distance = ((colors - colors[chosen[0]]) ** 2).sum(1)
    while len(chosen) < most:
        chosen.append(int((distance * weights).argmax()))
        distance = np.minimum(distance, ((colors - colors[chosen[-1]]) ** 2).sum(1))
    palette = colors[chosen].copy()
    for _ in range(4):
        served = _nearest(colors, palette)
        total = np.bincount(served, weights, minlength=most)
        sums = np.stack([np.bincount(served, weights * colors[:, k], minlength=most) for k in range(3)], axis=-1)
        kept = total > 0
        palette[kept] = (sums[kept] / total[kept, None]).astype(np.float32)
    return palette


def _nearest(colors: NDArray[np.float32], palette: NDArray[np.float32]) -> NDArray[np.int64]:
    """(n,) index of the palette's colour that is nearest to each colour."""
    lengths = (palette**2).sum(1)
    parts = [(lengths - 2.0 * colors[k : k + 4096] @ palette.T).argmin(1) for k in range(0, len(colors), 4096)]
    return np.concatenate(parts).astype(np.int64)
