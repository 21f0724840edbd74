"""Errors: what they are caught as, and the hint for an unknown name."""

from __future__ import annotations

import pickle

import pytest

from diffkin import errors
from diffkin.errors import DiffkinError, UnknownNameError, closest

KINDS = [getattr(errors, name) for name in errors.__all__ if name.endswith("Error")]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_is_one_of_ours_and_shows_its_message(kind: type[DiffkinError]) -> None:
    assert issubclass(kind, DiffkinError)
    error = kind("q is 3, give 4.")
    assert str(error) == "q is 3, give 4."
    assert str(pickle.loads(pickle.dumps(error))) == "q is 3, give 4."


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (errors.ShapeError, ValueError),
        (errors.DtypeError, TypeError),
        (errors.NonFiniteError, ValueError),
        (errors.RotationError, ValueError),
        (errors.UnknownNameError, KeyError),
        (errors.OptionError, ValueError),
        (errors.ModelFileError, ValueError),
        (errors.JointError, errors.ModelFileError),
        (errors.LimitsError, errors.ModelFileError),
        (errors.TopologyError, errors.ModelFileError),
        (errors.AttitudeError, ValueError),
        (errors.MissingDependencyError, ImportError),
    ],
)
def test_callers_may_catch_what_python_would_raise(kind: type[Exception], builtin: type[Exception]) -> None:
    assert issubclass(kind, builtin)


def test_the_list_above_is_whole() -> None:
    assert len(KINDS) == 13


def test_every_error_of_the_module_is_public() -> None:
    found = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)}
    assert found == {kind.__name__ for kind in KINDS}


def test_an_unknown_name_is_shown_without_quotes_around_the_message() -> None:
    assert str(UnknownNameError("Unknown link 'a'.")) == "Unknown link 'a'."
    assert str(UnknownNameError()) == ""


def test_close_names_come_first() -> None:
    error = closest("lnk1", ["link1", "link2", "hand"], "link")
    assert isinstance(error, UnknownNameError)
    assert str(error).startswith("Unknown link 'lnk1'. Closest: 'link1'")
    assert "'hand'" not in str(error)


def test_a_name_like_nothing_gets_the_valid_ones() -> None:
    assert str(closest("xyzzy", ["left", "right"], "arm")) == "Unknown arm 'xyzzy'. Valid: 'left', 'right'."
    many = [f"{letter}1" for letter in "abcdefghijklmno"]
    assert str(closest("?", many, "joint")).endswith("'l1' and 3 more.")
    assert str(closest("x", [], "robot")) == "Unknown robot 'x'. There are none."
    assert "Unknown robot 3." in str(closest(3, ["arm"], "robot"))
