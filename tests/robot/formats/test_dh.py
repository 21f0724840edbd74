"""Arms from Denavit-Hartenberg tables against the product of the four elementary motions, and a published arm."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from diffkin.errors import LimitsError, NonFiniteError, OptionError, RotationError, ShapeError
from diffkin.robot import Robot


def motion(axis: str, angle: float = 0.0, shift: float = 0.0) -> np.ndarray:
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_euler(axis, angle).as_matrix()
    pose["xyz".index(axis), 3] = shift
    return pose


def product(rows: list[tuple[float, float, float, float]], q: list[float], convention: str) -> list[np.ndarray]:
    """All frames, by the definition of the convention."""
    frames = [np.eye(4)]
    for (a, alpha, d, theta), angle in zip(rows, q):
        about_z = motion("z", theta + angle) @ motion("z", shift=d)
        about_x = motion("x", shift=a) @ motion("x", alpha)
        frames.append(frames[-1] @ (about_z @ about_x if convention == "standard" else about_x @ about_z))
    return frames


ROW = st.tuples(*[st.floats(-2, 2)] * 4)


@settings(max_examples=50, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=7), st.sampled_from(["standard", "modified"]), st.integers(0, 1000))
def test_frames_are_those_of_the_convention(rows: list, convention: str, seed: int) -> None:
    robot = Robot.from_dh(rows, convention=convention)
    (q,) = robot.sample(1, seed=seed)
    found = robot.forward_kinematics(q, links=robot.link_names).numpy()
    assert np.abs(found - np.array(product(rows, q.tolist(), convention))).max() < 1e-13


def test_names_and_limits() -> None:
    robot = Robot.from_dh(torch.zeros(3, 4), convention="standard")
    assert robot.joint_names == ("joint1", "joint2", "joint3")
    assert robot.link_names == ("base", "link1", "link2", "link3")
    assert (robot.base, robot.tip, robot.leaves, robot.source) == ("base", "link3", ("link3",), "")
    assert robot.lower.tolist() == [-math.inf] * 3
    assert robot.upper.tolist() == [math.inf] * 3
    assert robot.dtype == torch.float64


def test_puma_560_in_both_conventions() -> None:
    # Corke, Robotics, Vision and Control, 7.1: the table of the Puma 560 and its tool at the pose "nominal",
    # q = (0, pi/4, pi, 0, pi/4, 0), as printed there to four digits.
    half = math.pi / 2
    rows = [
        (0, half, 0, 0),
        (0.4318, 0, 0, 0),
        (0.0203, -half, 0.15005, 0),
        (0, half, 0.4318, 0),
        (0, -half, 0, 0),
        (0, 0, 0, 0),
    ]
    q = torch.tensor([0, math.pi / 4, math.pi, 0, math.pi / 4, 0], dtype=torch.float64)
    standard = Robot.from_dh(rows)
    expected = [[0, 0, 1, 0.5963], [0, 1, 0, -0.1501], [-1, 0, 0, -0.01435], [0, 0, 0, 1]]
    assert np.abs(standard.forward_kinematics(q).numpy() - np.array(expected)).max() < 1e-4
    # The same arm in the modified convention: a and alpha move one row down; the last ones are zero.
    shifted = [(*before[:2], *row[2:]) for before, row in zip([(0, 0, 0, 0), *rows], rows)]
    modified = Robot.from_dh(shifted, convention="modified")
    angles = standard.sample(20, seed=1)
    gap = (standard.forward_kinematics(angles) - modified.forward_kinematics(angles)).abs().max()
    assert gap < 1e-14


@pytest.mark.parametrize(
    "rows", [[], [1, 2, 3, 4], [[1, 2, 3]], [[[1, 2, 3, 4]]], [["a", 1, 2, 3]], [[1, 2, 3, 4], [1]], None]
)
def test_tables_of_another_shape(rows: object) -> None:
    with pytest.raises(ShapeError, match=r"\(n, 4\)"):
        Robot.from_dh(rows)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_numbers_must_be_finite(bad: float) -> None:
    with pytest.raises(NonFiniteError, match="Row 1"):
        Robot.from_dh([[0, 0, 0, 0], [0, bad, 0, 0]])


def test_unknown_convention() -> None:
    with pytest.raises(OptionError, match="'standard', 'modified'"):
        Robot.from_dh([[0, 0, 0, 0]], convention="craig")


# Tables of the Robotics Toolbox for Python 1.5 (Corke & Haviland, roboticstoolbox.models.DH), and what its fkine gives for
# the coordinates below it: robots of Unimation, Stanford (its third joint slides), Adept and Franka (modified).
INCH, HALF = 0.0254, math.pi / 2
TOOLBOX = {
    "puma560": (
        [
            (0, HALF, 26.45 * INCH, 0),
            (0.4318, 0, 0, 0),
            (0.0203, -HALF, 0.15005, 0),
            (0, HALF, 0.4318, 0),
            (0, -HALF, 0, 0),
            (0, 0, 0, 0),
        ],
        {},
        [0.3, 0.42, 0.54, 0.66, 0.78, 0.9],
        [
            [-0.6769366403709726, -0.06294221151011455, -0.7333451185720652, 0.09419927809118411],
            [0.7219621262389847, 0.13716135291280046, -0.6782016304489501, -0.1279258264101289],
            [0.14327411908556478, -0.988546934281497, -0.04740765257750229, 1.1121764824537193],
        ],
    ),
    "stanford": (
        [
            (0, -HALF, 0.412, 0),
            (0, HALF, 0.154, 0),
            (0.0203, 0, 0, -HALF),
            (0, -HALF, 0, 0),
            (0, HALF, 0, 0),
            (0, 0, 0, 0),
        ],
        {
            "kinds": "RRPRRR",
            "lower": [-2.9, -2.9, 12 * INCH, -2.9, -1.5, -2.9],
            "upper": [2.9, 2.9, 1.27, 2.9, 1.5, 2.9],
        },
        [0.3, 0.42, 0.54, 0.66, 0.78, 0.9],
        [
            [0.5670896291936993, 0.10249338875419765, 0.8172542185407385, 0.17084510576968492],
            [0.3127182575680036, 0.8911388653731108, -0.3287534243246085, 0.19279927340859576],
            [-0.7619820495553581, 0.44200297270856137, 0.47330405478107873, 0.9050680277686465],
        ],
    ),
    "cobra600": (
        [(0.325, 0, 0.387, 0), (0.275, math.pi, 0, 0), (0, 0, 0, 0), (0, 0, 0, 0)],
        {"kinds": "RRPR"},
        [0.3, 0.5, 0.7, 0.9],
        [
            [0.9950041652780257, -0.09983341664682836, 8.785078405689583e-17, 0.5020787040362925],
            [-0.0998334166468282, -0.9950041652780258, -8.532196415464915e-17, 0.29331699216230406],
            [9.592987925612856e-17, 7.61252657960757e-17, -1.0, -0.313],
        ],
    ),
    "panda": (
        [
            (0, 0, 0.333, 0),
            (0, -HALF, 0, 0),
            (0, HALF, 0.316, 0),
            (0.0825, HALF, 0, 0),
            (-0.0825, -HALF, 0.384, 0),
            (0, HALF, 0, 0),
            (0.088, HALF, 0.107, 0),
        ],
        {"convention": "modified", "tool": motion("z", -math.pi / 4) @ motion("z", shift=0.103)},
        [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9],
        [
            [0.1614335541767002, 0.9795495702859719, 0.12009099441026402, 0.11998415785906363],
            [0.4270264470146412, -0.17903892523531248, 0.8863371123904471, 0.15168326975424112],
            [0.8897121001402253, -0.09180251959043308, -0.4471964627106502, 0.9270278862044701],
        ],
    ),
}


@pytest.mark.parametrize("name", TOOLBOX)
def test_arms_of_the_robotics_toolbox(name: str) -> None:
    rows, options, q, expected = TOOLBOX[name]
    robot = Robot.from_dh(rows, **options)
    found = robot.forward_kinematics(torch.tensor(q, dtype=torch.float64)).numpy()
    assert np.abs(found[:3] - np.array(expected)).max() < 1e-14


@settings(max_examples=40, deadline=None)
@given(st.data(), st.lists(ROW, min_size=1, max_size=6), st.sampled_from(["standard", "modified"]))
def test_slides_bases_and_tools(data: st.DataObject, rows: list, convention: str) -> None:
    """By the product of the four elementary motions, the coordinate added to theta or to d."""
    kinds = "".join(data.draw(st.sampled_from("RP")) for _ in rows)
    base, tool = (motion("x", data.draw(st.floats(-3, 3)), 0.3) @ motion("z", 0.4, -0.2) for _ in range(2))
    robot = Robot.from_dh(rows, convention, kinds, base=base, tool=tool)
    (q,) = robot.sample(1, seed=2)
    moved = [
        (a, alpha, d + (value if kind == "P" else 0), theta + (value if kind == "R" else 0))
        for (a, alpha, d, theta), kind, value in zip(rows, kinds, q.tolist())
    ]
    frames = product(moved, [0.0] * len(rows), convention)
    expected = [np.eye(4), *(base @ frame for frame in frames[1:]), base @ frames[-1] @ tool]
    found = robot.forward_kinematics(q, links=robot.link_names).numpy()
    assert robot.link_names[-1] == robot.tip == "tool"
    assert np.abs(found - np.array(expected)).max() < 1e-12


def test_limits_are_those_given() -> None:
    robot = Robot.from_dh([[0, 0, 0, 0]] * 2, lower=[-1, -2], upper=torch.tensor([1.0, 2.0]))
    assert (robot.lower.tolist(), robot.upper.tolist()) == ([-1.0, -2.0], [1.0, 2.0])
    assert robot.lower.dtype == robot.upper.dtype == torch.float64


@pytest.mark.parametrize("convention", ["standard", "modified"])
def test_gradients_flow_to_the_table_and_the_poses(convention: str) -> None:
    generator = torch.Generator().manual_seed(0)
    rows = torch.rand(4, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    shift = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    q = torch.rand(4, generator=generator, dtype=torch.float64)

    def tip(rows: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
        pose = torch.cat((torch.eye(4, 3), torch.cat((shift, shift.new_ones(1)))[:, None]), dim=1)
        robot = Robot.from_dh(rows, convention, "RPRR", base=pose, tool=pose)
        return robot.forward_kinematics(q)[:3]

    assert torch.autograd.gradcheck(tip, (rows, shift), eps=1e-7, atol=1e-6)
    assert torch.func.jacrev(tip)(rows, shift).shape == (3, 4, 4, 4)


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"kinds": "R"}, OptionError, "2 letters R or P"),
        ({"kinds": "RX"}, OptionError, "'RX'"),
        ({"kinds": ["R", "P"]}, OptionError, "letters"),
        ({"lower": [1.0]}, ShapeError, r"lower must have shape \(2,\)"),
        ({"lower": [1.0, 1.0], "upper": [0.0, 2.0]}, LimitsError, "'joint1'"),
        ({"base": np.eye(3)}, ShapeError, r"base must have shape"),
        ({"tool": 2 * np.eye(4)}, RotationError, "tool"),
        ({"tool": np.full((4, 4), math.nan)}, NonFiniteError, "tool"),
        ({"convention": None}, OptionError, "'modified'"),
    ],
)
def test_options_that_cannot_be(options: dict, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        Robot.from_dh([[0.0, 0.0, 0.0, 0.0]] * 2, **options)


def test_the_table_may_be_an_array_or_of_whole_numbers() -> None:
    table = [[1, 0, 2, 0], [0, 1, 0, 0]]
    expected = Robot.from_dh(table).tree.link_offsets
    for other in (np.array(table, dtype=float), torch.tensor(table), torch.tensor(table, dtype=torch.float32)):
        assert torch.equal(Robot.from_dh(other).tree.link_offsets, expected)
