"""Cost of a problem against the batch and against the number of joints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402

__all__ = ["draw"]

_COLOURS = {"forward": "tab:blue", "jacobian": "tab:orange", "forward_backward": "tab:green", "ik": "tab:red"}
_STYLES = {"diffkin": "-o", "pytorch_kinematics": "--s", "Pinocchio loop": ":^"}


def draw(results: dict[str, Any], folder: Path) -> list[Path]:
    """Write the plots of the curves that are there; returns their paths."""
    written = []
    for section, axis in (("over_batch", "batch"), ("over_joints", "joints")):
        if section not in results:
            continue
        figure, axes = plt.subplots(figsize=(7.5, 5), layout="constrained")
        for name, curve in results[section]["seconds_each"].items():
            library, work = name.rsplit(" ", 1)
            points = sorted((int(size), seconds * 1e6) for size, seconds in curve.items())
            axes.plot(
                *zip(*points),
                _STYLES[library],
                color=_COLOURS[work],
                label=f"{library}, {work}".replace("_", " "),
                ms=4,
            )
        axes.set_xscale("log" if axis == "batch" else "linear")
        axes.set_yscale("log")
        axes.set_xlabel("problems in a call" if axis == "batch" else "joints of a made-up chain")
        axes.set_ylabel("microseconds a problem")
        axes.grid(True, which="major", alpha=0.3)
        figure.legend(loc="outside lower center", fontsize=7, ncols=3, frameon=False)  # where it covers no curve
        axes.set_title(
            "kuka_iiwa"
            if axis == "batch"
            else f"batch {results[section]['batch']:,}, IK {results[section]['ik_batch']:,}"
        )
        path = folder / f"cost_over_{axis}.png"
        figure.savefig(path, dpi=130)
        plt.close(figure)
        written.append(path)
    return written
