"""Make the pictures of the how-to pages from what their snippets compute: ``python docs/pictures.py [PAGE ...]``."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import diffkin as dk

DOCS = Path(__file__).parent
SIZE = 520, 440


def computed(page: str) -> dict[str, Any]:
    """The names that a page's snippets leave behind."""
    names: dict[str, Any] = {"__name__": "__docs__"}
    text = (DOCS / "how-to" / f"{page}.md").read_text(encoding="utf-8")
    for snippet in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(snippet, names)
    return names


def two_hands() -> list[Any]:
    """The tray at the beginning and at the end of its way."""
    n = computed("two-hands")
    poses = n["robot"].forward_kinematics(n["carried"].q, links=[n["left"], n["right"]])
    return [dk.render(n["robot"], n["carried"].q[k], *SIZE, target=poses[k]) for k in (0, -1)]


def tool_frames() -> list[Any]:
    """The tool on the screw and the camera that sees the gauge: as meshes, and from frames with the line of sight."""
    n = computed("tool-frames")
    robot, q = n["robot"], n["seen"].q
    frames = robot.forward_kinematics(q, links=["tool", "camera"])
    gauge = dk.transforms.pose(torch.eye(3, dtype=torch.float64), n["gauge"])
    figure = dk.plot(robot, q, target=torch.cat((frames[1:], gauge[None])))
    sight = torch.stack((frames[1, :3, 3], n["gauge"])).numpy()
    figure.axes[0].plot(*sight.T, color="#8e44ad", linestyle="--", linewidth=1.5)
    figure.set_size_inches(SIZE[0] / 100, SIZE[1] / 100)
    figure.set_dpi(100)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    return [dk.render(robot, q, *SIZE, target=frames), np.asarray(Image.open(drawn).convert("RGB"))]


def whole_bodies() -> list[Any]:
    """Three reaches, with the postures nearest to standing."""
    n = computed("whole-bodies")
    shots = []
    for k in range(3):
        base, cup = n["calm"].base[k], n["cups"][k]
        goal = dk.transforms.pose(torch.eye(3, dtype=torch.float64), cup)
        shots.append(
            dk.render(n["robot"], n["calm"].q[k], 360, 480, base=base, target=dk.transforms.inverse(base) @ goal)
        )
    return shots


PAGES = {"two-hands": two_hands, "tool-frames": tool_frames, "whole-bodies": whole_bodies}

if __name__ == "__main__":
    for page in sys.argv[1:] or PAGES:
        picture = Image.fromarray(np.concatenate(PAGES[page](), axis=1))
        picture.save(DOCS / "images" / f"{page}.png", optimize=True)
