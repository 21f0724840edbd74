"""Run a lesson from its source, in this process, once."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import runpy
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import torch

from notebooks.build import lesson_files


class Run(NamedTuple):
    """What a lesson leaves behind."""

    names: dict[str, Any]
    printed: str
    figures: int


@functools.cache
def run_lesson(number: int) -> Run:
    """Names, print-out and number of figures of a lesson, as if its cells were run from top to bottom."""
    (path,) = [path for path in lesson_files() if path.name.startswith(f"{number:02d}_")]
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    dtype, folder, printed = torch.get_default_dtype(), Path.cwd(), io.StringIO()
    try:
        os.chdir(path.parent)
        with contextlib.redirect_stdout(printed), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="FigureCanvasAgg is non-interactive")
            names = runpy.run_path(str(path))
        figures = len(plt.get_fignums())
    finally:
        os.chdir(folder)
        torch.set_default_dtype(dtype)
        plt.close("all")
    return Run(names, printed.getvalue(), figures)
