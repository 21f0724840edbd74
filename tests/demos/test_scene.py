"""What demos and stages say to each other."""

import pytest
import torch

import diffkin as dk
from diffkin.demos import scene
from diffkin.errors import DiffkinError, OptionError, RotationError, ShapeError, UnknownNameError


def test_first_values_leave_buttons_out() -> None:
    pose = torch.eye(4, dtype=torch.float64)
    controls = (
        scene.Slider("x", -1.0, 1.0, 0.25, "m"),
        scene.Button("reset"),
        scene.Choice("solver", ("adam", "lbfgs"), "lbfgs"),
        scene.Gizmo("target", pose),
    )
    values = scene.first_values(controls)
    assert list(values) == ["x", "solver", "target"]
    assert (values["x"], values["solver"]) == (0.25, "lbfgs") and values["target"] is pose


def test_two_controls_of_one_name_are_an_error() -> None:
    with pytest.raises(OptionError, match="'x' occurs more than once"):
        scene.first_values((scene.Slider("x", 0.0, 1.0, 0.0), scene.Button("x")))


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: scene.Slider("x", 0.0, 1.0, 2.0), OptionError),
        (lambda: scene.Slider("x", 1.0, 1.0, 1.0), OptionError),
        (lambda: scene.Slider("x", 0.0, 1.0, float("nan")), OptionError),
        (lambda: scene.Choice("solver", ("adam",), "adm"), UnknownNameError),
        (lambda: scene.Choice("solver", (), ""), UnknownNameError),
        (lambda: scene.Gizmo("target", torch.full((4, 4), 2.0)), RotationError),
        (lambda: scene.Body("arm", dk.load_robot("planar_2r"), torch.zeros(3)), ShapeError),
        (lambda: scene.Body("arm", dk.load_robot("planar_2r"), torch.tensor([0.0, torch.nan])), DiffkinError),
    ],
)
def test_what_cannot_be_raises(make, error: type[Exception]) -> None:
    with pytest.raises(error):
        make()


@pytest.mark.parametrize(
    ("reading", "text"),
    [
        (scene.Reading("error", 0.00123456, "m"), "0.00123 m"),
        (scene.Reading("error", -0.0, "m"), "0 m"),
        (scene.Reading("iterations", 1234567), "1234567"),
        (scene.Reading("success", True), "yes"),
        (scene.Reading("success", False), "no"),
        (scene.Reading("Bullet", None, "m"), "-"),
        (scene.Reading("solver", "adam"), "adam"),
    ],
)
def test_readings_as_text(reading: scene.Reading, text: str) -> None:
    assert reading.text == text


def test_a_scene_gives_its_readings_by_name() -> None:
    made = scene.Scene(readings=(scene.Reading("success", True), scene.Reading("error", 1.0, "m")))
    assert made.reading("error").value == 1.0
    with pytest.raises(UnknownNameError, match="success"):
        made.reading("succes")


def test_a_moment_gives_values_by_kind() -> None:
    pose = torch.eye(4)
    moment = scene.Moment(1.0, 0.1, {"x": 2, "solver": "adam", "target": pose})
    assert moment.number("x") == 2.0 and moment.option("solver") == "adam"
    assert moment.pose("target").dtype == torch.float64 and moment.pose("target").shape == (4, 4)
    with pytest.raises(UnknownNameError, match="solver"):
        moment.option("solvr")
