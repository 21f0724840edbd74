"""Marks over pictures: where they belong, and not where something solid is in front."""

import numpy as np
import pytest
import torch

from diffkin.demos.scene import Line, Points, Reading
from diffkin.demos.stages.overlay import Lens, draw_ground, draw_marks, draw_text

SIZE = 101


def lens(height: float = 1.0) -> Lens:
    """A camera at (0, 0, height) that looks along y, x to its right: 90 degrees each way."""
    near, far = 0.1, 10.0
    view = np.eye(4)
    view[:3, :3] = [[1, 0, 0], [0, 0, 1], [0, -1, 0]]
    view[:3, 3] = view[:3, :3] @ [0, 0, -height]
    projection = np.diag([1.0, 1.0, -(far + near) / (far - near), 0.0])
    projection[2, 3], projection[3, 2] = -2 * far * near / (far - near), -1.0
    return Lens(view, projection, near, far)


def empty() -> tuple[np.ndarray, np.ndarray]:
    return np.full((SIZE, SIZE, 3), 255, np.uint8), np.ones((SIZE, SIZE), np.float32)


def depth_of(distance: float) -> float:
    """What OpenGL stores for a distance."""
    near, far = 0.1, 10.0
    return far * (distance - near) / (distance * (far - near))


def line(*points: tuple[float, float, float], width: float = 1.0) -> Line:
    return Line("line", torch.tensor(points, dtype=torch.float64), (1.0, 0.0, 0.0), width)


def red(picture: np.ndarray) -> np.ndarray:
    return (picture == (255, 0, 0)).all(-1)


def test_distances_are_read_from_the_depth_buffer() -> None:
    for distance in (0.1, 0.5, 2.0, 9.0):
        assert lens().distance(np.array(depth_of(distance))) == pytest.approx(distance)


def test_a_line_goes_from_end_to_end() -> None:
    picture, depth = empty()
    draw_marks(picture, depth, lens(), [line((-1, 2, 1), (1, 2, 1))])  # at 45 degrees half to each side: half the width
    rows, columns = np.nonzero(red(picture))
    assert set(rows) == {SIZE // 2}
    assert (columns.min(), columns.max()) == pytest.approx((SIZE / 4, 3 * SIZE / 4), abs=1.0)
    assert len(columns) == columns.max() - columns.min() + 1  # without a gap


def test_what_is_behind_something_solid_is_hidden() -> None:
    picture, depth = empty()
    depth[:, : SIZE // 2] = depth_of(1.0)  # a wall before the left half
    draw_marks(picture, depth, lens(), [line((-1, 2, 1), (1, 2, 1))])
    assert not red(picture)[:, : SIZE // 2].any() and red(picture)[:, SIZE // 2 + 1 :].any()


def test_a_line_from_behind_the_camera_is_cut() -> None:
    picture, depth = empty()
    draw_marks(picture, depth, lens(), [line((0, -5, 0.5), (0, 5, 0.5))])
    rows, columns = np.nonzero(red(picture))
    assert set(columns) == {SIZE // 2} and rows.max() == SIZE - 1 and rows.min() > SIZE // 2
    blank, depth = empty()
    draw_marks(blank, depth, lens(), [line((0, -5, 0.5), (0, -1, 0.5))])
    assert not red(blank).any()


def test_width_and_size_are_those_asked_for() -> None:
    picture, depth = empty()
    cloud = Points("cloud", torch.tensor([[0.0, 2.0, 1.5]]), (0.0, 0.0, 1.0), size=0.2)
    draw_marks(picture, depth, lens(), [line((-1, 2, 1), (1, 2, 1), width=3.0)], [cloud])
    assert red(picture)[:, SIZE // 2].sum() == 3
    blue = (picture == (0, 0, 255)).all(-1)
    assert blue.any(0).sum() == blue.any(1).sum() == round(0.2 / 4.0 * SIZE)  # 4 m are seen at a distance of 2 m


def test_the_ground_begins_under_the_horizon() -> None:
    picture, depth = empty()
    depth[-1, 0] = 0.5  # something solid
    draw_ground(picture, depth, lens(), (0.0, 0.0, 1.0), (0.0, 1.0, 0.0), height=0.0, half=1e6)
    ground = (picture == (0, 255, 0)).all(-1)
    assert not ground[: SIZE // 2].any()
    assert ground[SIZE // 2 + 1 :].sum() == ground[SIZE // 2 + 1 :].size - 1
    assert (picture[-1, 0] == 255).all()


def test_readings_stand_in_the_upper_left_corner() -> None:
    pytest.importorskip("PIL")
    picture = np.full((120, 300, 3), 100, np.uint8)
    written = draw_text(picture, [Reading("error", 0.25, "mm"), Reading("success", True)], "title")
    changed = (written != picture).any(-1)
    rows, columns = np.nonzero(changed)
    assert rows.min() == columns.min() == 8 and rows.max() < 80 and columns.max() < 150
    assert (written[changed].max(-1) < 60).any()  # dark letters
    assert (draw_text(picture, [], "") == picture).all()


def test_a_row_written_in_two_pieces_looks_as_if_written_at_once() -> None:
    pytest.importorskip("PIL")
    from PIL import Image, ImageDraw, ImageFont

    dark = np.zeros((120, 400, 3), np.uint8)
    readings = [
        Reading("position error", 1.23e-7, "m"),
        Reading("Bullet's own IK", -0.456, "m"),
        Reading("AV. To", "Avery"),
    ]
    for size in (13, 20):
        written = draw_text(dark, readings, "franka_panda: follow", size)
        box = Image.fromarray(np.where(written > 0, written.max(), 0).astype(np.uint8))
        pen, font = ImageDraw.Draw(box), ImageFont.load_default(size=size)
        for k, row in enumerate(["franka_panda: follow", *(f"{each.name}: {each.text}" for each in readings)]):
            pen.text((8 + 6, 8 + 6 + k * round(1.3 * size)), row, fill=(20, 22, 30), font=font)
        np.testing.assert_array_equal(written, np.asarray(box))
