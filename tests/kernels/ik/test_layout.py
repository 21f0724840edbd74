"""Array layouts: parts cover their arrays without gaps, and what is packed is found under its name."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from diffkin.errors import OptionError
from diffkin.kernels.ik import layout
from diffkin.kernels.ik.chain import SLIDE, TURN
from diffkin.kernels.ik.hope import HOPE
from diffkin.kernels.ik.layout import Workspace, new_rows, open_block, open_call, open_desk, open_grid, pack_call
from diffkin.kernels.ik.reach import Span
from diffkin.kernels.vectors.strict import W
from tests.kernels import ik_robots


def covered(array, parts):
    """Whether the parts are views that cover the array once and whole."""
    for part in parts:
        assert np.shares_memory(part, array)
        part += 1
    return bool((array == 1).all())


def packed(robot, **changes):
    program = robot.program()
    settings = ik_robots.settings(**changes)
    cells = np.array([1, 2, 3, 24])
    span = Span(np.array([0.1, 0.2, 0.3]), np.array([0.0, 0.0, -0.5]), 0.25, 0.75)
    reals, integers = pack_call(program.chain, program.ranges, settings, cells, 16, 99, span)
    return program, settings, reals, integers


@pytest.mark.parametrize("robot", [ik_robots.planar(3), ik_robots.random_chain(7, 0)])
def test_the_parts_of_a_call_cover_its_arrays(robot):
    _, _, reals, integers = packed(robot)
    call = open_call(reals, integers)
    names = call._fields.index("switches")
    reals[:] = 0.0
    assert covered(reals, call[:names])
    sizes = [part.size for part in call[names:]]
    assert sum(sizes) == len(integers)
    integers[layout.SWITCHES :] = 0
    assert covered(integers[layout.SWITCHES :], call[names + 1 :])


def test_what_is_packed_is_found():
    robot = ik_robots.load("panda")
    program, settings, reals, integers = packed(
        robot, weights=(1.0, 1.0, 1.0, 1.0, 1.0, 0.0), position_tolerance=1e-3, max_iterations=7, seed=3
    )
    call = open_call(reals, integers)
    chain, ranges = program.chain, program.ranges
    for name in ("start", "joints", "last", "column", "moving"):
        assert np.array_equal(getattr(call, name), getattr(chain, name))
    for name in ("lower", "upper", "low", "high", "step", "least", "greatest", "wraps"):
        assert np.array_equal(getattr(call, name), getattr(ranges, name))
    assert call.length[0] == chain.length
    assert call.first.all()
    aim = 0.999 * 1e-3 / chain.length
    np.testing.assert_allclose(call.settings[[layout.POSITION2, layout.POSITION]], [aim**2, 1e-3])
    assert call.settings[[layout.EARLY, layout.MOST_ITERATIONS]].tolist() == [7.0, 7.0]
    assert call.settings[layout.DAMPING] == settings.damping
    assert call.settings[layout.WEIGHTS :].tolist() == [1, 1, 1, 1, 1, 0]
    assert call.switches[[layout.WEIGHTED, layout.PARTIAL, layout.SINGLE, layout.HAS_Q0]].tolist() == [1, 1, 0, 0]
    assert call.switches[[layout.STARTS, layout.TABLE_STARTS, layout.FIRST_POINT]].tolist() == [100, 16, 99]
    assert call.cells.tolist() == [1, 2, 3, 24]
    assert call.span[: layout.LEAST].tolist() == [0.1, 0.2, 0.3, 0.0, 0.0, -0.5]
    slack = 1e-3 / chain.length + 0.5 * settings.rotation_tolerance
    np.testing.assert_allclose(call.span[layout.LEAST :], [0.25 - slack, 0.75 + slack], rtol=0, atol=2e-9)
    assert call.settings[layout.HOPE2] == np.inf


def test_who_gives_up_does_so_in_the_units_of_the_residual():
    panda, slide = ik_robots.load("panda"), ik_robots.load("panda").program()
    _, _, reals, integers = packed(panda, gives_up=True)
    assert open_call(reals, integers).settings[layout.HOPE2] == HOPE**2
    _, _, reals, integers = packed(panda, gives_up=True, weights=(3.0,) * 6)
    assert open_call(reals, integers).settings[layout.HOPE2] == (3.0 * HOPE) ** 2
    # the same chain, its first joint a slide of two lengths of the chain
    joints = slide.chain.joints.copy()
    joints[0, [TURN, SLIDE]] = 0.0, 1.0 / slide.chain.length
    ranges = slide.ranges._replace(upper=slide.ranges.upper.copy())
    ranges.upper[0] = ranges.lower[0] + 2.0 * slide.chain.length
    for top, hope in ((ranges.upper[0], 3.0 * HOPE), (np.inf, np.inf)):
        ranges.upper[0] = top
        made = pack_call(
            slide.chain._replace(joints=joints),
            ranges,
            ik_robots.settings(gives_up=True),
            np.ones(4, np.int64),
            16,
            99,
            None,
        )
        call = open_call(*made)
        np.testing.assert_allclose(call.settings[layout.HOPE2], hope**2)
        assert call.span[layout.LEAST :].tolist() == [-np.inf, np.inf]


def test_the_parts_of_blocks_desks_and_grids_cover_their_arrays():
    for n, m in ((1, 1), (7, 7), (8, 6)):
        rows = new_rows(n, m)
        assert rows.ctypes.data % (8 * W) == 0
        assert covered(rows, open_block(rows, n, m))
    workspace = Workspace(7, 6, 32, 100, 3)
    rows, books, *rest = workspace.arrays
    desk = open_desk(books, *rest)
    workspace.take(5, 9)
    assert desk.chunk[[layout.BEGIN, layout.END, layout.CURSOR, layout.BUSY]].tolist() == [5, 9, 5, 0]
    books[:] = 0
    assert covered(books, desk[:3])
    assert desk.answers.shape == (W, 4, layout.COORDINATES + 6)
    assert desk.counts.shape == (W, 101)
    grid = np.zeros(layout.GRID, np.float32)
    assert covered(grid, open_grid(grid))


def test_kernels_see_the_same_parts():
    @njit
    def peek(reals, integers, rows):
        call = open_call(reals, integers)
        block = open_block(rows, call.switches[layout.JOINTS], call.switches[layout.MOVING])
        return call.upper.copy(), call.joints.copy(), call.first.copy(), block.other.copy()

    _, _, reals, integers = packed(ik_robots.random_chain(5, 1))
    rows = new_rows(5, 5)
    rows[:] = np.arange(rows.size).reshape(rows.shape)
    call, block = open_call(reals, integers), open_block(rows, 5, 5)
    for ours, theirs in zip(
        (call.upper, call.joints, call.first, block.other), peek(reals, integers, rows), strict=True
    ):
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize(
    "change",
    [
        {"starts": 0},
        {"nearest": 2},
        {"weights": (0.0,) * 6},
        {"position_tolerance": float("nan")},
        {"early_iterations": 0},
    ],
)
def test_settings_out_of_range(change):
    ik_robots.settings().check()
    with pytest.raises(OptionError):
        ik_robots.settings(**change).check()
