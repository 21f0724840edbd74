"""The sequence of starts, the cells of the table and what is kept in them."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from diffkin.kernels.ik import table as starts
from diffkin.kernels.ik.layout import open_grid
from diffkin.kernels.ik.roberts import roberts_steps
from diffkin.kernels.ik.table import build_table, cube_rotations, distances, find_cell, rotation_cell
from diffkin.kernels.threads import get_num_threads, set_num_threads
from tests.kernels import ik_robots


@njit
def cell_of(x):
    return rotation_cell(x)


@njit
def place_of(x, low, inverse, counts):
    return find_cell(x, low, inverse, counts)


@njit
def distances_of(x, frames, cell, weights, out):
    distances(x, frames, cell, weights, out)


@njit
def point(k, step, low, high):
    return starts.sequence(k, step, low, high)


def table_of(robot, **options):
    program = robot.program()
    return program.chain, build_table(program.chain, program.ranges.low, program.ranges.high, **options)


def samples(chain, robot, count):
    """Configurations and features of the samples, by Pinocchio."""
    steps = roberts_steps(len(chain.moving))
    low = np.where(np.isinf(robot.lower), -np.pi, robot.lower)
    high = np.where(np.isinf(robot.upper), np.pi, robot.upper)
    q = low + ((0.5 + (np.arange(count)[:, None] + 1) * steps) % 1) * (high - low)
    poses = robot.poses(q)
    last = np.array([[chain.last[0], chain.last[1], 0], [-chain.last[1], chain.last[0], 0], [0, 0, 1]])
    rotation = poses[:, :3, :3] @ last
    return q, poses[:, :3, 3] / chain.length, rotation


@pytest.mark.parametrize("dimension", [1, 2, 7, 60])
def test_sequence_fills_the_range_evenly(dimension):
    steps = roberts_steps(dimension)
    # the generalised golden ratio: g^(d+1) = g + 1
    g = 1 / steps[0]
    assert abs(g ** (dimension + 1) - g - 1) < 1e-9
    values = np.array([point(k, steps[-1], -2.0, 3.0) for k in range(4000)])
    assert (values >= -2.0).all()
    assert (values <= 3.0).all()
    count, _ = np.histogram(values, bins=20, range=(-2.0, 3.0))
    assert np.abs(count - 200).max() <= 40


def test_cube_rotations_are_the_24_of_a_cube():
    quats = cube_rotations().astype(np.float64)
    np.testing.assert_allclose(np.linalg.norm(quats, axis=1), 1.0, atol=1e-6)
    cosines = np.abs(quats @ quats.T)
    assert (cosines[~np.eye(24, dtype=bool)] < 0.72).all()  # no two less than a quarter turn apart
    x, y, z, w = quats.T
    entries = np.stack([1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)])
    np.testing.assert_allclose(np.abs(entries).max(axis=0), 1.0, atol=1e-6)  # axes go to axes


def test_rotation_cell_is_the_nearest_rotation():
    quats = np.random.default_rng(0).normal(size=(5000, 4))
    quats = (quats / np.linalg.norm(quats, axis=1, keepdims=True)).astype(np.float32)
    cosines = np.abs(quats @ cube_rotations().T)
    found = np.array([cell_of(np.concatenate([np.zeros(3, np.float32), q])) for q in quats])
    np.testing.assert_allclose(cosines[np.arange(5000), found], cosines.max(axis=1), atol=1e-6)


def test_cells_hold_the_samples_nearest_to_their_centres():
    robot = ik_robots.load("xarm6")
    chain, table = table_of(robot, samples=512, grid=3, keep=8)
    _, position, rotation = samples(chain, robot, 512)
    low, high = position.min(axis=0), position.max(axis=0)
    np.testing.assert_allclose(open_grid(table.grid).low, low, atol=1e-6)
    rng = np.random.default_rng(1)
    cubes = cube_rotations().astype(np.float64)
    for cell in rng.integers(0, len(table.ids), 40):
        place, turn = divmod(int(cell), 24)
        index = np.array(np.unravel_index(place, (3, 3, 3)))
        centre = low + (index + 0.5) * (high - low) / 3
        x, y, z, w = cubes[turn]
        cube = np.array(
            [
                [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
                [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
                [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
            ]
        )
        trace = np.einsum("bij,ij->b", rotation, cube)
        sine2 = (3 - trace) / 4  # of half the angle
        distance = (
            open_grid(table.grid).weights[0] * ((position - centre) ** 2).sum(axis=1)
            + open_grid(table.grid).weights[1] * sine2
        )
        np.testing.assert_allclose(distance[table.ids[cell]], np.sort(distance)[:8], atol=1e-5)


def test_distances_rank_the_samples_of_a_cell():
    robot = ik_robots.load("iiwa")
    chain, table = table_of(robot, samples=1024, grid=4, keep=16)
    _, position, rotation = samples(chain, robot, 1024)
    compared = 0
    for b in range(0, 1024, 101):
        # a sample of the table as target: its own distance is 0
        cells = np.argwhere(table.ids == b)
        if len(cells) == 0:
            continue
        cell, k = cells[0]
        x = table.frames[cell, :, k].copy()
        np.testing.assert_allclose(x[:3], position[b], atol=1e-6)
        out = np.empty(16, np.float32)
        distances_of(x, table.frames, cell, open_grid(table.grid).weights, out)
        assert abs(out[k]) < 1e-6
        trace = np.einsum("bij,ij->b", rotation[table.ids[cell]], rotation[b])
        expected = ((position[table.ids[cell]] - position[b]) ** 2).sum(axis=1) + open_grid(table.grid).weights[1] * (
            3 - trace
        ) / 4
        np.testing.assert_allclose(out, expected, atol=1e-5)
        compared += 1
    assert compared >= 5


def test_cell_of_a_target_is_found_by_arithmetic():
    low, inverse = np.zeros(3, np.float32), np.array([4.0, 2.0, 0.0], np.float32)
    counts = np.array([4, 2, 1, 24])
    identity = [0, 0, 0, 1]
    for place, expected in [((0.3, 0.1, 5.0), 2), ((-9, 0.7, 0), 1), ((9, 9, 0), 7), ((np.nan, np.inf, -np.inf), 1)]:
        x = np.array([*place, *identity], np.float32)
        assert place_of(x, low, inverse, counts) == expected * 24 + 3


@pytest.mark.parametrize(("position", "rotation"), [(True, True), (True, False), (False, True)])
def test_table_is_small_and_the_same_for_any_number_of_threads(position, rotation):
    robot = ik_robots.load("panda")
    threads = get_num_threads()
    try:
        tables = []
        for number in (1, 2):
            set_num_threads(number)
            tables.append(table_of(robot, position=position, rotation=rotation)[1])
    finally:
        set_num_threads(threads)
    first, second = tables
    for a, b in zip(first, second):
        assert np.array_equal(a, b)
    assert sum(a.nbytes for a in first if isinstance(a, np.ndarray)) <= 10e6
    assert first.counts[3] == (24 if rotation else 1)
    assert (first.counts[:3] > 1).all() == position
    assert (open_grid(first.grid).weights > 0).tolist() == [position, rotation]


def test_planar_arm_needs_cells_in_its_plane_only():
    _, table = table_of(ik_robots.planar(3))
    assert table.counts[0] > 1
    assert table.counts[1] > 1
    assert table.counts[2] == 1
