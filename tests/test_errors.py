"""Errors: what they are caught as, and the hint for an unknown name."""

from __future__ import annotations

import pickle
import random
import time

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
        (errors.DeviceError, RuntimeError),
        (errors.GradientError, RuntimeError),
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
    assert len(KINDS) == 16


def test_every_error_of_the_module_is_public() -> None:
    found = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)}
    assert found == {kind.__name__ for kind in KINDS}


def test_an_unknown_name_is_shown_without_quotes_around_the_message() -> None:
    assert str(UnknownNameError("Unknown link 'a'.")) == "Unknown link 'a'."
    assert str(UnknownNameError()) == ""


def test_close_names_come_first_and_few_are_shown_all() -> None:
    error = closest("lnk1", ["link1", "link2", "hand"], "link")
    assert isinstance(error, UnknownNameError)
    assert str(error) == "Unknown link 'lnk1'. Closest: 'link1', 'link2'. Valid: 'link1', 'link2', 'hand'."
    many = ["link1", "link2", *(f"hand{letter}" for letter in "abcdefghijkl")]
    assert str(closest("lnk1", many, "link")) == "Unknown link 'lnk1'. Closest: 'link1', 'link2'."


LENGTHS = (3, 30, 300)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("letters", ["a", "ab", "abcdefghijklmnopqrstuvwxyz"])
def test_of_many_long_names_the_closest_is_found_at_once(length: int, letters: str) -> None:
    draw = random.Random(0)
    shared = "".join(draw.choices(letters, k=length))
    known = [f"{shared}_{number}_{shared[::-1]}" for number in range(20_000)]
    for place in (0, 12_345):
        right = known[place]
        for wrong in (right[1:], right[:-1], right + "x", "x" + right, right[: length // 2] + right[length // 2 + 1 :]):
            began = time.process_time()
            message = str(closest(wrong, known, "link"))
            assert time.process_time() - began < 0.5  # of the order of 0.05 on an idle machine, 30 s without bounds
            assert "Closest: " in message
            assert len(message) < 600
            if length == 3:
                assert repr(right) in message


def test_names_that_are_no_short_text() -> None:
    assert len(str(closest("a" * 10**6, ["a" * 10**6 + "b"] * 3, "link"))) < 600
    assert str(closest(None, ["arm"], "robot")) == "Unknown robot None. Valid: 'arm'."
    assert str(closest(["arm"], ["arm"], "robot")).startswith("Unknown robot ['arm'].")


def test_a_name_like_nothing_gets_the_valid_ones() -> None:
    assert str(closest("xyzzy", ["left", "right"], "arm")) == "Unknown arm 'xyzzy'. Valid: 'left', 'right'."
    many = [f"{letter}1" for letter in "abcdefghijklmno"]
    assert str(closest("?", many, "joint")).endswith("'l1' and 3 more.")
    assert str(closest("x", [], "robot")) == "Unknown robot 'x'. There are none."
    assert "Unknown robot 3." in str(closest(3, ["arm"], "robot"))
