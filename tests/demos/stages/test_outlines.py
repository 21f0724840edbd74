"""Lines of scenes: ellipsoids lie on their surface, the grid on the floor."""

import pytest
import torch

from diffkin.demos.scene import Ellipsoid, Line, Scene, View
from diffkin.demos.stages import outlines
from diffkin.rotations import random_rotation
from diffkin.transforms import inverse, pose


def test_an_outline_lies_on_its_ellipsoid() -> None:
    placed = pose(random_rotation(1, seed=3)[0].double(), torch.tensor([0.3, -0.2, 0.7], dtype=torch.float64))
    radii = torch.tensor([0.1, 0.3, 0.2], dtype=torch.float64)
    lines = outlines.outline(Ellipsoid("e", placed, radii))
    assert len({line.name for line in lines}) == 3
    for axis, line in enumerate(lines):
        local = line.points @ inverse(placed)[:3, :3].mT + inverse(placed)[:3, 3]
        torch.testing.assert_close(((local / radii) ** 2).sum(-1), torch.ones(len(local), dtype=torch.float64))
        assert float(local[:, axis].abs().max()) < 1e-12


def test_a_scene_draws_its_ellipsoids_as_lines() -> None:
    line = Line("a", torch.zeros(2, 3))
    scene = Scene(lines=(line,), ellipsoids=(Ellipsoid("e", torch.eye(4), torch.ones(3)),))
    assert outlines.lines_of(scene)[0] is line and len(outlines.lines_of(scene)) == 4


@pytest.mark.parametrize("radius", [0.03, 0.6, 1.0, 70.0])
def test_the_grid_lies_on_the_floor_in_round_squares(radius: float) -> None:
    lines = outlines.grid(View(radius=radius, floor=-0.2))
    points = torch.cat([line.points for line in lines])
    assert set(points[:, 2].tolist()) == {-0.2}
    square = float(lines[2].points[0, 0] - lines[0].points[0, 0])
    digit = square / 10.0 ** torch.tensor(square).log10().floor().item()
    assert min(abs(digit - round_one) for round_one in (1.0, 2.0, 5.0, 10.0)) < 1e-6
    assert radius < float(points.max()) <= outlines.FLOOR_SHARE * radius * (1 + 1e-9)


def test_no_floor_no_grid() -> None:
    assert outlines.grid(View(floor=None)) == ()
